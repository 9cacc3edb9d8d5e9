import { describe, expect, it } from 'vitest';
import { type DetectRunOptions, detectProject, detectRun, type Project, type Warning } from '../../src/entry/index.ts';
import { projectOf } from '../support/copick-tree.ts';
import { identityModel } from '../support/identity-model.ts';
import { damageRun, tomograms } from '../support/random-runs.ts';
import { filesOfStore } from '../support/store-keys.ts';

const model = identityModel({
  classes: ['ribosome', null, 'apo-ferritin'],
  normalization: 'z-score',
  thresholds: { ribosome: 2, 'apo-ferritin': 1000 },
  minDistances: { ribosome: 30, 'apo-ferritin': 30 },
});
const runs = ['TS_1', 'TS_2', 'TS_3'];

const detect = (project: Project, run: string, options: Partial<DetectRunOptions> = {}) =>
  detectRun(project, run, { model, tomogram: 'denoised', ...options });

describe('detectRun', () => {
  it('detectRun of all runs at once writes the files of detectProject, and gives its results', async () => {
    const tree = await tomograms(runs);
    const whole = projectOf({ static: tree });
    const results = [];
    for await (const result of detectProject(whole.project, { model, tomogram: 'denoised' })) results.push(result);
    const { project, overlay } = projectOf({ static: tree });
    expect(await Promise.all(runs.map((run) => detect(project, run)))).toEqual(results);
    expect(await filesOfStore(overlay)).toEqual(await filesOfStore(whole.overlay));
  });

  it('detectRun with resume reads the picks that are there', async () => {
    const { project } = projectOf({ static: await tomograms(runs) });
    const first = await detect(project, 'TS_2');
    const calls = model.calls;
    expect(await detect(project, 'TS_2', { resume: true })).toEqual({ ...first, status: 'skipped' });
    expect(model.calls).toBe(calls);
  });

  it('detectRun takes the only type of tomograms that the run has', async () => {
    const { project } = projectOf({ static: await tomograms(runs) });
    expect(await detect(project, 'TS_1', { tomogram: undefined })).toMatchObject({ status: 'detected' });
  });

  it('detectRun throws the error of a run that fails, with its path, and writes no picks', async () => {
    const tree = await tomograms(runs);
    await damageRun(tree, 'TS_2');
    const { project, overlay } = projectOf({ static: tree });
    await expect(detect(project, 'TS_2')).rejects.toMatchObject({
      code: 'corrupt-data',
      path: expect.stringContaining('TS_2'),
    });
    expect(await overlay.list('/ExperimentRuns/TS_2/Picks')).toEqual([]);
  });

  it('detectRun throws for a run that is not there, and lists those that are', async () => {
    const { project } = projectOf({ static: await tomograms(runs) });
    await expect(detect(project, 'TS_9')).rejects.toMatchObject({ code: 'not-found', available: runs });
  });

  it('detectRun throws for picks of somebody else before it computes', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(runs) });
    const key = '/ExperimentRuns/TS_1/Picks/cryoet-picks_0_ribosome.json';
    await overlay.set(key, new TextEncoder().encode('{"points": []}'));
    const calls = model.calls;
    await expect(detect(project, 'TS_1')).rejects.toMatchObject({ code: 'conflict', path: `overlay${key}` });
    expect(model.calls).toBe(calls);
    expect(await detect(project, 'TS_1', { overwrite: true })).toMatchObject({ status: 'detected' });
  });

  it('detectRun warns of the broken files of its own run only, and gives the warnings with the result', async () => {
    const { project, overlay } = projectOf({ static: await tomograms(runs) });
    for (const run of ['TS_1', 'TS_2'])
      await overlay.set(`/ExperimentRuns/${run}/Picks/ribosome.json`, new TextEncoder().encode('oops'));
    const told: Warning[] = [];
    const { warnings } = await detect(project, 'TS_2', { onWarning: (warning) => told.push(warning) });
    expect(warnings).toMatchObject([{ code: 'file-passed-over', run: 'TS_2', path: expect.stringContaining('TS_2') }]);
    expect(told).toEqual(warnings);
  });

  it.each(['intensity', 'tiles'] as const)(
    'detectRun rejects with the abort reason in stage "%s", and writes no file',
    async (stage) => {
      const { project, overlay } = projectOf({ static: await tomograms(runs) });
      const controller = new AbortController();
      const reason = new Error('enough');
      const onProgress: DetectRunOptions['onProgress'] = (progress) => {
        if (progress.stage === stage) controller.abort(reason);
      };
      await expect(detect(project, 'TS_1', { signal: controller.signal, onProgress })).rejects.toBe(reason);
      expect(await filesOfStore(overlay)).toEqual(new Map());
    },
  );

  it('detectRun names itself in the message for an option that cannot be', async () => {
    const { project } = projectOf({ static: await tomograms(runs) });
    await expect(detect(project, 'TS_1', { average: 'logit' as 'logits' })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/^detectRun: average must be/),
    });
  });
});
