import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  detectCandidates,
  memoryStore,
  sourceFromArray,
  toPhysical,
  toVoxel,
  type Zyx,
} from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { volumeCollection } from '../../src/page/collection.ts';
import { allRuns } from '../../src/page/export.ts';
import { addPick, editPick } from '../../src/page/navigate.ts';
import { createPage } from '../../src/page/page.ts';
import { UNSAVED } from '../../src/page/state.ts';
import { createWorkspace } from '../../src/page/workspace.ts';
import { drain, kept, leavePages, model, pause, stubBrowser } from '../support/page-workspace.ts';
import { noise } from '../support/volumes.ts';

beforeAll(stubBrowser);
beforeEach(() => kept.clear());

const shape: Zyx = [10, 16, 18];
const work = { signal: new AbortController().signal, show: () => undefined };
const names = ['a.mrc', 'b.mrc', 'own.mrc'];

/** MRC files: `own.mrc` says its voxel size, 7 Å, the others do not. */
const store = memoryStore(
  await Promise.all(
    names.map(async (name, i): Promise<[`/${string}`, Uint8Array]> => {
      const size = name === 'own.mrc' ? 7 : 1;
      const volume = sourceFromArray({ data: noise(shape, i + 3), shape }, { voxelSize: [size, size, size] });
      return [`/${name}`, Buffer.concat(await drain(encodeMrc(volume)))];
    }),
  ),
);

/** A page that shows the files. */
async function openFiles(voxelSize?: number) {
  const page = createPage();
  const workspace = createWorkspace(page);
  const volumes = names.map((name) => ({
    name,
    place: { kind: 'file' as const, store, format: 'mrc' as const, key: `/${name}` as const },
  }));
  await workspace.open(volumeCollection(volumes, 'files'), { thresholds: {}, hidden: [], voxelSize });
  /** In which voxels the kept picks lie, best first. */
  const voxels = () => page.review().kept.map(({ object, position }) => [object, voxelOf(position)]);
  const voxelOf = (position: Parameters<typeof toVoxel>[1]) =>
    toVoxel(page.live.state.grid!, position).map((index) => Math.round(index * 1e9) / 1e9);
  const add = (voxel: Zyx) => addPick(page, toPhysical(page.live.state.grid!, voxel));
  return { page, workspace, voxels, voxelOf, add };
}

describe('correcting the voxel size of a file', () => {
  it('leaves picks that were added in their voxels, in every file and after the page is opened again', async () => {
    const one = await openFiles(10);
    one.add([5, 8, 10]);
    await one.workspace.openRun('b.mrc');
    one.add([1, 2, 3]);
    await one.workspace.openRun('own.mrc');
    one.add([4, 4, 4]);
    await one.workspace.openRun('a.mrc');
    await one.workspace.giveVoxelSize(13.48);
    expect(one.page.live.state.grid!.voxelSize[2]).toBeCloseTo(13.48);
    const places = { 'a.mrc': [5, 8, 10], 'b.mrc': [1, 2, 3], 'own.mrc': [4, 4, 4] };
    const shown = async ({ workspace, voxels }: typeof one) => {
      const found: Record<string, unknown> = {};
      for (const name of names) {
        await workspace.openRun(name);
        found[name] = voxels().map(([, at]) => at);
      }
      return found;
    };
    const expected = Object.fromEntries(Object.entries(places).map(([name, at]) => [name, [at]]));
    expect(await shown(one)).toEqual(expected);
    const { runs } = await allRuns(one.page, one.workspace, work);
    const exported = runs.map(({ run, grid, picks }) => [run, toVoxel(grid!, picks[0]!.position).map(Math.round)]);
    expect(exported).toEqual(Object.entries(places));
    await pause();
    leavePages();
    for (const size of [undefined, 11, 13.48]) expect(await shown(await openFiles(size))).toEqual(expected);
    leavePages();
  }, 30_000);

  it('leaves what was found in its voxels, with what was decided about it, and asks to detect again', async () => {
    const { page, workspace, voxels, voxelOf, add } = await openFiles(10);
    const candidates = await detectCandidates(workspace.opened!.sources[0]!, { model });
    await workspace.showDetection({ run: 'a.mrc', tomogram: workspace.opened!.choice, level: 0, model, candidates });
    const [best, second, third] = page.review().kept;
    editPick(page, best!.id, { decision: 'rejected' });
    editPick(page, second!.id, { position: toPhysical(page.live.state.grid!, [2, 3, 4]) });
    editPick(page, third!.id, { decision: 'accepted' });
    add([5, 8, 10]);
    const rejected = () => page.review().rejected.map(({ position }) => voxelOf(position));
    const candidateVoxels = () => page.live.state.loaded.map(({ position }) => voxelOf(position));
    const decided = () =>
      page
        .review()
        .kept.filter(({ decision, source }) => decision !== undefined || source !== 'found')
        .map(({ position, source }) => [source, voxelOf(position)]);
    expect(decided().map(([source]) => source)).toEqual(['edited', 'found', 'added']);
    const before = [voxels(), rejected()];
    const whole = [candidateVoxels(), decided(), rejected()];
    expect(before[0]!.length).toBeGreaterThan(50);
    await workspace.giveVoxelSize(13.48);
    expect(page.live.state.set).toBe(UNSAVED);
    expect(page.live.state.message?.text).toMatch(/stay in their voxels.*voxels of 10 Å: detect again/);
    expect([candidateVoxels(), decided(), rejected()]).toEqual(whole);
    // In Å, as they were.
    expect(page.live.state.minDistances).toEqual(candidates.minDistances);
    await workspace.giveVoxelSize(10);
    expect([voxels(), rejected()]).toEqual(before);
    await workspace.openRun('b.mrc');
    await workspace.openRun('a.mrc');
    expect([voxels(), rejected()]).toEqual(before);
    leavePages();
  }, 30_000);
});

it('an export of all files has what was found and what was added in each', async () => {
  const { page, workspace, add } = await openFiles(10);
  const candidates = await detectCandidates(workspace.opened!.sources[0]!, { model });
  await workspace.showDetection({ run: 'a.mrc', tomogram: workspace.opened!.choice, level: 0, model, candidates });
  const count = page.review().kept.length;
  await workspace.openRun('b.mrc');
  add([1, 2, 3]);
  await workspace.openRun('own.mrc');
  const { runs, without } = await allRuns(page, workspace, work);
  expect([runs.map(({ run, picks }) => [run, picks.length]), without]).toEqual([
    [
      ['a.mrc', count],
      ['b.mrc', 1],
      ['own.mrc', 0],
    ],
    [],
  ]);
  leavePages();
}, 30_000);
