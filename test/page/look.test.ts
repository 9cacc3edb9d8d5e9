import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { press, settled, twoFrames } from '../support/page-hands.ts';
import { isotropic, makeProject, picksIn, ribosomesIn } from '../support/page-project.ts';
import { describePage } from '../support/served-page.ts';

/** The policy that was promised; more may be forbidden, nothing else is allowed. */
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; " +
  "img-src 'self' blob: data:; connect-src 'self' https:";

/** Controls that a screen reader would announce without a name. */
async function nameless(tab: Page): Promise<string[]> {
  const lines = (await tab.locator('body').ariaSnapshot()).split('\n').map((line) => line.trim());
  expect(lines.filter((line) => /^- button "/.test(line)).length).toBeGreaterThan(1);
  return lines.filter((line) =>
    /^- (button|combobox|slider|spinbutton|textbox|checkbox|img|listbox|option|dialog|region|progressbar)(?! ")/.test(
      line,
    ),
  );
}

/** Controls that lie outside of the window, overlap others of the header, or cut off their words. */
function misplaced(tab: Page): Promise<string[]> {
  return tab.evaluate(() => {
    const boxes = [...document.querySelectorAll<HTMLElement>('header > *, .display *, aside button, .slice-slider')]
      .filter((element) => element.offsetParent !== null)
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0);
    const nameOf = (element: Element) =>
      `${element.tagName} ${element.className} ${element.textContent?.slice(0, 20)}`.trim();
    const outside = boxes
      .filter(({ box }) => box.left < 0 || box.right > innerWidth + 0.5)
      .map(({ element, box }) => `${nameOf(element)} from ${box.left} to ${box.right}`);
    const inHeader = boxes.filter(({ element }) => element.parentElement?.tagName === 'HEADER');
    const overlapping = inHeader.flatMap((one, i) =>
      inHeader
        .slice(i + 1)
        .filter(
          ({ box }) =>
            box.left < one.box.right - 0.5 &&
            box.right > one.box.left + 0.5 &&
            box.top < one.box.bottom - 0.5 &&
            box.bottom > one.box.top + 0.5,
        )
        .map((other) => `${nameOf(one.element)} over ${nameOf(other.element)}`),
    );
    const cut = boxes
      .filter(({ element }) => element.tagName === 'BUTTON' && !element.matches('.title, .name'))
      .filter(({ element }) => element.scrollWidth > element.clientWidth + 1)
      .map(({ element }) => `${nameOf(element)} is cut off`);
    const wide = document.documentElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : [];
    return [...wide, ...outside, ...overlapping, ...cut];
  });
}

describePage('the look of the page of view', ({ open }) => {
  it('names with markup are shown as text', async () => {
    const name = '<img src=x onerror=alert(1)>';
    const { overlay, shown } = await makeProject({ picks: ribosomesIn(isotropic, 3, 3), runs: ['TS_1', name] });
    // Neither copick nor this library writes such a name, but a file can have it.
    for (const run of ['TS_1', name]) {
      const folder = join(overlay, 'ExperimentRuns', run, 'Picks');
      const file = JSON.parse(await readFile(join(folder, 'cryoet-picks_0_ribosome.json'), 'utf8'));
      const text = JSON.stringify({ ...file, pickable_object_name: name, user_id: name });
      await writeFile(join(folder, `cryoet-picks_0_${name}.json`), text);
      await writeFile(join(folder, `${name}_0_ribosome.json`), text);
    }
    const { tab, problems } = await open({
      ...shown,
      session: { ...shown.session, title: name },
      fragment: '#run=TS_1',
    });
    await settled(tab);
    await press(tab, 'j');
    expect(await tab.locator('header .title').textContent()).toBe(name);
    expect(await tab.locator('.object .name').allTextContents()).toContain(name);
    expect(await tab.getByLabel('Picks', { exact: true }).locator('option').allTextContents()).toContain(`${name}/0`);
    expect(await tab.getByLabel('Run', { exact: true }).locator('option').allTextContents()).toContain(name);
    await tab.getByRole('button', { name: 'Previous run' }).click();
    await settled(tab);
    await press(tab, 'j', 'g');
    await twoFrames(tab);
    expect(await tab.locator('img').count()).toBe(0);
    expect(problems).toEqual([]);
  }, 60_000);

  it('the policy that was promised is in force: no inline code, no code from strings, nothing from elsewhere but data over HTTPS', async () => {
    const { shown } = await makeProject();
    const { tab, problems } = await open(shown);
    const [header] = await Promise.all([
      tab.waitForResponse((response) => response.url().endsWith('/')).then((response) => response.headers()),
      tab.reload(),
    ]);
    expect(header['content-security-policy']!.split('; ')).toEqual(expect.arrayContaining(policy.split('; ')));
    expect(header['referrer-policy']).toBe('no-referrer');
    await settled(tab);
    expect(problems).toEqual([]);
    expect(await tab.evaluate(() => crossOriginIsolated)).toBe(true);
    const refused = await tab.evaluate(async () => {
      const seen: string[] = [];
      addEventListener('securitypolicyviolation', ({ effectiveDirective }) => seen.push(effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'globalThis.wasRun = true';
      const style = document.createElement('style');
      style.textContent = 'body { color: red }';
      const frame = document.createElement('iframe');
      frame.src = 'https://other.example/';
      const form = document.createElement('form');
      form.action = 'https://other.example/';
      document.body.append(script, style, frame, form);
      new Image().src = 'http://other.example/a.png';
      await fetch('http://other.example/').catch(() => undefined);
      const foreign = document.createElement('script');
      foreign.src = 'https://other.example/code.js';
      document.body.append(foreign);
      form.requestSubmit();
      for (let i = 0; i < 100 && new Set(seen).size < 6; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      form.remove();
      return { seen: [...new Set(seen)].sort(), wasRun: 'wasRun' in globalThis };
    });
    expect(refused.wasRun).toBe(false);
    expect(refused.seen).toEqual(
      ['connect-src', 'form-action', 'frame-src', 'img-src', 'script-src-elem', 'style-src-elem'].sort(),
    );
  }, 60_000);

  it('the help lists each key with what it does, and Esc closes it', async () => {
    const { shown } = await makeProject();
    const { tab } = await open(shown);
    await settled(tab);
    const help = tab.getByRole('dialog', { name: 'Help' });
    expect(await help.isVisible()).toBe(false);
    await press(tab, '?');
    await expect.poll(() => help.isVisible()).toBe(true);
    const keys = await help.locator('dt').allTextContents();
    const does = await help.locator('dd').allTextContents();
    const expected = [
      '?',
      'wheel',
      'drag',
      'space drag',
      'F',
      '1 … 9',
      'J K',
      'A',
      'X',
      'Z',
      'E',
      'Del',
      'G',
      'D',
      'S',
      'R',
      'I',
    ];
    for (const key of expected)
      expect({ key, listed: keys.some((one) => one.includes(key)) }).toEqual({ key, listed: true });
    expect(does).toHaveLength(keys.length);
    for (const words of does) expect(words).not.toBe('');
    expect(await help.textContent()).toMatch(/A ring is where the slice cuts a particle/);
    await press(tab, 'Escape');
    await expect.poll(() => help.isVisible()).toBe(false);
  }, 60_000);

  it('every control has a name for screen readers: on the page, in the gallery, in the help and in all dialogs', async () => {
    const { shown } = await makeProject({ picks: picksIn(isotropic, 12, 3), truth: picksIn(isotropic, 5, 4) });
    const { tab } = await open(shown);
    await settled(tab);
    await press(tab, 'j');
    await twoFrames(tab);
    expect(await nameless(tab)).toEqual([]);
    for (const key of ['g', '?']) {
      await press(tab, key);
      await twoFrames(tab);
      expect({ key, nameless: await nameless(tab) }).toEqual({ key, nameless: [] });
      await press(tab, 'Escape');
    }
    for (const [name, dialog] of [
      ['test', 'Open'],
      ['Detect', 'Detect'],
      ['Save', 'Save picks'],
      ['Export', 'Export picks'],
    ] as const) {
      await tab.locator('header').getByRole('button', { name }).click();
      expect(await tab.getByRole('dialog', { name: dialog, exact: true }).isVisible()).toBe(true);
      expect({ dialog, nameless: await nameless(tab) }).toEqual({ dialog, nameless: [] });
      await press(tab, 'Escape');
    }
  }, 60_000);

  it.each([
    [1280, 720],
    [1920, 1080],
    [820, 1180],
    [640, 360],
  ])(
    'at %i × %i nothing lies outside, over another or is cut off, whatever is open',
    async (width, height) => {
      const many = Array.from({ length: 9 }, (_, i) => ({
        name: i === 0 ? 'a-particle-with-a-name-that-is-quite-long-for-a-panel' : `object-${i}`,
        is_particle: true,
        label: i + 1,
        radius: 60,
      }));
      const picks = picksIn(isotropic, 30, 3).map((pick, i) => ({ ...pick, object: many[i % 9]!.name }));
      const { shown } = await makeProject({
        objects: many,
        picks,
        truth: picks.slice(10),
        runs: ['TS_0000_of_a_session_with_a_long_name_15', 'TS_2'],
      });
      const title = '/data/2026/sessions/a-long-path/copick_config_filesystem.json';
      const session = { ...shown.session, title };
      const { tab, problems } = await open({ ...shown, session, width, height });
      await settled(tab);
      await press(tab, 'j');
      for (const key of ['r', 'g', 'Escape', '?']) {
        await press(tab, key);
        await twoFrames(tab);
        expect({ key, misplaced: await misplaced(tab) }).toEqual({ key, misplaced: [] });
      }
      await press(tab, 'Escape');
      if (width > 900) {
        const isScrolled = await tab.evaluate(() => document.documentElement.scrollHeight > innerHeight);
        expect(isScrolled).toBe(false);
      }
      const { width: shownWidth, height: shownHeight } = (await tab.locator('.slice-xy canvas').boundingBox())!;
      expect(Math.min(shownWidth / width, shownHeight / height)).toBeGreaterThan(0.3);
      expect(problems).toEqual([]);
    },
    60_000,
  );
});
