import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PicksFile } from '../../../src/entry/copick.ts';
import { memoryStore, type ParticlePick, type Run, type Store, type StoreKey } from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';
import { projectOf } from '../../support/copick-tree.ts';
import { tempDir } from '../../support/temp-dir.ts';

const folder = '/ExperimentRuns/TS_5_4/Picks';
const me = { userId: 'me', sessionId: '1' };
const long = '12345678901234567891';
const turned = '[[0,-1,0,0],[1,0,0,0],[0,0,1,0],[0,0,0,1]]';
const keyOf = (object: string): StoreKey => `${folder}/me_1_${object}.json`;

/** A file of another program: unknown keys with long integers, rotations that are not to be trusted. */
function textOf(object: string, notes: readonly (string | undefined)[]): string {
  const points = notes.map(
    (note, x) =>
      `{"location": {"x": ${x}, "y": 0, "z": 0}, "transformation_": ${turned}, "instance_id": 0, "score": 1` +
      `${note === undefined ? '' : `, "note": ${JSON.stringify(note)}, "serial": ${long}`}}`,
  );
  return `{"pickable_object_name": "${object}", "user_id": "me", "session_id": "1", "run_name": "TS_5_4",
    "voxel_spacing": 10.012, "unit": "angstrom", "points": [${points.join(',')}], "trust_orientation": false,
    "curated_by": "${object} people", "serial": ${long}}`;
}

async function runOf(overlay: Store, notes: readonly (string | undefined)[] = ['a', undefined, 'c']): Promise<Run> {
  for (const object of ['virus', 'ribosome'])
    await overlay.set(keyOf(object), new TextEncoder().encode(textOf(object, notes)));
  return projectOf({ overlay }).project.run('TS_5_4');
}

async function fileOf(run: Run, object: string): Promise<PicksFile> {
  const [set] = await run.pickSets({ ...me, object });
  return set!.read();
}

const jsonOf = async (overlay: Store, object: string) =>
  new TextDecoder().decode(await overlay.get(keyOf(object))).replaceAll(/\s/g, '');
const notesOf = ({ picks }: PicksFile) => picks.map(({ unknown }) => unknown?.note);
const added: ParticlePick = { object: 'virus', position: { x: 9, y: 9, z: 9 }, score: 0.5 };

let path: string;
beforeEach(async () => {
  path = await tempDir();
});

describe.each([
  ['memory', () => ({ ...memoryStore(), location: 'memory' })],
  ['a directory', () => directoryStore(path)],
])('picks that are read, edited and written in %s', (_, makeStore) => {
  it('edited picks keep what their file holds beside them', async () => {
    const overlay = makeStore();
    const run = await runOf(overlay);
    const file = await fileOf(run, 'virus');
    await run.writePicks(file.picks, { ...file, ifVersion: { [file.object]: file.version } });
    const again = await fileOf(run, 'virus');
    expect({ ...again, version: '' }).toEqual({ ...file, version: '' });
    expect(again).toMatchObject({
      trustOrientation: false,
      voxelSpacing: 10.012,
      unknown: { curated_by: 'virus people', serial: BigInt(long) },
    });
    expect((await jsonOf(overlay, 'virus')).match(new RegExp(`"serial":${long}[,}]`, 'g'))).toHaveLength(3);
    expect(again.picks.every(({ transform }) => transform?.[0]?.[1] === -1)).toBe(true);
  });

  it('edited picks keep the keys of the right points when some are removed, moved and added', async () => {
    const run = await runOf(makeStore(), ['a', 'b', undefined, 'd']);
    const file = await fileOf(run, 'virus');
    const [a, , c, d] = file.picks as [ParticlePick, ParticlePick, ParticlePick, ParticlePick];
    await run.writePicks([d, added, { ...a, position: { x: 50, y: 0, z: 0 }, score: 2 }, c], file);
    const again = await fileOf(run, 'virus');
    expect(notesOf(again)).toEqual(['d', undefined, 'a', undefined]);
    expect(again.picks.map(({ position }) => position.x)).toEqual([3, 9, 50, 2]);
  });

  it('edited picks of several files each keep their own file', async () => {
    const run = await runOf(makeStore());
    const files = [await fileOf(run, 'virus'), await fileOf(run, 'ribosome')];
    const picks = [...files.flatMap((file) => file.picks), { ...added, object: 'apo-ferritin' }];
    const expectation = Object.fromEntries(files.map(({ object, version }) => [object, version]));
    await run.writePicks(picks, { ...me, files, ifVersion: expectation });
    for (const { version, ...file } of files) expect(await fileOf(run, file.object)).toMatchObject(file);
    const other = await fileOf(run, 'apo-ferritin');
    expect(other).toMatchObject({ trustOrientation: true, unknown: {} });
    expect(other.voxelSpacing).toBeUndefined();
  });
});

describe('the options of a file', () => {
  it('the options of a file apply to its object only', async () => {
    const overlay = memoryStore();
    const run = await runOf(overlay);
    const file = await fileOf(run, 'virus');
    await run.writePicks([...file.picks, { ...added, object: 'ribosome' }], file);
    expect(await fileOf(run, 'virus')).toMatchObject({ unknown: file.unknown, trustOrientation: false });
    const other = await fileOf(run, 'ribosome');
    expect(other).toMatchObject({ unknown: {}, trustOrientation: true });
    expect(other.voxelSpacing).toBeUndefined();
  });

  it('the options of a file take precedence over those of files', async () => {
    const run = await runOf(memoryStore());
    const files = [await fileOf(run, 'virus'), await fileOf(run, 'ribosome')];
    await run.writePicks([], { ...me, files, object: 'virus', trustOrientation: true, voxelSpacing: 5, unknown: {} });
    const [virus, ribosome] = [await fileOf(run, 'virus'), await fileOf(run, 'ribosome')];
    expect(virus).toMatchObject({ trustOrientation: true, voxelSpacing: 5, unknown: {}, picks: [] });
    expect(ribosome).toMatchObject({ trustOrientation: false, voxelSpacing: 10.012, unknown: files[1]!.unknown });
  });

  it('the options of a file write a file from which all picks were removed', async () => {
    const run = await runOf(memoryStore());
    const file = await fileOf(run, 'virus');
    await run.writePicks([], { ...file, ifVersion: { virus: file.version } });
    expect(await fileOf(run, 'virus')).toMatchObject({ picks: [], unknown: file.unknown });
  });

  it('the options of a file are refused for two files of one object, before anything is written', async () => {
    const overlay = memoryStore();
    const run = await runOf(overlay);
    const before = await jsonOf(overlay, 'virus');
    const file = await fileOf(run, 'virus');
    await expect(run.writePicks([added], { ...me, files: [file, { ...file, userId: 'you' }] })).rejects.toMatchObject({
      code: 'invalid-option',
      message: 'files has more than one file of "virus"',
    });
    expect(await jsonOf(overlay, 'virus')).toBe(before);
  });

  it('the options of a file never let an unknown key of a pick replace a known one', async () => {
    const run = await runOf(memoryStore());
    await run.writePicks([{ ...added, unknown: { location: null, score: 'high', note: 'x' } }], me);
    expect((await fileOf(run, 'virus')).picks).toEqual([{ ...added, unknown: { note: 'x' } }]);
  });

  it('the options of a file keep the keys of any selection of points, in any order', async () => {
    const notes = fc.array(fc.option(fc.string(), { nil: undefined }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(notes, fc.array(fc.nat(7)), async (given, order) => {
        const run = await runOf(memoryStore(), given);
        const file = await fileOf(run, 'virus');
        const chosen = order.flatMap((i) => file.picks[i] ?? []);
        await run.writePicks(chosen, file);
        expect((await fileOf(run, 'virus')).picks).toEqual(chosen);
      }),
      { numRuns: 50 },
    );
  });
});

describe('rotations that a file says not to trust', () => {
  it('rotations that a file says not to trust are left out of run.picks, and all other fields are kept', async () => {
    const run = await runOf(memoryStore());
    const file = await fileOf(run, 'virus');
    const picks = await run.picks({ ...me, object: 'virus' });
    expect(picks.some((pick) => 'transform' in pick)).toBe(false);
    expect(picks).toEqual(file.picks.map(({ transform: _, ...pick }) => pick));
  });
});
