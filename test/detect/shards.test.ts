import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectProject, memoryStore, pickProject, shardOf, subStore, writeTomogram } from '../../src/entry/index.ts';
import { projectOf } from '../support/copick-tree.ts';
import { identityModel } from '../support/identity-model.ts';
import { sourceOf } from '../support/volumes.ts';

const names = fc.array(fc.string({ unit: 'grapheme', maxLength: 4 }), { maxLength: 40 });
const counts = fc.integer({ min: 1, max: 12 });
const shardsOf = (all: readonly string[], count: number) =>
  Array.from({ length: count }, (_, i) => shardOf(all, { index: i + 1, count }));

describe('shardOf', () => {
  it('shardOf divides names so that each is in exactly one share, and shares differ in size by one at most', () => {
    fc.assert(
      fc.property(names, counts, (all, count) => {
        const shards = shardsOf(all, count);
        expect(shards.flat().sort()).toEqual([...new Set(all)].sort());
        const sizes = shards.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('shardOf gives the same shares whatever the order of the names, each sorted by code unit', () => {
    fc.assert(
      fc.property(names, counts, (all, count) => {
        const shards = shardsOf(all, count);
        expect(shardsOf([...all].reverse(), count)).toEqual(shards);
        for (const shard of shards) expect(shard).toEqual([...shard].sort());
      }),
    );
    expect(shardOf(['b', 'é', 'a', 'B', '10', '9'], { index: 1, count: 2 })).toEqual(['10', 'B', 'b']);
  });

  it.each([
    [{ index: 0, count: 3 }],
    [{ index: 1.5, count: 3 }],
    [{ index: 1, count: 0 }],
    [{ index: 4, count: 3 }],
    [{ index: 1 }],
  ])('shardOf throws for a shard that is none: %j', (shard) => {
    expect(() => shardOf(['TS_1'], shard as never)).toThrow(/shardOf: shard/);
  });
});

describe('a share of a project', () => {
  const model = identityModel({
    classes: ['ribosome', null],
    thresholds: { ribosome: 2 },
    minDistances: { ribosome: 30 },
  });
  const all = ['TS_3', 'TS_1', 'TS_10', 'TS_2'];

  async function simulated() {
    const tree = memoryStore();
    for (const [seed, run] of all.entries()) {
      const data = Float32Array.from({ length: 8 * 8 * 8 }, (_, i) => Math.sin(i * (seed + 1)) * 3);
      const source = sourceOf(data, [8, 8, 8], { voxelSize: [10, 10, 10] });
      // The first run has one tomogram more, of the type that is taken where there is one.
      for (const type of seed === 0 ? ['denoised', 'wbp'] : ['denoised']) {
        await writeTomogram(subStore(tree, `/ExperimentRuns/${run}/VoxelSpacing10.000/${type}.zarr`), source, {
          levels: 1,
        });
      }
    }
    return projectOf({ static: tree });
  }

  it('the shares of detectProject, and of pickProject after it, write the files of one process', async () => {
    const whole = await simulated();
    for await (const { status } of detectProject(whole.project, { model })) expect(status).toBe('detected');
    const shared = await simulated();
    const runs: string[][] = [];
    for (const index of [2, 1, 3]) {
      const found: string[] = [];
      for await (const { run } of detectProject(shared.project, { model, shard: { index, count: 3 } })) found.push(run);
      runs.push(found);
    }
    expect(runs).toEqual([['TS_10'], ['TS_1', 'TS_3'], ['TS_2']]);
    const bytesOf = async ({ overlay }: typeof whole) => {
      const files: [string, Uint8Array | undefined][] = [];
      for (const run of all) {
        const folder = `/ExperimentRuns/${run}/Picks` as const;
        for (const { name } of await overlay.list(folder)) files.push([name, await overlay.get(`${folder}/${name}`)]);
      }
      return files;
    };
    expect(await bytesOf(shared)).toEqual(await bytesOf(whole));
    const again: string[] = [];
    for await (const { run, status } of pickProject(shared.project, { shard: { index: 2, count: 3 } })) {
      again.push(`${run} ${status}`);
    }
    expect(again).toEqual(['TS_10 detected']);
  });

  it('detectProject and pickProject throw for a shard above the count before any work', async () => {
    const { project } = await simulated();
    const shard = { index: 2, count: 1 };
    await expect(detectProject(project, { model, shard }).next()).rejects.toThrow(
      /detectProject: shard\.index .*1 to shard\.count \(1\)/,
    );
    await expect(pickProject(project, { shard }).next()).rejects.toThrow(/pickProject: shard\.index/);
  });
});
