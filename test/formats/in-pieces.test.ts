import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_LINE } from '../../src/core/text-pieces.ts';
import {
  csvFormat,
  decodePicks,
  encodePicks,
  napariFormat,
  type PicksFormat,
  type PicksFormatName,
  parsePicks,
  picksFormat,
  picksFormatNames,
  pointsFormat,
  relion5Format,
} from '../../src/entry/formats.ts';
import type { ParticlePick, RunPicks } from '../../src/entry/index.ts';

const bytesOf = (content: string | Uint8Array) =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;

/** More picks than a piece holds, of two runs and two objects where a format can tell them apart. */
function manyPicks(count: number): RunPicks[] {
  const pickAt = (i: number): ParticlePick => ({
    object: i % 3 === 0 ? 'ribosome' : 'apo-ferritin',
    position: { x: i / 8, y: (i % 77) / 4, z: (i % 13) * 2 },
    score: (i % 8) / 8,
    ...(i % 5 === 0 && { instanceId: i + 1 }),
  });
  const picks = Array.from({ length: count }, (_, i) => pickAt(i));
  return [
    { run: '1', picks: picks.slice(0, count / 2) },
    { run: '2', picks: picks.slice(count / 2) },
  ];
}

const options = { voxelSize: 8, shape: [64, 401, 500], objects: { 1: 'ribosome', 2: 'apo-ferritin' } } as const;
/** These hold one run, and the last three one object. */
const ofOneRun: readonly PicksFormatName[] = ['imod', 'eman2', 'copick', 'ndjson', 'points'];
const ofOneObject: readonly PicksFormatName[] = ['copick', 'ndjson', 'points'];

function sample(name: PicksFormatName): { readonly format: PicksFormat; readonly runs: RunPicks[] } {
  const isOne = ofOneRun.includes(name);
  const runs = isOne ? manyPicks(4000).slice(0, 1) : manyPicks(4000);
  const kept = ofOneObject.includes(name)
    ? runs.map(({ run, picks }) => ({ run, picks: picks.filter(({ object }) => object === 'ribosome') }))
    : runs;
  const format = picksFormat(name, { ...options, ...(isOne && { run: '1', object: 'ribosome' }) }) as PicksFormat;
  return { format, runs: kept };
}

/** How often the event loop turns while work is done. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await work.finally(() => {
    isDone = true;
  });
  return turns;
}

describe('decodePicks and encodePicks', () => {
  it.each(picksFormatNames)(
    'decodePicks reads %s as parsePicks does, and encodePicks writes it as formatPicks does',
    async (name) => {
      const { format, runs } = sample(name);
      const content = format.format(runs);
      const parsed = parsePicks(content, { format });
      expect(parsed.flatMap(({ picks }) => picks)).toHaveLength(runs.flatMap(({ picks }) => picks).length);
      expect(await encodePicks(runs, { format })).toEqual(bytesOf(content));
      expect(await decodePicks(bytesOf(content), { format })).toEqual(parsed);
      if (format.content === 'text') expect(await decodePicks(content, { format })).toEqual(parsed);
    },
  );

  it.each(picksFormatNames)(
    'of byte order marks before a text, %s reads as many from bytes as from text',
    async (name) => {
      const { format, runs } = sample(name);
      if ((format.content as string) !== 'text') return;
      const content = format.format(runs.map(({ run, picks }) => ({ run, picks: picks.slice(0, 3) })));
      const outcome = async (read: () => unknown) => {
        try {
          return await read();
        } catch (error) {
          return String(error);
        }
      };
      for (const marks of [1, 2, 3]) {
        const text = `${'\uFEFF'.repeat(marks)}${content}`;
        const parsed = await outcome(() => parsePicks(text, { format }));
        expect(await outcome(() => decodePicks(bytesOf(text), { format }))).toEqual(parsed);
        expect(await outcome(() => decodePicks(text, { format }))).toEqual(parsed);
        if (marks === 1) expect(parsed).toEqual(parsePicks(content, { format }));
        if (marks === 2 && ['eman2', 'copick', 'cmm'].includes(name)) expect(parsed).toMatch(/is not JSON|no XML/);
      }
    },
  );

  it.each(['relion4', 'points', 'imod'] as const)(
    '%s of 40,000 picks, more than a block of lines or points, comes back as it was, and a damaged row is named by its line',
    async (name) => {
      const format = picksFormat(name, { ...options, run: '1', object: 'ribosome' }) as PicksFormat;
      const picks = Array.from({ length: 40_000 }, (_, i): ParticlePick => {
        // Few scores of 1, and whole blocks of them.
        const score = name === 'points' || i % 7 === 0 || (i > 9_000 && i < 20_000) ? 1 : 0.5;
        return { object: 'ribosome', position: { x: i % 800, y: i % 640, z: i % 64 }, score };
      });
      const content = await encodePicks([{ run: '1', picks }], { format });
      const [read] = await decodePicks(content, { format });
      const numbers = (some: readonly ParticlePick[]) =>
        some.map(({ position: { x, y, z }, score }) => [x, y, z, score]);
      expect(numbers(read!.picks)).toEqual(numbers(picks));
      if (name === 'imod') return;
      const lines = new TextDecoder().decode(content).split('\n');
      const damaged = lines.length - 100;
      lines[damaged - 1] = lines[damaged - 1]!.replace(/\d+/g, (digits) => `${digits}x`);
      const failed = decodePicks(bytesOf(lines.join('\n')), { format, source: 'damaged' });
      await expect(failed).rejects.toThrow(`damaged, line ${damaged}:`);
    },
  );

  it('decodePicks reads a format of somebody else, which has no pieces', async () => {
    const { inPieces, ...format } = csvFormat();
    expect(inPieces).toBeDefined();
    const runs = manyPicks(10);
    expect(await decodePicks(await encodePicks(runs, { format }), { format })).toEqual(
      parsePicks(format.format(runs), { format }),
    );
  });

  it('decodePicks reads tables with any line ends, quotes and line breaks in cells, wherever they are cut', async () => {
    const name = fc.stringMatching(/^[a-z",\n ]{0,30}[a-z]$/);
    const ends = fc.constantFrom('\n', '\r\n', '\r');
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { minLength: 1, maxLength: 5 }),
        ends,
        fc.nat(20_000),
        async (names, end, shift) => {
          const quoted = names.map((one) => `"${one.replaceAll('"', '""')}"`);
          const row = (i: number) => `${quoted[i % names.length]},ribosome,${i},2,3`.replaceAll('\n', end);
          const text = `\uFEFFrun_name,object_name,x,y,z${end}${' '.repeat(shift)}${end}${Array.from({ length: 1500 }, (_, i) => row(i)).join(end)}`;
          const found = await decodePicks(bytesOf(text), { format: csvFormat() });
          expect(found).toEqual(parsePicks(text, { format: csvFormat() }));
          const flat = new Map(found.map(({ run, picks }) => [run, picks.map(({ position }) => position.x)]));
          for (const [index, one] of names.entries()) expect(flat.get(one)).toContain(index);
          expect([...flat.values()].flat()).toHaveLength(1500);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('decodePicks lets the event loop turn while it reads and writes, and ends when it is aborted', async () => {
    const format = csvFormat();
    const runs = manyPicks(100_000);
    const bytes = await encodePicks(runs, { format });
    expect(await turnsDuring(decodePicks(bytes, { format }))).toBeGreaterThan(5);
    expect(await turnsDuring(encodePicks(runs, { format }))).toBeGreaterThan(5);
    const leaving = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => leaving.abort(reason), 1);
    await expect(decodePicks(bytes, { format, signal: leaving.signal })).rejects.toBe(reason);
    await expect(encodePicks(runs, { format, signal: leaving.signal })).rejects.toBe(reason);
  });

  it('parsePicks refuses of a text what decodePicks refuses of its bytes: a line, and a key of EMAN2, that are too long', async () => {
    const csv = csvFormat({ run: 'r', object: 'virus' });
    const long = '€'.repeat(1_500_000);
    const eman2 = picksFormat('eman2', { run: 'r', object: 'virus', voxelSize: 10 });
    const cases = [
      [`x,y,z,note\n1,2,3,${long}\n`, csv, /has a line of more than 4194304 bytes/],
      [`x,y,z\n1,2,3\n${'4,5,6\n'.repeat(2 ** 18)}1,2,3,${long}`, csv, /has a line of more than 4194304 bytes/],
      [JSON.stringify({ boxes_3d: [], class_list: {}, [`k${'x'.repeat(70_000)}`]: 1 }), eman2, /a key of more than/],
    ] as const;
    for (const [text, format, message] of cases) {
      expect(() => parsePicks(text, { format: format as never })).toThrow(message);
      await expect(decodePicks(bytesOf(text), { format: format as never })).rejects.toThrow(message);
    }
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      'is not UTF-8',
      bytesOf(`x,y,z\n${'1,2,3\n'.repeat(5000)}`).fill(0xff, 20_000, 20_001),
      /a\.csv is not UTF-8 text/,
    ],
    ['has an endless line', bytesOf(`x,y,z\n${'1'.repeat(MAX_LINE + 1)}`), /a\.csv has a line of more than \d+ bytes/],
    [
      'has a quote that is not closed',
      bytesOf(`x,y,z\n1,2,3\n"${'1,2,3\n'.repeat(MAX_LINE / 5)}`),
      /a\.csv, line 3: a row of more than \d+ characters; is a quote not closed\?/,
    ],
    ['ends within a quote', bytesOf('x,y,z\n1,2,3\n"1,2,3\n'), /a\.csv, line 3: Quoted field unterminated/],
    [
      'has a bad row far down',
      bytesOf(`x,y,z\n${'1,2,3\n'.repeat(9000)}1,2\n`),
      /a\.csv, line 9002: 2 fields; expected 3/,
    ],
  ])('decodePicks says where a table %s', async (_, bytes, message) => {
    const format = csvFormat({ run: 'TS_1', object: 'ribosome' });
    const error = { code: 'invalid-picks', message: expect.stringMatching(message) };
    await expect(decodePicks(bytes, { format, source: 'a.csv' })).rejects.toMatchObject(error);
  });

  it('decodePicks reads tomograms that differ in voxel size and shape from one file, by the names of their runs', async () => {
    const star =
      'data_particles\nloop_\n_rlnTomoName\n_rlnCenteredCoordinateXAngst\n_rlnCenteredCoordinateYAngst\n_rlnCenteredCoordinateZAngst\n' +
      'TS_1 0 0 0\nTS_2 0 0 0\n';
    const sizes = {
      voxelSizes: { TS_1: 10, TS_2: [4, 5, 6] as const },
      shapes: { TS_1: [2, 4, 8], TS_2: [20, 40, 80] } as const,
    };
    const places = (runs: readonly RunPicks[]) => runs.map(({ run, picks }) => [run, picks[0]!.position]);
    expect(places(await decodePicks(star, { format: relion5Format({ ...sizes, object: 'ribosome' }) }))).toEqual([
      ['TS_1', { x: 40, y: 20, z: 10 }],
      ['TS_2', { x: 240, y: 100, z: 40 }],
    ]);
    const napari = 'index,axis-0,axis-1,axis-2,run\n0,1,2,3,TS_1\n1,1,2,3,TS_2\n';
    const placed = [
      ['TS_1', { x: 30, y: 20, z: 10 }],
      ['TS_2', { x: 18, y: 10, z: 4 }],
    ];
    const { voxelSizes } = sizes;
    expect(places(await decodePicks(napari, { format: napariFormat({ voxelSizes, object: 'ribosome' }) }))).toEqual(
      placed,
    );
    const table = 'run x y z\nTS_1 3 2 1\nTS_2 3 2 1\n';
    expect(places(await decodePicks(table, { format: pointsFormat({ voxelSizes, object: 'ribosome' }) }))).toEqual(
      placed,
    );
    const numbered = { voxelSizes: { 1: 10, 2: [4, 5, 6] as const }, object: 'ribosome' };
    for (const name of ['dynamo', 'stopgap', 'tom'] as const) {
      const at = (x: number) => ({ object: 'ribosome', position: { x, y: 20, z: 10 }, score: 1 });
      const runs = [
        { run: '1', picks: [at(30)] },
        { run: '2', picks: [at(30)] },
      ];
      const content = await encodePicks(runs, { format: picksFormat(name, { voxelSize: 1 }) });
      const [first, second] = await decodePicks(content, { format: picksFormat(name, numbered) });
      expect([first, second].map((one) => one!.picks[0]!.position)).toEqual(
        [
          [10, 10, 10],
          [4, 5, 6],
        ].map(([z, y, x]) => ({ x: 30 * x!, y: 20 * y!, z: 10 * z! })),
      );
    }
  });
});
