import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { fakeSpec } from '../support/identity-model.ts';
import { networkWithWeightsBeside, weightBytes } from '../support/onnx-bytes.ts';
import { tempDir } from '../support/temp-dir.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folder = await tempDir();

/** A built package: dist with the thread's script, another one without it, the models and the dependencies. */
beforeAll(async () => {
  for (const name of ['node_modules', 'models']) symlinkSync(repository(name), join(folder, name), 'dir');
  const node = repository('src/entry/node.ts');
  const options = { bundle: true, splitting: true, platform: 'node', format: 'esm', packages: 'external' } as const;
  await build({
    ...options,
    entryPoints: { node, 'onnx-worker': repository('src/node/onnx-worker.ts') },
    outdir: join(folder, 'dist'),
  });
  await build({ ...options, entryPoints: [node], outdir: join(folder, 'without') });
});

interface Ended {
  readonly code: number | null;
  readonly output: unknown;
  readonly stderr: string;
}

let programs = 0;

/** Runs a program that prints JSON, in a process of its own; a process that does not end by itself fails the test. */
async function runProgram(body: string, args: readonly string[] = []): Promise<Ended> {
  const file = join(folder, `program-${programs++}.mjs`);
  writeFileSync(file, `${prelude}\n${body}`);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...args, file], { timeout: 25_000 }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout === '' ? undefined : JSON.parse(stdout), stderr });
    });
  });
}

const prelude = `
  import * as ort from 'onnxruntime-node';
  import { loadModel } from './dist/node.js';
  const fixture = (name) => ${JSON.stringify(repository('test/fixtures/onnx'))} + '/' + name + '.onnx';
  const spec = (fields) => ({ ...${JSON.stringify(fakeSpec({ name: 'tiny' }))}, ...fields });
  const ramp = (length) => Float32Array.from({ length }, (_, i) => i);
  const noise = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i * i));
  const tile = () => ({ data: noise(96 ** 3), shape: [1, 96, 96, 96] });
  const print = (value) => console.log(JSON.stringify(value));
  const failure = (promise) => promise.then(
    () => 'no failure',
    (error) => ({ name: error.name, code: error.code, message: error.message, cause: error.cause?.message }),
  );
  const threads = () => process.report.getReport().workers.length;
`;

const done = (output: unknown): Ended => ({ code: 0, output, stderr: '' });

describe('loadModel of the built package', () => {
  it('a model in a thread scores bit for bit as without one, and the main thread continues meanwhile', async () => {
    const ended = await runProgram(`
      import { loadModel as loadWithout } from './without/node.js';
      const here = await loadWithout(ort);
      const none = threads();
      const expected = await here.score(tile());
      const model = await loadModel(ort, undefined, { threads: 1 });
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      const tiles = tile();
      const scores = await model.score(tiles);
      clearInterval(timer);
      print({
        threads: [none, threads()],
        shape: scores.shape,
        equal: scores.data.every((score, i) => score === expected.data[i]),
        card: JSON.stringify(model.spec) === JSON.stringify(here.spec),
        // The caller's tiles were not moved away.
        kept: tiles.data.length,
        ticked: ticks > 3,
      });
      await model.dispose();
      await here.dispose();
    `);
    const expected = {
      threads: [0, 1],
      shape: [1, 7, 48, 48, 48],
      equal: true,
      card: true,
      kept: 96 ** 3,
      ticked: true,
    };
    expect(ended).toEqual(done(expected));
  });

  it('a model in a thread transfers tiles that are given away and back, and copies all others', async () => {
    const ended = await runProgram(`
      const model = await loadModel(ort, fixture('identity'), { spec: spec() });
      const kept = { data: ramp(8), shape: [1, 2, 2, 2] };
      const copied = await model.score(kept);
      const given = { data: ramp(8), shape: [1, 2, 2, 2] };
      const moved = await model.score(given, { transfer: true });
      // Of a view only a copy can move.
      const view = { data: ramp(16).subarray(8), shape: [1, 2, 2, 2] };
      const ofView = await model.score(view, { transfer: true });
      await model[Symbol.asyncDispose]();
      print({
        kept: [kept.data.length, copied.tiles === undefined],
        given: [given.data.length, moved.tiles.length, [...moved.data].join()],
        view: [view.data.length, [...ofView.data].join()],
        disposed: (await failure(model.score(kept))).message,
      });
    `);
    const expected = {
      kept: [8, true],
      given: [0, 8, '0,1,2,3,4,5,6,7'],
      view: [8, '8,9,10,11,12,13,14,15'],
      disposed: 'model "tiny" was disposed',
    };
    expect(ended).toEqual(done(expected));
  });

  it('a model in a thread refuses tiles that were given away before, and goes on with others', async () => {
    const ended = await runProgram(`
      const model = await loadModel(ort, fixture('identity'), { spec: spec() });
      const tiles = () => ({ data: ramp(8), shape: [1, 2, 2, 2] });
      const given = tiles();
      const [first, second] = await Promise.allSettled([1, 2].map(() => model.score(given, { transfer: true })));
      const { code, message } = second.reason;
      const later = await model.score(tiles(), { transfer: true });
      await model.dispose();
      print({ first: first.status, code, message, later: later.data.length });
    `);
    const expected = {
      first: 'fulfilled',
      code: 'invalid-option',
      message: 'tiles of shape 1×2×2×2 hold no voxels: an earlier call with `transfer` has moved their memory away',
      later: 8,
    };
    expect(ended).toEqual(done(expected));
  });

  it('a model in a thread has the weights that lie beside its network, not those of the working directory', async () => {
    await mkdir(join(folder, 'weights'), { recursive: true });
    await writeFile(join(folder, 'weights', 'unet.onnx'), networkWithWeightsBeside({ location: 'unet.data' }));
    await writeFile(join(folder, 'weights', 'unet.data'), weightBytes(2));
    await mkdir(join(folder, 'elsewhere'), { recursive: true });
    await writeFile(join(folder, 'elsewhere', 'unet.data'), weightBytes(1));
    const ended = await runProgram(`
      process.chdir(${JSON.stringify(join(folder, 'elsewhere'))});
      const model = await loadModel(ort, '../weights/unet.onnx', { spec: spec() });
      const scores = await model.score({ data: ramp(8), shape: [1, 2, 2, 2] });
      print([threads(), [...scores.data].join()]);
      await model.dispose();
    `);
    expect(ended).toEqual(done([1, '0,2,4,6,8,10,12,14']));
  });

  it('loadModel computes on a device, or lists what the runtime offers instead', async () => {
    const ended = await runProgram(`
      const model = await loadModel(ort, fixture('identity'), { spec: spec(), device: 'cpu' });
      const scores = await model.score({ data: ramp(8), shape: [1, 2, 2, 2] });
      await model.dispose();
      const offered = ort.listSupportedBackends().map(({ name }) => name);
      const absent = ['dml', 'coreml'].find((name) => !offered.includes(name));
      const { code, message } = await failure(loadModel(ort, fixture('identity'), { spec: spec(), device: absent }));
      print({ scores: [...scores.data].join(), code, message: message.split('"' + absent + '"').join('ABSENT') });
    `);
    expect(ended).toMatchObject({ code: 0, stderr: '', output: { scores: '0,1,2,3,4,5,6,7', code: 'invalid-option' } });
    const { message } = ended.output as { message: string };
    expect(message).toMatch(/^this ONNX runtime does not compute on device ABSENT; it offers "cpu"/);
  });

  it('a model in a thread answers calls in their order, for fixed batch sizes and with a thread count', async () => {
    const ended = await runProgram(`
      const model = await loadModel(ort, fixture('identity-batch-of-two'), { spec: spec(), threads: 1 });
      const calls = [1, 3, 2].map((n) => model.score({ data: ramp(n * 8), shape: [n, 2, 2, 2] }));
      const all = await Promise.all(calls);
      await model.dispose();
      print(all.map(({ data, shape }) => [shape[0], data.length, data.every((score, i) => score === i)]));
    `);
    expect(ended).toEqual(
      done([
        [1, 8, true],
        [3, 24, true],
        [2, 16, true],
      ]),
    );
  });

  it('a model in a thread fails with the same code, message and cause as without one, and leaves no thread', async () => {
    const ended = await runProgram(`
      import { writeFileSync } from 'node:fs';
      import { loadModel as loadWithout } from './without/node.js';
      writeFileSync('${join(folder, 'garbage.onnx').replaceAll('\\', '/')}', 'no network');
      const failures = [];
      for (const load of [loadModel, loadWithout]) {
        const model = await load(ort, fixture('fails-at-run'), { spec: spec({ tile: [3, 3, 3] }) });
        failures.push([
          await failure(load(ort, '${join(folder, 'garbage.onnx').replaceAll('\\', '/')}', { spec: spec() })),
          await failure(load(ort, fixture('rank-four'), { spec: spec() })),
          await failure(model.score({ data: ramp(8), shape: [1, 2, 2, 2] })),
          await failure(model.score({ data: ramp(7), shape: [1, 2, 2, 2] })),
        ]);
        await model.dispose();
      }
      // A thread takes a moment to end.
      for (let i = 0; i < 100 && threads() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
      print({ failures, threads: threads() });
    `);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const { failures, threads } = ended.output as {
      failures: { code: string; message: string; cause: string }[][];
      threads: number;
    };
    expect(failures[0]).toEqual(failures[1]);
    expect(failures[0].map(({ code }) => code)).toEqual([
      'model-failed',
      'model-failed',
      'model-failed',
      'invalid-option',
    ]);
    expect(failures[0][0].message).toContain('cannot load model "tiny" from 10 bytes: ');
    expect(failures[0][0].cause).toBeTypeOf('string');
    expect(failures[0][1].message).toContain('4 dimensions; expected 5');
    expect(threads).toBe(0);
  });

  it('a model in a thread rejects an aborted call at once with the reason, finishes it in the background, and scores the next one correctly', async () => {
    const ended = await runProgram(`
      const model = await loadModel(ort);
      const controller = new AbortController();
      const order = [];
      const { signal } = controller;
      const small = { data: noise(32 ** 3), shape: [1, 32, 32, 32] };
      const aborted = [tile(), small].map((tiles) => model.score(tiles, { signal }).catch((reason) => order.push(reason)));
      const next = model.score(small).then(({ shape }) => order.push(shape));
      setTimeout(() => controller.abort('enough'), 20);
      await Promise.all([...aborted, next]);
      order.push(await model.score(small, { signal }).catch((reason) => 'still ' + reason));
      await model.dispose();
      print(order);
    `);
    expect(ended).toEqual(done(['enough', 'enough', [1, 7, 16, 16, 16], 'still enough']));
  });

  it('loadModel stops loading when aborted, and leaves no thread', async () => {
    const ended = await runProgram(`
      const controller = new AbortController();
      const loading = loadModel(ort, undefined, { signal: controller.signal });
      setTimeout(() => controller.abort('enough'), 20);
      print([await loading.catch((reason) => reason), await loadModel(ort, undefined, { signal: controller.signal }).catch((reason) => reason)]);
    `);
    expect(ended).toEqual(done(['enough', 'enough']));
  });

  it('a disposed model rejects calls; dispose may come twice and during a call', async () => {
    const ended = await runProgram(`
      const model = await loadModel(ort);
      const under = model.score(tile());
      await new Promise((resolve) => setTimeout(resolve, 5));
      const disposed = Promise.all([model.dispose(), model.dispose()]);
      const late = await failure(model.score(tile()));
      await disposed;
      print([(await under).shape, late, threads()]);
    `);
    const late = { name: 'CryoetPicksError', code: 'model-failed', message: 'model "default" was disposed' };
    expect(ended).toEqual(done([[1, 7, 48, 48, 48], late, 0]));
  });

  it.each([
    ['nothing is left to do, without disposing', '', 0],
    ['a call that nobody awaits is under way', 'model.score(tile());', 0],
    ['an aborted call is under way', 'model.score(tile(), { signal: AbortSignal.timeout(10) }).catch(() => {});', 0],
    [
      'process.exit() comes while a call is under way',
      'model.score(tile()); setTimeout(() => process.exit(3), 30);',
      3,
    ],
    ['process.exit() comes while it loads', 'loadModel(ort); setTimeout(() => process.exit(4), 40);', 4],
  ])('a model in a thread lets the process end when %s', async (_, body, code) => {
    const ended = await runProgram(`const model = await loadModel(ort); ${body}`);
    expect(ended).toEqual({ code, output: undefined, stderr: '' });
  });

  it('a model in a thread lets the process exit at once if the thread has just died', async () => {
    const preload = join(folder, 'dies-when-asked.mjs');
    writeFileSync(
      preload,
      `import { isMainThread, parentPort } from 'node:worker_threads';
       if (!isMainThread) parentPort.once('message', () => process.exit(7));`,
    );
    // No timer, so that no event of the thread comes between.
    const body = `
      const model = await loadModel(ort);
      model.score(tile());
      for (let i = 0; i < 50; i++) await undefined;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
      model.score(tile());
      for (let i = 0; i < 50; i++) await undefined;
      process.exit(5);
    `;
    expect(await runProgram(body, ['--import', preload])).toEqual({ code: 5, output: undefined, stderr: '' });
  });

  it('a model in a thread rejects pending and later calls when its thread dies', async () => {
    const dying = join(folder, 'dying');
    mkdirSync(dying);
    const options = { bundle: true, platform: 'node', format: 'esm', packages: 'external' } as const;
    await build({ ...options, entryPoints: [repository('src/entry/node.ts')], outdir: dying });
    writeFileSync(
      join(dying, 'onnx-worker.js'),
      `import { parentPort } from 'node:worker_threads';
       parentPort.on('message', () => process.exit(7));
       parentPort.postMessage({ done: 'opened' });`,
    );
    const ended = await runProgram(`
      import { loadModel as loadDying } from './dying/node.js';
      const model = await loadDying(ort, fixture('identity'), { spec: spec() });
      const calls = [1, 2].map(() => failure(model.score({ data: ramp(8), shape: [1, 2, 2, 2] })));
      const failures = await Promise.all(calls);
      await model.dispose();
      print(failures);
    `);
    const died = {
      name: 'CryoetPicksError',
      code: 'model-failed',
      message: 'the thread of model "tiny" ended with exit code 7',
    };
    expect(ended).toEqual(done([died, died]));
  });

  it('loadModel uses no thread for another runtime, or inside a thread', async () => {
    const ended = await runProgram(`
      import * as web from 'onnxruntime-web';
      import { isMainThread, Worker } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      const score = (model) => model.score({ data: ramp(8), shape: [1, 2, 2, 2] });
      if (isMainThread) {
        const other = await loadModel({ ...ort, InferenceSession: { create: (...args) => ort.InferenceSession.create(...args) } },
          fixture('identity'), { spec: spec() });
        let inner;
        const worker = new Worker(fileURLToPath(import.meta.url)).on('message', (answer) => { inner = answer; });
        await new Promise((resolve) => worker.on('exit', resolve));
        print({ other: [(await score(other)).data.length, threads()], web: web.InferenceSession === ort.InferenceSession, inner });
      } else {
        const { parentPort } = await import('node:worker_threads');
        const model = await loadModel(ort, fixture('identity'), { spec: spec() });
        parentPort.postMessage((await score(model)).data.length);
        await model.dispose();
      }
    `);
    expect(ended).toEqual(done({ other: [8, 0], web: false, inner: 8 }));
  });

  it('loadModel starts its thread although Node runs with options that no thread accepts', async () => {
    const program = `
      import * as ort from 'onnxruntime-node';
      import { loadModel } from './dist/node.js';
      const model = await loadModel(ort);
      console.log(process.report.getReport().workers.length);
    `;
    const ended = await new Promise((resolve) => {
      const args = ['--max-old-space-size=2000', '--input-type=module', '-e', program];
      execFile(process.execPath, args, { cwd: folder, timeout: 25_000 }, (error, stdout) => resolve([error, stdout]));
    });
    expect(ended).toEqual([null, '1\n']);
  });
});
