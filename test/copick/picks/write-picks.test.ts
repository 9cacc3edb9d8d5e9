import { describe, expect, it } from 'vitest';
import type { ParticlePick, StoreKey } from '../../../src/entry/index.ts';
import { failingStore, picksJson, projectOf, storeOf } from '../../support/copick-tree.ts';

const folder = '/ExperimentRuns/TS_5_4/Picks';
const me = { userId: 'me', sessionId: '1' };
const pickOf = (object: string, x: number): ParticlePick => ({ object, position: { x, y: 2, z: 3 }, score: 0.5 });

describe('writePicks', () => {
  it('writePicks writes a file per object into the overlay, which reads back the same', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_5_4');
    const picks = [pickOf('virus', 1), pickOf('ribosome', 2), pickOf('virus', 3)];
    expect(await run.writePicks(picks, me)).toEqual([
      `overlay${folder}/me_1_ribosome.json`,
      `overlay${folder}/me_1_virus.json`,
    ]);
    expect(await run.picks(me)).toEqual([picks[1], picks[0], picks[2]]);
    expect(await (await run.pickSets())[0]!.read()).toMatchObject({ runName: 'TS_5_4', trustOrientation: true });
  });

  it('writePicks makes user and session valid in file names, like copick, and finds them by the original names', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_5_4');
    const mine = { userId: 'my_user', sessionId: 'a b' };
    expect(await run.writePicks([pickOf('virus', 1)], mine)).toEqual([`overlay${folder}/my-user_a-b_virus.json`]);
    expect(await run.hasPicks(mine)).toBe(true);
  });

  it('writePicks writes an empty file for an object without picks if asked to, so that older picks are replaced', async () => {
    const { project } = projectOf({ overlay: { [`${folder}/me_1_virus.json`]: picksJson('virus', [1, 2]) } });
    const run = await project.run('TS_5_4');
    await run.writePicks([pickOf('ribosome', 1)], { ...me, objects: ['virus', 'ribosome'] });
    expect((await run.picks(me)).map(({ object }) => object)).toEqual(['ribosome']);
    expect(await run.hasPicks({ ...me, objects: ['virus', 'ribosome'] })).toBe(true);
  });

  it('writePicks writes nothing without picks', async () => {
    const { project } = projectOf({});
    const run = await project.createRun('TS_5_4');
    expect(await run.writePicks([], me)).toEqual([]);
    expect(await run.hasPicks(me)).toBe(false);
  });

  it('writePicks never touches the static tree, and shadows it', async () => {
    const fixed = failingStore(
      storeOf({ [`${folder}/me_1_virus.json`]: picksJson('virus', [1, 2]) }),
      (call) => call === 'set',
    );
    const { project } = projectOf({ static: fixed });
    const run = await project.run('TS_5_4');
    await run.writePicks([pickOf('virus', 7)], me);
    expect((await run.picks(me)).map(({ position }) => position.x)).toEqual([7]);
  });

  it.each([
    [
      'an object that the project lacks',
      [pickOf('ribosome', 1), pickOf('actin', 2)],
      me,
      'invalid-picks',
      /"actin".*"ribosome", "virus", "apo-ferritin"/,
    ],
    ['such an object without picks', [], { ...me, objects: ['actin'] }, 'invalid-picks', /"actin"/],
    [
      'a pick of no place',
      [pickOf('ribosome', 1), pickOf('virus', Number.NaN)],
      me,
      'invalid-picks',
      /pick 0 of "virus" lies at x NaN/,
    ],
    ['a user without a usable character', [pickOf('ribosome', 1)], { ...me, userId: '_' }, 'invalid-option', /"_"/],
    ['an empty session', [pickOf('ribosome', 1)], { ...me, sessionId: '' }, 'invalid-option', /""/],
  ])('writePicks refuses %s before anything is written', async (_, picks, options, code, message) => {
    const { project, overlay } = projectOf({});
    const run = await project.createRun('TS_5_4');
    await expect(run.writePicks(picks, options)).rejects.toEqual(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
    expect(await overlay.list(folder)).toEqual([]);
  });

  const three = ['ribosome', 'virus', 'apo-ferritin'].map((object) => pickOf(object, 9));
  const old = Object.fromEntries(three.map(({ object }) => [`${folder}/me_1_${object}.json`, picksJson(object, [1])]));

  it('writePicks leaves every file old or new when writing fails midway', async () => {
    const store = failingStore(storeOf(old), (call, key) => call === 'set' && key.includes('virus'));
    const run = await projectOf({ overlay: store }).project.run('TS_5_4');
    await expect(run.writePicks(three, me)).rejects.toThrow('disk on fire');
    expect((await run.picks(me)).map(({ object, position }) => [object, position.x])).toEqual([
      ['apo-ferritin', 1],
      ['ribosome', 9],
      ['virus', 1],
    ]);
  });

  it('writePicks leaves every file old or new when aborted midway, and starts no further write', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const written: StoreKey[] = [];
    const store = failingStore(storeOf(old), (call, key) => {
      if (call === 'set' && written.push(key) === 2) controller.abort(reason);
      return false;
    });
    const run = await projectOf({ overlay: store }).project.run('TS_5_4');
    await expect(run.writePicks(three, { ...me, signal: controller.signal })).rejects.toBe(reason);
    expect(written).toHaveLength(2);
    expect((await run.picks(me)).map(({ position }) => position.x)).toEqual([1, 9, 1]);
  });

  it('writePicks writes nothing if aborted before', async () => {
    const { project, overlay } = projectOf({});
    const run = await project.createRun('TS_5_4');
    await expect(run.writePicks(three, { ...me, signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(await overlay.list(folder)).toEqual([]);
  });
});
