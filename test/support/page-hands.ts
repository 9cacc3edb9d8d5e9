import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

/** Waits until everything is read and drawn, and the address says what is shown. */
export async function settled(tab: Page): Promise<void> {
  await expect.poll(() => tab.locator('.slice-xy .caption').textContent(), { timeout: 20_000 }).toMatch(/slice \d/);
  await expect.poll(() => tab.locator('.work').isVisible(), { timeout: 30_000 }).toBe(false);
  await addressed(tab);
}

/** Waits until the page has put into its address what a last press changed, and has drawn it. */
export async function addressed(tab: Page): Promise<void> {
  let before: string;
  do {
    before = tab.url();
    // The page waits 300 ms for a further change.
    await tab.waitForTimeout(350);
  } while (tab.url() !== before);
}

/** Presses keys one after another. */
export async function press(tab: Page, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) await tab.keyboard.press(key);
}

/** What the line at the bottom says. */
export function expectMessage(tab: Page, words: RegExp, timeout = 20_000): Promise<void> {
  return expect.poll(() => tab.locator('.message').textContent(), { timeout }).toMatch(words);
}

/** Saves the picks under the names that the page proposes. */
export async function save(tab: Page): Promise<void> {
  await tab.keyboard.press('s');
  await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
}

/** The line about an object. */
export function objectRow(tab: Page, name: string): Locator {
  return tab
    .locator('.object')
    .filter({ has: tab.getByTitle(`Show the slider and the picks of ${name}`, { exact: true }) });
}

/** Sets the threshold of an object by its number, and waits until the counts have followed. */
export async function cutAt(tab: Page, object: string, threshold: number): Promise<void> {
  const row = objectRow(tab, object);
  await row.locator('.name').click();
  await row.locator('.threshold').fill(String(threshold));
  await row.locator('.threshold').press('Enter');
  await twoFrames(tab);
}

/** Waits until the page has drawn what has changed. */
export function twoFrames(tab: Page): Promise<void> {
  return tab.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
}
