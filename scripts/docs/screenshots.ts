// Takes the pictures of the page in docs/images. Run: npm run build && npm run demo && npx tsx scripts/docs/screenshots.ts
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../../test/support/chromium.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { argv, execPath } = process;
const config = argv[2] ?? 'demo/project/copick.json';

/** Width and height of each picture: a small laptop, a large screen, a tablet. */
const sizes = [
  [1280, 720],
  [1920, 1080],
  [820, 1180],
] as const;

const view = spawn(execPath, [`${root}dist/cli.js`, 'view', config, '--no-open', '--json', '--port', '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox'] });
try {
  const [said] = (await once(view.stdout, 'data')) as [Buffer];
  const { address } = JSON.parse(said.toString()) as { readonly address: string };
  for (const [width, height] of sizes) {
    const tab = await browser.newPage({ viewport: { width, height } });
    await tab.goto(address);
    await tab.locator('.slice-xy .caption', { hasText: 'slice' }).waitFor();
    await tab.locator('.work').waitFor({ state: 'hidden' });
    // The best pick of the first object.
    await tab.keyboard.press('j');
    await tab.waitForTimeout(1500);
    await tab.screenshot({ path: `${root}docs/images/view-${width}.png` });
    await tab.close();
  }
} finally {
  await browser.close();
  view.kill();
}
