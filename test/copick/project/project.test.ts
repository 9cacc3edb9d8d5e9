import { describe, expect, it } from 'vitest';
import { projectFromStores } from '../../../src/entry/copick.ts';
import type { Project, Run } from '../../../src/entry/index.ts';
import { config, projectOf, storeOf, type Tree } from '../../support/copick-tree.ts';
import { sourceOf } from '../../support/volumes.ts';

const run = (name: string) => ({ [`/ExperimentRuns/${name}/.meta`]: 'meta' });

describe('Project', () => {
  it('Project lists the runs of both trees once, sorted, with unchanged names', async () => {
    const { project, told } = projectOf({
      overlay: { ...run('TS_5_4'), ...run('b c'), '/ExperimentRuns/notes.txt': '' },
      static: { ...run('TS_5_4'), ...run('TS_10'), ...run('.hidden') },
    });
    expect((await project.runs()).map(({ name }) => name)).toEqual(['TS_10', 'TS_5_4', 'b c']);
    expect(told).toEqual([]);
  });

  it('Project lists by names alone with one call per folder, and reads no file', async () => {
    const filled = (root: string) => ({
      ...run('TS_1'),
      [`/ExperimentRuns/TS_1/VoxelSpacing10.000/${root}.zarr/.zgroup`]: {},
      [`/ExperimentRuns/TS_1/VoxelSpacing10.000/${root}_edge_features.zarr/.zgroup`]: {},
      '/ExperimentRuns/TS_1/Picks/me_0_virus.json': 'no JSON',
      '/ExperimentRuns/TS_1/Picks/ribosome.json': 'no JSON',
      '/ExperimentRuns/TS_1/Segmentations/10.000_me_0_virus.zarr/.zgroup': {},
    });
    const calls: string[] = [];
    const counted = (tree: Tree, location: string) => {
      const store = storeOf(tree, location);
      return {
        ...store,
        get(...args: Parameters<typeof store.get>) {
          calls.push(`get ${args[0]}`);
          return store.get(...args);
        },
        list(...args: Parameters<typeof store.list>) {
          calls.push(`${location} ${args[0]}`);
          return store.list(...args);
        },
      };
    };
    const { project, told } = projectOf({
      overlay: counted(filled('wbp'), 'overlay'),
      static: counted(filled('denoised'), 'static'),
    });
    const [only] = await project.runs({ namesOnly: true });
    calls.length = 0;
    expect((await only!.tomograms()).map(({ type }) => type)).toEqual(['denoised', 'wbp']);
    expect((await only!.features()).map(({ featureType }) => featureType)).toEqual(['edge', 'edge']);
    expect((await only!.pickSets()).map(({ object, userId }) => [object, userId])).toEqual([
      ['ribosome', ''],
      ['virus', 'me'],
    ]);
    expect((await only!.segmentations()).map(({ name, root }) => [name, root])).toEqual([['virus', 'overlay']]);
    expect([await only!.meshes(), await only!.filaments()]).toEqual([[], []]);
    const folders = ['', '/VoxelSpacing10.000', '/Picks', '/Segmentations'];
    const expected = folders.flatMap((name) => ['overlay', 'static'].map((at) => `${at} /ExperimentRuns/TS_1${name}`));
    expect([...calls].sort()).toEqual(expected.sort());
    expect(told).toEqual([]);
  });

  it('Project finds 20,000 named objects in a run, and 20,000 named runs, in a time that grows with their number', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `object-${i}`);
    const picks = Object.fromEntries(names.map((name) => [`/ExperimentRuns/TS_1/Picks/me_0_${name}.json`, '']));
    const { project } = projectOf({ overlay: picks });
    const [only] = await project.runs();
    expect(await only!.pickSets({ object: names })).toHaveLength(names.length);
    const folders = names.map((name) => ({ name, kind: 'folder' as const }));
    const many = projectOf({
      overlay: { ...storeOf({}), list: async (at) => (at === '/ExperimentRuns' ? folders : []) },
    });
    expect(await many.project.find('picks', '*', { runs: names })).toEqual([]);
  }, 10_000);

  it('Project states the location of the overlay', () => {
    expect(projectOf({ overlay: run('TS_1'), static: run('TS_2') }).project.overlayLocation).toBe('overlay');
  });

  it('Project lists the runs in storage, not those in the config', async () => {
    const project = projectFromStores({
      config: { ...config, original: () => ({ runs: ['TS_1'] }) },
      overlay: storeOf(run('TS_2')),
    });
    expect((await project.runs()).map(({ name }) => name)).toEqual(['TS_2']);
  });

  it.each([
    ['a missing run', { overlay: { ...run('TS_2'), ...run('TS_1') } }, 'TS_3', '"TS_1", "TS_2"'],
    ['any run of an empty project', {}, 'TS_3', 'none'],
    ['no name', { overlay: run('TS_1') }, '', '"TS_1"'],
    ['a way out of the project', { overlay: run('TS_1') }, '../TS_1', '"TS_1"'],
  ])('Project lists what is available when asked for %s', async (_, trees, name, available) => {
    await expect(projectOf(trees).project.run(name)).rejects.toEqual(
      expect.objectContaining({
        code: 'not-found',
        message: `run "${name}" not found in project "copick.json"; available: ${available}`,
      }),
    );
  });

  it('Project lists twenty of many names', async () => {
    const runs = Array.from({ length: 32 }, (_, i) => run(`r${i + 10}`));
    await expect(projectOf({ overlay: Object.assign({}, ...runs) }).project.run('x')).rejects.toThrow(
      /"r10", .*"r29" and 12 more$/,
    );
  });

  it('Project finds an object by name, or lists the available ones', () => {
    const { project } = projectOf({});
    expect(project.object('virus')).toMatchObject({ name: 'virus', label: 2 });
    expect(() => project.object('actin')).toThrow(
      expect.objectContaining({
        code: 'not-found',
        message: expect.stringMatching(/"ribosome", "virus", "apo-ferritin"/),
      }),
    );
  });

  it('Project reports the problems of the config', () => {
    const project = projectFromStores({
      config: { ...config, problems: ['a', 'b'] },
      overlay: storeOf({}),
      source: 'copick.json',
    });
    expect(project.problems).toEqual([{ path: 'copick.json', message: 'a; b' }]);
  });
});

describe('createRun', () => {
  it('createRun makes a run in the overlay that is listed, with the file that copick puts there', async () => {
    const { project, overlay } = projectOf({});
    await project.createRun('TS_5_4');
    expect((await project.runs()).map(({ name }) => name)).toEqual(['TS_5_4']);
    expect(new TextDecoder().decode(await overlay.get('/ExperimentRuns/TS_5_4/.meta'))).toBe('meta');
  });

  it('createRun returns an existing run, also of the static tree, and writes nothing', async () => {
    const { project, overlay } = projectOf({ static: run('TS_5_4') });
    expect((await project.createRun('TS_5_4')).name).toBe('TS_5_4');
    expect(await overlay.list('/')).toEqual([]);
  });

  it.each(['', '.', '..', 'a/b', 'a\\b', '.hidden', 'a\nb'])('createRun refuses the name %j', async (name) => {
    await expect(projectOf({}).project.createRun(name)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });
});

describe('an aborted signal', () => {
  const labels = sourceOf(new Uint8Array(1), [1, 1, 1], { voxelSize: [1, 1, 1] });
  const me = { userId: 'me', sessionId: '0' };
  const signal = AbortSignal.abort('stop');
  const calls: Record<string, (project: Project, run: Run) => Promise<unknown>> = {
    runs: (project) => project.runs({ signal }),
    run: (project) => project.run('TS_1', { signal }),
    createRun: (project) => project.createRun('TS_2', { signal }),
    tomograms: (_, run) => run.tomograms({ signal }),
    tomogram: (_, run) => run.tomogram('wbp', { signal }),
    pickSets: (_, run) => run.pickSets({ signal }),
    picks: (_, run) => run.picks({ signal }),
    hasPicks: (_, run) => run.hasPicks({ ...me, signal }),
    hasCandidates: (_, run) => run.hasCandidates({ ...me, signal }),
    writePicks: (_, run) => run.writePicks([], { ...me, objects: ['virus'], signal }),
    segmentations: (_, run) => run.segmentations({ signal }),
    writeSegmentation: (_, run) => run.writeSegmentation(labels, { ...me, name: 'cell', signal }),
  };

  it.each(Object.entries(calls))(
    'an aborted signal rejects %s with its reason, reports nothing and writes nothing',
    async (_, call) => {
      const { project, told, overlay } = projectOf({ overlay: run('TS_1') });
      const found = await project.run('TS_1');
      await expect(call(project, found)).rejects.toBe('stop');
      expect(told).toEqual([]);
      expect(await overlay.list('/ExperimentRuns')).toHaveLength(1);
      expect(await overlay.list('/ExperimentRuns/TS_1')).toHaveLength(1);
    },
  );
});
