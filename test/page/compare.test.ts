import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { matchPicks, type ParticlePick, type Point, sourceFromArray } from '../../src/entry/index.ts';
import { addressed, settled, twoFrames } from '../support/page-hands.ts';
import { isotropic, makeProject, picksIn } from '../support/page-project.ts';
import { type Drawing, drawingOf, placeIn, planeNames, viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

const at = (x: number, y: number, z = 195): Point => ({ x, y, z });
const ribosome = (position: Point, score = 0.9): ParticlePick => ({ object: 'ribosome', position, score });

/** How a pick is drawn in the xy slice: what lies in its middle, at its top, to its side and around it. */
async function lookOf(tab: Page, { x, y, z }: Point) {
  const drawing = await drawingOf(tab, 'xy');
  const view = viewOf(tab);
  const { left, top } = placeIn('xy', view, drawing)([x, y, z]);
  const radius = 150 * view.zoom;
  const isColored = near(drawing, (color) => Math.max(...color) - Math.min(...color) > 30);
  const isWhite = near(drawing, (color) => Math.min(...color) > 225);
  const around = Array.from({ length: 120 }, (_, i) => (i / 120) * 2 * Math.PI).map(
    (angle) => [left + radius * Math.cos(angle), top + radius * Math.sin(angle)] as const,
  );
  const share = (test: typeof isColored) => around.filter(([px, py]) => test(px, py)).length / around.length;
  return {
    hasDot: isColored(left, top),
    hasGap: !isColored(left, top - radius),
    hasCross: [-4, 4].every((dx) => [-4, 4].every((dy) => isColored(left + dx, top + dy))),
    colored: share(isColored),
    white: share(isWhite),
  };
}

/** Whether a pixel at a place, or beside it, passes a test. */
function near({ colorAt }: Drawing, test: (color: readonly [number, number, number]) => boolean) {
  return (left: number, top: number) =>
    [-1, 0, 1].some((dy) => [-1, 0, 1].some((dx) => test(colorAt(Math.floor(left) + dx, Math.floor(top) + dy))));
}

/** The colour of the xy slice at a place that the segmentations of the test cover. */
async function colorAt450(tab: Page) {
  const drawing = await drawingOf(tab, 'xy');
  const { left, top } = placeIn('xy', viewOf(tab), drawing)([450, 400, 200]);
  return drawing.colorAt(Math.round(left), Math.round(top));
}

describePage('comparing in the page of view', ({ open }) => {
  it('two pick sets are told apart: in both a dot, only here a gap, only there white and dashed, with their counts', async () => {
    const [both, here, there] = [at(250, 300), at(650, 300), at(950, 700)];
    const { shown, project } = await makeProject({ picks: [ribosome(both), ribosome(here, 0.8)] });
    const run = await project.run('TS_1');
    const other = [ribosome(at(270, 310)), ribosome(there)];
    await run.writePicks(other, { userId: 'colleague', sessionId: '2' });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await tab.getByLabel('Compare', { exact: false }).last().selectOption('colleague/2');
    await expect.poll(() => tab.locator('.display .quiet').textContent()).toBe('both 1 · only here 1 · only there 1');
    await addressed(tab);
    expect(await lookOf(tab, both)).toMatchObject({ hasDot: true, hasGap: false });
    expect(await lookOf(tab, here)).toMatchObject({ hasDot: false, hasGap: true });
    const dashed = await lookOf(tab, there);
    expect(dashed).toMatchObject({ hasDot: false, colored: 0 });
    expect(dashed.white).toBeGreaterThan(0.3);
    expect(dashed.white).toBeLessThan(0.9);
    expect(problems).toEqual([]);
  }, 60_000);

  it('the counts of two sets of many picks are those of an optimal matching within half the radius', async () => {
    const [picks, other] = [picksIn(isotropic, 60, 5), picksIn(isotropic, 70, 6)];
    const { shown, project } = await makeProject({ picks });
    await (await project.run('TS_1')).writePicks(other, { userId: 'colleague', sessionId: '2' });
    const { tab } = await open(shown);
    await settled(tab);
    await tab.getByLabel('Compare', { exact: false }).last().selectOption('colleague/2');
    let both = 0;
    for (const [name, radius] of [['ribosome', 150] as const, ['apo-ferritin', 60] as const]) {
      const placesOf = (all: readonly ParticlePick[]) =>
        all.filter(({ object }) => object === name).map(({ position }) => position);
      const options = { radius: radius / 2, matching: 'hungarian' } as const;
      both += matchPicks(placesOf(other), placesOf(picks), options).pairs.length;
    }
    expect(both).toBeGreaterThan(3);
    const expected = `both ${both} · only here ${60 - both} · only there ${70 - both}`;
    await expect.poll(() => tab.locator('.display .quiet').textContent()).toBe(expected);
  }, 60_000);

  it('with a truth, hits, false picks and missed particles have three styles', async () => {
    const [hit, wrong, missed] = [at(250, 300), at(650, 300), at(950, 700)];
    const { shown } = await makeProject({
      picks: [ribosome(hit), ribosome(wrong, 0.8)],
      truth: [ribosome(at(260, 300)), ribosome(missed)],
    });
    const { tab, problems } = await open(shown);
    await settled(tab);
    expect(await lookOf(tab, hit)).toMatchObject({ hasDot: true, hasGap: false });
    expect(await lookOf(tab, wrong)).toMatchObject({ hasDot: false, hasGap: true });
    expect(await lookOf(tab, missed)).toMatchObject({ hasCross: true, colored: 0 });
    await tab.getByLabel('Truth').selectOption('— none —');
    await twoFrames(tab);
    await addressed(tab);
    expect(await tab.locator('details').isVisible()).toBe(false);
    expect(await lookOf(tab, wrong)).toMatchObject({ hasDot: false, hasGap: false });
    expect(await lookOf(tab, missed)).toMatchObject({ hasCross: false, colored: 0 });
    expect(problems).toEqual([]);
  }, 60_000);

  it('a rejected pick is dashed, and rings of an object that is switched off are gone', async () => {
    const place = at(650, 300);
    const { shown } = await makeProject({ picks: [ribosome(place)] });
    const { tab } = await open(shown);
    await settled(tab);
    expect((await lookOf(tab, place)).colored).toBeGreaterThan(0.95);
    await tab.keyboard.press('j');
    await tab.keyboard.press('x');
    await tab.mouse.click(200, 500);
    await addressed(tab);
    await tab.getByLabel('Slice across z').fill('19');
    await addressed(tab);
    const { colored } = await lookOf(tab, place);
    expect(colored).toBeGreaterThan(0.4);
    expect(colored).toBeLessThan(0.9);
    await tab.getByRole('button', { name: 'Show ribosome' }).click();
    await addressed(tab);
    expect((await lookOf(tab, place)).colored).toBe(0);
  }, 60_000);

  it('a segmentation lies over all three slices where its voxels are, in the colours of its objects', async () => {
    const { shape } = isotropic;
    const inBox = (z: number, y: number, x: number) => z >= 10 && z < 30 && y >= 20 && y < 60 && x >= 30 && x < 90;
    const data = Uint8Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => {
      const [z, y, x] = [Math.floor(i / 12_000), Math.floor(i / 120) % 100, i % 120];
      if (!inBox(z, y, x)) return 0;
      return x < 60 ? 1 : 2;
    });
    const { shown, project } = await makeProject();
    const run = await project.run('TS_1');
    const labels = sourceFromArray({ data, shape: [...shape] }, { voxelSize: [10, 10, 10] });
    const by = { userId: 'me', sessionId: '1', voxelSpacing: 10 };
    await run.writeSegmentation(labels, { ...by, name: 'painting', kind: 'multilabel' });
    const mask = sourceFromArray(
      { data: data.map((label) => (label === 0 ? 0 : 1)), shape: [...shape] },
      { voxelSize: [10, 10, 10] },
    );
    await run.writeSegmentation(mask, { ...by, name: 'apo-ferritin', kind: 'binary' });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await tab.getByLabel('Segmentation').selectOption({ label: 'painting · me/1 · multilabel@10.000' });
    await expect.poll(() => colorAt450(tab)).toSatisfy(([red, , blue]: number[]) => blue! > red! + 10);
    await addressed(tab);
    const view = viewOf(tab);
    const across = { xy: 2, xz: 1, zy: 0 } as const;
    for (const plane of planeNames) {
      const drawing = await drawingOf(tab, plane);
      const place = placeIn(plane, view, drawing);
      for (let i = 0; i < 400; i++) {
        const voxel = [(7 * i) % 120, (13 * i) % 100, (3 * i) % 40] as [number, number, number];
        voxel[across[plane]] = Math.round(view.at[across[plane]]! / 10);
        const [x, y, z] = voxel;
        const { left, top } = place([10 * x, 10 * y, 10 * z]);
        const [px, py] = [Math.floor(left), Math.floor(top)];
        const isInside = px > 0 && py > 0 && px < drawing.width - 1 && py < drawing.height - 1;
        const onCross = [0, 1].some((axis) => {
          const cross = place(view.at);
          return Math.abs(axis === 0 ? px - cross.left : py - cross.top) < 3;
        });
        // Not at the faces of the box, where neighbours are mixed in.
        const faces = [x - 30, x - 60, x - 90, y - 20, y - 60, z - 10, z - 30].some((away) => away >= -1 && away <= 1);
        if (!isInside || onCross || faces) continue;
        const [red, , blue] = drawing.colorAt(px, py);
        const expected = inBox(z, y, x) ? (x < 60 ? 'blue' : 'orange') : 'grey';
        const found = Math.abs(red - blue) <= 10 ? 'grey' : red > blue ? 'orange' : 'blue';
        expect({ plane, voxel, found }).toEqual({ plane, voxel, found: expected });
      }
    }
    await tab.getByLabel('Segmentation').selectOption({ label: 'apo-ferritin · me/1 · binary@10.000' });
    await expect.poll(() => colorAt450(tab)).toSatisfy(([red, , blue]: number[]) => red! > blue! + 10);
    await tab.getByLabel('Segmentation').selectOption('— none —');
    await twoFrames(tab);
    const color = await colorAt450(tab);
    expect(Math.max(...color) - Math.min(...color)).toBe(0);
    expect(problems).toEqual([]);
  }, 60_000);
});
