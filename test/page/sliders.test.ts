import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import {
  collectCandidates,
  estimateFalsePicks,
  type ParticlePick,
  picksFromCandidates,
  projectRules,
  scorePicks,
  suppressNearby,
  type Zyx,
} from '../../src/entry/index.ts';
import { cutAt, objectRow, press, settled, twoFrames } from '../support/page-hands.ts';
import { isotropic, makeProject, picksIn } from '../support/page-project.ts';
import { drawingIn } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';

/** The table of the score, by object: hits, false ones, missed ones, and F. */
async function tableOf(tab: Page): Promise<Record<string, string[]>> {
  const rows = await tab
    .locator('details tr')
    .evaluateAll((all) =>
      all.map((row) => [...row.querySelectorAll('td')].map(({ textContent }) => textContent ?? '')),
    );
  return Object.fromEntries(rows.filter(([name]) => name).map(([name, ...numbers]) => [name, numbers]));
}

/** Picks of which some hit a truth. */
function scored(): { readonly truth: readonly ParticlePick[]; readonly picks: readonly ParticlePick[] } {
  const truth = picksIn(isotropic, 20, 9);
  return {
    truth,
    picks: [...truth.map((pick, i) => ({ ...pick, score: (i + 1) / 21 })), ...picksIn(isotropic, 30, 11)],
  };
}

describePage('sliders in the page of view', ({ open }) => {
  it('moving a slider changes counts, score, table and the point on the precision-recall curve as the library computes them', async () => {
    const { shown, project } = await makeProject(scored());
    const { tab, problems } = await open({ ...shown, height: 900 });
    await settled(tab);
    const run = await project.run('TS_1');
    const [all, truth] = [await run.picks({ userId: 'cryoet-picks' }), await run.picks({ userId: 'curation' })];
    const rules = projectRules(project.objects, { truth: [...new Set(truth.map(({ object }) => object))] });
    for (const cut of [0.2, 0.55, 0.9]) {
      await cutAt(tab, 'ribosome', cut);
      const kept = all.filter(({ object, score }) => object !== 'ribosome' || score >= cut);
      const picks = suppressNearby(kept, { minDistance: 0 });
      const report = scorePicks([{ run: 'TS_1', truth, picks }], rules);
      const count = picks.filter(({ object }) => object === 'ribosome').length;
      expect(await objectRow(tab, 'ribosome').locator('.number').textContent()).toBe(String(count));
      expect(await tab.locator('.score').textContent()).toBe(report.score.toFixed(4));
      expect(await tableOf(tab)).toEqual(
        Object.fromEntries(
          Object.entries(report.objects).map(([name, { tp, fp, fn, fbeta }]) => [
            name,
            [String(tp), String(fp), String(fn), fbeta.toFixed(3)],
          ]),
        ),
      );
      const { precision, recall } = report.objects.ribosome!;
      const curve = tab.locator('canvas.curve');
      expect(await curve.getAttribute('aria-label')).toBe(
        `Precision ${precision.toFixed(3)} at recall ${recall.toFixed(3)}`,
      );
      const drawing = drawingIn(await curve.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
      const [left, top] = [10 + recall * (drawing.width - 20), drawing.height - 10 - precision * (drawing.height - 20)];
      expect(drawing.colorAt(Math.round(left), Math.round(top))).toEqual([255, 255, 255]);
    }
    expect(problems).toEqual([]);
  }, 60_000);

  it('dragging the handle of a slider raises its threshold, and rings and list follow', async () => {
    const { shown } = await makeProject(scored());
    const { tab } = await open(shown);
    await settled(tab);
    const row = objectRow(tab, 'ribosome');
    await row.locator('.name').click();
    await twoFrames(tab);
    const before = Number(await row.locator('.number').textContent());
    const slider = row.getByRole('slider');
    const { x, y, width, height } = (await slider.boundingBox())!;
    await tab.mouse.move(x + 6, y + height / 2);
    await tab.mouse.down();
    await tab.mouse.move(x + width * 0.6, y + height / 2, { steps: 4 });
    await tab.mouse.up();
    await twoFrames(tab);
    const [count, threshold] = [Number(await row.locator('.number').textContent()), await slider.inputValue()];
    expect(count).toBeLessThan(before);
    expect(Number(threshold)).toBeCloseTo(0.6, 1);
    expect(await row.locator('.threshold').inputValue()).toBe(Number(threshold).toFixed(3));
    expect(await tab.locator('.picks h2').textContent()).toBe(`${count} picks`);
    expect(await tab.locator('.row').first().getAttribute('aria-setsize')).toBe(String(count));
  }, 60_000);

  it('with stored candidates a slider gives the picks of the library at each threshold, and the next run has the same one', async () => {
    const runs = ['TS_1', 'TS_2'];
    const { shown, project } = await makeProject({ picks: picksIn(isotropic, 4, 2), runs });
    const candidates = await collectCandidates(
      picksIn(isotropic, 400, 7)
        .filter(({ score }) => score >= 0.1)
        .map(({ object, position: { x, y, z }, score }) => ({
          grid: isotropic,
          object,
          voxel: [z / 10, y / 10, x / 10] as Zyx,
          score,
        })),
      {
        grid: isotropic,
        objects: ['ribosome', 'apo-ferritin'],
        thresholds: { ribosome: 0.5, 'apo-ferritin': 0.5 },
        minDistances: { ribosome: 120, 'apo-ferritin': 48 },
        floors: { ribosome: 0.1, 'apo-ferritin': 0.1 },
        calibration: {
          ribosome: {
            ...{ floor: 0.1, minDistance: 120, sure: 0.88, doubtful: 0.5, concentration: 50 },
            weights: { constant: 1, score: 0.8, sureScore: 0, sureDensity: 0, doubtfulDensity: 0 },
          },
        },
      },
    );
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    const records = candidates.objects.map((object) => {
      return [object, { threshold: 0.5, minDistance: candidates.minDistances[object], mask: null }];
    });
    for (const name of runs) {
      const run = await project.run(name);
      await run.writeCandidates(candidates, author);
      await run.writePicks(picksFromCandidates(candidates), { ...author, provenance: Object.fromEntries(records) });
    }
    const { tab, problems } = await open(shown);
    await settled(tab);
    const row = objectRow(tab, 'ribosome');
    for (const ribosome of [0.5, 0.2, 0.85]) {
      await cutAt(tab, 'ribosome', ribosome);
      const picks = picksFromCandidates(candidates, { thresholds: { ribosome } });
      const count = picks.filter(({ object }) => object === 'ribosome').length;
      expect(await row.locator('.number').textContent()).toBe(String(count));
      const { falsePicks, interval } = estimateFalsePicks(candidates, { thresholds: { ribosome } }).ribosome!;
      const estimate = row.locator('.estimate');
      const words = (await estimate.textContent())!;
      expect(words).toContain(`~${Math.round(falsePicks!)} of ${count} undecided may be false`);
      expect(words).toContain(`${interval![0]} to ${interval![1]} in nine of ten tomograms`);
    }
    const unknown = objectRow(tab, 'apo-ferritin').locator('.estimate');
    expect(await unknown.textContent()).toMatch(/^How many may be false cannot be told: .*no calibration/);
    await tab.getByRole('button', { name: 'Next run' }).click();
    await settled(tab);
    await expect.poll(() => row.locator('.threshold').inputValue()).toBe('0.850');
    expect(problems).toEqual([]);
  }, 60_000);

  it('a slider over 2,000 candidates counts as the library wherever it is', async () => {
    const picks = picksIn(isotropic, 2000, 21);
    const { shown } = await makeProject({ picks, truth: picksIn(isotropic, 50, 22) });
    const { tab } = await open(shown);
    await settled(tab);
    const object = objectRow(tab, 'apo-ferritin');
    await object.locator('.name').click();
    const counts = await object.getByRole('slider').evaluate(async (slider: HTMLInputElement) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const seen: [string, string][] = [];
      for (let i = 5; i < 20; i += 3) {
        slider.value = String(i / 20);
        slider.dispatchEvent(new Event('input'));
        await frame();
        await frame();
        seen.push([slider.value, slider.closest('.object')!.querySelector('.number')!.textContent!]);
      }
      return seen;
    });
    for (const [threshold, count] of counts) {
      const expected = picks.filter(({ object, score }) => object === 'apo-ferritin' && score >= Number(threshold));
      expect({ threshold, count }).toEqual({ threshold, count: String(expected.length) });
    }
    // A thousand rows in the page made each move of a slider take twice the time.
    for (const [width, height] of [
      [1280, 720],
      [600, 800],
      [820, 1180],
    ] as const) {
      await tab.setViewportSize({ width, height });
      await twoFrames(tab);
      const rows = tab.locator('.row');
      expect(await rows.count()).toBeGreaterThan(3);
      expect(await rows.count()).toBeLessThan(60);
    }
    await tab.locator('.row').first().click();
    await press(tab, ...Array<string>(12).fill('j'));
    await twoFrames(tab);
    const chosen = tab.locator('.row.chosen');
    expect(await chosen.getAttribute('aria-posinset')).toBe('13');
    const [list, row] = [(await tab.locator('.list').boundingBox())!, (await chosen.boundingBox())!];
    expect(row.y).toBeGreaterThanOrEqual(list.y);
    expect(row.y + row.height).toBeLessThanOrEqual(list.y + list.height + 1);
  }, 60_000);
});

describe('the fixture of these tests', () => {
  it('has hits, false picks and missed particles at each threshold', () => {
    const { truth, picks } = scored();
    const { tp, fp, fn } = scorePicks([{ run: 'TS_1', truth, picks: picks.filter(({ score }) => score >= 0.55) }])
      .objects.ribosome!;
    for (const count of [tp, fp, fn]) expect(count).toBeGreaterThan(0);
  });
});
