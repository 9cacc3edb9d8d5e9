import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import { directoryStore, overlayClaims } from '../../src/entry/node.ts';
import { isHidden } from '../../src/node/file-lock.ts';
import { requireWritable } from '../../src/storage/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const disk = vi.hoisted(() => ({ isFull: false, readOnly: '' }));

/** A full disk has room for names, but not for bytes. */
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    writeFile: async (...args: Parameters<typeof real.writeFile>) => {
      if (disk.isFull && (args[1] as Uint8Array).length > 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      await real.writeFile(...args);
    },
    // Node says that a folder is not there where it may not make it.
    mkdir: async (...args: Parameters<typeof real.mkdir>) => {
      if (disk.readOnly !== '' && String(args[0]).startsWith(disk.readOnly))
        throw Object.assign(new Error('no such folder'), { code: 'ENOENT', path: args[0] });
      return real.mkdir(...args);
    },
    access: async (...args: Parameters<typeof real.access>) => {
      if (args[0] === disk.readOnly && ((args[1] ?? 0) & real.constants.W_OK) > 0)
        throw Object.assign(new Error('read-only'), { code: 'EROFS', path: args[0], syscall: 'access' });
      await real.access(...args);
    },
  };
});

afterEach(() => {
  disk.isFull = false;
  disk.readOnly = '';
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

it('a file system that is read-only is named as the reason, with the folder, by a write and by a claim', async () => {
  disk.readOnly = await tempDir();
  const store = directoryStore(disk.readOnly);
  const message = expect.stringMatching(
    new RegExp(`${disk.readOnly}(?: cannot be written)?: the file system is read-only \\(EROFS\\)`),
  );
  await expect(store.set('/a/b/x', Uint8Array.of(1))).rejects.toMatchObject({ code: 'write-failed', message });
  const config = parseConfig('{"pickable_objects": [], "overlay_root": "overlay"}', { source: 'copick.json' });
  const claims = overlayClaims(projectFromStores({ config, overlay: store }));
  const next = claims.next(['TS_1'], { group: 'me_1', isOpen: async () => true });
  await expect(next).rejects.toMatchObject({ code: 'write-failed', message, path: disk.readOnly });
});
