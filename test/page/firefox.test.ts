import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openProject } from '../../src/entry/node.ts';
import type { StoreServer } from '../../src/node/store-server.ts';
import { firefoxPath } from '../support/firefox.ts';
import { isotropic, makeProject, picksOfNode, ribosomesIn, simulatedProject } from '../support/page-project.ts';
import { drawingIn, expectCircles, planeNames, viewOf } from '../support/page-rings.ts';
import { builtPage, type Shown, servePage } from '../support/served-page.ts';

describe.skipIf(firefoxPath === undefined)('the page of view in Firefox (needs Firefox)', () => {
  let page: Map<string, Uint8Array>;
  let browser: Browser;
  const servers: StoreServer[] = [];

  beforeAll(async () => {
    page = await builtPage();
    browser = await puppeteer.launch({ browser: 'firefox', executablePath: firefoxPath!, headless: true });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await Promise.all(servers.map((server) => server.close()));
  });

  /** Opens the page, and waits until everything is read and drawn. */
  async function open(shown: Shown): Promise<{ readonly tab: Page; readonly problems: readonly string[] }> {
    const server = await servePage(page, shown);
    servers.push(server);
    const tab = await browser.newPage();
    await tab.setViewport({ width: 1280, height: 720 });
    const problems: string[] = [];
    tab.on('pageerror', (error) => problems.push(String(error)));
    tab.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await tab.goto(server.address);
    await expect.poll(() => text(tab, '.slice-xy .caption'), { timeout: 20_000 }).toMatch(/slice \d/);
    await expect.poll(() => isShown(tab, '.work'), { timeout: 30_000 }).toBe(false);
    await expect.poll(() => new URL(tab.url()).hash, { timeout: 5000 }).toContain('zoom=');
    return { tab, problems };
  }

  const text = (tab: Page, selector: string) =>
    tab.evaluate((path) => document.querySelector(path)?.textContent ?? '', selector);
  const isShown = (tab: Page, selector: string) =>
    tab.evaluate((path) => document.querySelector<HTMLElement>(path)?.checkVisibility() === true, selector);
  const message = (tab: Page, words: RegExp, timeout = 20_000) =>
    expect.poll(() => text(tab, '.message'), { timeout }).toMatch(words);
  const submit = (tab: Page) =>
    tab.evaluate(() => document.querySelector<HTMLButtonElement>('dialog[open] button[type=submit]')!.click());

  it('rings every pick at its place and nothing else, counts as its sliders say, and saves what was accepted and rejected', async () => {
    const given = ribosomesIn(isotropic, 12, 3);
    const { shown, project } = await makeProject({ picks: given });
    const { tab, problems } = await open(shown);
    const run = await project.run('TS_1');
    const picks = await run.picks({ userId: 'cryoet-picks' });
    let drawn = 0;
    for (const plane of planeNames) {
      const address = await tab.evaluate(
        (name) => document.querySelector<HTMLCanvasElement>(`.slice-${name} canvas`)!.toDataURL('image/png'),
        plane,
      );
      const expected = { picks, grid: isotropic, radii: { ribosome: 150 }, view: viewOf(tab) };
      drawn += expectCircles(drawingIn(address), plane, { ...expected, colors: { ribosome: [86, 180, 233] } });
    }
    expect(drawn).toBeGreaterThan(5);

    await tab.evaluate(() => {
      const slider = document.querySelector<HTMLInputElement>('.object input[type=range]')!;
      slider.value = '0.5';
      slider.dispatchEvent(new Event('input'));
    });
    const above = given.filter(({ score }) => score >= 0.5);
    expect(above.length).toBeGreaterThan(2);
    await expect.poll(() => text(tab, '.object .number')).toBe(String(above.length));

    for (const key of ['j', 'a', 'x', 's'] as const) await tab.keyboard.press(key);
    await submit(tab);
    await message(tab, new RegExp(`Saved ${above.length - 1} picks as me/1, 1 rejected`));
    expect(await run.picks({ userId: 'me' })).toHaveLength(above.length - 1);
    const [rejected] = await run.picks({ userId: 'me-rejected' });
    expect(rejected!.score).toBe([...given].sort((a, b) => b.score - a.score)[1]!.score);
    expect(problems).toEqual([]);
  }, 90_000);

  it('detects in WebAssembly, and finds the picks of Node', async () => {
    const { folder, shown } = await simulatedProject();
    const project = await openProject(`${folder}/copick.json`);
    const [run] = await project.runs();
    const expected = await picksOfNode(project);
    const { tab, problems } = await open(shown);
    await tab.keyboard.press('d');
    await expect.poll(() => text(tab, 'dialog[open] p'), { timeout: 20_000 }).toMatch(/MB of memory/);
    await submit(tab);
    await message(tab, new RegExp(`Found ${expected.length} picks`), 120_000);
    await tab.keyboard.press('s');
    await submit(tab);
    await message(tab, /Saved/);
    const found = await run!.picks({ userId: 'me' });
    expect(found).toHaveLength(expected.length);
    const scores = (picks: typeof found) => picks.map(({ score }) => score).sort((a, b) => a - b);
    scores(expected).forEach((score, i) => {
      expect(scores(found)[i]).toBeCloseTo(score, 3);
    });
    expect(problems).toEqual([]);
  }, 180_000);
});
