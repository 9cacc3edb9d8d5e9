import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as ort from 'onnxruntime-node';
import { beforeEach, describe, expect, it } from 'vitest';
import { buildFolder, readText, requireDestination, writeWhole } from '../../src/cli/files.ts';
import { loadModel, openMrcFile, openProject } from '../../src/entry/node.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

describe('writeWhole', () => {
  it('writeWhole creates the folders above and replaces an existing file', async () => {
    const path = join(folder, 'a', 'b', 'out.csv');
    await writeWhole(path, { data: 'one' });
    await writeWhole(path, { data: Uint8Array.of(116, 119, 111) });
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await readdir(join(folder, 'a', 'b'))).toEqual(['out.csv']);
  });

  it('writeWhole writes nothing once aborted, and keeps the old file', async () => {
    const path = join(folder, 'out.csv');
    await writeWhole(path, { data: 'old' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(writeWhole(path, { data: 'new', signal })).rejects.toThrow('enough');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['out.csv']);
  });

  it('writeWhole throws with the path if it cannot write', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeWhole(join(folder, 'file', 'out.csv'), { data: '' })).rejects.toMatchObject({
      code: 'write-failed',
      message: expect.stringContaining(join(folder, 'file', 'out.csv')),
    });
  });
});

describe('requireDestination', () => {
  it('requireDestination does nothing if a file can be written, and leaves nothing behind', async () => {
    await requireDestination(join(folder, 'out.csv'));
    expect(await readdir(folder)).toEqual([]);
  });

  it('requireDestination throws for a folder, and for a file in the way of a folder', async () => {
    await expect(requireDestination(folder)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('it is a folder'),
    });
    await writeFile(join(folder, 'file'), '');
    await expect(requireDestination(join(folder, 'file', 'out.csv'))).rejects.toMatchObject({ code: 'write-failed' });
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
    ['is absent', 'none', /^picks none not found$/],
    ['is a folder', '.', /^picks \. is a folder, expected a file$/],
  ])('readText throws if the path %s', async (_, path, message) => {
    await expect(readText(path, { what: 'picks' })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(message),
    });
  });
});

it.each<[string, (path: string) => Promise<unknown>]>([
  ['openProject', (path) => openProject(path)],
  ['loadModel', (path) => loadModel(ort, path)],
  ['openMrcFile', (path) => openMrcFile(path)],
  ['readText', (path) => readText(path, { what: 'picks' })],
])('%s distinguishes a file that cannot be read from an absent one', async (_, read) => {
  const path = resolve('x'.repeat(300));
  const message = expect.stringContaining('the name is too long (ENAMETOOLONG)');
  await expect(read(path)).rejects.toMatchObject({ code: 'unavailable', message, path });
  await expect(read(resolve('none'))).rejects.toMatchObject({ code: 'not-found', path: resolve('none') });
  await expect(read(resolve('.'))).rejects.toMatchObject({ code: 'not-found' });
});
