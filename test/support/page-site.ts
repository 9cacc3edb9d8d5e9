import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { expect } from 'vitest';
import { bundleForBrowser } from '../browser/bundle.ts';
import { chromiumPath } from './chromium.ts';

/** What every page gets: nothing from elsewhere, no code from strings, WebAssembly only. */
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";

/** What a page left behind. */
export interface Visit<T> {
  /** Its `globalThis.pageResult`. */
  readonly result: T;
  /** The paths that it asked for, in order. */
  readonly asked: readonly string[];
  /** Errors that nothing in the page caught. */
  readonly problems: readonly string[];
}

/** A page under a strict policy on a static host of its own, and the Chromium to open it in. */
export interface PageSite {
  /**
   * Opens the page in a new tab, waits until it has set `globalThis.pageResult`, and closes the tab.
   *
   * @param options - `haste`: milliseconds by which the timers of the page run ahead each time the test looks at it.
   */
  visit<T>(query?: string, options?: { readonly haste?: number }): Promise<Visit<T>>;
  close(): Promise<void>;
}

/** Options of {@link openPageSite}. */
export interface PageSiteOptions {
  /** What the host has beside the page and its scripts, by path; nothing else is found. */
  readonly file?: (path: string) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** What Chromium is started with. */
  readonly chromiumArgs?: readonly string[];
  /** How long a page may take, in milliseconds. */
  readonly patience?: number;
}

const types: Readonly<Record<string, string>> = { js: 'text/javascript', wasm: 'application/wasm' };

/**
 * Serves a module of `test/browser` as a page, bundled for browsers, and starts Chromium.
 *
 * @param entry - Name of the module, without its ending.
 */
export async function openPageSite(
  entry: string,
  { file = () => undefined, chromiumArgs = ['--disable-gpu'], patience = 30_000 }: PageSiteOptions = {},
): Promise<PageSite> {
  const { outputFiles } = await bundleForBrowser(fileURLToPath(new URL(`../browser/${entry}.ts`, import.meta.url)));
  const files = new Map(outputFiles!.map(({ path, contents }) => [path.replace('/bundle', ''), contents]));
  files.set('/', new TextEncoder().encode(`<!doctype html><script type="module" src="/${entry}.js"></script>`));
  let asked: string[] = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    asked.push(path);
    const bytes = files.get(path) ?? (await file(path));
    response.setHeader('Content-Security-Policy', policy);
    const ending = path === '/' ? 'html' : (/\.(\w+)$/.exec(path)?.[1] ?? '');
    response.setHeader('Content-Type', ending === 'html' ? 'text/html' : (types[ending] ?? 'application/octet-stream'));
    response.writeHead(bytes ? 200 : 404).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', ...chromiumArgs] });
  return {
    async visit<T>(query = '', { haste = 0 } = {}) {
      asked = [];
      const tab = await browser.newPage();
      const problems: string[] = [];
      tab.on('pageerror', (error) => problems.push(String(error)));
      if (haste > 0) await tab.clock.install();
      await tab.goto(address + query);
      // Not waitForFunction, which evaluates code in the page and is refused there.
      const read = async (): Promise<T | null> => {
        if (haste > 0) await tab.clock.runFor(haste);
        return tab.evaluate('globalThis.pageResult ?? null');
      };
      await expect.poll(read, { timeout: patience, interval: 100 }).not.toBeNull();
      const result = (await read())!;
      await tab.close();
      return { result, asked, problems };
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}
