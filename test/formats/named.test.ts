import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cmmFormat,
  decodePicks,
  describeLosses,
  detectPicksFormat,
  type FormatOptions,
  napariFormat,
  type PicksFormatName,
  picksFormat,
  picksFormatNames,
  picksFormatOfPath,
  relion4Format,
  relion5Format,
  requireOneVoxelSize,
} from '../../src/entry/formats.ts';
import { CryoetPicksError, formatPicks, type PicksFormat, parsePicks } from '../../src/entry/index.ts';
import { lossesOf } from '../../src/formats/format.ts';
import { samplePicks } from '../support/format-samples.ts';

const all: FormatOptions = { voxelSize: 10, shape: [60, 400, 500], run: 'TS_1', object: 'ribosome' };
const error = (code: string, message: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });
const parse = (name: PicksFormatName, content: string | Uint8Array, options: FormatOptions = all) =>
  (picksFormat(name, options) as PicksFormat<string | Uint8Array>).parse(content, 'file');

describe('formatNamed', () => {
  it.each(['', 'relion', 'toString', '__proto__'])('picksFormat throws for the unknown format "%s"', (name) => {
    expect(() => picksFormat(name)).toThrow(error('invalid-option', `unknown format "${name}"; available: csv, `));
  });

  it.each([
    ['a voxel size of 0', { voxelSize: 0 }, 'voxelSize is 0; expected a length in Å'],
    ['a negative edge', { voxelSize: [1, -1, 1] as const }, 'voxelSize is [1, -1, 1]'],
    ['a fractional shape', { shape: [1, 2.5, 3] as const }, 'shape is [1, 2.5, 3]; expected voxels along z, y, x'],
  ])('picksFormat refuses %s at once', (_, options, message) => {
    expect(() => picksFormat('relion5', options)).toThrow(error('invalid-option', message));
  });
});

describe('the format of a file', () => {
  it.each<[string, string, PicksFormatName]>([
    ['a.csv', 'run_name,object_name,x,y,z\n', 'csv'],
    ['a.csv', 'id,experiment,particle_type,x,y,z\n', 'submission'],
    ['a.csv', '"index","axis-0","axis-1","axis-2"\n', 'napari'],
    ['a.csv', '1,2,3\n', 'points'],
    ['a.csv', '\n"run, by name", x ,"y",z\r\n', 'csv'],
    ['a.csv', 'x,y,z,x_ang,y_ang,z_ang\n', 'points'],
    ['a.txt', '1 2 3\n', 'points'],
    ['A.JSON', '{"points": []}', 'copick'],
    ['a.json', '{"boxes_3d": []}', 'eman2'],
    ['a.star', 'data_stopgap_motivelist\n', 'stopgap'],
    ['a.star', 'data_particles\nloop_\n_rlnCenteredCoordinateXAngst #1\n', 'relion5'],
    ['a.star', 'data_\nloop_\n_rlnCoordinateX #1\n', 'relion4'],
    ['dir.x/a.tbl', '', 'dynamo'],
    ['a.em', '', 'tom'],
    ['a.mod', '', 'imod'],
    ['a.ndjson', '', 'ndjson'],
    ['a.cmm', '', 'cmm'],
  ])('the format of a file %s with %j is %s', (path, text, name) => {
    expect(detectPicksFormat(path, text)).toBe(name);
  });

  it.each<[string, PicksFormatName]>([
    ['a.csv', 'csv'],
    ['a.json', 'copick'],
    ['a.cmm', 'cmm'],
  ])('the format of a file %s is written as %s', (path, name) => {
    expect(picksFormatOfPath(path)).toBe(name);
  });

  it('the format of a file must be given for an unknown extension', () => {
    expect(() => picksFormatOfPath('a.star')).toThrow(
      error('invalid-option', 'a.star may be any of relion3, relion4, relion5, stopgap'),
    );
    expect(() => picksFormatOfPath('a.constructor')).toThrow(
      error('invalid-option', 'from its extension; name one of csv, '),
    );
    expect(() => detectPicksFormat('star', '')).toThrow(error('invalid-option', 'or use the extension .csv, .txt'));
  });
});

describe('what a file does not hold', () => {
  const relion = 'data_\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\na 1 2 3\n';
  const centred = relion.replace(/Coordinate([XYZ])/g, 'CenteredCoordinate$1Angst');
  const tbl = `${new Array(42).fill(1).join(' ')}\n`;
  it.each<[string, PicksFormatName, string, FormatOptions, string]>([
    [
      'a voxel size',
      'relion4',
      relion,
      { object: 'a' },
      'line 7 has positions in voxels of unknown size; give the option voxelSize',
    ],
    ['an object', 'relion4', relion, { voxelSize: 1 }, 'objects have numbers, not names; give the option object'],
    [
      'a class',
      'relion4',
      relion,
      { voxelSize: 1, objects: { 2: 'a' } },
      'the option objects has no class 1; it has 2',
    ],
    [
      'a shape',
      'relion5',
      centred,
      { voxelSize: 1, object: 'a' },
      'relative to the centre of the tomogram; give the option shape',
    ],
    ['a shape', 'eman2', '{"apix_unbin":1,"boxes_3d":[]}', { run: 'a', voxelSize: 1 }, 'relative to the centre'],
    ['a run', 'points', '1 2 3', { object: 'a', voxelSize: 1 }, 'file does not name its run; give the option run'],
    ['an object', 'ndjson', '', { run: 'a', voxelSize: 1 }, 'file does not name its object; give the option object'],
    [
      'two runs',
      'dynamo',
      tbl + tbl.replaceAll('1', '2'),
      { ...all },
      'holds 2 tomograms, but the option run names one',
    ],
    ['a tomogram', 'dynamo', tbl, { ...all, runs: { 2: 'a' } }, 'the option runs has no tomogram 1'],
  ])('what a file lacks is required as an option: %s of %s', (_, name, text, options, message) => {
    expect(() => parse(name, text, options)).toThrow(error('invalid-option', message));
  });
});

describe('broken files', () => {
  const loop = 'data_\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n';
  it.each<[string, PicksFormatName, string | Uint8Array, string]>([
    ['no STAR', 'relion4', 'x,y,z\n', 'file, line 1: expected data_, the start of a STAR block'],
    [
      'another table',
      'relion4',
      'data_global\nloop_\n_a\n1\n',
      'no table with _rlnCoordinateX or _rlnCenteredCoordinateXAngst; found data_global',
    ],
    ['a motive list', 'relion4', 'data_stopgap_motivelist\nloop_\n_orig_x\n1\n', 'is a motive list of STOPGAP'],
    ['a short row', 'relion4', `${loop}a 1 2\n`, 'file, line 7: 3 values; expected 4'],
    [
      'a word for a number',
      'relion4',
      `${loop}a 1 two 3\n`,
      'file, line 7: _rlnCoordinateY is "two"; expected a finite number',
    ],
    ['nan', 'relion4', `${loop}a 1 nan 3\n`, '_rlnCoordinateY is "nan"'],
    ['a label twice', 'relion4', 'data_\nloop_\n_a\n_a\n', 'line 4: label _a occurs twice'],
    [
      'two of three axes',
      'relion4',
      'data_\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\na 1 2\n',
      'expected all of _rlnCoordinateX',
    ],
    ['RELION’s table', 'stopgap', `${loop}a 1 2 3\n`, 'expected data_stopgap_motivelist; found data_'],
    [
      'a motive list without z',
      'stopgap',
      'data_stopgap_motivelist\nloop_\n_tomo_num\n_orig_x\n_orig_y\n1 2 3\n',
      'no label _orig_z',
    ],
    ['25 columns', 'dynamo', `${new Array(25).fill(1).join(' ')}\n`, 'file, line 1: 25 columns; expected at least 26'],
    ['a word in a table', 'dynamo', `${new Array(30).fill('x').join(' ')}\n`, 'column 20 (tomo) is "x"'],
    ['half a header', 'tom', new Uint8Array(100), '100 bytes; an EM file has a header of 512'],
    ['a volume cut off', 'tom', emHeader(20, 1000, 1), 'EM file of 20×1000×1 numbers in 512 bytes; it is truncated'],
    ['10¹⁸ numbers', 'tom', emHeader(1e6, 1e6, 1e6), 'it is truncated'],
    ['a map', 'tom', emHeader(2, 2, 2, 32), 'holds 2×2×2 numbers; a motive list has 20 per particle'],
    ['no model', 'imod', new Uint8Array(300), 'expected a binary IMOD model'],
    ['a model cut off', 'imod', imodHeader('CONT'), 'IMOD model is truncated'],
    [
      'a mesh of −1 vertices',
      'imod',
      imodHeader(`MESH${'\u00ff'.repeat(4)}${'\0'.repeat(12)}`),
      'IMOD model is truncated',
    ],
    ['a model without an end', 'imod', imodHeader(''), 'IMOD model is truncated'],
    ['no JSON', 'eman2', '{', 'file is not JSON'],
    ['no boxes', 'eman2', '{}', 'boxes_3d is missing'],
    ['a box of two numbers', 'eman2', '{"boxes_3d":[[1,2]]}', 'file: box 0: expected x, y, z and more, found [1,2]'],
    ['a point without a place', 'ndjson', '{"type":"point"}\n', 'file, line 1: location is missing'],
    [
      'a matrix of two rows',
      'ndjson',
      '{"location":{"x":1,"y":2,"z":3},"xyz_rotation_matrix":[[1,0,0],[0,1,0]]}',
      'xyz_rotation_matrix',
    ],
    ['two axes', 'napari', 'index,axis-0,axis-1\n', 'no column "axis-2"'],
    ['two columns', 'points', '1,2\n', 'file, line 1: found fewer than three columns'],
    ['no XML', 'cmm', 'x', 'no XML'],
    ['XML that is not closed', 'cmm', '<marker_set>', 'file, line 1: no XML'],
    ['XML with entities of its own', 'cmm', '<!DOCTYPE a [<!ENTITY b "c">]><marker_set/>', 'XML with a DOCTYPE'],
    ['other XML', 'cmm', '<html/>', 'expected a marker_set, found html'],
    [
      'a marker nowhere',
      'cmm',
      '<marker_set name="a"><marker id="1" x="1" y="2"/></marker_set>',
      'marker 1: z is missing',
    ],
  ])('broken files %s for %s is refused', (_, name, content, message) => {
    expect(() => parse(name, content)).toThrow(error('invalid-picks', message));
  });

  it('broken files of another machine are unsupported', () => {
    expect(() =>
      parse(
        'tom',
        Uint8Array.from({ length: 512 }, () => 1),
      ),
    ).toThrow(error('unsupported', 'EM file of machine 1'));
  });

  it.each(picksFormatNames)('broken files for %s give picks or a CryoetPicksError, nothing else', (name) => {
    const format = picksFormat(name, all) as PicksFormat<string | Uint8Array>;
    const one = samplePicks.slice(0, 1).map(({ picks }) => ({ run: 'TS_1', picks: picks.slice(0, 1) }));
    const sample = format.format(one);
    const bytes = typeof sample === 'string' ? new TextEncoder().encode(sample) : sample;
    const edits = fc.array(fc.tuple(fc.nat(bytes.length), fc.nat(4), fc.uint8Array({ maxLength: 5 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(edits, (changes) => {
        let mutated = [...bytes];
        for (const [at, gone, added] of changes)
          mutated = [...mutated.slice(0, at), ...added, ...mutated.slice(at + gone)];
        const given = Uint8Array.from(mutated);
        try {
          format.parse(format.content === 'text' ? new TextDecoder().decode(given) : given, 'file');
        } catch (caught) {
          expect(caught).toBeInstanceOf(CryoetPicksError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('names', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }).filter((text) => text.trim() !== '');
  const given = (run: string, object: string) => [
    { run, picks: [{ object, position: { x: 1, y: 2, z: 3 }, score: 1 }] },
  ];

  it('names with spaces, quotes and hashes are kept in STAR, except for line breaks and both quotes', () => {
    const format = relion4Format({ voxelSize: 1, object: 'a' });
    fc.assert(
      fc.property(name, (run) => {
        const holds = !/[\r\n\u2028\u2029]/.test(run) && !(run.includes('"') && run.includes("'"));
        if (holds) expect(parsePicks(formatPicks(given(run, 'a'), { format }), { format })).toEqual(given(run, 'a'));
      }),
    );
    expect(() => formatPicks(given('a\nb', 'a'), { format })).toThrow(
      error('invalid-picks', 'STAR cannot contain the name "a\\nb"'),
    );
    expect(() => formatPicks(given(`"'`, 'a'), { format })).toThrow(error('invalid-picks', 'STAR cannot contain'));
  });

  it.each([
    ['cmm', cmmFormat()],
    ['napari', napariFormat({ voxelSize: 1 })],
  ] as const)('names of any characters are kept in %s, or refused', (_, format) => {
    fc.assert(
      fc.property(name, name, (run, object) => {
        expect(parsePicks(formatPicks(given(run, object), { format }), { format })).toEqual(given(run, object));
      }),
    );
  });

  it('names with control characters are refused for XML', () => {
    expect(() => formatPicks(given('a\u0001', 'a'), { format: cmmFormat() })).toThrow(
      error('invalid-picks', 'XML cannot contain'),
    );
  });
});

describe('RELION 5', () => {
  const one = [{ run: 'a', picks: [{ object: 'a', position: { x: 100, y: 200, z: 300 }, score: 1 }] }];
  const written = (centre?: 'half' | 'half-less-one') =>
    formatPicks(one, { format: relion5Format({ shape: [101, 200, 64], voxelSize: 10, centre }) })
      .split('\n')
      .at(-2)
      ?.split('\t')
      .slice(1, 4);

  it('RELION 5 has its origin at voxel size / 2, also for odd sizes, as in its extraction', () => {
    expect(written()).toEqual(['-220', '-800', '-205']);
    expect(written('half')).toEqual(written());
  });

  it('RELION 5 has its origin at voxel size / 2 − 1 on request, as in its picking tools', () => {
    expect(written('half-less-one')).toEqual(['-210', '-790', '-195']);
  });

  it('RELION 5 has the same centre in every binning', () => {
    const binned = relion5Format({ shape: [50, 100, 32], voxelSize: 20, object: 'a' });
    const whole = relion5Format({ shape: [100, 200, 64], voxelSize: 10, object: 'a' });
    expect(parsePicks(formatPicks(one, { format: whole }), { format: binned })).toEqual(one);
  });
});

describe('cmmFormat', () => {
  it.each<[string, string | Uint8Array]>([
    ['bytes', new Uint8Array(2 ** 26 + 1).fill(32)],
    ['text', ' '.repeat(2 ** 26 + 1)],
  ])('cmmFormat refuses XML of more than 64 MiB, since it is parsed in one piece: %s', async (_, content) => {
    const parsed = decodePicks(content, { format: cmmFormat(), source: 'large.cmm' });
    await expect(parsed).rejects.toMatchObject({
      code: 'unsupported',
      message:
        'large.cmm: 65 MiB of XML; marker files are read in one piece, 64 MiB at most: ' +
        'split it into files of fewer markers, or use CSV',
    });
  });
});

describe('describeLosses', () => {
  it('lossesOf gives the lines of describeLosses, lets timers run meanwhile, and stops at an abort', async () => {
    const many = Array.from({ length: 400_000 }, (_, i) => samplePicks[0]!.picks[i % samplePicks[0]!.picks.length]!);
    const runs = [...samplePicks, { run: '7', picks: many }];
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const format = cmmFormat();
    expect(await lossesOf(runs, { format })).toEqual(describeLosses(runs, { format }));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
    const controller = new AbortController();
    const stopped = lossesOf(runs, { format, signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(stopped).rejects.toThrow('enough');
  });

  it('describeLosses names the pick that is none, wherever it lies', () => {
    const picks = Array.from({ length: 5000 }, () => samplePicks[0]!.picks[0]!);
    const runs = [{ run: 'TS_1', picks: [...picks, { object: 'a' } as never] }];
    expect(() => describeLosses(runs, { format: cmmFormat() })).toThrow(/pick 5000 of run "TS_1"/);
  });

  it('describeLosses lists what given picks lose, and how many of them', () => {
    expect(describeLosses(samplePicks, { format: picksFormat('ndjson', all) })).toEqual([
      'score: the portal stores no score (3 of 3 picks)',
      'run: the portal names the run in the folder (3 of 3 picks)',
      'object: the portal names the object in the metadata beside the file (3 of 3 picks)',
    ]);
    expect(describeLosses(samplePicks, { format: cmmFormat() })).toEqual([
      'orientation: markers have no orientation (2 of 3 picks)',
    ]);
    expect(describeLosses(samplePicks, { format: picksFormat('csv') })).toEqual([]);
  });
});

function emHeader(x: number, y: number, z: number, bytes = 0): Uint8Array {
  const header = new Uint8Array(512 + bytes);
  header.set([6, 0, 0, 5]);
  for (const [axis, count] of [x, y, z].entries()) new DataView(header.buffer).setInt32(4 + axis * 4, count, true);
  return header;
}

function imodHeader(chunk: string): Uint8Array {
  const header = new Uint8Array(240 + chunk.length);
  header.set(new TextEncoder().encode('IMODV1.2'));
  header.set(
    Array.from(chunk, (byte) => byte.charCodeAt(0)),
    240,
  );
  return header;
}

describe('requireOneVoxelSize', () => {
  it('requireOneVoxelSize gives the voxel size that runs share up to rounding, and undefined of none', () => {
    expect(requireOneVoxelSize({ TS_1: [10, 10, 10], TS_2: [10.000000001, 10, 10] })).toEqual([10, 10, 10]);
    expect(requireOneVoxelSize({})).toBeUndefined();
  });

  it('requireOneVoxelSize names the runs that differ, their voxel sizes and the remedy', () => {
    const sizes = { TS_1: [10, 10, 10], TS_2: [10, 10, 10.01] } as const;
    expect(() => requireOneVoxelSize(sizes, { remedy: 'wait' })).toThrow(
      error('invalid-option', '(10 Å in TS_1, 10×10×10.01 Å in TS_2), and one file has one voxel size; wait'),
    );
  });
});
