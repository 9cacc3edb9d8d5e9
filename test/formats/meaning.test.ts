import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  copickFormat,
  detectPicksFormat,
  dynamoFormat,
  type FormatOptions,
  imodFormat,
  napariFormat,
  type PicksFormat,
  picksFormat,
  relion3Format,
  relion4Format,
  relion5Format,
  stopgapFormat,
  tomFormat,
} from '../../src/entry/formats.ts';
import { parsePicks, type RunPicks } from '../../src/entry/index.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';

const options = { run: 'TS_1', object: 'ribosome', voxelSize: 10 };
const pick = { object: 'ribosome', position: { x: 1000, y: 2000, z: 500 }, score: 1 };
const runs: RunPicks[] = [{ run: 'TS_1', picks: [pick] }];
const found = [1000, 2000, 500, 1];

function read<Content extends string | Uint8Array>(format: PicksFormat<Content>, content: NoInfer<Content>) {
  const warnings: [string, string][] = [];
  const onWarning = ({ code, message }: { code: string; message: string }) => warnings.push([code, message]);
  const read = parsePicks(content, { format, source: 'file', onWarning });
  const rows = read.flatMap(({ picks }) => picks.map(({ position: { x, y, z }, score }) => [x, y, z, score]));
  return { rows, warnings, leftOut: format.leftOut?.(content, 'file') ?? [] };
}

const refused = (code: string, message: string | RegExp, option?: string) =>
  expect.objectContaining({ code, message: expect.stringMatching(message), ...(option && { option }) });

describe('models of IMOD', () => {
  const format = imodFormat(options);

  /** A model of one point, as 3dmod would save it. */
  function model(
    { x, y, z }: { x: number; y: number; z: number },
    { flags, minx, zScale }: { flags?: number; minx?: readonly number[]; zScale?: number },
  ): Uint8Array {
    const plain = format.format([{ run: 'TS_1', picks: [{ ...pick, position: { x: x * 10, y: y * 10, z: z * 10 } }] }]);
    const end = plain.length - 4;
    const bytes = new Uint8Array(plain.length + (minx ? 80 : 0));
    bytes.set(plain.subarray(0, end));
    bytes.set(plain.subarray(end), bytes.length - 4);
    const view = new DataView(bytes.buffer);
    if (flags !== undefined) view.setUint32(152, flags);
    if (zScale !== undefined) view.setFloat32(192, zScale);
    if (minx !== undefined) {
      bytes.set(new TextEncoder().encode('MINX'), end);
      view.setInt32(end + 4, 72);
      for (const [index, value] of minx.entries()) view.setFloat32(end + 8 + index * 4, value);
    }
    return bytes;
  }
  const minx = (whole: readonly number[], loaded: readonly number[], scale = 13.5) =>
    [1, 1, 1, ...whole, 0, 0, 0, scale, scale, scale, ...loaded, 0, 0, 0] as const;

  it('imodFormat exchanges y and z of a model that was saved on a flipped volume', () => {
    // IMOD puts the centre of a voxel at 0.5 along the first two axes that it shows.
    const bytes = model({ x: 100, y: 49.5, z: 200.5 }, { flags: 1 << 16 });
    expect(read(format, bytes)).toEqual({ rows: [found], warnings: [], leftOut: [] });
  });

  it('imodFormat reads names of objects in UTF-8, and in Latin-1 where they cannot be that', () => {
    const named = imodFormat({ run: 'TS_1', voxelSize: 10 });
    const bytes = Buffer.from(named.format([{ run: 'TS_1', picks: [{ ...pick, object: 'protéine' }] }]));
    const objectOf = () => named.parse(bytes, 'file')[0]?.picks[0]?.object;
    expect(objectOf()).toBe('protéine');
    const at = bytes.indexOf('é');
    bytes.copyWithin(at + 1, at + 2, bytes.indexOf(0, at) + 1);
    bytes[at] = 0xe9;
    expect(objectOf()).toBe('protéine');
  });

  it('imodFormat adds the corner of the loaded subset', () => {
    // The volume begins at -100 Å along x; 20, 30 and 10 pixels of it were not loaded.
    const whole = [-100, 0, 0];
    const loaded = [-100 - 20 * 13.5, -30 * 13.5, -10 * 13.5];
    const bytes = model({ x: 80, y: 170, z: 40 }, { flags: 1 << 14, minx: minx(whole, loaded) });
    expect(read(format, bytes).rows).toEqual([found]);
    const flipped = model({ x: 80, y: 39.5, z: 170.5 }, { flags: (1 << 14) | (1 << 16), minx: minx(whole, loaded) });
    expect(read(format, flipped).rows).toEqual([found]);
  });

  it('imodFormat warns of an origin that it cannot tell from a subset, and refuses a rotated volume', () => {
    const unknown = read(format, model({ x: 100, y: 200, z: 50 }, { minx: minx([0, 0, 0], [135, 0, 0], 10) }));
    expect(unknown).toMatchObject({ rows: [found], warnings: [['subset-unknown', expect.anything()]] });
    expect(() => read(format, model({ x: 1, y: 1, z: 1 }, { flags: 1 << 17 }))).toThrow(
      refused('unsupported', /rotated about x/),
    );
  });

  it('imodFormat reports where voxel sizes differ, and takes the z scale where none is given', () => {
    const bytes = model({ x: 100, y: 200, z: 25 }, { zScale: 2, minx: minx([0, 0, 0], [0, 0, 0]) });
    const { rows, warnings } = read(imodFormat({ run: 'TS_1' }), bytes);
    expect(rows).toEqual([found]);
    expect(warnings.map(([code]) => code)).toEqual(['z-scale', 'voxel-size-differs']);
    expect(warnings[1]?.[1]).toMatch(/pixel size of the model is 10 Å, .*MINX.* 13.5 Å; 10 Å is used/);
  });
});

describe('tables of RELION', () => {
  const table = (labels: readonly string[], ...rows: string[]) =>
    `data_\n\nloop_\n${labels.map((label) => `_${label}\n`).join('')}${rows.map((row) => `${row}\n`).join('')}`;
  const xyz = ['rlnMicrographName', 'rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'];
  const warp = table(xyz, 'TS_1 0.25 0.5 0.125', 'TS_1 0.5 0.75 1');

  it('relion3Format reads coordinates from 0 to 1 as fractions of the tomogram, with a warning', () => {
    const { rows, warnings } = read(relion3Format({ ...options, shape: [400, 400, 400] }), warp);
    expect(rows).toEqual([found, [2000, 3000, 4000, 1]]);
    expect(warnings).toEqual([['coordinates-are-fractions', expect.stringMatching(/as Warp writes them/)]]);
    const ofRun = relion3Format({ ...options, shapes: { TS_1: [400, 400, 400] }, coordinates: 'fractions' });
    expect(read(ofRun, warp)).toMatchObject({ rows: [found, [2000, 3000, 4000, 1]], warnings: [] });
  });

  it('relion3Format refuses coordinates from 0 to 1 without a shape, unless they are said to be voxels', () => {
    expect(() => read(relion3Format(options), warp)).toThrow(refused('invalid-option', /fractions/, 'shape'));
    expect(read(relion3Format({ ...options, coordinates: 'voxels' }), warp).rows[0]).toEqual([2.5, 5, 1.25, 1]);
    // Whole numbers may be the first voxels of a tomogram.
    expect(read(relion3Format(options), table(xyz, 'TS_1 0 1 0')).rows).toEqual([[0, 10, 0, 1]]);
  });

  it('relion3Format warns where two sizes of a pixel differ by more than 1 %, and names both', () => {
    const labels = [...xyz, 'rlnMagnification', 'rlnDetectorPixelSize', 'rlnPixelSize'];
    const both = (size: number) => table(labels, `TS_1 100 200 50 10000 10 ${size}`, `TS_1 1 2 3 10000 10 ${size}`);
    const { rows, warnings } = read(relion3Format({ object: 'a' }), both(13.48));
    expect(rows[0]).toEqual([1348, 2696, 674, 1]);
    expect(warnings).toEqual([
      [
        'voxel-size-differs',
        expect.stringMatching(/^_rlnPixelSize is 13.48 Å, _rlnDetectorPixelSize over _rlnMagnif.* 10 Å/),
      ],
    ]);
    expect(read(relion3Format({ object: 'a' }), both(10.05)).warnings).toEqual([]);
  });

  it('relion4Format warns where the voxel size of the caller, which wins, is not that of the file', () => {
    const optics = 'data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n1 2.7\n\n';
    const particles = table([...xyz, 'rlnOpticsGroup'], 'TS_1 100 200 50 1').replace('data_', 'data_particles');
    const { rows, warnings } = read(relion4Format({ ...options, voxelSize: 10.8 }), optics + particles);
    expect(rows[0]?.[0]).toBeCloseTo(1080);
    expect(warnings).toEqual([
      ['voxel-size-differs', 'the option voxelSize is 10.8 Å, _rlnTomoTiltSeriesPixelSize 2.7 Å; 10.8 Å is used'],
    ]);
  });

  it('relion4Format takes no pixel size of another optics group, and refuses a group that the file lacks', () => {
    const optics = 'data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n7 2.7\n\n';
    const particles = (group: number) =>
      table([...xyz, 'rlnOpticsGroup'], `TS_1 100 200 50 ${group}`).replace('data_', 'data_particles');
    const missing = refused('invalid-picks', /line 16: _rlnOpticsGroup is 1; expected a group of data_optics: 7$/);
    for (const given of [{ object: 'a' }, options]) {
      expect(() => read(relion4Format(given), optics + particles(1))).toThrow(missing);
    }
    expect(read(relion4Format({ object: 'a' }), optics + particles(7)).rows[0]?.[0]).toBeCloseTo(270);
  });

  it('relion4Format and stopgapFormat refuse a file of two tables of particles', () => {
    const two =
      table(xyz, 'TS_1 1 2 3').replace('data_', 'data_a') + table(xyz, 'TS_1 4 5 6').replace('data_', 'data_b');
    const both = refused('invalid-picks', /2 tables of particles: data_a \(1 rows\), data_b \(1 rows\)/);
    expect(() => read(relion4Format(options), two)).toThrow(both);
    const list = stopgapFormat(options).format(runs);
    expect(() => read(stopgapFormat(options), list + list)).toThrow(refused('invalid-picks', /2 tables of particles/));
  });

  it.each([
    ['in Å', ['rlnOriginXAngst', 'rlnOriginYAngst'], '100 50', [900, 1950, 500, 1]],
    ['in pixels', ['rlnOriginX', 'rlnOriginZ'], '10 5', [900, 2000, 450, 1]],
    ['in both', ['rlnOriginXAngst', 'rlnOriginX', 'rlnOriginZ'], '100 99 5', [900, 2000, 450, 1]],
  ])('relion3Format subtracts the origins %s along the axes that have one', (_, labels, cells, expected) => {
    const { rows, leftOut } = read(relion3Format(options), table([...xyz, ...labels], `TS_1 100 200 50 ${cells}`));
    expect({ rows, leftOut }).toEqual({ rows: [expected], leftOut: [] });
  });

  it('relion4Format lists a second score that it does not read', () => {
    const text = table([...xyz, 'rlnAutopickFigureOfMerit', 'rlnLCCmax'], 'TS_1 100 200 50 0.9 0.3');
    expect(read(relion4Format(options), text)).toMatchObject({
      rows: [[1000, 2000, 500, 0.9]],
      leftOut: ['column: not read: _rlnLCCmax'],
    });
  });

  it('relion5Format does not compare the voxel size of a binned tomogram with that of the tilt series', () => {
    const optics = 'data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n1 2.7\n\n';
    const centred = xyz.map((label) => label.replace(/Coordinate(.)/, 'CenteredCoordinate$1Angst'));
    const text = optics + table(centred, 'TS_1 0 0 0').replace('data_', 'data_particles');
    const { rows, warnings } = read(relion5Format({ ...options, shape: [100, 400, 200] }), text);
    expect({ rows, warnings }).toEqual({ rows: [found], warnings: [] });
  });

  it.each(['nan', 'NaN', '<NA>', '0', 'inf'])('relion3Format counts a pixel size of %s as none', (size) => {
    const text = table([...xyz, 'rlnPixelSize'], `TS_1 100 200 50 ${size}`);
    expect(read(relion3Format(options), text)).toMatchObject({ rows: [found], warnings: [] });
    expect(() => read(relion3Format({ object: 'a' }), text)).toThrow(
      refused('invalid-option', /voxelSize/, 'voxelSize'),
    );
  });

  it('relion4Format reads the score of pytom-match-pick, and lists the columns that it does not read', () => {
    const text = table([...xyz, 'rlnLCCmax', 'rlnCutOff', 'rlnSearchStd'], 'TS_1 100 200 50 0.31 0.12 0.02');
    const { rows, leftOut } = read(relion4Format(options), text);
    expect(rows).toEqual([[1000, 2000, 500, 0.31]]);
    expect(leftOut).toEqual(['column: not read: _rlnCutOff, _rlnSearchStd']);
  });

  it.each([relion3Format(options), relion4Format(options), relion5Format({ ...options, shape: [9, 9, 9] })])(
    'a table that $name writes has no column that is not read',
    (format) => {
      expect(read(format, format.format(runs))).toMatchObject({ rows: [found], warnings: [], leftOut: [] });
    },
  );
});

describe('tables of Dynamo', () => {
  const format = dynamoFormat(options);
  const cells = format.format(runs).trim().split(' ');
  const row = (changes: Readonly<Record<number, string>>) =>
    `${cells.map((cell, index) => changes[index + 1] ?? cell).join(' ')}\n`;

  it('dynamoFormat reads the real part of complex numbers, and warns once where the imaginary part is not 0', () => {
    expect(read(format, row({ 10: '0.25-0.0i' }))).toMatchObject({ rows: [[1000, 2000, 500, 0.25]], warnings: [] });
    const { rows, warnings } = read(format, row({ 10: '0.5+1.7e-06i' }) + row({ 10: '1e-3-2i' }));
    expect(rows.map(([, , , score]) => score)).toEqual([0.5, 0.001]);
    expect(warnings).toEqual([
      ['imaginary-part', expect.stringMatching(/line 1: column 10 \(cc\) is the complex 0.5\+1.7e-06i/)],
    ]);
  });

  it('dynamoFormat counts a column 36 of NaN as no voxel size, and reports one that differs', () => {
    expect(read(format, row({ 36: 'NaN' }))).toMatchObject({ rows: [found], warnings: [] });
    expect(read(format, row({ 36: '13.48' })).warnings).toEqual([
      ['voxel-size-differs', 'the option voxelSize is 10 Å, column 36 (apix) 13.48 Å; 10 Å is used'],
    ]);
  });
});

describe('EM files', () => {
  const format = tomFormat(options);
  const little = format.format(runs);
  const swapped = (from: number) => {
    const bytes = little.slice();
    bytes[0] = 3;
    for (let at = from; at < bytes.length; at += 4) if (at < 16 || at >= 512) bytes.subarray(at, at + 4).reverse();
    return bytes;
  };

  it('tomFormat reads a file of a big-endian machine, whatever the byte order of the sizes', () => {
    expect(read(format, little).rows).toEqual([found]);
    expect(read(format, swapped(4)).rows).toEqual([found]);
    expect(read(format, swapped(512)).rows).toEqual([found]);
  });

  it('tomFormat reads numbers that are little-endian although the machine is not', () => {
    const bytes = little.slice();
    bytes[0] = 5;
    expect(read(format, bytes).rows).toEqual([found]);
  });

  it('tomFormat lists shifts before the rotation among what it leaves out', () => {
    const bytes = little.slice();
    new DataView(bytes.buffer).setFloat32(512 + 13 * 4, 2, true);
    expect(read(format, bytes)).toMatchObject({ rows: [found], leftOut: [expect.stringMatching(/rows 14 to 16/)] });
  });
});

describe('points of napari', () => {
  const format = napariFormat(options);

  it('napariFormat reads the last three of four axes, and refuses points of several times', () => {
    const table = (time: number) => `index,axis-0,axis-1,axis-2,axis-3\n0,2,50,200,100\n1,${time},50,200,100\n`;
    const { rows, warnings } = read(format, table(2));
    expect(rows).toEqual([found, found]);
    expect(warnings).toEqual([['axes-ignored', expect.stringMatching(/4 axes.*axis-0 is ignored/)]]);
    expect(() => read(format, table(3))).toThrow(refused('invalid-picks', /axis-0 is not the same/));
  });

  it.each(['', 'a', '0x1'])('napariFormat refuses %j as the number of an axis', (cell) => {
    const table = `index,axis-0,axis-1,axis-2,axis-3\n0,${cell},50,200,100\n1,0,50,200,100\n`;
    expect(() => read(format, table)).toThrow(
      refused('invalid-picks', /line 2: axis-0 is .*; expected a finite number/),
    );
  });

  it('napariFormat refuses a layer of shapes, and lists the features that it does not read', () => {
    const shapes = 'index,shape-type,vertex-index,axis-0,axis-1,axis-2\n0,path,0,1,2,3\n';
    expect(() => read(format, shapes)).toThrow(refused('invalid-picks', /shapes layer/));
    expect(read(format, 'index,axis-0,axis-1,axis-2,ncc\n0,50,200,100,0.5\n').leftOut).toEqual([
      'column: not read: "ncc"',
    ]);
  });
});

it('copickFormat passes on the warnings of the file, such as a unit that is not Å', () => {
  const text = JSON.stringify({ pickable_object_name: 'ribosome', unit: 'nm', points: [{ location: pick.position }] });
  expect(read(copickFormat({ run: 'TS_1' }), text)).toMatchObject({
    rows: [found],
    warnings: [['picks-file', 'file: its unit is "nm"; as in copick, its numbers are read as Å']],
  });
});

describe.skipIf(sharedDataMissing)('small files of the field (needs ../shared/data)', () => {
  it.each<[string, FormatOptions, unknown]>([
    [
      'points-commented-header/p1.txt',
      options,
      [
        [1000, 2000, 500, 0.9],
        [1100, 2100, 600, 0.8],
      ],
    ],
    ['points-commented-header/p2.txt', options, [found, [1100, 2100, 600, 1]]],
    [
      'points-commented-header/p3.csv',
      options,
      [
        [1000, 2000, 500, 0.9],
        [1100, 2100, 600, 0.8],
      ],
    ],
    ['points-first-row-is-header/p18.txt', options, /--columns x,y,z,object /],
    ['points-first-row-is-header/p18.txt', { ...options, columns: ['x', 'y', 'z', 'object'] }, 3],
    ['points-first-row-is-header/p19.csv', options, /--columns x,y,z,run /],
    ['points-first-row-is-header/p19.csv', { ...options, columns: ['x', 'y', 'z', 'run'] }, 2],
    ['points-first-row-is-header/p20.txt', options, /decimal commas/],
    ['points-other-names/p4.csv', options, [found, [1100, 2100, 600, 1]]],
    ['points-other-names/p11.csv', options, [found]],
    ['points-other-names/p12.txt', options, /--columns -,-,x,y,z /],
    ['star-names-that-look-like-syntax/s13.star', options, 2],
    ['star-names-that-look-like-syntax/s13b.star', options, 3],
    ['star-names-that-look-like-syntax/s13c.star', options, 3],
    ['star-names-that-look-like-syntax/s13d.star', options, 3],
    ['pytom-star/s10.star', options, [[4120, 2300, 880, 0.31]]],
    ['relion-nan-pixel-size/nan.star', options, [found]],
    [
      'dynamo-complex/d1.tbl',
      options,
      [
        [1000, 2000, 500, 0.25],
        [1010, 2010, 510, 0],
      ],
    ],
    ['dynamo-complex/d1c.tbl', options, [[1000, 2000, 500, 0.25]]],
    [
      'em-big-endian/be.em',
      options,
      [
        [1000, 2000, 500, 0.5],
        [1100, 2100, 600, Math.fround(0.6)],
      ],
    ],
  ])('%s is read right, or refused with a hint', (file, given, expected) => {
    const bytes = new Uint8Array(readFileSync(sharedData(`cases/${file}`)));
    const text = new TextDecoder().decode(bytes);
    const format = picksFormat(detectPicksFormat(file, text), given) as PicksFormat<string | Uint8Array>;
    const parse = () => read(format, format.content === 'text' ? text : bytes).rows;
    if (expected instanceof RegExp) expect(parse).toThrow(expected);
    else if (typeof expected === 'number') expect(parse()).toHaveLength(expected);
    else expect(parse()).toEqual(expected);
  });
});
