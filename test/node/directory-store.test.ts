import {
  access,
  chmod,
  constants,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  openTomogram,
  type StoreKey,
  sourceFromArray,
  writeTomogram,
} from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { readOnlyStore, requireWritable } from '../../src/storage/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
let folder: string;

beforeEach(async () => {
  folder = await tempDir();
});

afterEach(async () => {
  await chmod(folder, 0o755);
});

describe('directoryStore', () => {
  it('directoryStore returns what was set, in whole and in part, and undefined for an absent file', async () => {
    const store = directoryStore(join(folder, 'new'));
    expect(await store.get('/x')).toBeUndefined();
    expect(await store.list('/')).toEqual([]);
    await store.set('/a/x', bytes(1, 2, 3, 4));
    await store.set('/a/x', bytes(5, 6, 7, 8));
    expect(await store.get('/a/x')).toEqual(bytes(5, 6, 7, 8));
    expect(await store.getRange('/a/x', { offset: 1, length: 2 })).toEqual(bytes(6, 7));
    expect(await store.getRange('/a/x', { suffixLength: 2 })).toEqual(bytes(7, 8));
    expect(await store.getRange('/a/x', { suffixLength: 99 })).toEqual(bytes(5, 6, 7, 8));
    expect(await store.getRange('/b', { suffixLength: 2 })).toBeUndefined();
    expect(await store.get('/a/x/y')).toBeUndefined();
  });

  it.each([0o600, 0o640, 0o664])('directoryStore keeps the permissions %o of a file that it replaces', async (mode) => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(1));
    await chmod(join(folder, 'x'), mode);
    await store.set('/x', bytes(2));
    expect((await stat(join(folder, 'x'))).mode & 0o777).toBe(mode);
    expect(await store.get('/x')).toEqual(bytes(2));
  });

  it('directoryStore replaces a file without the permission to write only where the system lets it be written', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(1));
    await chmod(join(folder, 'x'), 0o444);
    const mayWrite = await access(join(folder, 'x'), constants.W_OK).then(
      () => true,
      () => false,
    );
    if (mayWrite) await store.set('/x', bytes(2));
    else await expect(store.set('/x', bytes(2))).rejects.toMatchObject({ code: 'write-failed' });
    expect((await stat(join(folder, 'x'))).mode & 0o777).toBe(0o444);
    expect(await store.get('/x')).toEqual(bytes(mayWrite ? 2 : 1));
  });

  it.each(['/link', '/folder/x', '/good/gone'] as const)(
    'directoryStore throws for %s, a link to a file that was not fetched, which is not absent',
    async (key) => {
      await symlink('.git/annex/objects/SHA256-1', join(folder, 'link'));
      await symlink('elsewhere', join(folder, 'folder'));
      await mkdir(join(folder, 'real'));
      await symlink('real', join(folder, 'good'));
      await symlink('nowhere', join(folder, 'real', 'gone'));
      const message = expect.stringMatching(/^cannot read .*: .* is a link to .*, which is not there$/);
      const store = directoryStore(folder);
      await expect(store.get(key)).rejects.toMatchObject({ code: 'not-found', message });
      await expect(store.getRange(key, { suffixLength: 1 })).rejects.toMatchObject({ code: 'not-found', message });
      expect(await store.get('/good/absent')).toBeUndefined();
      expect(await store.get('/good/absent/deeper')).toBeUndefined();
    },
  );

  it('directoryStore throws if a folder is read as a file, also in parts', async () => {
    await mkdir(join(folder, '0'));
    const store = directoryStore(folder);
    const expected = {
      code: 'corrupt-data',
      message: `cannot read ${join(folder, '0')}: it is a folder, expected a file`,
    };
    await expect(store.get('/0')).rejects.toMatchObject(expected);
    for (const range of [{ suffixLength: 9 }, { offset: 0, length: 1 }, { offset: 1e9, length: 1 }])
      await expect(store.getRange('/0', range)).rejects.toMatchObject(expected);
  });

  it('directoryStore throws for a chunk that was not fetched, or is a folder, instead of reading fill values', async () => {
    const store = directoryStore(folder);
    const volume = contiguousVolume(new Float32Array(8).fill(1), [1, 2, 4]);
    const source = sourceFromArray(volume, { voxelSize: [10, 10, 10] });
    await writeTomogram(store, source, { levels: 1, chunkShape: [1, 2, 2] });
    await rm(join(folder, '0/0/0/0'));
    await symlink('annex', join(folder, '0/0/0/0'));
    await rm(join(folder, '0/0/0/1'));
    await mkdir(join(folder, '0/0/0/1'));
    const tomogram = await openTomogram(store);
    await expect(tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })).rejects.toMatchObject({ code: 'not-found' });
    await expect(tomogram.read({ start: [0, 0, 2], end: [1, 1, 3] })).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('directoryStore allocates no more than the file holds, whatever range is asked for', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(1, 2, 3));
    expect(await store.getRange('/x', { offset: 1, length: 515e9 })).toEqual(bytes(2, 3));
    expect(await store.getRange('/x', { offset: 1e15, length: 515e9 })).toEqual(bytes());
  });

  it('directoryStore lists names sorted, with hidden files and links to folders', async () => {
    await writeFile(join(folder, 'b'), '');
    await writeFile(join(folder, '.zattrs'), '');
    await mkdir(join(folder, 'a'));
    await symlink(join(folder, 'a'), join(folder, 'link'));
    await symlink(join(folder, 'gone'), join(folder, 'stale'));
    expect(await directoryStore(folder).list('/')).toEqual([
      { name: '.zattrs', kind: 'file' },
      { name: 'a', kind: 'folder' },
      { name: 'b', kind: 'file' },
      { name: 'link', kind: 'folder' },
      { name: 'stale', kind: 'file' },
    ]);
    expect(await directoryStore(folder).list('/b')).toEqual([]);
  });

  it('directoryStore deletes files and folders, and does nothing for absent ones', async () => {
    const store = directoryStore(folder);
    await store.set('/a/b/c', bytes(1));
    await store.delete('/a');
    await store.delete('/a');
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['/../x', '/a/../../x', '/a//x', 'x', '/a\0'])(
    'directoryStore throws for the key %j in every call',
    async (key) => {
      const store = directoryStore(folder);
      const calls = [
        async () => store.get(key as StoreKey),
        async () => store.getRange(key as StoreKey, { suffixLength: 1 }),
        async () => store.list(key as StoreKey),
        async () => store.set(key as StoreKey, bytes(1)),
        async () => store.delete(key as StoreKey),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'invalid-option' });
      expect(await readdir(folder)).toEqual([]);
    },
  );
});

describe('writing to a directoryStore', () => {
  it('directoryStore never shows a reader a part of a value while writing', async () => {
    const store = directoryStore(folder);
    const values = Array.from({ length: 8 }, (_, i) => new Uint8Array(300_000 + i).fill(i));
    await store.set('/x', values[0]!);
    let isWriting = true;
    const writing = (async () => {
      for (let n = 0; n < 40; n++) await store.set('/x', values[n % 8]!);
      isWriting = false;
    })();
    let reads = 0;
    while (isWriting) {
      const found = await store.get('/x');
      expect(found?.length).toBe(300_000 + found![0]!);
      expect(found!.at(-1)).toBe(found![0]);
      reads++;
    }
    await writing;
    expect(reads).toBeGreaterThan(1);
    expect(await readdir(folder)).toEqual(['x']);
  });

  it('directoryStore leaves nothing behind if a write is aborted', async () => {
    const store = directoryStore(folder);
    for (const early of [true, false]) {
      const controller = new AbortController();
      if (early) controller.abort('stop');
      const pending = store.set('/x', new Uint8Array(50_000_000), { signal: controller.signal });
      setTimeout(() => controller.abort('stop'), 1);
      await expect(pending).rejects.toBe('stop');
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('directoryStore throws with the reason if a file cannot be written, and leaves no temporary file', async () => {
    const store = directoryStore(folder);
    await store.set('/file', bytes(1));
    await mkdir(join(folder, 'folder', 'full'), { recursive: true });
    await expect(store.set('/file/x', bytes(1))).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringMatching(/^cannot write .*file\/x: a file is in the way where a folder is needed/),
    });
    await expect(store.set('/folder', bytes(1))).rejects.toMatchObject({ code: 'write-failed' });
    await expect(store.set(`/${'n'.repeat(300)}`, bytes(1))).rejects.toThrow('the name is too long (ENAMETOOLONG)');
    await expect(store.delete(`/${'n'.repeat(300)}`)).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringMatching(/^cannot delete .*n: the name is too long/),
    });
    expect((await readdir(folder)).sort()).toEqual(['file', 'folder']);
  });

  it('directoryStore throws on a write if it was opened read-only', async () => {
    const store = directoryStore(folder, { readOnly: true });
    await expect(store.set('/x', bytes(1))).rejects.toMatchObject({ code: 'read-only' });
    await expect(store.delete('/x')).rejects.toThrow(
      `cannot write ${join(folder, 'x')}: its store is opened read-only`,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('a folder on disk as a read-only store has no other way to be written or tidied', async () => {
    const store = readOnlyStore(directoryStore(folder), { reason: 'it is of others' });
    await expect(store.set('/x', bytes(1))).rejects.toMatchObject({ code: 'read-only' });
    expect([store.setPieces, store.stage, store.tidy]).toEqual([undefined, undefined, undefined]);
  });

  it.skipIf(process.getuid?.() === 0)(
    'directoryStore reports a folder without write permission (not as root)',
    async () => {
      await chmod(folder, 0o555);
      await expect(directoryStore(folder).set('/x', bytes(1))).rejects.toThrow('permission denied (EACCES)');
    },
  );
});

describe('folders that a store makes', () => {
  it('folders that were made for a file go again with it, or if it cannot be written; others stay', async () => {
    const store = directoryStore(folder);
    await mkdir(join(folder, 'old'));
    for (const key of ['/a/b/c', '/old/b/c'] as const) {
      await store.set(key, new Uint8Array(1));
      await store.delete(key);
      const pieces = (async function* () {
        yield new Uint8Array(1);
        throw new Error('no more');
      })();
      await expect(store.setPieces!(key, pieces)).rejects.toThrow('no more');
    }
    expect(await readdir(folder, { recursive: true })).toEqual(['old']);
    await store.set('/a/x', new Uint8Array(1));
    await store.set('/a/b/c', new Uint8Array(1));
    await store.delete('/a/b/c');
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['a', 'a/x', 'old']);
  });

  it.each<[string, (root: string) => Promise<unknown>, string]>([
    ['a root that was moved away', (root) => rename(root, `${root}-moved`), ''],
    ['a folder that was unmounted', (root) => rename(join(root, 'runs'), `${root}-moved`), '/runs'],
  ])('%s with what was written in it is not made anew: the write fails, and names it', async (_, remove, gone) => {
    const root = join(folder, 'overlay');
    const writer = directoryStore(root);
    await writer.set('/runs/a/x', bytes(1));
    const reader = directoryStore(root);
    await reader.list('/runs/a');
    // Of a store that has seen nothing of it, it may be the first write.
    const fresh = directoryStore(root);
    await remove(root);
    for (const store of [writer, reader]) {
      const error = {
        code: 'write-failed',
        path: `${root}${gone}`,
        message: expect.stringMatching(new RegExp(`^${root}${gone} has gone, and what was written in it`)),
      };
      await expect(store.set('/runs/b/y', bytes(1))).rejects.toMatchObject(error);
      await expect(requireWritable(store, '/runs/b')).rejects.toMatchObject({ code: 'write-failed', path: error.path });
      expect(await readdir(folder, { recursive: true })).not.toContain(`overlay${gone}`);
    }
    await fresh.set('/runs/b/y', bytes(1));
    await writer.set('/runs/b/y', bytes(2));
    expect(await readdir(join(root, 'runs'))).toEqual(['b']);
  });

  it('folders are made anew once what was in them was deleted, and hidden ones always', async () => {
    const store = directoryStore(join(folder, 'overlay'));
    for (const key of ['/runs/a/x', '/.hidden/x'] as const) {
      await store.set(key, bytes(1));
      await store.set('/y', bytes(1));
      await store.delete(key);
      await store.delete('/y');
      expect(await readdir(folder)).toEqual([]);
      await store.set(key, bytes(2));
      await store.delete(key);
    }
    await store.set('/.hidden/x', bytes(2));
    await rm(join(folder, 'overlay', '.hidden'), { recursive: true });
    await store.set('/.hidden/x', bytes(3));
    expect(await store.get('/.hidden/x')).toEqual(bytes(3));
  });

  it('a write through a link that leads nowhere makes its target, and one that leads in a circle says so', async () => {
    await symlink(join(folder, 'disk', 'file'), join(folder, 'link'));
    await directoryStore(folder).set('/link', new Uint8Array(3));
    expect((await readFile(join(folder, 'disk', 'file'))).length).toBe(3);
    await symlink('circle', join(folder, 'circle'));
    await expect(directoryStore(folder).set('/circle', new Uint8Array(3))).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringContaining('circle'),
    });
  });

  it('a folder whose link leads nowhere is called so, not a file', async () => {
    await symlink('nowhere', join(folder, 'overlay'));
    await expect(directoryStore(folder).set('/overlay/a/b', new Uint8Array(1))).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringMatching(/overlay is a link to nowhere, which is not there$/),
    });
  });
});
