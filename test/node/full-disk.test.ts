import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { directoryStore } from '../../src/entry/node.ts';
import { isHidden } from '../../src/node/file-lock.ts';
import { requireWritable } from '../../src/storage/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const disk = vi.hoisted(() => ({ isFull: false }));

/** A full disk has room for names, but not for bytes. */
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    writeFile: async (...args: Parameters<typeof real.writeFile>) => {
      if (disk.isFull && (args[1] as Uint8Array).length > 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      await real.writeFile(...args);
    },
  };
});

afterEach(() => {
  disk.isFull = false;
});

it('a file on a full disk can be deleted, and a folder found writable leaves nothing behind', async () => {
  const folder = await tempDir();
  const store = directoryStore(folder);
  await writeFile(join(folder, 'x'), 'x');
  disk.isFull = true;
  await requireWritable(store, '/');
  await expect(store.set('/x', Uint8Array.of(1))).rejects.toMatchObject({ code: 'write-failed' });
  await store.delete('/x');
  expect(await readdir(folder)).toEqual([]);
});

it('a folder that cannot be written is named by the error, not the file that was tried', async () => {
  const folder = await tempDir();
  await writeFile(join(folder, 'file'), '');
  const store = directoryStore(join(folder, 'file'));
  await expect(requireWritable(store, '/', { what: 'the overlay' })).rejects.toMatchObject({
    code: 'write-failed',
    path: join(folder, 'file'),
    message: expect.stringMatching(/^the overlay cannot be written: cannot write .*\/file: /),
  });
});

it('no folder is made to see whether it can be written, so that a kill meanwhile leaves none', async () => {
  const folder = await tempDir();
  const store = directoryStore(folder);
  await mkdir(join(folder, 'a'));
  await store.set('/a/b/c/.writable.00000000-0-0123456789ab.tmp', new Uint8Array(0), { isProbe: true });
  expect(await readdir(folder, { recursive: true })).toEqual(['a']);
  await writeFile(join(folder, 'a', 'b'), 'a file in the way');
  await expect(requireWritable(store, '/a/b/c')).rejects.toMatchObject({
    code: 'write-failed',
    message: expect.not.stringContaining('.writable.'),
  });
});

it('the file that shows whether a folder can be written is hidden', async () => {
  const names: string[] = [];
  const store = directoryStore(await tempDir());
  const set = async (key: string) => void names.push(key.slice(1));
  await requireWritable({ ...store, set }, '/');
  expect(names.map(isHidden)).toEqual([true]);
});
