/**
 * Checks the search of the built docs site, in Chromium: what people type leads to the page that has it, among the first six
 * results. Exit status 1 if it does not. Without Chromium it says so and checks nothing.
 *
 *     npx tsx scripts/docs/check-search.ts
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../../test/support/chromium.ts';

/** What is typed, and a page that must be among the first results. */
const expected: Readonly<Record<string, string>> = {
  NMS: 'functions/suppressNearby',
  crop: 'functions/boxMask',
  threshold: 'guides/choose-thresholds',
  'best n': 'reference/peaks',
  ImageData: 'functions/renderFigure',
  cluster: 'functions/dbscan',
  lamella: 'guides/masks',
  mask: 'guides/masks',
  invert: 'guides/voxel-size-and-contrast',
  bin: 'functions/resampled',
  slurm: 'guides/many-tomograms',
  relion: 'guides/convert-picks',
  fbeta: 'reference/metric',
};

const FIRST = 6;
const base = process.env.DOCS_BASE ?? '/';
const site = resolve(import.meta.dirname, '../../docs/.vitepress/dist');
if (chromiumPath === undefined) {
  console.log('search not checked: there is no Chromium');
  process.exit();
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

const server = createServer(({ url = '' }, response) => {
  const path = decodeURIComponent(new URL(url, 'http://site').pathname);
  const file = join(site, path.slice(base.length).replace(/(^|\/)$/, '$1index.html'));
  if (!path.startsWith(base) || !existsSync(file)) return void response.writeHead(404).end();
  response
    .writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
    .end(readFileSync(file));
});
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
const missing: string[] = [];
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`);
  for (const [typed, path] of Object.entries(expected)) {
    await page.getByRole('button', { name: 'Search' }).first().click();
    await page.locator('#localsearch-input').fill(typed);
    await page.locator(`.results[id="localsearch-list"] a.result`).first().waitFor();
    await page.waitForTimeout(500); // the list of the last letter
    const links = await page.locator('a.result').evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''));
    if (!links.slice(0, FIRST).some((link) => link.includes(path)))
      missing.push(`"${typed}" does not lead to ${path}, but to ${links.slice(0, FIRST).join(', ')}`);
    await page.keyboard.press('Escape');
  }
} finally {
  await browser.close();
  server.close();
}
for (const problem of missing) console.error(problem);
console.log(`${Object.keys(expected).length} words looked up, ${missing.length} in vain`);
process.exitCode = missing.length === 0 ? 0 : 1;
