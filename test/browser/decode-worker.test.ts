import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { bundleForBrowser } from './bundle.ts';
import type { DecodePageResult } from './decode-page.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The worker compiles WebAssembly, too. */
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

describe.skipIf(chromiumPath === undefined)('decoding in a worker of Chromium (needs Chromium)', () => {
  let server: Server;
  let browser: Browser;
  let address: string;
  let asked: string[] = [];
  let isLeftBehind = false;

  beforeAll(async () => {
    const { outputFiles } = await bundleForBrowser(path('./decode-page.ts'));
    const files = new Map(outputFiles!.map((file) => [file.path.replace('/bundle', ''), file.contents]));
    const entryPoints = [path('../../src/web-decode-worker.ts')];
    const worker = await build({
      entryPoints,
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
    });
    server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      asked.push(url.pathname);
      const script = url.pathname === '/decode-worker.js' ? worker.outputFiles[0]!.contents : files.get(url.pathname);
      response.statusCode = url.pathname === '/decode-worker.js' && isLeftBehind ? 404 : 200;
      response.setHeader('Content-Security-Policy', policy);
      response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
      response.end(script ?? '<!doctype html><script type="module" src="/decode-page.js"></script>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-gpu'] });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function pageResult(): Promise<DecodePageResult> {
    asked = [];
    const tab = await browser.newPage();
    await tab.goto(address);
    const read = (): Promise<DecodePageResult | null> => tab.evaluate('globalThis.pageResult ?? null');
    await expect.poll(read, { timeout: 30_000 }).not.toBeNull();
    const result = (await read())!;
    await tab.close();
    return result;
  }

  it('reads bit for bit what was written, by the script that lies beside the bundle', async () => {
    expect((await pageResult()).right).toBe(true);
    expect(asked).toContain('/decode-worker.js');
  }, 60_000);

  it('decodes on the page where the bundler left the script behind', async () => {
    isLeftBehind = true;
    expect((await pageResult()).right).toBe(true);
    expect(asked).toContain('/decode-worker.js');
  }, 60_000);
});
