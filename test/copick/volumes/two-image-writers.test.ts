import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Run, Store, StoreKey, VolumeSource } from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';
import { projectOf } from '../../support/copick-tree.ts';
import { startScript } from '../../support/script-process.ts';
import { keysOf } from '../../support/store-keys.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { sourceOf } from '../../support/volumes.ts';

const script = new URL('../../support/image-writer.ts', import.meta.url);
let folder: string;

beforeEach(async () => {
  folder = await tempDir();
});

const filledWith = (value: number) => sourceOf(new Float32Array(64).fill(value), [4, 4, 4]);
const corner = { start: [0, 0, 0], end: [1, 1, 1] } as const;

/** Does something at the last reading of its voxels, when the writer has found the place free. */
function beforeLast(source: VolumeSource, act: () => Promise<unknown>, readings = 1): VolumeSource {
  let reads = 0;
  return {
    grid: source.grid,
    async read(...args) {
      if (++reads === readings) await act();
      return source.read(...args);
    },
  };
}

const me = { name: 'virus', userId: 'me', sessionId: '1' } as const;
const options = { overwrite: undefined as boolean | undefined };

interface Kind {
  readonly what: string;
  readonly write: (run: Run, source: VolumeSource, how?: typeof options) => Promise<unknown>;
  /** How often its voxels are read. */
  readonly readings: number;
  readonly read: (run: Run) => Promise<{ readonly data: ArrayLike<number> }>;
  readonly key: StoreKey;
}

const kinds: readonly Kind[] = [
  {
    what: 'writeTomogram',
    write: (run, source, how) => run.writeTomogram(source, { ...how, type: 'wbp', levels: 1 }),
    readings: 1,
    read: async (run) => (await run.tomogram('wbp')).read(corner),
    key: '/ExperimentRuns/TS_5_4/VoxelSpacing10.000/wbp.zarr',
  },
  {
    what: 'writeFeatures',
    write: (run, source, how) => run.writeFeatures([source], { ...how, type: 'denoised', featureType: 'sobel' }),
    readings: 1,
    read: async (run) => (await (await run.features())[0]!.open())[0]!.read(corner),
    key: '/ExperimentRuns/TS_5_4/VoxelSpacing10.000/denoised_sobel_features.zarr',
  },
  {
    what: 'writeSegmentation',
    write: (run, source, how) => run.writeSegmentation(source, { ...how, ...me }),
    readings: 2,
    read: async (run) => (await (await run.segmentations())[0]!.open()).read(corner),
    key: '/ExperimentRuns/TS_5_4/Segmentations/10.000_me_1_virus.zarr',
  },
];

describe.each(kinds)('two writers of one image by $what, without `overwrite`', ({ write, readings, read, key }) => {
  async function open(): Promise<{ run: Run; store: Store }> {
    const store = directoryStore(folder, { durable: false });
    const run = await projectOf({ overlay: store }).project.createRun('TS_5_4');
    await run.writeTomogram(filledWith(9), { type: 'denoised', levels: 1 });
    return { run, store };
  }

  it('the second of two writers without `overwrite` gets a conflict, and the image of the first stays', async () => {
    const { run, store } = await open();
    let keys: string[] = [];
    const slow = beforeLast(
      filledWith(2),
      async () => {
        await write(run, filledWith(1));
        keys = await keysOf(store);
      },
      readings,
    );
    await expect(write(run, slow)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/another writer has filled .*\.zarr while this image was written/),
    });
    expect((await read(run)).data[0]).toBe(1);
    expect(await keysOf(store)).toEqual(keys);
    const beside = await readdir(join(folder, key, '..'));
    expect(beside.filter((name) => name.startsWith('.') && name !== '.meta')).toEqual([]);
  });

  it('the first of two writers may fill the empty group that copick 2 makes', async () => {
    const { run, store } = await open();
    await store.set(`${key}/zarr.json`, new TextEncoder().encode('{"zarr_format":3,"node_type":"group"}'));
    await expect(
      write(
        run,
        beforeLast(filledWith(2), () => write(run, filledWith(1)), readings),
      ),
    ).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await read(run)).data[0]).toBe(1);
  });

  it('a writer throws at the start if an image is there, and replaces it with `overwrite`', async () => {
    const { run } = await open();
    await write(run, filledWith(1));
    await expect(write(run, filledWith(2))).rejects.toMatchObject({ code: 'invalid-option' });
    const slow = beforeLast(filledWith(3), () => write(run, filledWith(2), { overwrite: true }), readings);
    await write(run, slow, { overwrite: true });
    expect((await read(run)).data[0]).toBe(3);
  });
});

it('two processes that write one segmentation at once leave one of them whole', { timeout: 60_000 }, async () => {
  const children = await Promise.all(['1', '2'].map((value) => startScript(script, [folder, value])));
  const said = await Promise.all(children.map((child) => once(child, 'message')));
  expect(said.map(([message]) => message)).toEqual(['begun', 'begun']);
  const outcomes = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('go');
  const told = (await Promise.all(outcomes)).map(([message]) => message);
  expect([...told].sort()).toEqual(['conflict', 'written']);
  const run = await projectOf({ overlay: directoryStore(folder) }).project.run('TS_5_4');
  const [segmentation] = await run.segmentations();
  expect((await (await segmentation!.open()).read(corner)).data[0]).toBe(told.indexOf('written') + 1);
  expect(await readdir(join(folder, 'ExperimentRuns/TS_5_4/Segmentations'))).toEqual(['10.000_me_1_virus.zarr']);
});
