import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { Point } from '../../src/entry/index.ts';
import { addressed, objectRow, settled, twoFrames } from '../support/page-hands.ts';
import { isotropic, makeProject, ribosomesIn } from '../support/page-project.ts';
import { placeIn, viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

type Spot = readonly [left: number, top: number];

/** Lays fingers onto the page, moves each from its first place to its last, and lifts them. */
async function gesture(tab: Page, ...fingers: readonly (readonly [from: Spot, to: Spot])[]): Promise<void> {
  const client = await tab.context().newCDPSession(tab);
  const send = (type: 'touchStart' | 'touchMove' | 'touchEnd', share: number) =>
    client.send('Input.dispatchTouchEvent', {
      type,
      touchPoints:
        type === 'touchEnd'
          ? []
          : fingers.map(([from, to], id) => ({
              id,
              x: from[0] + share * (to[0] - from[0]),
              y: from[1] + share * (to[1] - from[1]),
            })),
    });
  await send('touchStart', 0);
  for (const share of [0.25, 0.5, 0.75, 1]) await send('touchMove', share);
  await send('touchEnd', 1);
  await addressed(tab);
}

/** The middle of the xy slice, and where positions show in it, on the screen. */
async function sliceOf(tab: Page) {
  const box = (await tab.locator('.slice-xy canvas').boundingBox())!;
  const place = placeIn('xy', viewOf(tab), box);
  return {
    middle: [box.x + box.width / 2, box.y + box.height / 2] as Spot,
    spotOf({ x, y, z }: Point): Spot {
      const { left, top } = place([x, y, z]);
      return [box.x + left, box.y + top];
    },
  };
}

describePage('fingers on the page of view', ({ open }) => {
  const tablet = { width: 820, height: 1180, hasTouch: true };

  it('one finger pans, two fingers zoom about the place between them, and a tap chooses a ring', async () => {
    const picks = ribosomesIn(isotropic, 3, 3);
    const { shown } = await makeProject({ picks });
    const { tab, problems } = await open({ ...shown, ...tablet });
    await settled(tab);
    const before = viewOf(tab);
    const { middle } = await sliceOf(tab);
    await gesture(tab, [middle, [middle[0] - 60, middle[1] + 40]]);
    const panned = viewOf(tab);
    expect(panned.zoom).toBe(before.zoom);
    expect(panned.center[0]).toBeCloseTo(before.center[0] + 60 / before.zoom, 0);
    expect(panned.center[1]).toBeCloseTo(before.center[1] - 40 / before.zoom, 0);
    expect(panned.at).toEqual(before.at);

    const [left, top] = [middle[0] + 50, middle[1] - 30];
    await gesture(
      tab,
      [
        [left - 40, top],
        [left - 80, top],
      ],
      [
        [left + 40, top],
        [left + 80, top],
      ],
    );
    const zoomed = viewOf(tab);
    expect(zoomed.zoom / panned.zoom).toBeCloseTo(2, 1);
    // What was between the fingers is there still.
    const held = (view: typeof panned) => [view.center[0] + 50 / view.zoom, view.center[1] - 30 / view.zoom];
    expect(held(zoomed)[0]).toBeCloseTo(held(panned)[0]!, -1);
    expect(held(zoomed)[1]).toBeCloseTo(held(panned)[1]!, -1);
    expect(zoomed.at).toEqual(before.at);

    const pick = picks[0]!;
    await tab.getByLabel('Slice across z').fill(String(Math.round(pick.position.z / 10)));
    await tab.getByRole('button', { name: 'Fit' }).tap();
    await addressed(tab);
    await tab.touchscreen.tap(...(await sliceOf(tab)).spotOf(pick.position));
    await twoFrames(tab);
    expect(await tab.locator('.facts').textContent()).toContain(`score ${pick.score.toFixed(3)}`);
    expect(problems).toEqual([]);
  }, 60_000);

  it('a review needs neither keys nor a wheel: sliders move slices and thresholds, buttons accept, reject, add and undo', async () => {
    const { shown } = await makeProject({ picks: ribosomesIn(isotropic, 12, 3) });
    const { tab, problems } = await open({ ...shown, ...tablet });
    await settled(tab);
    const tap = (name: string) => tab.getByRole('button', { name, exact: true }).tap();
    for (const plane of ['z', 'y', 'x']) {
      const slider = tab.getByLabel(`Slice across ${plane}`);
      const box = (await slider.boundingBox())!;
      await tab.touchscreen.tap(box.x + 0.8 * box.width, box.y + box.height / 2);
      await addressed(tab);
      const [value, last] = [Number(await slider.inputValue()), Number(await slider.getAttribute('max'))];
      expect(value / last).toBeGreaterThan(0.7);
      expect(viewOf(tab).at[{ x: 0, y: 1, z: 2 }[plane]!]).toBe(10 * value);
    }
    await tap('ribosome');
    const threshold = objectRow(tab, 'ribosome').getByRole('slider');
    const box = (await threshold.boundingBox())!;
    await tab.touchscreen.tap(box.x + 0.5 * box.width, box.y + box.height / 2);
    await twoFrames(tab);
    expect(Number(await objectRow(tab, 'ribosome').locator('.number').textContent())).toBeLessThan(12);
    for (const name of ['Next pick', 'Accept', 'Reject', 'Add a pick']) await tap(name);
    await twoFrames(tab);
    expect(await tab.locator('.row.accepted').count()).toBe(2);
    expect(await tab.locator('.row.rejected').count()).toBe(1);
    await tap('Undo');
    await twoFrames(tab);
    expect(await tab.locator('.row.accepted').count()).toBe(1);
    await tap('Gallery');
    await tab.locator('.tile').nth(1).tap();
    await twoFrames(tab);
    expect(await tab.locator('.tile').nth(1).getAttribute('aria-selected')).toBe('true');
    expect(problems).toEqual([]);
  }, 60_000);
});
