import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deleteFile, setFiles } from '../../src/copick/tree.ts';
import { memoryStore, type Store, subStore } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { tempDir } from '../support/temp-dir.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

const stores: [string, () => Promise<Store>][] = [
  ['memoryStore', async () => memoryStore()],
  ['directoryStore', async () => directoryStore(await tempDir())],
  ['a part of a directoryStore', async () => subStore(directoryStore(await tempDir()), '/a/b')],
];

const iso = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z';

describe.each(stores)('versions of %s', (_, open) => {
  it('versions stay the same while the value does, and differ for different values, even in quick succession', async () => {
    const store = await open();
    expect(await store.version!('/x')).toBeUndefined();
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) {
      await store.set('/x', bytes(i));
      const version = await store.version!('/x');
      expect(await store.version!('/x')).toBe(version);
      seen.add(version!.replace(/@.*/, ''));
    }
    expect(seen.size).toBe(50);
  });

  it('set with `ifVersion` replaces the value that was read, and throws for any other, naming both times', async () => {
    const store = await open();
    await store.set('/x', bytes(1));
    const version = await store.version!('/x');
    await store.set('/x', bytes(2), { ifVersion: version });
    await expect(store.set('/x', bytes(3), { ifVersion: version })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(
        new RegExp(`x has changed since it was read: it was from ${iso} then and is from ${iso} now`),
      ),
    });
    expect(await store.get('/x')).toEqual(bytes(2));
  });

  it('set with `ifVersion` of an absent value creates a value only if there is none', async () => {
    const store = await open();
    await store.set('/x', bytes(1), { ifVersion: null });
    await expect(store.set('/x', bytes(2), { ifVersion: null })).rejects.toThrow(/it was absent then and is from 2/);
    expect(await store.get('/x')).toEqual(bytes(1));
  });

  it('set with `ifVersion` throws if the value was deleted', async () => {
    const store = await open();
    await store.set('/x', bytes(1));
    const version = await store.version!('/x');
    await store.delete('/x');
    await expect(store.set('/x', bytes(2), { ifVersion: version })).rejects.toThrow(/from 2.* then and is absent now/);
    expect(await store.get('/x')).toBeUndefined();
  });

  it('delete with `ifVersion` deletes only the value that was read', async () => {
    const store = await open();
    await store.set('/x', bytes(1));
    const version = await store.version!('/x');
    await store.set('/x', bytes(2));
    await expect(store.delete('/x', { ifVersion: version })).rejects.toMatchObject({ code: 'conflict' });
    await expect(store.delete('/x', { ifVersion: null })).rejects.toMatchObject({ code: 'conflict' });
    await deleteFile(store, '/x', { ifVersion: await store.version!('/x') });
    await store.delete('/x', { ifVersion: null });
    expect(await store.get('/x')).toBeUndefined();
  });

  it('setFiles writes none of several files if one has changed', async () => {
    const store = await open();
    await store.set('/b', bytes(1));
    const files = (['/a', '/b', '/c'] as const).map((key) => ({ key, bytes: bytes(9), ifVersion: null }));
    await expect(setFiles(store, files)).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.list('/')).toEqual([{ name: 'b', kind: 'file' }]);
    expect(await store.get('/b')).toEqual(bytes(1));
  });

  it('one of many simultaneous writers succeeds, and the others throw', async () => {
    const store = await open();
    const made = Array.from({ length: 20 }, (_, i) => store.set('/x', bytes(i), { ifVersion: null }));
    expect((await Promise.allSettled(made)).filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const expectation = await store.version!('/x');
    const replaced = Array.from({ length: 20 }, (_, i) => store.set('/x', bytes(100 + i), { ifVersion: expectation }));
    const done = await Promise.allSettled(replaced);
    expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of done) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'conflict' });
  });
});

describe('versions of files', () => {
  it('versions of files detect what programs without locks have written', async () => {
    const folder = await tempDir();
    const store = directoryStore(folder);
    await store.set('/x', bytes(1, 2, 3));
    const version = await store.version!('/x');
    const { atime, mtime } = await stat(join(folder, 'x'));
    // In place, of the same size, at the same time: as a program does that is fast enough.
    await writeFile(join(folder, 'x'), bytes(3, 2, 1));
    await utimes(join(folder, 'x'), atime, mtime);
    await expect(store.set('/x', bytes(0), { ifVersion: version })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('versions of files ignore a new time of an unchanged file', async () => {
    const folder = await tempDir();
    const store = directoryStore(folder);
    await store.set('/x', bytes(1));
    const version = await store.version!('/x');
    await utimes(join(folder, 'x'), new Date(0), new Date(0));
    await store.set('/x', bytes(2), { ifVersion: version });
    expect(await readdir(folder)).toEqual(['x']);
  });

  it('setFiles throws for a version if the store keeps none, and looks whether there is a file', async () => {
    const { version: _, ...store } = memoryStore();
    await expect(setFiles(store, [{ key: '/x', bytes: bytes(1), ifVersion: 'a@b' }])).rejects.toMatchObject({
      code: 'unsupported',
      message: 'memory/x: its store keeps no versions, so `ifVersion` cannot be checked',
    });
    await setFiles(store, [{ key: '/x', bytes: bytes(1), ifVersion: null }]);
    await expect(setFiles(store, [{ key: '/x', bytes: bytes(2), ifVersion: null }])).rejects.toMatchObject({
      code: 'conflict',
    });
    await setFiles(store, [{ key: '/x', bytes: bytes(3) }]);
    expect(await store.get('/x')).toEqual(bytes(3));
  });
});
