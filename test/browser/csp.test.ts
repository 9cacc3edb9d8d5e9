import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { bundleForBrowser } from './bundle.ts';
import type { PageResult } from './page.ts';

const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

describe.skipIf(chromiumPath === undefined)('the core in Chromium under a strict policy (needs Chromium)', () => {
  let server: Server;
  let browser: Browser;
  let address: string;

  beforeAll(async () => {
    const { outputFiles } = await bundleForBrowser(fileURLToPath(new URL('./page.ts', import.meta.url)));
    const files = new Map(outputFiles!.map((file) => [file.path.replace('/bundle', ''), file.contents]));
    server = createServer((request, response) => {
      response.setHeader('Content-Security-Policy', policy);
      const script = files.get(request.url ?? '');
      response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
      response.end(script ?? '<!doctype html><script type="module" src="/page.js"></script>');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-gpu'] });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('reads an uncompressed and a blosc-lz4 store, plans, scores, finds the planted peak and scores it', async () => {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.goto(address);
    // Not waitForFunction, which evaluates code in the page and is refused there.
    const read = (): Promise<PageResult[] | null> => page.evaluate('globalThis.pageResult ?? null');
    await expect.poll(read, { timeout: 30_000 }).not.toBeNull();
    const result = await read();
    expect(problems).toEqual([]);
    const expected = { position: { x: 170, y: 90, z: 50 }, picks: 1, score: 1, evalRefused: true };
    expect(result).toEqual([expected, expected]);
  }, 60_000);
});
