import { beforeEach, expect, it } from 'vitest';
import { marksOf } from '../../src/page/compare.ts';
import {
  addPick,
  decide,
  movePick,
  nextOpen,
  renamePick,
  step,
  stepDifference,
  stepToOpen,
  zoomBy,
} from '../../src/page/navigate.ts';
import { createPage, type Page } from '../../src/page/page.ts';
import { markOf } from '../../src/page/review.ts';
import { named } from '../../src/page/state.ts';
import { stubBrowser } from '../support/page-workspace.ts';

stubBrowser();

let page: Page;

/** Three ribosomes and two viruses, best first, of which nothing is decided. */
beforeEach(() => {
  page = createPage();
  const names = ['ribosome', 'ribosome', 'ribosome', 'virus', 'virus'];
  const loaded = named(
    names.map((object, i) => ({ object, position: { x: 300 * i, y: 0, z: 0 }, score: 0.9 - i / 10 })),
  );
  const objects = ['ribosome', 'virus'].map((name) => ({ name, color: 'rgb(0 0 0)', radius: 80 }));
  page.live.change({ loaded, objects, object: 'ribosome', arePicksRead: true });
});

/** x of the selected pick, in hundreds of Å. */
const at = () => {
  const { selected } = page.live.state;
  const pick = page.review().all.find(({ id }) => id === selected);
  return pick && pick.position.x / 100;
};
const marks = () =>
  [...page.review().all].sort((a, b) => a.position.x - b.position.x).map((pick) => `${pick.object[0]}${markOf(pick)}`);

it('the key that decided a pick leaves it so the second time, on the last pick too, and goes on', () => {
  for (let i = 0; i < 5; i++) decide(page, 'rejected');
  expect([at(), marks()]).toEqual([6, ['r✗', 'r✗', 'r✗', 'v', 'v']]);
  step(page, -1);
  decide(page, 'rejected');
  expect([at(), marks()]).toEqual([6, ['r✗', 'r✗', 'r✗', 'v', 'v']]);
  page.live.dispatch({ type: 'undo' });
  expect(marks()).toEqual(['r✗', 'r✗', 'r', 'v', 'v']);
});

it('the next undecided pick is one of the list from here on, then from its beginning, then of the next object', () => {
  page.live.change({ selected: page.review().all[1]!.id });
  decide(page, 'accepted');
  stepToOpen(page);
  expect(at()).toBe(0);
  decide(page, 'accepted');
  stepToOpen(page);
  expect(at()).toBe(6);
  decide(page, 'rejected');
  stepToOpen(page);
  expect([at(), page.live.state.object]).toEqual([9, 'virus']);
  renamePick(page, 'ribosome');
  decide(page, 'accepted');
  expect(nextOpen(page)).toBeUndefined();
  stepToOpen(page);
  expect(page.live.state.message?.text).toMatch(/Every pick of this set is decided/);
});

it('a pick that gets another object leaves one in the list that it was in, at the next pick, and has a mark', () => {
  step(page, 1);
  renamePick(page, 'virus');
  expect([at(), page.live.state.object, marks()]).toEqual([3, 'ribosome', ['v✎', 'r', 'r', 'v', 'v']]);
  step(page, 1);
  renamePick(page, 'virus');
  expect([at(), page.live.state.object]).toEqual([3, 'ribosome']);
  renamePick(page, 'virus');
  expect([at(), page.live.state.object]).toEqual([undefined, 'ribosome']);
});

it('the slice that a click adds a pick in stays, though the pick lies off it, and the other slices go to the pick', () => {
  page.live.change({ position: { x: 0, y: 0, z: 466 } });
  addPick(page, { x: 2000, y: 500, z: 400 }, { across: 0 });
  expect(page.live.state.position).toEqual({ x: 2000, y: 500, z: 466 });
  expect(page.review().all.find(({ id }) => id === page.live.state.selected)?.position.z).toBe(400);
  expect(page.live.state.message).toBeUndefined();
});

it('a pick that is added on one of another object tells of it', () => {
  const virus = page.review().all.find(({ object }) => object === 'virus')!;
  addPick(page, { ...virus.position, z: 30 });
  expect(page.live.state.message?.text).toBe(
    'The new ribosome lies on a pick of virus, 30 Å from its middle; Z takes it back.',
  );
});

it('a pick that is dragged is selected, with its object, and the slice of the drag stays', () => {
  addPick(page, { x: 2000, y: 500, z: 0 });
  const virus = page.review().all.find(({ object }) => object === 'virus')!;
  movePick(page, virus.id, { x: 950, y: 40, z: 0 }, { across: 0 });
  expect([at(), page.live.state.object, marks().at(-3)]).toEqual([9.5, 'virus', 'v✎']);
  page.live.change({ position: { x: 0, y: 0, z: 70 } });
  movePick(page, virus.id, { x: 960, y: 40, z: 0 }, { across: 0 });
  expect(page.live.state.position).toEqual({ x: 960, y: 40, z: 70 });
});

it('rings compare with another set where one is chosen beside a truth, and its differing picks are flown to in a circle', () => {
  const [first, second, third] = page.review().kept.map(({ object, position, score }) => ({ object, position, score }));
  const away = { ...second!, position: { x: 5000, y: 0, z: 0 } };
  page.live.change({ truth: [first!, second!], otherSet: 'me/1', others: [first!, third!, away] });
  const { partners, missed, onlyThere } = marksOf(page.difference(), page.comparison());
  const [one, two] = page.review().kept;
  expect([partners?.has(one!.id), partners?.has(two!.id), missed, onlyThere]).toEqual([true, false, [], [away]]);
  const flown = (side: 'onlyHere' | 'onlyThere') => {
    stepDifference(page, side);
    return [page.live.state.position.x, at()];
  };
  expect([flown('onlyHere'), flown('onlyHere'), flown('onlyHere'), flown('onlyHere')]).toEqual([
    [300, 3],
    [900, 9],
    [1200, 12],
    [300, 3],
  ]);
  expect([flown('onlyThere'), flown('onlyThere')]).toEqual([
    [5000, undefined],
    [5000, undefined],
  ]);
  page.live.change({ otherSet: undefined });
  expect(marksOf(page.difference(), page.comparison()).partners?.has(two!.id)).toBe(true);
});

it('a pick is neither added nor moved outside the volume, which is told', () => {
  const grid = { shape: [20, 20, 20], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
  page.live.change({ grid });
  const { id } = page.review().all[0]!;
  const before = page.review().all;
  addPick(page, { x: 100, y: -5.1, z: 100 });
  movePick(page, id, { x: 195.1, y: 100, z: 100 });
  expect(page.review().all).toEqual(before);
  expect(page.live.state.message?.text).toMatch(/outside the volume/);
  movePick(page, id, { x: 195, y: 100, z: -5 });
  expect(page.review().all.find((pick) => pick.id === id)?.position).toEqual({ x: 195, y: 100, z: -5 });
});

it('zooming in makes what shows larger, up to 50 pixels a voxel', () => {
  for (const voxelSize of [1, 10]) {
    const grid = {
      shape: [64, 64, 64],
      voxelSize: [voxelSize, voxelSize, voxelSize],
      origin: { x: 0, y: 0, z: 0 },
    } as const;
    page.live.change({ grid, camera: { center: { x: 0, y: 0, z: 0 }, zoom: 7.35 / voxelSize } });
    zoomBy(page, 1.25);
    expect(page.live.state.camera.zoom * voxelSize).toBeCloseTo(7.35 * 1.25);
    for (let i = 0; i < 20; i++) zoomBy(page, 1.25);
    expect(page.live.state.camera.zoom * voxelSize).toBe(50);
  }
});
