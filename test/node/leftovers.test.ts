import { lstat, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Warning } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { isHidden, makeTag, ownerState, temporaryBeside } from '../../src/node/file-lock.ts';
import { tempDir } from '../support/temp-dir.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
let folder: string;

beforeEach(async () => {
  folder = await tempDir();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Moves the monotonic clock. */
function skipMilliseconds(time: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + time);
}

/** Makes a second of the monotonic clock pass in 10 ms. */
function runHundredTimesAsFast(): void {
  const now = performance.now.bind(performance);
  const start = now();
  vi.spyOn(performance, 'now').mockImplementation(() => start + 100 * (now() - start));
}

/** Moves the clock of the wall by a month. */
function skipMonth(): void {
  vi.useFakeTimers({ now: Date.now() + 30 * 24 * 3600_000, toFake: ['Date'] });
}

/** No process has this number: Linux gives out at most 2^22, others fewer. */
const gone = () => makeTag().replace(/-\d+-/, '-999999999-');
const elsewhere = () => makeTag().replace(/^.{8}/, '00000000');

describe('the owner of a tag', () => {
  it('the owner of a tag is alive while its process runs, dead when it has ended, unknown on another machine', () => {
    expect(hostname()).not.toBe('');
    expect(ownerState(makeTag())).toBe('alive');
    expect(ownerState(gone())).toBe('dead');
    expect(ownerState(elsewhere())).toBe('unknown');
    expect(ownerState('')).toBe('unknown');
    expect(ownerState('12345')).toBe('unknown');
  });
});

describe('what killed writers leave', () => {
  it('a temporary file of a killed writer is not listed', async () => {
    const names = [`.x.${gone()}.tmp`, `.x.${gone()}.old`, '.x.lock'];
    for (const name of names) await writeFile(join(folder, name), '');
    expect(await directoryStore(folder).list('/')).toEqual([]);
    expect(['.zattrs', '.meta', 'x.lock', 'x.tmp', '.lock'].filter(isHidden)).toEqual([]);
  });

  it('a temporary file of a killed writer is removed by the next write into the folder; those of living processes and other machines stay', async () => {
    const mine = `.a.${makeTag()}.tmp`;
    const other = `.a.${elsewhere()}.tmp`;
    const young = '.a.01234567-89ab-cdef-0123-456789abcdef.tmp';
    for (const name of [mine, other, young, `.a.${gone()}.tmp`]) await writeFile(join(folder, name), 'half');
    await mkdir(join(folder, `.b.zarr.${gone()}.tmp`, '0'), { recursive: true });
    await writeFile(join(folder, '.c.lock'), gone());
    await writeFile(join(folder, '.d.lock'), makeTag());
    await directoryStore(folder).set('/x', bytes(1));
    expect((await readdir(folder)).sort()).toEqual([mine, other, young, '.d.lock', 'x'].sort());
  });

  it('a folder that a killed writer moved aside is put back if it was not replaced', async () => {
    const old = join(folder, `.b.zarr.${gone()}.old`, 'b.zarr');
    await mkdir(old, { recursive: true });
    await writeFile(join(folder, `.b.zarr.${gone()}.tmp`), '');
    await writeFile(join(old, '.zattrs'), 'old');
    await directoryStore(folder).set('/x', bytes(1));
    expect((await readdir(folder)).sort()).toEqual(['b.zarr', 'x']);
    expect(await readFile(join(folder, 'b.zarr/.zattrs'), 'utf8')).toBe('old');
  });

  it('a folder that a killed writer moved aside is removed if it was replaced', async () => {
    await mkdir(join(folder, `.b.zarr.${gone()}.old`, 'b.zarr'), { recursive: true });
    await mkdir(join(folder, 'b.zarr'));
    await writeFile(join(folder, 'b.zarr/.zattrs'), 'new');
    await directoryStore(folder).set('/x', bytes(1));
    expect((await readdir(folder)).sort()).toEqual(['b.zarr', 'x']);
    expect(await readFile(join(folder, 'b.zarr/.zattrs'), 'utf8')).toBe('new');
  });

  it('a lock whose process has ended is taken over by one of the next writers', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    await writeFile(join(folder, '.x.lock'), gone());
    await Promise.all(Array.from({ length: 10 }, (_, i) => store.set('/x', bytes(i))));
    expect(await readdir(folder)).toEqual(['x']);
  });

  it('a lock of another machine is taken over when it is older than any write takes', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    await writeFile(join(folder, '.x.lock'), elsewhere());
    setTimeout(() => skipMilliseconds(60_000), 50);
    await store.set('/x', bytes(1));
    expect(await store.get('/x')).toEqual(bytes(1));
    expect(await readdir(folder)).toEqual(['x']);
  });

  it('a lock of a living process makes a writer wait, until the signal stops it', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    await writeFile(join(folder, '.x.lock'), makeTag());
    const controller = new AbortController();
    const pending = store.set('/x', bytes(1), { signal: controller.signal });
    setTimeout(() => controller.abort('enough'), 50);
    await expect(pending).rejects.toBe('enough');
    expect(await store.get('/x')).toEqual(bytes(0));
    expect((await readdir(folder)).sort()).toEqual(['.x.lock', 'x']);
  });

  it.each([
    ['a living process', makeTag(), `process ${process.pid} holds`],
    ['another machine', elsewhere(), `process ${process.pid} of another machine or container holds`],
    ['another program', 'not of this library', 'an unknown program holds'],
  ])(
    'a writer that has waited 5 s for a lock of %s says so once, with the lock and its holder',
    async (_, holder, held) => {
      runHundredTimesAsFast();
      const warnings: Warning[] = [];
      const store = directoryStore(folder, { onWarning: (warning) => warnings.push(warning) });
      await store.set('/x', bytes(0));
      await store.set('/image/0', bytes(0));
      const locks = ['.x.lock', '.image.lock'].map((name) => join(folder, name));
      for (const lock of locks) await writeFile(lock, holder);
      const controller = new AbortController();
      const { signal } = controller;
      const staged = (await store.stage!('/image'))!;
      const pending = [store.set('/x', bytes(1), { signal }), staged.commit({ signal })] as const;
      await vi.waitFor(() => expect(warnings).toHaveLength(2), { timeout: 20_000 });
      // Each looks at its lock some times more.
      setTimeout(() => controller.abort('enough'), 100);
      await Promise.allSettled(pending);
      await staged.discard();
      expect(warnings.map(({ code, path }) => ({ code, path })).sort((a, b) => (a.path! < b.path! ? 1 : -1))).toEqual(
        locks.map((path) => ({ code: 'lock-held', path })),
      );
      for (const { message, path } of warnings) {
        expect(message).toMatch(/^waiting to write /);
        expect(message).toContain(`${held} its lock ${path}`);
      }
    },
  );

  it('a lock of a process that got the number of an ended one is taken over', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    const [tag, start] = [makeTag(), makeTag().slice(-12, -8)];
    const other = start === '0000' ? '1111' : '0000';
    const foreign = `${tag.slice(0, -12)}${other}${tag.slice(-8)}`;
    if (process.platform !== 'linux') return;
    expect(ownerState(foreign)).toBe('dead');
    await writeFile(join(folder, '.x.lock'), foreign);
    await store.set('/x', bytes(1));
    expect(await store.get('/x')).toEqual(bytes(1));
    expect(await readdir(folder)).toEqual(['x']);
  });

  it('a lock that a living process holds for two minutes makes a write fail, and the message says whose lock it is', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    const lock = join(folder, '.x.lock');
    await writeFile(lock, makeTag());
    setTimeout(() => skipMilliseconds(121_000), 50);
    await expect(store.set('/x', bytes(1))).rejects.toMatchObject({
      code: 'unavailable',
      path: lock,
      message: expect.stringContaining(`process ${process.pid} has held its lock ${lock}`),
    });
    expect(await store.get('/x')).toEqual(bytes(0));
  });

  it('a folder with the name of a lock makes a write fail, and the message names it', async () => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    await mkdir(join(folder, '.x.lock'));
    await expect(store.set('/x', bytes(1))).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringContaining(join(folder, '.x.lock')),
    });
  });

  it.each([
    ['of a living process', makeTag(), () => skipMilliseconds(60_000)],
    ['of another machine, whatever the clocks say', elsewhere(), skipMonth],
  ])('the next write does not take over a lock %s', async (_, holder, moveClock) => {
    const store = directoryStore(folder);
    await store.set('/x', bytes(0));
    await store.set('/image/0', bytes(0));
    for (const name of ['.x.lock', '.image.lock']) await writeFile(join(folder, name), holder);
    const controller = new AbortController();
    const { signal } = controller;
    const staged = (await store.stage!('/image'))!;
    const pending = [
      store.set('/x', bytes(1), { signal }),
      store.delete('/x', { signal }),
      staged.commit({ signal }),
    ] as const;
    setTimeout(moveClock, 50);
    setTimeout(() => controller.abort('enough'), 150);
    for (const result of await Promise.allSettled(pending)) {
      expect(result).toEqual({ status: 'rejected', reason: 'enough' });
    }
    await staged.discard();
    expect((await readdir(folder)).sort()).toEqual(['.image.lock', '.x.lock', 'image', 'x']);
    expect(await store.get('/x')).toEqual(bytes(0));
  });

  it('files of other programs stay, whatever their name and age', async () => {
    const names = [
      '.x.lock',
      '.notes.2024-01-01.old',
      '.data.20240101-1200.tmp',
      '.a.01234567-89ab-cdef-0123-456789abcdef.tmp',
    ];
    for (const name of names) await writeFile(join(folder, name), 'not of this library');
    await mkdir(join(folder, '.folder.lock'));
    skipMonth();
    await directoryStore(folder).set('/y', bytes(1));
    expect((await readdir(folder)).sort()).toEqual([...names, '.folder.lock', 'y'].sort());
    expect(names.filter(isHidden)).toEqual(['.x.lock']);
  });

  it('a file that a living process of this machine writes is not removed, however long that takes', async () => {
    const names = [`.a.${makeTag()}.tmp`, `.b.zarr.${makeTag()}.old`];
    for (const name of names) await writeFile(join(folder, name), 'half');
    await writeFile(join(folder, `.c.${elsewhere()}.tmp`), 'half');
    skipMonth();
    await directoryStore(folder).set('/x', bytes(1));
    expect((await readdir(folder)).sort()).toEqual([...names, 'x'].sort());
  });
});

describe('a name of any length', () => {
  it.each([96, 97, 200, 220, 255])('a name of %i bytes can be written, replaced and deleted', async (length) => {
    const store = directoryStore(folder);
    const name = 'é'.repeat(Math.floor(length / 2)) + 'x'.repeat(length % 2);
    for (const value of [1, 2]) await store.set(`/${name}`, bytes(value));
    expect(await store.get(`/${name}`)).toEqual(bytes(2));
    expect(await readdir(folder)).toEqual([name]);
    await store.delete(`/${name}`);
    expect(await readdir(folder)).toEqual([]);
  });

  it('a staged folder replaces one of a long name, which a killed writer gets back', async () => {
    const store = directoryStore(folder);
    const name = 'n'.repeat(250);
    await store.set(`/${name}/old`, bytes(1));
    const staged = (await store.stage!(`/${name}`))!;
    await staged.store.set('/new', bytes(2));
    await staged.commit();
    expect(await readdir(folder)).toEqual([name]);
    expect(await readdir(join(folder, name))).toEqual(['new']);
    const aside = temporaryBeside(join(folder, name), 'old').replace(/-\d+-/, '-999999999-');
    await mkdir(aside);
    await rename(join(folder, name), join(aside, name));
    await directoryStore(folder).set('/x', bytes(1));
    expect((await readdir(folder)).sort()).toEqual([name, 'x'].sort());
  });
});

describe('a staged folder', () => {
  it('a staged folder is invisible until it replaces the old one', async () => {
    const store = directoryStore(folder);
    await store.set('/image/old', bytes(1));
    const staged = (await store.stage!('/image'))!;
    await staged.store.set('/new', bytes(2));
    expect(await store.list('/')).toEqual([{ name: 'image', kind: 'folder' }]);
    expect(await store.list('/image')).toEqual([{ name: 'old', kind: 'file' }]);
    await staged.commit();
    expect(await store.list('/image')).toEqual([{ name: 'new', kind: 'file' }]);
    expect(await readdir(folder)).toEqual(['image']);
  });

  it('a staged folder leaves the old one if it is discarded, or cannot replace it', async () => {
    const store = directoryStore(folder);
    await store.set('/image/old', bytes(1));
    const staged = (await store.stage!('/image'))!;
    await staged.store.set('/new', bytes(2));
    await staged.discard();
    await expect(staged.commit()).rejects.toMatchObject({ code: 'write-failed' });
    expect(await readdir(folder)).toEqual(['image']);
    expect(await store.list('/image')).toEqual([{ name: 'old', kind: 'file' }]);
  });

  it('a staged folder is complete, whichever of many simultaneous writers is last', async () => {
    const store = directoryStore(folder);
    const write = async (i: number) => {
      const staged = (await store.stage!('/image'))!;
      for (const key of ['/a', '/b'] as const) await staged.store.set(key, bytes(i));
      await staged.commit();
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => write(i)));
    expect(await readdir(folder)).toEqual(['image']);
    expect(await store.get('/image/a')).toEqual(await store.get('/image/b'));
  });

  it('a staged folder replaces the target of a link, not the link', async () => {
    await mkdir(join(folder, 'scratch/image'), { recursive: true });
    await symlink('scratch/image', join(folder, 'image'));
    const store = directoryStore(folder);
    const staged = (await store.stage!('/image'))!;
    await staged.store.set('/new', bytes(2));
    await staged.commit();
    expect((await lstat(join(folder, 'image'))).isSymbolicLink()).toBe(true);
    expect(await readdir(join(folder, 'scratch'))).toEqual(['image']);
    expect(await readdir(join(folder, 'scratch/image'))).toEqual(['new']);
  });

  it('a staged folder cannot replace the root of the file system', async () => {
    expect(await directoryStore('/').stage!('/')).toBeUndefined();
    expect(temporaryBeside('/a/b')).toMatch(/^\/a\/\.b\.[0-9a-f]{8}-\d+-[0-9a-f]{12}\.tmp$/);
  });
});
