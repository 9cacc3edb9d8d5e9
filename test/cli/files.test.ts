import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import * as ort from 'onnxruntime-node';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  buildFolder,
  type FileKind,
  type OutputOptions,
  openOutput,
  readText,
  writeWhole,
} from '../../src/cli/files.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { loadModel, openMrcFile, openProject } from '../../src/entry/node.ts';
import { TextSink } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

const stdout = new TextSink();
const terminal = openTerminal({ stdout, stderr: stdout, json: false, signal: new AbortController().signal });

describe('writeWhole', () => {
  it('writeWhole creates the folders above and replaces an existing file', async () => {
    const path = join(folder, 'a', 'b', 'out.csv');
    await writeWhole(terminal, path, 'one');
    await writeWhole(terminal, path, Uint8Array.of(116, 119, 111));
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await readdir(join(folder, 'a', 'b'))).toEqual(['out.csv']);
  });

  it('writeWhole writes nothing once aborted, and keeps the old file', async () => {
    const path = join(folder, 'out.csv');
    await writeWhole(terminal, path, 'old');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(writeWhole({ ...terminal, signal }, path, 'new')).rejects.toThrow('enough');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['out.csv']);
  });

  it('writeWhole throws with the path if it cannot write', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeWhole(terminal, join(folder, 'file', 'out.csv'), '')).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringContaining(join(folder, 'file', 'out.csv')),
    });
  });
});

/** Takes what begins with "csv" for a file of its kind. */
const csv: FileKind = {
  name: 'a table (CSV)',
  holds: (bytes) => new TextDecoder().decode(bytes).startsWith('csv'),
};

describe('openOutput', () => {
  const open = (path: string, options: Partial<OutputOptions> = {}) =>
    openOutput(terminal, path, { kind: csv, ...options });

  it('openOutput writes nothing by itself, and leaves no folder behind', async () => {
    const output = await open(join(folder, 'a', 'b', 'out.csv'));
    expect(await readdir(folder)).toEqual([]);
    await output.write('csv');
    expect(await readFile(join(folder, 'a', 'b', 'out.csv'), 'utf8')).toBe('csv');
  });

  it('openOutput throws for a folder, and for a file in the way of a folder', async () => {
    await expect(open(folder)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('it is a folder'),
    });
    await writeFile(join(folder, 'file'), '');
    await expect(open(join(folder, 'file', 'out.csv'))).rejects.toMatchObject({ code: 'write-failed' });
  });

  it('openOutput lets a file of the kind and an empty one be replaced, and others only with overwrite', async () => {
    const path = join(folder, 'out.csv');
    for (const [content, options] of [
      ['', {}],
      ['csv old', {}],
      ['thesis', { overwrite: true }],
    ] as const) {
      await writeFile(path, content);
      await (await open(path, options)).write('csv new');
      expect(await readFile(path, 'utf8')).toBe('csv new');
    }
    await writeFile(path, 'thesis');
    await expect(open(path)).rejects.toThrow(`cannot write ${path}: what is there is not a table (CSV)`);
    expect(await readFile(path, 'utf8')).toBe('thesis');
  });

  it('openOutput never lets the config of a project be replaced', async () => {
    const path = join(folder, 'copick.json');
    await writeFile(path, '{ "pickable_objects": [], "overlay_root": "overlay" }');
    await expect(open(path, { overwrite: true })).rejects.toThrow(
      /config of a copick project, which is never replaced/,
    );
  });

  it('openOutput notices what takes the place while the command works', async () => {
    const path = join(folder, 'out.csv');
    const output = await open(path);
    await writeFile(path, 'thesis');
    await expect(output.write('csv')).rejects.toMatchObject({ code: 'invalid-option' });
    expect(await readFile(path, 'utf8')).toBe('thesis');
  });

  it('openOutput replaces the target of a link, also of one that leads nowhere yet, and not the link', async () => {
    await mkdir(join(folder, 'disk'));
    await writeFile(join(folder, 'disk', 'old.csv'), 'csv old');
    for (const name of ['old.csv', 'new.csv']) {
      const link = join(folder, name);
      await symlink(join('disk', name), link);
      await (await open(link)).write('csv new');
      expect(await readlink(link)).toBe(join('disk', name));
      expect(await readFile(join(folder, 'disk', name), 'utf8')).toBe('csv new');
    }
    expect(await readdir(join(folder, 'disk'))).toEqual(['new.csv', 'old.csv']);
  });

  it.skipIf(process.platform === 'win32')(
    'openOutput writes into devices and FIFOs, and leaves them there',
    async () => {
      const device = await stat('/dev/null');
      await (await open('/dev/null')).write('csv');
      expect(await stat('/dev/null')).toMatchObject({ ino: device.ino, rdev: device.rdev });
      const fifo = join(folder, 'fifo');
      execFileSync('mkfifo', [fifo]);
      const read = readFile(fifo, 'utf8');
      await (await open(fifo)).write('csv');
      expect(await read).toBe('csv');
      expect((await stat(fifo)).isFIFO()).toBe(true);
    },
  );

  it('openOutput writes to standard output for "-", and says if that fails', async () => {
    await (await open('-')).write('csv');
    expect(stdout.text).toBe('csv');
    const full = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('full'), { code: 'ENOSPC' })),
    }).on('error', () => {});
    const other = openTerminal({ stdout: full, stderr: full, json: false, signal: terminal.signal });
    await expect((await openOutput(other, '-', { kind: csv })).write('csv')).rejects.toMatchObject({
      code: 'write-failed',
      message: 'cannot write to standard output: no space is left on the device (ENOSPC)',
    });
  });
});

describe('buildFolder', () => {
  it('buildFolder shows the folder only when it is complete', async () => {
    const path = join(folder, 'project');
    await buildFolder(path, {
      async build(temporary) {
        await writeFile(join(temporary, 'a'), '');
        expect(await readdir(folder)).not.toContain('project');
      },
    });
    expect(await readdir(path)).toEqual(['a']);
    expect(await readdir(folder)).toEqual(['project']);
  });

  it('buildFolder fills an empty folder', async () => {
    await buildFolder(folder, { build: (temporary) => writeFile(join(temporary, 'a'), '') });
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('buildFolder fills an empty folder without replacing it, so that a shell in it goes on', async () => {
    const { ino } = await stat(folder);
    await buildFolder(folder, {
      async build(temporary) {
        await mkdir(join(temporary, 'overlay'));
        await writeFile(join(temporary, 'copick.json'), '{}');
      },
    });
    expect((await stat(folder)).ino).toBe(ino);
    expect((await readdir(folder)).sort()).toEqual(['copick.json', 'overlay']);
  });

  it.each(['absent', 'empty'])('buildFolder keeps what appears in an %s folder meanwhile, and throws', async (kind) => {
    const path = join(folder, 'project');
    if (kind === 'empty') await mkdir(path);
    const build = async (temporary: string) => {
      await writeFile(join(temporary, 'a'), '');
      await mkdir(path, { recursive: true });
      await writeFile(join(path, 'thesis'), 'years of work');
    };
    await expect(buildFolder(path, { build })).rejects.toMatchObject({ code: 'conflict' });
    expect(await readdir(path)).toEqual(['thesis']);
    expect(await readdir(folder)).toEqual(['project']);
  });

  it('buildFolder makes one of two that fill the same folder fail', async () => {
    const path = join(folder, 'project');
    const build = (name: string) => buildFolder(path, { build: (temporary) => writeFile(join(temporary, name), '') });
    const results = await Promise.allSettled([build('a'), build('b')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await readdir(path)).toHaveLength(1);
  });

  it('buildFolder refuses an empty path', async () => {
    await expect(buildFolder('', { build: async () => {} })).rejects.toThrow(/is "", expected its path/);
  });

  it('buildFolder leaves nothing behind if the work fails', async () => {
    const build = async (temporary: string) => {
      await writeFile(join(temporary, 'half'), '');
      throw new Error('power cut');
    };
    await expect(buildFolder(join(folder, 'project'), { build })).rejects.toThrow('power cut');
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    [
      'a folder with files',
      (path: string) => mkdir(join(path, 'thesis'), { recursive: true }),
      /not empty: it holds thesis/,
    ],
    ['a file', (path: string) => writeFile(path, ''), /is a file, expected a folder/],
  ])('buildFolder throws for %s before any work', async (_, prepare, message) => {
    const path = join(folder, 'project');
    await prepare(path);
    const build = () => Promise.reject(new Error('work was begun'));
    await expect(buildFolder(path, { build })).rejects.toThrow(message);
  });
});

describe('readText', () => {
  it.each([
    ['than one text holds', 2 ** 29, 'invalid-submission', /has 536870912 bytes, and a text holds/],
    [
      'than is read whole',
      2 ** 30 + 1,
      'unsupported',
      /it has more than 1073741824 bytes; split it into several files$/,
    ],
  ])('readText refuses a file of more bytes %s, and says to split it', async (_, size, code, message) => {
    const path = join(await tempDir(), 'large.csv');
    await writeFile(path, '');
    // A hole takes no room on the disk.
    await truncate(path, size);
    const failure = { code, path, message: expect.stringMatching(message) };
    const read = readText(path, { what: 'truth table', code: 'invalid-submission' });
    await expect(read).rejects.toMatchObject(failure);
    await expect(read).rejects.toThrow(/split it into several files/);
  });

  it.each([
    ['is absent', 'none', /^picks none not found$/],
    ['is a folder', '.', /^picks \. is a folder, expected a file$/],
  ])('readText throws if the path %s', async (_, path, message) => {
    await expect(readText(path, { what: 'picks', code: 'invalid-picks' })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(message),
    });
  });
});

it.each<[string, (path: string) => Promise<unknown>]>([
  ['openProject', (path) => openProject(path)],
  ['loadModel', (path) => loadModel(ort, path)],
  ['openMrcFile', (path) => openMrcFile(path)],
  ['readText', (path) => readText(path, { what: 'picks', code: 'invalid-picks' })],
])('%s distinguishes a file that cannot be read from an absent one', async (_, read) => {
  const path = resolve('x'.repeat(300));
  const message = expect.stringContaining('the name is too long (ENAMETOOLONG)');
  await expect(read(path)).rejects.toMatchObject({ code: 'unavailable', message, path });
  await expect(read(resolve('none'))).rejects.toMatchObject({ code: 'not-found', path: resolve('none') });
  await expect(read(resolve('.'))).rejects.toMatchObject({ code: 'not-found' });
});
