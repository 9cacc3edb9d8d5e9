import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { croissantFixture, expectedOfCroissant } from '../support/croissant-fixture.ts';
import { bundleForBrowser } from './bundle.ts';
import type { CroissantPageResult } from './croissant-page.ts';

const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

describe('the copick entry', () => {
  it('builds for browsers and evaluates no code of its own', async () => {
    const entry = fileURLToPath(new URL('../../src/copick/index.ts', import.meta.url));
    const { outputFiles, metafile } = await bundleForBrowser(entry, ['numcodecs', 'numcodecs/*']);
    expect(Object.keys(metafile!.inputs).filter((path) => path.includes('node:'))).toEqual([]);
    expect(outputFiles!.map((file) => file.text).join('\n')).not.toMatch(/\bnew Function\b|\beval\(/);
  });
});

describe.skipIf(chromiumPath === undefined)('a Croissant in Chromium under a strict policy (needs Chromium)', () => {
  let server: Server;
  let browser: Browser;
  let address: string;

  /** A static host: the page, its script, and the files of the project; folders are not listed. */
  beforeAll(async () => {
    const entry = fileURLToPath(new URL('./croissant-page.ts', import.meta.url));
    const { outputFiles } = await bundleForBrowser(entry);
    const scripts = new Map(outputFiles!.map((file) => [file.path.replace('/bundle', ''), file.contents]));
    server = createServer(async (request, response) => {
      response.setHeader('Content-Security-Policy', policy);
      const url = request.url ?? '';
      if (url.startsWith('/data/')) {
        const file = join(croissantFixture, decodeURIComponent(url.slice('/data/'.length)));
        const bytes = await readFile(file).catch(() => undefined);
        return response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
      }
      const script = scripts.get(url);
      response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
      return response.end(script ?? '<!doctype html><script type="module" src="/croissant-page.js"></script>');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-gpu'] });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('has the runs, picks and voxels that copick reads', async () => {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.goto(address);
    const read = (): Promise<CroissantPageResult | null> => page.evaluate('globalThis.pageResult ?? null');
    await expect.poll(read, { timeout: 30_000 }).not.toBeNull();
    const runs = Object.entries(expectedOfCroissant.runs);
    const [tomogram] = expectedOfCroissant.runs.TS_5_4!.tomograms;
    const counts = runs.map(([name, { picks }]) => [name, picks.reduce((sum, { scores }) => sum + scores.length, 0)]);
    expect(await read()).toEqual({
      runs: runs.map(([name]) => name).sort(),
      sum: expect.closeTo(tomogram![3], 3),
      picks: Object.fromEntries(counts),
      refusal: 'read-only',
    });
    expect(problems).toEqual([]);
  }, 60_000);
});
