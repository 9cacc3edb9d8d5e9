import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, type Store, type VolumeSource, type WriteProgress } from '../../../src/entry/index.ts';
import { writeChannels } from '../../../src/entry/io.ts';
import { directoryStore } from '../../../src/entry/node.ts';
import { keysOf } from '../../support/store-keys.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { noise, sourceOf } from '../../support/volumes.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

const trouble = new Error('no space');
const source = sourceOf(noise([4, 4, 8]), [4, 4, 8]);
const layout = { chunkShape: [2, 4, 4], levels: 2 } as const;

/** A store that counts its steps (values, pieces of values, and putting a folder in its place) and fails at the nth. */
function failingStore(inner: Store, n: number): Store & { readonly steps: number } {
  let steps = 0;
  const step = () => {
    if (++steps === n) throw trouble;
  };
  return Object.defineProperty(failing(inner, step), 'steps', { get: () => steps }) as Store & { steps: number };
}

function failing(inner: Store, step: () => void): Store {
  const { setPieces, stage } = inner;
  const store: Store = {
    ...inner,
    set: async (...args) => {
      step();
      return inner.set(...args);
    },
  };
  if (setPieces) {
    store.setPieces = async (key, pieces, options) => {
      const counted = async function* () {
        for await (const piece of pieces) {
          step();
          yield piece;
        }
        step();
      };
      return setPieces(key, counted(), options);
    };
  }
  if (stage) {
    store.stage = async (folder, options) => {
      const staged = await stage(folder, options);
      if (!staged) return undefined;
      const commit = async () => {
        step();
        await staged.commit();
      };
      return { ...staged, store: failing(staged.store, step), commit };
    };
  }
  return store;
}

const stores: readonly (readonly [string, () => Store])[] = [
  ['memory', memoryStore],
  ['directory', () => directoryStore(join(folder, 'x.zarr'), { durable: false })],
];
const cases = stores.flatMap(([where, make]) =>
  (['zarr2', 'zarr3'] as const).flatMap((format) =>
    (['c', 'feature'] as const).map((axis) => ({ where, make, format, axis })),
  ),
);

describe.each(cases)('a write of $format to a $where store, axis $axis', ({ make, format, axis }) => {
  const write = (store: Store, sources: readonly VolumeSource[] = [source, source], options = {}) =>
    writeChannels(store, sources, { ...layout, format, axis, ...options });

  const expectNothing = async (store: Store) => {
    expect(await keysOf(store)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  };

  it('a write leaves nothing, whichever step of the store fails', async () => {
    const whole = failingStore(make(), 0);
    await write(whole);
    await whole.delete('/');
    expect(whole.steps).toBeGreaterThanOrEqual(5);
    for (let n = 1; n <= whole.steps; n++) {
      const store = failingStore(make(), n);
      const failure = await write(store).then(
        () => undefined,
        (error) => error,
      );
      expect([failure, failure?.cause]).toContain(trouble);
      await expectNothing(store);
    }
  });

  it('a write leaves nothing, whichever read fails', async () => {
    const reads = 2 * 4;
    for (let n = 1; n <= reads; n++) {
      let read = 0;
      const failing: VolumeSource = {
        grid: source.grid,
        read: async (box) => (++read === n ? Promise.reject(trouble) : source.read(box)),
      };
      const store = make();
      await expect(write(store, [failing, failing])).rejects.toBe(trouble);
      await expectNothing(store);
    }
  });

  it('a write rejects with the abort reason and leaves nothing, after whichever chunk it is aborted', async () => {
    const total = 2 * (4 + 1);
    for (let n = 1; n <= total; n++) {
      const controller = new AbortController();
      const reason = new Error('stop');
      let reads = 0;
      const counting: VolumeSource = {
        grid: source.grid,
        read: (box) => {
          expect(controller.signal.aborted).toBe(false);
          reads++;
          return source.read(box);
        },
      };
      const onProgress = ({ done, total: all }: WriteProgress) => {
        expect(all).toBe(total);
        if (done === n) controller.abort(reason);
      };
      const store = make();
      await expect(write(store, [counting, counting], { signal: controller.signal, onProgress })).rejects.toBe(reason);
      expect(reads).toBeGreaterThan(0);
      await expectNothing(store);
    }
  });

  it('an interrupted write keeps other files of the store and leaves no folder', async () => {
    const store = make();
    await store.set('/notes.txt', new Uint8Array(1));
    await store.set('/1/notes.txt', new Uint8Array(1));
    const failing: VolumeSource = { grid: source.grid, read: () => Promise.reject(trouble) };
    await expect(write(store, [source, failing])).rejects.toBe(trouble);
    expect(await keysOf(store)).toEqual(['/1/notes.txt', '/notes.txt']);
    expect((await store.list('/')).map(({ name }) => name)).toEqual(['1', 'notes.txt']);
  });
});
