import { describe, expect, it } from 'vitest';
import type { PicksFilter } from '../../../src/entry/copick.ts';
import { failingStore, picksJson, projectOf, storeOf, type Tree } from '../../support/copick-tree.ts';

const folder = '/ExperimentRuns/TS_5_4/Picks';

async function runOf(trees: Parameters<typeof projectOf>[0]) {
  const { project, told, overlay } = projectOf(trees);
  return { run: await project.run('TS_5_4'), project, told, overlay };
}

async function xsOf(trees: Parameters<typeof projectOf>[0], filter: PicksFilter = {}) {
  const { run } = await runOf(trees);
  return (await run.picks(filter)).map(({ object, position }) => [object, position.x]);
}

describe('picks of a run', () => {
  const both = {
    overlay: {
      [`${folder}/curation_0_ribosome.json`]: picksJson('ribosome', [1]),
      [`${folder}/alice_7_virus.json`]: picksJson('virus', [2], { user_id: 'alice', session_id: '7' }),
    } as Tree,
    static: {
      [`${folder}/curation_0_ribosome.json`]: picksJson('ribosome', [10, 11]),
      [`${folder}/curation_0_virus.json`]: picksJson('virus', [12]),
    } as Tree,
  };

  it('picks of a run come from both trees, and the overlay takes precedence', async () => {
    expect(await xsOf(both)).toEqual([
      ['ribosome', 1],
      ['virus', 2],
      ['virus', 12],
    ]);
  });

  it('picks of a run include shadowed sets on request', async () => {
    const { run } = await runOf(both);
    const sets = await run.pickSets({ object: 'ribosome', includeShadowed: true });
    expect(sets.map(({ root, path, shadowed }) => [root, path, shadowed])).toEqual([
      ['overlay', `overlay${folder}/curation_0_ribosome.json`, false],
      ['static', `static${folder}/curation_0_ribosome.json`, true],
    ]);
    expect((await sets[1]!.read()).picks).toHaveLength(2);
  });

  it.each<[string, PicksFilter, number]>([
    ['nothing', {}, 3],
    ['an object', { object: 'virus' }, 2],
    ['two objects', { object: ['virus', 'ribosome'] }, 3],
    ['no object', { object: [] }, 0],
    ['a user', { userId: 'alice' }, 1],
    ['a user as copick writes it', { userId: ' alice_' }, 1],
    ['user and session together', { userId: 'alice', sessionId: '0' }, 0],
    ['a name without a usable character', { userId: '___' }, 0],
  ])('picks of a run can be filtered by %s', async (_, filter, count) => {
    const { run } = await runOf(both);
    expect(await run.pickSets(filter)).toHaveLength(count);
  });

  it('picks of a run are listed once if static and overlay are the same root', async () => {
    const store = storeOf(both.overlay);
    const { run } = await runOf({ overlay: store, static: store });
    expect(await run.pickSets({ includeShadowed: true })).toHaveLength(2);
  });

  it('picks of a run are empty if the run has no Picks folder', async () => {
    expect(await xsOf({ overlay: { '/ExperimentRuns/TS_5_4/.meta': 'meta' } })).toEqual([]);
  });

  it('picks of a run distinguish zero particles from no file: hasPicks', async () => {
    const { run } = await runOf({ overlay: { [`${folder}/me_0_virus.json`]: picksJson('virus', []) } });
    const me = { userId: 'me', sessionId: '0' };
    expect(await run.picks(me)).toEqual([]);
    expect(await run.hasPicks(me)).toBe(true);
    expect(await run.hasPicks({ ...me, objects: ['virus'] })).toBe(true);
    expect(await run.hasPicks({ ...me, objects: ['virus', 'ribosome'] })).toBe(false);
    expect(await run.hasPicks({ ...me, sessionId: '1' })).toBe(false);
  });
});

describe('files of the competition, named after the particle alone', () => {
  it('files of the competition, named after the particle alone get user and session from the content', async () => {
    const { run } = await runOf({ overlay: { [`${folder}/ribosome.json`]: picksJson('ribosome', [1]) } });
    const [set] = await run.pickSets();
    expect(set).toMatchObject({ object: 'ribosome', userId: 'curation', sessionId: '0' });
    expect(await run.picks({ userId: 'curation' })).toHaveLength(1);
  });

  it('files of the competition, named after the particle alone get the object from their name if the content names none', async () => {
    const { run } = await runOf({ overlay: { [`${folder}/beta-amylase.json`]: { points: [] } } });
    expect(await run.pickSets()).toMatchObject([{ object: 'beta-amylase', userId: '', sessionId: '' }]);
  });

  it('files of the competition, named after the particle alone count once beside a copy renamed as the official notebook renames it', async () => {
    const tree: Tree = {
      [`${folder}/ribosome.json`]: picksJson('ribosome', [1]),
      [`${folder}/curation_0_ribosome.json`]: picksJson('ribosome', [2]),
    };
    expect(await xsOf({ overlay: tree })).toEqual([['ribosome', 2]]);
    // What was written into the overlay wins over a short name in the static tree, and the other way round.
    expect(await xsOf({ overlay: { [`${folder}/ribosome.json`]: picksJson('ribosome', [3]) }, static: tree })).toEqual([
      ['ribosome', 3],
    ]);
  });

  it('files of the competition, named after the particle alone are identified even if a point is broken', async () => {
    const text = `{"pickable_object_name": "ribosome", "user_id": "curation", "session_id": "0", "points": [{"location": {"x": NaN, "y": 0, "z": 0}}]}`;
    const { run } = await runOf({ overlay: { [`${folder}/ribosome.json`]: text } });
    const [set] = await run.pickSets();
    expect(set).toMatchObject({ userId: 'curation' });
    await expect(set!.read()).rejects.toThrow(/ribosome\.json": point 0: location\.x/);
  });
});

describe('broken and unknown files', () => {
  const good = { [`${folder}/curation_0_virus.json`]: picksJson('virus', [1]) };
  const broken: [string, string, unknown, RegExp][] = [
    ['no JSON', 'curation_0_ribosome.json', '{"points": [', /line 1, column 13/],
    [
      'a point that is not a number',
      'curation_0_ribosome.json',
      '{"points": [{"location": {"x": NaN, "y": 0, "z": 0}}]}',
      /point 0/,
    ],
    ['bytes that are not text', 'curation_0_ribosome.json', new Uint8Array([0x7b, 0xff]), /not UTF-8/],
    ['a short name and no JSON', 'ribosome.json', 'oops', /line 1, column 1/],
    ['a two-part name and a list inside', 'curation_ribosome.json', '[]', /not a JSON object/],
  ];

  it.each(broken)(
    'broken and unknown files are reported once with their path and skipped: %s',
    async (_, name, content, message) => {
      const { run, told, project } = await runOf({ overlay: { ...good, [`${folder}/${name}`]: content } as Tree });
      for (let i = 0; i < 2; i++) expect((await run.picks()).map(({ object }) => object)).toEqual(['virus']);
      expect(told).toEqual([
        expect.objectContaining({
          path: `overlay${folder}/${name}`,
          message: expect.stringMatching(message),
          run: 'TS_5_4',
        }),
      ]);
      expect(project.problems).toEqual(told);
      expect(told[0]?.cause).toBeInstanceOf(Error);
    },
  );

  it.each(broken)('broken and unknown files throw when read themselves: %s', async (_, name, content, message) => {
    const { run } = await runOf({ overlay: { ...good, [`${folder}/${name}`]: content } as Tree });
    const set = (await run.pickSets()).find(({ path }) => path.endsWith(name))!;
    const expected = expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(message) });
    await expect(set.read()).rejects.toEqual(expected);
    await expect(run.picks({ object: set.object })).rejects.toEqual(expected);
  });

  it('broken and unknown files are skipped silently if hidden or not of copick', async () => {
    const { run, told } = await runOf({
      overlay: { ...good, [`${folder}/.DS_Store`]: 'x', [`${folder}/._a.json`]: 'x', [`${folder}/notes.txt`]: 'x' },
    });
    expect(await run.pickSets()).toHaveLength(1);
    expect(told).toEqual([]);
  });

  it('broken and unknown files include a folder that is named like a picks file', async () => {
    const { run, told } = await runOf({ overlay: { ...good, [`${folder}/a_0_b.json/x`]: '' } });
    expect(await run.pickSets()).toHaveLength(1);
    expect(told).toEqual([expect.objectContaining({ message: '"a_0_b.json" is a folder, expected a picks file' })]);
  });

  it('broken and unknown files include a file whose content contradicts its name, which is used', async () => {
    const { run, told } = await runOf({ overlay: { [`${folder}/me_1_virus.json`]: picksJson('ribosome', [1]) } });
    expect(await run.picks()).toMatchObject([{ object: 'virus' }]);
    expect(told[0]?.message).toContain('its name says object "virus", its content "ribosome"');
  });

  it('broken and unknown files read an object with underscores, which copick never writes, as one name', async () => {
    const { run } = await runOf({
      overlay: { [`${folder}/curation_0_apo_ferritin.json`]: picksJson('apo-ferritin', []) },
    });
    expect(await run.pickSets()).toMatchObject([{ userId: 'curation', sessionId: '0', object: 'apo_ferritin' }]);
  });

  it('broken and unknown files hide neither the other tree nor other files', async () => {
    const overlay = failingStore(storeOf({}), (call) => call === 'list');
    const fixed = failingStore(
      storeOf({ ...good, [`${folder}/curation_0_ribosome.json`]: picksJson('ribosome', [2]) }),
      (call, key) => call === 'get' && key.includes('ribosome'),
    );
    const { run, told } = await runOf({ overlay, static: fixed });
    expect(await run.picks()).toMatchObject([{ object: 'virus' }]);
    expect(told.map(({ message }) => message)).toEqual([
      'disk on fire at /ExperimentRuns',
      `disk on fire at ${folder}`,
      `disk on fire at ${folder}/curation_0_ribosome.json`,
    ]);
  });

  it('broken and unknown files throw if nothing can be listed at all', async () => {
    const overlay = failingStore(storeOf({}), () => true);
    await expect(projectOf({ overlay }).project.runs()).rejects.toThrow('disk on fire');
  });
});

describe('an abort', () => {
  it('an abort rejects with its reason, reports nothing, and no read starts afterwards', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    let calls = 0;
    const files = ['a', 'b', 'c'].map((object) => [`${folder}/curation_0_${object}.json`, picksJson(object, [1])]);
    const overlay = failingStore(storeOf(Object.fromEntries(files)), (call) => {
      if (call === 'get' && ++calls === 2) controller.abort(reason);
      return false;
    });
    const { run, told } = await runOf({ overlay });
    await expect(run.picks({ signal: controller.signal })).rejects.toBe(reason);
    expect(calls).toBe(2);
    expect(told).toEqual([]);
  });
});
