import { execFileSync } from 'node:child_process';
import { appendFile, open, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { directoryStore, fileReader, loadModel, openProject, openTiffStackFile } from '../../src/entry/node.ts';
import { readInput } from '../../src/node/read-file.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
let pipe: string;

beforeEach(async () => {
  folder = await tempDir();
  pipe = join(folder, 'pipe');
  if (process.platform !== 'win32') execFileSync('mkfifo', [pipe]);
});

const options = { maxBytes: 2 ** 20 };

describe.skipIf(process.platform === 'win32')('a store on disk', () => {
  it('A store on disk refuses a pipe where a file belongs, at once and with its path, to read and to write', async () => {
    const store = directoryStore(folder);
    const refused = { code: 'corrupt-data', path: pipe, message: `cannot read ${pipe}: it is a pipe, expected a file` };
    await expect(store.get('/pipe')).rejects.toMatchObject(refused);
    await expect(store.getRange('/pipe', { suffixLength: 3 })).rejects.toMatchObject(refused);
    await expect(store.version?.('/pipe')).rejects.toMatchObject(refused);
    await expect(store.set('/pipe', new Uint8Array(1))).rejects.toMatchObject({
      code: 'write-failed',
      message: `cannot write ${pipe}: a pipe or a device is in the way, expected a file`,
    });
  });

  it('A store on disk refuses at once to replace a file whose lock is a pipe, and leaves file and pipe', async () => {
    const store = directoryStore(folder);
    await store.set('/a', Uint8Array.of(1));
    const lock = join(folder, '.a.lock');
    execFileSync('mkfifo', [lock]);
    for (const write of [() => store.set('/a', Uint8Array.of(2)), () => store.delete('/a')]) {
      await expect(write()).rejects.toMatchObject({
        code: 'write-failed',
        message: `cannot write ${join(folder, 'a')}: ${lock}, which is the name of its lock, is a pipe or a device; move it away`,
        path: lock,
      });
    }
    expect(await store.get('/a')).toEqual(Uint8Array.of(1));
    expect((await readdir(folder)).sort()).toEqual(['.a.lock', 'a', 'pipe']);
  });

  it('A store on disk treats a record of what made picks as absent where it is a pipe, and does not write into it', async () => {
    await writeFile(
      join(folder, 'copick.json'),
      JSON.stringify({ pickable_objects: [{ name: 'virus', is_particle: true }], overlay_root: folder }),
    );
    const run = await (await openProject(join(folder, 'copick.json'))).createRun('TS_1');
    const picks = [{ object: 'virus', position: { x: 1, y: 2, z: 3 }, score: 1 }];
    const author = { userId: 'me', sessionId: '1' };
    await run.writePicks(picks, author);
    const record = join(folder, 'ExperimentRuns', 'TS_1', 'Picks', '.me_1_virus.provenance');
    execFileSync('mkfifo', [record]);
    const [set] = await run.pickSets();
    expect((await set!.origin())?.provenance).toBeUndefined();
    const provenance = { virus: { program: 'test' } };
    await expect(run.writePicks(picks, { ...author, provenance })).rejects.toMatchObject({
      code: 'write-failed',
      message: `cannot write ${record}: a pipe or a device is in the way, expected a file`,
    });
    expect((await set!.read()).picks).toHaveLength(1);
  });

  it('A store on disk refuses a link to a device that has no end', async () => {
    await symlink('/dev/zero', join(folder, 'zero'));
    await expect(directoryStore(folder).get('/zero')).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringContaining('it is a device, expected a file'),
    });
  });

  it('A store on disk reads a file that grows as it was when it was opened', async () => {
    const file = join(folder, 'growing');
    await writeFile(file, new Uint8Array(1000));
    const reading = directoryStore(folder).get('/growing');
    await appendFile(file, new Uint8Array(1000));
    expect([1000, 2000]).toContain((await reading)?.length);
  });

  it('A store on disk lists the runs of a project although a lock, a record and picks are pipes', async () => {
    await writeFile(join(folder, 'copick.json'), JSON.stringify({ pickable_objects: [], overlay_root: folder }));
    const picks = join(folder, 'ExperimentRuns', 'TS_1', 'Picks');
    execFileSync('mkdir', ['-p', picks]);
    execFileSync('mkfifo', [join(picks, 'short.json'), join(picks, 'me_1_virus.json')]);
    const project = await openProject(join(folder, 'copick.json'));
    const run = await project.run('TS_1');
    const sets = await run.pickSets();
    expect(sets.map(({ object }) => object)).toEqual(['short', 'virus']);
    await expect(sets[1]!.read()).rejects.toMatchObject({ code: 'corrupt-data', path: join(picks, 'me_1_virus.json') });
    expect(project.problems.map(({ path }) => path)).toContain(join(picks, 'short.json'));
  });
});

describe.skipIf(process.platform === 'win32')('functions that take a path of a file', () => {
  it('Functions that take a path of a file refuse a pipe at once', async () => {
    const ort = await import('onnxruntime-node');
    for (const refused of [() => openTiffStackFile(pipe), () => fileReader(pipe), () => loadModel(ort, pipe)]) {
      await expect(refused()).rejects.toMatchObject({ name: 'CryoetPicksError', path: pipe });
    }
  });
});

describe.skipIf(process.platform === 'win32')('readInput', () => {
  it('readInput reads a file, and a pipe that is written slowly, whoever opens it first', async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
    await writeFile(join(folder, 'file'), bytes);
    expect(await readInput(join(folder, 'file'), options)).toEqual(bytes);
    const reading = readInput(pipe, options);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const writer = await open(pipe, 'w');
    await writer.write(bytes.subarray(0, 1000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await writer.writeFile(bytes.subarray(1000));
    await writer.close();
    expect(await reading).toEqual(bytes);
  });

  it('readInput reads files that the system makes, and empty ones', async () => {
    expect(await readInput('/dev/null', options)).toHaveLength(0);
    if (process.platform === 'linux') expect((await readInput('/proc/self/stat', options)).length).toBeGreaterThan(10);
  });

  it('readInput ends by its signal while it waits for a pipe, with the reason', async () => {
    const controller = new AbortController();
    const waiting = readInput(pipe, { ...options, signal: controller.signal });
    setTimeout(() => controller.abort('enough'), 30);
    await expect(waiting).rejects.toBe('enough');
  });

  it('readInput reads no more of a device than it may', async () => {
    await expect(readInput('/dev/zero', options)).rejects.toMatchObject({
      code: 'unsupported',
      message: 'cannot read /dev/zero: a device has more than 1048576 bytes; split it into several files',
    });
  });
});
