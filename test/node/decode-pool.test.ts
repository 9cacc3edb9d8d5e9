import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = await tempDir();

/** Scripts of threads that die. */
const broken = {
  unstartable: "import 'a-module-that-is-not-there';",
  dying:
    "export function answer() { setTimeout(() => { throw new Error('out of memory'); }); return new Promise(() => {}); }",
  // It ends without an error event.
  leaving: 'export function answer() { setTimeout(() => process.exit(3)); return new Promise(() => {}); }',
  'leaving at once': 'process.exit(0);',
  throwing: "export function answer() { throw new Error('no'); }",
};

/** A built package: dist with the thread's script, another one without it, and images of 96×100×140 that they wrote. */
beforeAll(async () => {
  symlinkSync(repository('node_modules'), join(folder, 'node_modules'), 'dir');
  const options = { bundle: true, splitting: true, platform: 'node', format: 'esm', packages: 'external' } as const;
  const alias = { '#decode-pool': repository('src/node/decode-pool.ts') };
  const index = Object.fromEntries(['index', 'node', 'io'].map((name) => [name, repository(`src/entry/${name}.ts`)]));
  const entryPoints = { ...index, 'node-decode-worker': repository('src/node/decode-worker.ts') };
  await build({ ...options, alias, entryPoints, outdir: join(folder, 'dist') });
  await build({ ...options, alias, entryPoints: index, outdir: join(folder, 'without') });
  for (const [name, script] of Object.entries(broken)) {
    cpSync(join(folder, 'without'), join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'node-decode-worker.js'), script);
  }
  const { output } = await runProgram(
    'without',
    `
    const voxels = Float32Array.from({ length: 96 * 100 * 140 }, (_, i) => Math.fround(Math.sin(i * i)));
    const source = sourceFromArray(contiguousVolume(voxels, [96, 100, 140]), { voxelSize: [10, 10, 10] });
    for (const format of ['zarr2', 'zarr3']) {
      const options = { format, levels: 1, chunkShape: [64, 64, 64] };
      await writeTomogram(directoryStore(${JSON.stringify(folder)} + '/' + format), source, options);
    }
    print('written');
  `,
  );
  expect(output).toBe('written');
}, 60_000);

interface Ended {
  readonly code: number | null;
  readonly output: unknown;
  readonly stderr: string;
}

let programs = 0;

/** Runs a program that prints JSON, in a process of its own; a process that does not end by itself fails the test. */
async function runProgram(dist: string, body: string): Promise<Ended> {
  const file = join(folder, `program-${programs++}.mjs`);
  const imports = `
    import { contiguousVolume, memoryStore, openTomogram, sourceFromArray, writeTomogram } from './${dist}/index.js';
    import { directoryStore } from './${dist}/node.js';
    const print = (value) => console.log(JSON.stringify(value));
    const threads = () => process.report.getReport().workers.length;
    const whole = { start: [0, 0, 0], end: [96, 100, 140] };
    const image = (name) => directoryStore(${JSON.stringify(folder)} + '/' + name, { readOnly: true });
    const isRight = ({ data }) => data.length === 96 * 100 * 140 && data.every((v, i) => v === Math.fround(Math.sin(i * i)));
    const failure = (promise) => promise.then(() => 'no failure', ({ code, message }) => code + ' ' + message);
  `;
  writeFileSync(file, `${imports}\n${body}`);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [file], { timeout: 25_000 }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout === '' ? undefined : JSON.parse(stdout), stderr });
    });
  });
}

const done = (output: unknown): Ended => ({ code: 0, output, stderr: '' });

describe('decoding in threads of the built package', () => {
  it('decoding in threads gives the same bits as without, and lets the process end', async () => {
    const body = `
      const found = [];
      for (const name of ['zarr2', 'zarr3']) found.push(isRight(await (await openTomogram(image(name))).read(whole)));
      print({ found, threads: threads() > 0 });
    `;
    expect(await runProgram('dist', body)).toEqual(done({ found: [true, true], threads: true }));
    expect(await runProgram('without', body)).toEqual(done({ found: [true, true], threads: false }));
  });

  it('decoding in threads works for bytes of other stores, which stay with the store', async () => {
    const ended = await runProgram(
      'dist',
      `
      import { readFileSync } from 'node:fs';
      const disk = image('zarr2');
      const given = [];
      const store = { ...disk, pathOf: undefined, get: async (...args) => {
        const bytes = await disk.get(...args);
        if (bytes) given.push([bytes, bytes.length]);
        return bytes;
      } };
      const right = isRight(await (await openTomogram(store)).read(whole));
      print({ right, threads: threads() > 0, kept: given.every(([bytes, length]) => bytes.length === length) });
    `,
    );
    expect(ended).toEqual(done({ right: true, threads: true, kept: true }));
  });

  it('openTomogram starts as many threads as its option says, none for 0, and shares them between images', async () => {
    const ended = await runProgram(
      'dist',
      `
      const counts = [];
      for (const count of [0, 3, 3]) {
        await (await openTomogram(image('zarr2'), { decodeWorkers: { count } })).read(whole);
        // On a busy machine others have decoded everything before the last thread is up.
        for (let i = 0; i < 80 && threads() < count; i++) await new Promise((resolve) => setTimeout(resolve, 50));
        counts.push(threads());
      }
      print([...counts, await failure(openTomogram(image('zarr2'), { decodeWorkers: { count: -1 } }))]);
    `,
    );
    const refused = `invalid-option the number of decode workers must be a whole number from 0 to 1024, found -1`;
    expect(ended).toEqual(done([0, 3, 3, refused]));
  });

  it('openTomogram starts no threads in Deno, where they would wait forever', async () => {
    const ended = await runProgram(
      'dist',
      `
      globalThis.Deno = {};
      const right = isRight(await (await openTomogram(image('zarr2'), { decodeWorkers: { count: 3 } })).read(whole));
      print({ right, threads: threads() });
    `,
    );
    expect(ended).toEqual(done({ right: true, threads: 0 }));
  });

  it('decoding in threads reports damaged, cut and absent files as without threads', async () => {
    const body = `
      const told = [];
      for (const name of ['damaged', 'cut', 'absent', 'folder']) {
        const tomogram = await openTomogram(image(name));
        told.push(await failure(tomogram.read(whole).then(({ data }) => { throw { code: 'read', message: String(data[0]) }; })));
      }
      print(told);
    `;
    for (const name of ['damaged', 'cut', 'absent', 'folder'])
      cpSync(join(folder, 'zarr2'), join(folder, name), { recursive: true });
    const chunk = (name: string) => join(folder, name, '0/0/0/0');
    const bytes = readFileSync(chunk('damaged'));
    writeFileSync(chunk('damaged'), bytes.fill(9, 0, 1));
    truncateSync(chunk('cut'), 1000);
    rmSync(chunk('absent'));
    rmSync(chunk('folder'));
    cpSync(join(folder, 'zarr2/0/0/0'), chunk('folder'), { recursive: true });
    const here = await runProgram('without', body);
    const inThreads = await runProgram('dist', body);
    expect(inThreads).toEqual(here);
    const [damaged, cut, absent, isFolder] = here.output as string[];
    expect(damaged).toMatch(/^corrupt-data chunk 0\/0\/0 of array \/0 of .* is damaged: /);
    expect(cut).toMatch(/^corrupt-data .*1000 bytes/);
    expect(absent).toBe('read 0');
    expect(isFolder).toMatch(/^corrupt-data .*it is a folder/);
  });

  it('a thread keeps no aborted reader waiting, and ends when everything is given up', async () => {
    const ended = await runProgram(
      'dist',
      `
      const controller = new AbortController();
      const tomogram = await openTomogram(image('zarr2'), { cacheBytes: 0 });
      await tomogram.read(whole);
      const reading = tomogram.read(whole, { signal: controller.signal });
      controller.abort(new Error('enough'));
      const told = await reading.then(() => 'read', (error) => error.message);
      print([told, isRight(await tomogram.read(whole))]);
    `,
    );
    expect(ended).toEqual(done(['enough', true]));
  });

  it.each(Object.keys(broken))('the main thread decodes if a worker is %s', async (name) => {
    const ended = await runProgram(
      name,
      `
      const tomogram = await openTomogram(image('zarr2'), { cacheBytes: 0 });
      print([isRight(await tomogram.read(whole)), isRight(await tomogram.read(whole))]);
    `,
    );
    expect(ended).toEqual(done([true, true]));
  });

  it.runIf(process.platform === 'linux')('decoding in threads leaves no file open, however broken it is', async () => {
    const ended = await runProgram(
      'dist',
      `
      import { readdirSync, readlinkSync } from 'node:fs';
      // Threads that start and end have descriptors of their own, of no file.
      const target = (handle) => { try { return readlinkSync('/proc/self/fd/' + handle); } catch { return ''; } };
      const files = () => readdirSync('/proc/self/fd').map(target).filter((path) => path.startsWith(${JSON.stringify(folder)}));
      const readAll = async () => {
        for (const name of ['zarr2', 'zarr3', 'damaged', 'cut', 'absent', 'folder']) {
          await failure((await openTomogram(image(name))).read(whole));
        }
      };
      for (let i = 0; i < 3; i++) await readAll();
      // A read that has failed leaves threads at work on its other chunks for a moment; a thread that ends, as idle ones do
      // after five seconds, would close what it left open.
      let open = files();
      for (let i = 0; i < 80 && open.length > 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        open = files();
      }
      // Once no file is open, none has been left open: a thread may still open its next chunk and close it.
      print(open);
    `,
    );
    expect(ended).toEqual(done([]));
  });
});
