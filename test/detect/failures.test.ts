import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatConfig, newConfig } from '../../src/entry/copick.ts';
import {
  type DetectProjectOptions,
  detectProject,
  detectRun,
  type Model,
  memoryStore,
  type Project,
  type RunResult,
  readFailures,
  type Store,
  type Warning,
} from '../../src/entry/index.ts';
import { directoryStore, openProject, overlayClaims } from '../../src/entry/node.ts';
import { makeTag } from '../../src/node/file-lock.ts';
import { projectOf } from '../support/copick-tree.ts';
import { identityModel } from '../support/identity-model.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { damageRun, tomograms } from '../support/random-runs.ts';
import { filesOfStore, keysOf } from '../support/store-keys.ts';
import { tempDir } from '../support/temp-dir.ts';

const model = identityModel({
  classes: ['ribosome', null],
  thresholds: { ribosome: 2 },
  minDistances: { ribosome: 30 },
});
const runs = ['TS_1', 'TS_2', 'TS_3'];

async function resultsOf(project: Project, options: Partial<DetectProjectOptions> = {}): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for await (const result of detectProject(project, { tomogram: 'denoised', model, ...options })) results.push(result);
  return results;
}

const statuses = (results: readonly RunResult[]) => results.map(({ run, status }) => `${run} ${status}`);

/** A model that fails the first calls, as a network on a busy device does. */
function failingFirst(calls: number): Model {
  let left = calls;
  return {
    ...model,
    async score(...args) {
      if (left-- > 0) throw new Error('no memory is left on the device');
      return model.score(...args);
    },
  };
}

describe('a run that fails', () => {
  it('a run that fails is recorded with code, message, path and attempt, until it is searched with success', async () => {
    const tree = await tomograms(runs);
    const mend = await damageRun(tree, 'TS_2');
    const { project, overlay } = projectOf({ static: tree });
    expect(statuses(await resultsOf(project))).toEqual(['TS_1 detected', 'TS_2 failed', 'TS_3 detected']);
    const failure = {
      run: 'TS_2',
      code: 'corrupt-data',
      message: expect.stringMatching(/chunk 0\/0\/0 .* is damaged/),
      path: expect.stringContaining('/ExperimentRuns/TS_2/VoxelSpacing10.000/denoised.zarr'),
    };
    expect(await readFailures(project)).toEqual([{ ...failure, attempt: 1 }]);
    expect(await readFailures(project, { sessionId: '1' })).toEqual([]);

    await expect(detectRun(project, 'TS_2', { model, tomogram: 'denoised' })).rejects.toThrow('is damaged');
    const [again] = await resultsOf(project, { runs: ['TS_2'] });
    expect(again).toMatchObject({ status: 'failed', attempt: 3 });
    expect(await readFailures(project)).toEqual([{ ...failure, attempt: 3 }]);

    await mend();
    await detectRun(project, 'TS_2', { model, tomogram: 'denoised' });
    expect(await readFailures(project)).toEqual([]);
    expect((await keysOf(overlay)).filter((key) => !key.startsWith('/ExperimentRuns'))).toEqual([]);
  });

  it('the record of a failure holds no path of the machine: two machines write the same bytes, and each reads its own paths', async () => {
    const places = [];
    for (const name of ['first', 'second-machine']) {
      const root = join(await tempDir(), name);
      const tree = directoryStore(join(root, 'overlay', 'static'), { durable: false });
      for (const [key, value] of await filesOfStore(await tomograms(['TS_1'])))
        await tree.set(key, Buffer.from(value, 'latin1'));
      await damageRun(tree, 'TS_1');
      const { project, overlay } = projectOf({
        static: tree,
        overlay: directoryStore(join(root, 'overlay'), { durable: false }),
      });
      await resultsOf(project);
      const [failure] = await readFailures(project);
      expect(failure!.path).toContain(join(root, 'overlay', 'static', 'ExperimentRuns', 'TS_1'));
      expect(failure!.message).toContain(join(root, 'overlay', 'static', 'ExperimentRuns', 'TS_1'));
      const bytes = await overlay.get('/.cryoet-picks/failures/cryoet-picks_0/TS_1.json');
      places.push(new TextDecoder().decode(bytes));
    }
    expect(places[0]).toBe(places[1]);
    expect(JSON.parse(places[0]!)).toMatchObject({
      path: expect.stringMatching(/^<static_root>\/ExperimentRuns\/TS_1\//),
      attempt: 1,
    });
  });

  it('a run with picks of somebody else is refused, and that is no failure of the run', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(runs) });
    const key = '/ExperimentRuns/TS_1/Picks/cryoet-picks_0_ribosome.json';
    await overlay.set(key, new TextEncoder().encode('{"points": []}'));
    const [refused] = await resultsOf(project, { retries: 2 });
    expect(refused).toMatchObject({ run: 'TS_1', status: 'failed', error: { code: 'conflict' } });
    expect(refused).not.toHaveProperty('attempt');
    expect(await readFailures(project)).toEqual([]);
  });

  it('a run that fails is searched again after the others as often as retries says, and told each time', async () => {
    const { project } = projectOf({ static: await tomograms(runs) });
    const told: Warning[] = [];
    const options = { retries: 2, onWarning: (warning: Warning) => told.push(warning) };
    const results = await resultsOf(project, { ...options, model: failingFirst(1) });
    expect(statuses(results)).toEqual(['TS_2 detected', 'TS_3 detected', 'TS_1 detected']);
    expect(told).toMatchObject([
      {
        code: 'run-tried-again',
        run: 'TS_1',
        message: expect.stringMatching(/tried up to 2 times more: .*no memory is left/),
      },
    ]);
    expect(results[2]!.warnings).toEqual(told);
    expect(await readFailures(project)).toEqual([]);

    const never = await resultsOf(project, { retries: 2, runs: ['TS_1'], model: failingFirst(1000) });
    expect(never).toMatchObject([{ run: 'TS_1', status: 'failed', attempt: 3, error: expect.any(Error) }]);
    expect(await readFailures(project)).toMatchObject([{ run: 'TS_1', attempt: 3, code: 'model-failed' }]);
  });

  it.each(['alone', 'with claims', 'with retries'])(
    'a network that fails in five runs one after the other ends the work, %s, and one that works between goes on',
    async (how) => {
      const names = Array.from({ length: 12 }, (_, i) => `TS_${i + 10}`);
      const folder = await tempDir();
      const overlay = directoryStore(join(folder, 'overlay'), { durable: false });
      const { project } = projectOf({ static: await tomograms(names), overlay });
      const options: Partial<DetectProjectOptions> = {
        ...(how === 'with claims' && { claim: overlayClaims(project, { lease: 1.5 }) }),
        ...(how === 'with retries' && { retries: 3 }),
      };
      const started: string[] = [];
      const onStart = ({ run }: { readonly run: string }) => started.push(run);
      await expect(resultsOf(project, { ...options, onStart, model: failingFirst(1000) })).rejects.toMatchObject({
        code: 'model-failed',
        message: expect.stringMatching(/failed in 5 runs one after the other \("TS_10", .*"TS_14"\)/),
      });
      expect(started).toEqual(names.slice(0, 5));
      expect((await readFailures(project)).map(({ run }) => run)).toEqual(started);
      let begun = 0;
      const often: Model = {
        ...model,
        score: async (...args) => (begun % 4 > 0 ? Promise.reject(new Error('busy')) : model.score(...args)),
      };
      const results = await resultsOf(project, { sessionId: '1', model: often, onStart: () => begun++ });
      expect(statuses(results).filter((one) => one.endsWith('failed'))).toHaveLength(9);
      expect(await readdir(join(folder, 'overlay', '.cryoet-picks'))).toEqual(['failures']);
    },
  );

  it('a failure that cannot be recorded is warned of, and the other runs go on', async () => {
    const tree = await tomograms(runs);
    await damageRun(tree, 'TS_2');
    const overlay = memoryStore();
    const { project } = projectOf({
      static: tree,
      overlay: {
        ...overlay,
        async set(key, ...rest) {
          if (!key.startsWith('/.cryoet-picks/')) return overlay.set(key, ...rest);
          const error = Object.assign(new Error(`cannot write ${key}: no space is left`), { code: 'write-failed' });
          throw Object.assign(error, { name: 'CryoetPicksError', path: key });
        },
      } satisfies Store,
    });
    const results = await resultsOf(project);
    expect(statuses(results)).toEqual(['TS_1 detected', 'TS_2 failed', 'TS_3 detected']);
    expect(results[1]!.warnings).toMatchObject([{ code: 'failure-not-recorded', run: 'TS_2' }]);
  });

  for (const name of ['copick', 'copick2'] as const) {
    it.skipIf(pythonMissing(name))(
      `a failure changes nothing in what Python lists of a project: ${name}`,
      async () => {
        const folder = await tempDir();
        const config = newConfig({ overlayRoot: './overlay', objects: [{ name: 'ribosome' }] });
        await writeFile(join(folder, 'copick.json'), formatConfig(config));
        const project = await openProject(join(folder, 'copick.json'));
        await (await project.createRun('TS_1')).createVoxelSpacing(10);
        const script = fileURLToPath(new URL('../fixtures/read_with_copick.py', import.meta.url));
        const list = () => runPython(name, script, join(folder, 'copick.json'));
        const before = list();
        expect(statuses(await resultsOf(project))).toEqual(['TS_1 failed']);
        expect(await readFailures(project)).toHaveLength(1);
        expect(list()).toEqual(before);
      },
      120_000,
    );
  }

  it('an abort is no failure', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(runs) });
    const controller = new AbortController();
    const stop = { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) };
    await expect(resultsOf(project, { ...stop, retries: 3 })).rejects.toThrow('enough');
    expect(await keysOf(overlay)).toEqual([]);
  });

  it('a record that is damaged counts as a failure, and goes when the run is searched with success', async () => {
    const tree = await tomograms(runs);
    await damageRun(tree, 'TS_3');
    const { project, overlay } = projectOf({ static: tree });
    const key = (run: string) => `/.cryoet-picks/failures/cryoet-picks_0/${run}.json` as const;
    for (const [run, text] of [
      ['TS_1', '{"code": '],
      ['TS_2', '[]'],
      ['TS_3', '{"run": "TS_3", "code": "x", "message": "y", "attempt": 0}'],
    ] as const)
      await overlay.set(key(run), new TextEncoder().encode(text));
    const damaged = (run: string) => ({
      ...{ run, code: 'invalid-metadata', attempt: 1, path: `overlay${key(run)}` },
      message: expect.stringContaining(`the record of its failure is damaged: overlay${key(run)}`),
    });
    expect(await readFailures(project)).toEqual(runs.map(damaged));
    expect(statuses(await resultsOf(project))).toEqual(['TS_1 detected', 'TS_2 detected', 'TS_3 failed']);
    // At least one search had failed before.
    expect(await readFailures(project)).toMatchObject([{ run: 'TS_3', code: 'corrupt-data', attempt: 2 }]);
  });

  it.each([240, 241, 251, 255])(
    'a run whose name has %d characters fails, is recorded by its name, and heals',
    async (length) => {
      const folder = await tempDir();
      const run = 'n'.repeat(length);
      const tree = await tomograms([run]);
      const mend = await damageRun(tree, run);
      const overlay = directoryStore(join(folder, 'overlay'), { durable: false });
      const { project } = projectOf({ static: tree, overlay });
      const [failed] = await resultsOf(project);
      expect(failed).toMatchObject({ status: 'failed', attempt: 1, warnings: [] });
      expect(await readFailures(project)).toMatchObject([{ run, attempt: 1 }]);
      const claim = overlayClaims(project, { lease: 1.5 });
      expect(await resultsOf(project, { claim })).toMatchObject([{ run, status: 'failed', recorded: true }]);
      await mend();
      expect(await resultsOf(project, { claim, retries: 1 })).toMatchObject([{ run, status: 'detected' }]);
      expect(await readdir(join(folder, 'overlay'))).toEqual(['ExperimentRuns']);
    },
  );

  it('what a process left that was killed between the link and the end of a write goes with the look of the next one', async () => {
    const folder = await tempDir();
    const overlay = directoryStore(join(folder, 'overlay'), { durable: false });
    const { project } = projectOf({ static: await tomograms(runs), overlay });
    await resultsOf(project);
    const at = (run: string, name: string) => join(folder, 'overlay', 'ExperimentRuns', run, 'Picks', name);
    const dead = makeTag().replace(/-\d+-/, '-4194305-');
    const failures = join(folder, 'overlay', '.cryoet-picks', 'failures', 'cryoet-picks_0');
    await mkdir(failures, { recursive: true });
    const left = [
      ...runs.map((run) => at(run, `.cryoet-picks_0_ribosome.json.${dead}.tmp`)),
      join(failures, `.TS_1.json.${dead}.tmp`),
    ];
    const others = [at('TS_1', `.x.json.${makeTag()}.tmp`), at('TS_1', '.mine.tmp'), at('TS_1', '.DS_Store')];
    const again: ((project: Project) => Promise<unknown>)[] = [
      (one) => resultsOf(one, { resume: true }),
      (one) => resultsOf(one, { claim: overlayClaims(one, { lease: 1.5 }) }),
    ];
    for (const search of again) {
      for (const path of [...left, ...others]) await writeFile(path, 'half');
      // Another process, which has not looked into these folders before.
      const open = projectOf({
        static: await tomograms(runs),
        overlay: directoryStore(join(folder, 'overlay'), { durable: false }),
      });
      await search(open.project);
      const there = await readdir(join(folder, 'overlay'), { recursive: true });
      expect(there.filter((name) => name.includes(dead))).toEqual([]);
      const hidden = there.filter((name) => /TS_1.*\/\.(x|mine|DS)/.test(name));
      expect(hidden).toHaveLength(others.length);
    }
  });

  it('a run whose folder is renamed in the middle fails by its path, appears nowhere in the overlay, and the others go on', async () => {
    const root = await tempDir();
    const tree = directoryStore(join(root, 'static'), { durable: false });
    for (const [key, value] of await filesOfStore(await tomograms(runs)))
      await tree.set(key, Buffer.from(value, 'latin1'));
    const { project, overlay } = projectOf({
      static: tree,
      overlay: directoryStore(join(root, 'overlay'), { durable: false }),
    });
    const folder = (name: string) => join(root, 'static', 'ExperimentRuns', name);
    const results: RunResult[] = [];
    for await (const result of detectProject(project, { model, tomogram: 'denoised' })) {
      results.push(result);
      if (result.run === 'TS_1') await rename(folder('TS_2'), folder('TS_20'));
    }
    expect(statuses(results)).toEqual(['TS_1 detected', 'TS_2 failed', 'TS_3 detected']);
    expect(await readFailures(project)).toMatchObject([{ run: 'TS_2', code: 'not-found' }]);
    expect((await overlay.list('/ExperimentRuns')).map(({ name }) => name)).toEqual(['TS_1', 'TS_3']);
  });

  it.each([
    ['was moved away', (overlay: string) => rename(overlay, `${overlay}-moved`), ''],
    [
      'was unmounted',
      (overlay: string) => rename(join(overlay, 'ExperimentRuns'), `${overlay}-moved`),
      '/ExperimentRuns',
    ],
  ] as const)(
    'an overlay that %s in the middle fails the runs that are left by its path, and is not made anew',
    async (_, remove, gone) => {
      const folder = await tempDir();
      const overlay = join(folder, 'overlay');
      const { project } = projectOf({
        static: await tomograms(runs),
        overlay: directoryStore(overlay, { durable: false }),
      });
      const results: RunResult[] = [];
      for await (const result of detectProject(project, { model, tomogram: 'denoised' })) {
        results.push(result);
        if (result.run === 'TS_1') await remove(overlay);
      }
      expect(statuses(results)).toEqual(['TS_1 detected', 'TS_2 failed', 'TS_3 failed']);
      const error = { code: 'write-failed', path: `${overlay}${gone}`, message: expect.stringContaining('has gone') };
      expect(results.slice(1)).toMatchObject([{ error }, { error }]);
      expect(await readdir(folder, { recursive: true })).not.toContain(`overlay${gone}/ExperimentRuns`);
      expect(await readdir(folder)).toHaveLength(gone === '' ? 1 : 2);
    },
  );

  it('a static root that goes in the middle fails the runs that are left by their paths, and comes back without harm', async () => {
    const root = await tempDir();
    const tree = directoryStore(join(root, 'static'), { durable: false });
    for (const [key, value] of await filesOfStore(await tomograms(runs)))
      await tree.set(key, Buffer.from(value, 'latin1'));
    await mkdir(join(root, 'overlay'));
    const { project } = projectOf({
      static: tree,
      overlay: directoryStore(join(root, 'overlay'), { durable: false }),
    });
    const results: RunResult[] = [];
    for await (const result of detectProject(project, { model, tomogram: 'denoised' })) {
      results.push(result);
      if (result.run === 'TS_1') await rename(join(root, 'static'), join(root, 'gone'));
    }
    expect(statuses(results)).toEqual(['TS_1 detected', 'TS_2 failed', 'TS_3 failed']);
    expect((await readFailures(project)).map(({ run }) => run)).toEqual(['TS_2', 'TS_3']);
    await rename(join(root, 'gone'), join(root, 'static'));
    expect(statuses(await resultsOf(project, { resume: true }))).toEqual([
      'TS_1 skipped',
      'TS_2 detected',
      'TS_3 detected',
    ]);
    expect(await readFailures(project)).toEqual([]);
    await rm(root, { recursive: true });
  });
});
