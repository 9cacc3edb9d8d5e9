import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodePicks,
  encodeRuns,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
  picksFormatNames,
} from '../../src/entry/formats.ts';
import type { RunPicks } from '../../src/entry/index.ts';

const ofRows = picksFormatNames.filter((name) => formatRequirements[name].rowsOfRuns);
const objects = { 1: 'ribosome', 2: 'apo-ferritin' };
const grid = { voxelSize: 10, shape: [100, 200, 300] } as const;

const coordinate = fc.integer({ min: 0, max: 8000 }).map((value) => value / 8);
const picks = fc.array(
  fc.record({
    object: fc.constantFrom('ribosome', 'apo-ferritin'),
    position: fc.record({ x: coordinate, y: coordinate, z: coordinate }),
    score: fc.integer({ min: 0, max: 64 }).map((value) => value / 64),
  }),
  { maxLength: 12 },
);
const runs: fc.Arbitrary<RunPicks[]> = fc
  .array(picks, { maxLength: 5 })
  .map((all) => all.map((one, i) => ({ run: `TS_${i}`, picks: one })));

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString();
}

async function* later(all: readonly RunPicks[]): AsyncGenerator<RunPicks> {
  for (const run of all) {
    await Promise.resolve();
    yield run;
  }
}

describe('encodeRuns', () => {
  it.each<[PicksFormatName]>(ofRows.map((name) => [name]))(
    'encodeRuns writes run by run the bytes that encodePicks gives for all runs: %s',
    async (name) => {
      await fc.assert(
        fc.asyncProperty(runs, async (all) => {
          const formatOf = (_: string, rows: number) => picksFormat(name, { ...grid, objects, firstId: rows });
          const whole = await encodePicks(all, { format: formatOf('', 0) });
          expect(await joined(encodeRuns(later(all), { formatOf }))).toBe(Buffer.from(whole).toString());
        }),
        { numRuns: 30 },
      );
    },
  );

  it('the formats whose files are a header and rows are CSV, the submission and RELION', () => {
    expect(ofRows).toEqual(['csv', 'submission', 'relion3', 'relion4', 'relion5']);
  });

  it('encodeRuns throws for a run with another header: an orientation in CSV, another voxel size in RELION 4', async () => {
    const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 };
    const turned = { ...pick, instanceId: 3 };
    const some = [
      { run: 'TS_1', picks: [pick] },
      { run: 'TS_2', picks: [turned] },
    ];
    const csv = joined(encodeRuns(some, { formatOf: () => picksFormat('csv') }));
    await expect(csv).rejects.toMatchObject({ code: 'invalid-picks', message: expect.stringContaining('"TS_2"') });
    const sizes = (run: string) => picksFormat('relion4', { objects, voxelSize: run === 'TS_1' ? 8 : 10 });
    const star = joined(encodeRuns([some[0]!, { run: 'TS_2', picks: [pick] }], { formatOf: sizes }));
    await expect(star).rejects.toMatchObject({ code: 'invalid-picks', message: expect.stringContaining('"TS_2"') });
  });

  it('encodeRuns stops at an abort of its signal', async () => {
    const options = { formatOf: () => picksFormat('csv'), signal: AbortSignal.abort('stop') };
    await expect(joined(encodeRuns([{ run: 'TS_1', picks: [] }], options))).rejects.toBe('stop');
  });
});
