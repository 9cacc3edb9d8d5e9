import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Claims,
  type DetectProjectOptions,
  detectProject,
  detectRun,
  type Model,
  type Project,
  type RunMask,
  type RunResult,
  readFailures,
  type Store,
} from '../../src/entry/index.ts';
import { directoryStore, overlayClaims } from '../../src/entry/node.ts';
import { projectOf } from '../support/copick-tree.ts';
import { identityModel } from '../support/identity-model.ts';
import { damageRun, tomograms, writeRandom } from '../support/random-runs.ts';
import { filesBelow } from '../support/simulated-project.ts';
import { filesOfStore, keysOf } from '../support/store-keys.ts';
import { tempDir } from '../support/temp-dir.ts';

const model = identityModel({
  classes: ['ribosome', null, 'virus'],
  thresholds: { ribosome: 2, virus: 6 },
  minDistances: { ribosome: 30, virus: 30 },
});
const runs = Array.from({ length: 12 }, (_, i) => `TS_${i + 10}`);

const mask: RunMask = { of: () => () => true, settings: { inside: 'all' }, settingsOf: () => ({ version: 1 }) };

/** Opens the project of a folder, as each process does. */
function openAt(folder: string, tree: Store): Project {
  return projectOf({ static: tree, overlay: directoryStore(join(folder, 'overlay'), { durable: false }) }).project;
}

async function resultsOf(project: Project, options: Partial<DetectProjectOptions> = {}): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for await (const result of detectProject(project, { tomogram: 'denoised', model, ...options })) results.push(result);
  return results;
}

/** Searches with claims of a lease of 1.5 s. */
const claimed = (project: Project, options: Partial<DetectProjectOptions> = {}) =>
  resultsOf(project, { claim: overlayClaims(project, { lease: 1.5 }), ...options });

const statuses = (results: readonly RunResult[]) => results.map(({ run, status }) => `${run} ${status}`);

describe('detectProject with claims', () => {
  it('processes share the runs: each is searched once, and the files are those of one process', async () => {
    const tree = await tomograms(runs);
    await damageRun(tree, 'TS_13');
    const [one, many] = [await tempDir(), await tempDir()];
    const whole = await resultsOf(openAt(one, tree));
    const shared = await Promise.all([1, 2, 3, 4].map(() => claimed(openAt(many, tree))));
    expect(shared.every((results) => results.length < runs.length)).toBe(true);
    const detected = shared.flat().filter(({ status }) => status !== 'failed');
    expect(statuses(detected).sort()).toEqual(statuses(whole.filter(({ status }) => status !== 'failed')));
    // Each process tells in the end which runs have failed, whoever tried them.
    for (const results of shared) expect(statuses(results)).toContain('TS_13 failed');
    expect(shared.flat().filter(({ status }) => status === 'failed')).toMatchObject(
      Array(4).fill({ attempt: 1, error: { code: 'corrupt-data', path: expect.stringContaining('TS_13') } }),
    );
    const overlay = (folder: string) => filesOfStore(directoryStore(join(folder, 'overlay')));
    expect(await overlay(many)).toEqual(await overlay(one));
    expect(await readdir(join(many, 'overlay', '.cryoet-picks'))).toEqual(['failures']);
  });

  it('runs that are done before are not searched again, and those of other settings fail', async () => {
    const tree = await tomograms(runs);
    const project = openAt(await tempDir(), tree);
    await resultsOf(project, { runs: ['TS_10', 'TS_11'] });
    await resultsOf(project, { runs: ['TS_12'], thresholds: { ribosome: 2.5 } });
    const results = await claimed(project);
    expect(results[0]).toMatchObject({ run: 'TS_12', status: 'failed', error: { code: 'conflict' } });
    expect(statuses(results.slice(1))).toEqual(runs.slice(3).map((run) => `${run} detected`));
    expect(statuses(await claimed(project, { overwrite: true }))).toEqual(['TS_12 detected']);
    expect(await claimed(project)).toEqual([]);
  });

  it.each<[string, (project: Project, tree: Store) => Promise<Partial<DetectProjectOptions>>]>([
    [
      'a tomogram',
      async (_, tree) => {
        await writeRandom(tree, 'TS_10', { seed: 99 });
        return {};
      },
    ],
    ['the labels of a mask', async () => ({ mask: { ...mask, settingsOf: () => ({ version: 2 }) } })],
  ])('runs are searched again with overwrite where %s changed under the same name', async (_, change) => {
    const tree = await tomograms(runs.slice(0, 2));
    const project = openAt(await tempDir(), tree);
    await resultsOf(project, { mask });
    expect(await claimed(project, { mask, overwrite: true })).toEqual([]);
    const options = { mask, overwrite: true, ...(await change(project, tree)) };
    expect(statuses(await claimed(project, options))).toContain('TS_10 detected');
    expect(await claimed(project, options)).toEqual([]);
  });

  it('retries are counted over all processes', async () => {
    const tree = await tomograms(runs.slice(0, 3));
    await damageRun(tree, 'TS_11');
    const folder = await tempDir();
    const shared = await Promise.all([1, 2, 3].map(() => claimed(openAt(folder, tree), { retries: 2 })));
    expect(await readFailures(openAt(folder, tree))).toMatchObject([{ run: 'TS_11', attempt: 3 }]);
    for (const results of shared) expect(results.at(-1)).toMatchObject({ run: 'TS_11', status: 'failed', attempt: 3 });
    // More retries, or a search without claims, try it again.
    expect(await claimed(openAt(folder, tree), { retries: 3 })).toMatchObject([{ run: 'TS_11', attempt: 4 }]);
    await expect(detectRun(openAt(folder, tree), 'TS_11', { model, tomogram: 'denoised' })).rejects.toThrow('damaged');
  });

  it.each<[string, (picks: string) => Promise<void>]>([
    ['a link to nothing', (picks) => symlink('nowhere', picks)],
    ['a link to itself', (picks) => symlink('Picks', picks)],
    ['a file', (picks) => writeFile(picks, '')],
  ])('a run whose folder of picks is %s fails alone, with claims as without', async (_, damage) => {
    const tree = await tomograms(runs.slice(0, 3));
    for (const search of [claimed, resultsOf]) {
      const folder = await tempDir();
      await mkdir(join(folder, 'overlay', 'ExperimentRuns', 'TS_11'), { recursive: true });
      await damage(join(folder, 'overlay', 'ExperimentRuns', 'TS_11', 'Picks'));
      const found = statuses(await search(openAt(folder, tree))).sort();
      expect(found).toEqual(['TS_10 detected', 'TS_11 failed', 'TS_12 detected']);
      expect(await readFailures(openAt(folder, tree))).toMatchObject([{ run: 'TS_11', attempt: 1 }]);
      expect(await readdir(join(folder, 'overlay', '.cryoet-picks'))).toEqual(['failures']);
    }
  });

  it('a failure counts only for the options that it was made with, and one that is told again says so', async () => {
    const tree = await tomograms(runs.slice(0, 2));
    const folder = await tempDir();
    const project = openAt(folder, tree);
    const heals = { settings: { inverted: true } };
    const busy: Model = {
      ...model,
      async score() {
        throw new Error('the device is busy');
      },
    };
    const first = await claimed(project, { model: busy, runs: ['TS_10'] });
    expect(first).toMatchObject([{ run: 'TS_10', status: 'failed', attempt: 1 }]);
    expect(first[0]).not.toHaveProperty('recorded');
    const again = await claimed(project);
    expect(again).toMatchObject([
      { status: 'detected' },
      { run: 'TS_10', status: 'failed', attempt: 1, recorded: true },
    ]);
    expect(statuses(await claimed(project, heals)).sort()).toEqual(['TS_10 detected', 'TS_11 failed']);
    expect(await readFailures(project)).toEqual([]);
  });

  it('attempts of other options, whose failures replace each other, are counted apart', async () => {
    const tree = await tomograms(runs.slice(0, 1));
    await damageRun(tree, 'TS_10');
    const project = openAt(await tempDir(), tree);
    const [one, other] = [{}, { settings: { resampled: true } }];
    for (const options of [one, other, one, other])
      expect(await claimed(project, options)).toMatchObject([{ attempt: 1, status: 'failed' }]);
    expect((await claimed(project, other))[0]).toMatchObject({ recorded: true, attempt: 1 });
  });

  it.each([0, 1, 3])('a failure that cannot be recorded ends the tries of a run after %d retries', async (retries) => {
    const tree = await tomograms(runs.slice(0, 2));
    await damageRun(tree, 'TS_10');
    const folder = await tempDir();
    await mkdir(join(folder, 'overlay', '.cryoet-picks'), { recursive: true });
    await writeFile(join(folder, 'overlay', '.cryoet-picks', 'failures'), 'a file in its place');
    const searched: string[] = [];
    const onStart = ({ run }: { readonly run: string }) => searched.push(run);
    const results = await claimed(openAt(folder, tree), { retries, onStart });
    expect(statuses(results).sort()).toEqual(['TS_10 failed', 'TS_11 detected']);
    expect(results.find(({ status }) => status === 'failed')).toMatchObject({ attempt: retries + 1 });
    expect(searched.filter((run) => run === 'TS_10')).toHaveLength(retries + 1);
  });

  it('a run that fails in one process and heals is done by another, and its failure is gone', async () => {
    const tree = await tomograms(runs);
    const folder = await tempDir();
    let failures = 3;
    const failing: Model = {
      ...model,
      async score(...args) {
        if (failures-- > 0) throw new Error('the device is busy');
        return model.score(...args);
      },
    };
    const shared = await Promise.all([
      claimed(openAt(folder, tree), { model: failing, retries: 3 }),
      claimed(openAt(folder, tree), { retries: 3 }),
    ]);
    expect(statuses(shared.flat()).sort()).toEqual(runs.map((run) => `${run} detected`));
    expect(failures).toBeLessThan(0);
    expect(await readFailures(openAt(folder, tree))).toEqual([]);
    expect((await filesBelow(join(folder, 'overlay'))).filter((path) => path.startsWith('.'))).toEqual([]);
  });

  it.each([1, 3])('an abort with %d jobs gives the claims back, and leaves no file', async (jobs) => {
    const folder = await tempDir();
    const project = openAt(folder, await tomograms(runs));
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error('preempted'));
    await expect(claimed(project, { signal: stop.signal, jobs, onProgress })).rejects.toThrow('preempted');
    expect(await filesBelow(join(folder, 'overlay')).catch(() => [])).toEqual([]);
  });

  it('processes with several jobs each share the runs, and count failures over all of them', async () => {
    const tree = await tomograms(runs);
    await damageRun(tree, 'TS_13');
    const [one, many] = [await tempDir(), await tempDir()];
    await resultsOf(openAt(one, tree), { retries: 2 });
    const shared = await Promise.all([1, 2, 3].map((jobs) => claimed(openAt(many, tree), { jobs, retries: 2 })));
    const detected = shared.flat().filter(({ status }) => status !== 'failed');
    expect(statuses(detected).sort()).toEqual(runs.filter((run) => run !== 'TS_13').map((run) => `${run} detected`));
    for (const results of shared)
      expect(results.filter(({ status }) => status === 'failed')).toMatchObject([{ run: 'TS_13', attempt: 3 }]);
    const overlay = (folder: string) => filesOfStore(directoryStore(join(folder, 'overlay')));
    expect(await overlay(many)).toEqual(await overlay(one));
    expect(await readdir(join(many, 'overlay', '.cryoet-picks'))).toEqual(['failures']);
  });

  it('a process that lost its claim while it worked writes nothing, and the run is that of its successor', async () => {
    const folder = await tempDir();
    const tree = await tomograms(['TS_1']);
    const project = openAt(folder, tree);
    let holder = '';
    // Claims that are taken over by the one who asks last.
    const claimsOf = (owner: string): Claims => ({
      async next([name], { isOpen }) {
        if (!(await isOpen(name!))) return undefined;
        holder = owner;
        return {
          name: name!,
          signal: new AbortController().signal,
          isHeld: async () => holder === owner,
          release: async () => {},
        };
      },
    });
    const late = await resultsOf(project, {
      claim: claimsOf('late'),
      onProgress: async () => {
        if (holder !== 'late') return;
        holder = 'none';
        await resultsOf(openAt(folder, tree), { claim: claimsOf('early') });
      },
    });
    expect(late.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(await readFailures(project)).toEqual([]);
    expect(await resultsOf(project, { resume: true })).toMatchObject([{ status: 'skipped' }]);
  });

  it('a run that was taken over is not searched again if it has failed as often as it may', async () => {
    const tree = await tomograms(['TS_1', 'TS_2']);
    await damageRun(tree, 'TS_1');
    const project = openAt(await tempDir(), tree);
    await resultsOf(project, { runs: ['TS_1'] });
    // Claims of processes that died after their work, and of a run that is no longer asked for.
    const left = ['TS_1', 'TS_1', 'TS_2'];
    const claim: Claims = {
      async next() {
        const name = left.shift();
        const signal = new AbortController().signal;
        return name === undefined ? undefined : { name, signal, isHeld: async () => true, release: async () => {} };
      },
    };
    const results = await resultsOf(project, { claim });
    expect(statuses(results)).toEqual(['TS_2 detected', 'TS_1 failed']);
    expect(await readFailures(project)).toMatchObject([{ run: 'TS_1', attempt: 1 }]);
  });

  it('an overlay that goes in the middle ends the work with its path, and is not made anew', async () => {
    const folder = await tempDir();
    const project = openAt(folder, await tomograms(runs.slice(0, 3)));
    const results: RunResult[] = [];
    const work = async () => {
      const options = { tomogram: 'denoised', model, claim: overlayClaims(project, { lease: 1.5 }) };
      for await (const result of detectProject(project, options)) {
        results.push(result);
        await rename(join(folder, 'overlay'), join(folder, 'gone'));
      }
    };
    await expect(work()).rejects.toMatchObject({
      code: 'write-failed',
      path: join(folder, 'overlay'),
      message: expect.stringContaining('has gone'),
    });
    expect(statuses(results)).toEqual(['TS_10 detected']);
    expect(await readdir(folder)).toEqual(['gone']);
  });

  it('an overlay that held claims alone may go, as it does when the last of several processes gives its claim back', async () => {
    const folder = await tempDir();
    const project = openAt(folder, await tomograms(['TS_1']));
    const claims = overlayClaims(project);
    const options = { group: 'g', isOpen: async () => true };
    const first = await claims.next(['TS_1'], options);
    await rm(join(folder, 'overlay'), { recursive: true });
    await first!.release();
    const second = await claims.next(['TS_1'], options);
    expect(second).toMatchObject({ name: 'TS_1' });
    await second!.release();
  });

  it('a claim that can never be had ends the work once the runs that other jobs have begun are done', async () => {
    const project = openAt(await tempDir(), await tomograms(runs.slice(0, 2)));
    const left = ['TS_10'];
    const claim: Claims = {
      async next() {
        const name = left.shift();
        if (name === undefined) throw new Error('the claim on "TS_11" may not be taken over');
        return { name, signal: new AbortController().signal, isHeld: async () => true, release: async () => {} };
      },
    };
    const results: RunResult[] = [];
    const work = async () => {
      for await (const result of detectProject(project, { tomogram: 'denoised', model, claim, jobs: 2 }))
        results.push(result);
    };
    await expect(work()).rejects.toThrow('may not be taken over');
    expect(statuses(results)).toEqual(['TS_10 detected']);
  });

  it('claims need an overlay in a folder, and a lease of three heartbeats', () => {
    const { project } = projectOf({});
    expect(() => overlayClaims(project)).toThrow(/claims need an overlay in a folder that all processes see/);
    expect(() => overlayClaims(project, { lease: 1 })).toThrow(/lease must be a number of seconds ≥ 1.5/);
  });

  it('no copick listing shows claims, and keys of the overlay with claims are hidden', async () => {
    const folder = await tempDir();
    const project = openAt(folder, await tomograms(runs));
    const claim = await overlayClaims(project).next(['TS_10'], { group: 'me_1', isOpen: async () => true });
    const keys = await keysOf(project.overlayStore!);
    expect(keys).toEqual([expect.stringMatching(/^\/\.cryoet-picks\/claims\/me_1\/TS_10\//)]);
    expect((await project.runs()).map(({ name }) => name)).toEqual(runs);
    await claim!.release();
  });
});
