import { afterEach, describe, expect, it } from 'vitest';
import { CryoetPicksError, memoryStore, openTomogram, sourceFromArray, writeTomogram } from '../../src/entry/index.ts';
import type { ReadableStore } from '../../src/entry/io.ts';
import { borrowedStore, type LentStore, lendStore } from '../../src/entry/web.ts';

const values = Float32Array.from({ length: 4 * 6 * 8 }, (_, i) => Math.sin(i));

/** Loans of a test, whose ports are closed after it. */
const loans: LentStore[] = [];

/** A store as another thread sees it. */
function borrow(store: ReadableStore, options?: Parameters<typeof lendStore>[1]) {
  const lent = lendStore(store, options);
  loans.push(lent);
  return borrowedStore(lent);
}

/** A store of which each call throws what is given. */
const failing = (error: Error): ReadableStore => ({
  location: 'broken',
  get: () => Promise.reject(error),
  getRange: () => Promise.reject(error),
});

describe('a store that is lent to another thread', () => {
  afterEach(() => {
    for (const { port } of loans.splice(0)) port.close();
  });

  it('a tomogram in it has the same voxels, twice, so the lender keeps its bytes', async () => {
    const memory = memoryStore();
    await writeTomogram(memory, sourceFromArray({ data: values, shape: [4, 6, 8] }, { voxelSize: [10, 10, 10] }));
    for (let i = 0; i < 2; i++) {
      const tomogram = await openTomogram(borrow(memory));
      expect((await tomogram.read({ start: [0, 0, 0], end: [4, 6, 8] })).data).toEqual(values);
    }
  });

  it('values, parts, sizes and folders are those of the store, and what is absent is absent', async () => {
    const memory = memoryStore([['/a/b', Uint8Array.of(1, 2, 3, 4)]]);
    const store = borrow({ ...memory, size: async (key) => (await memory.get(key))?.length });
    expect(store.location).toBe(memory.location);
    expect(await store.get('/a/b')).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(await store.getRange('/a/b', { offset: 1, length: 2 })).toEqual(Uint8Array.of(2, 3));
    expect(await store.size!('/a/b')).toBe(4);
    expect('list' in store && (await store.list('/a'))).toEqual([{ name: 'b', kind: 'file' }]);
    expect(await store.get('/absent')).toBeUndefined();
    expect(await store.size!('/absent')).toBeUndefined();
  });

  it('a store without sizes and folders has none on the other side', () => {
    const store = borrow(failing(new Error('broken')));
    expect('list' in store).toBe(false);
    expect(store.size).toBeUndefined();
  });

  it('an error arrives with its code, and one of another kind with its message', async () => {
    const error = new CryoetPicksError('unavailable', 'the server is down', { path: '/a' });
    await expect(borrow(failing(error)).get('/a')).rejects.toMatchObject({ code: 'unavailable', path: '/a' });
    await expect(borrow(failing(new TypeError('what'))).get('/a')).rejects.toThrow('what');
  });

  it('an aborted call rejects at once, and an ended loan aborts what its store does', async () => {
    const reason = new Error('stopped');
    let stop: unknown;
    const waiting: ReadableStore = {
      location: 'slow',
      get: (_, { signal } = {}) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => {
            stop = signal.reason;
            reject(signal.reason);
          });
        }),
      getRange: async () => undefined,
    };
    const [call, loan] = [new AbortController(), new AbortController()];
    const store = borrow(waiting, { signal: loan.signal });
    const aborted = store.get('/a', { signal: call.signal });
    call.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    store.get('/b').catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    loan.abort(reason);
    expect(stop).toBe(reason);
    expect(() => lendStore(waiting, { signal: loan.signal })).toThrow(reason);
  });
});
