import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { pageAlias, pageEntries, withoutForbiddenCodecs } from '../../scripts/page-build.ts';
import { memoryStore, type StoreKey } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import type { ViewSession } from '../../src/entry/web.ts';
import { type ServedStore, type StoreServer, serveStores } from '../../src/node/store-server.ts';
import { chromiumPath } from './chromium.ts';

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

/** The page of `view` as browsers get it, by file name. Built once per test file. */
export async function builtPage(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { ...pageEntries },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    splitting: true,
    outdir: '/',
    logLevel: 'silent',
    alias: { ...pageAlias },
    plugins: [withoutForbiddenCodecs],
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  for (const name of ['index.html', 'style.css']) files.set(`/${name}`, await readFile(source(`page/${name}`)));
  return files;
}

/** What `view` serves of this package and of onnxruntime-web. */
const packageFiles = [
  ['ort', directoryStore(fileURLToPath(new URL('../../node_modules/onnxruntime-web/dist', import.meta.url)))],
  ['model', directoryStore(fileURLToPath(new URL('../../models', import.meta.url)))],
] as const;

/** What the page is to show. */
export interface Shown {
  readonly session: Pick<ViewSession, 'open'> & Partial<ViewSession>;
  /** Folders by the name of their store; those named `overlay` are written. */
  readonly folders: Readonly<Record<string, string>>;
}

/** What `session.json` says. */
function sessionOf({ session, folders }: Shown): ViewSession {
  return {
    version: 1,
    packageVersion: '0.0.0',
    title: 'test',
    writable: 'overlay' in folders,
    userId: 'me',
    sessionId: '1',
    install: 'npm install onnxruntime-web',
    runtime: { version: '0.0.0', wasm: './ort/ort.wasm.bundle.min.mjs', webgpu: './ort/ort.webgpu.bundle.min.mjs' },
    model: { network: './model/default.onnx', card: './model/default.json' },
    isExport: false,
    ...session,
  };
}

/** Serves the page and folders as `view` does, at an address of its own. */
export function servePage(page: ReadonlyMap<string, Uint8Array>, shown: Shown): Promise<StoreServer> {
  const top = memoryStore([
    ...[...page].map(([path, bytes]) => [path as StoreKey, bytes] as const),
    ['/session.json', new TextEncoder().encode(JSON.stringify(sessionOf(shown)))],
  ]);
  const data = new Map<string, ServedStore>();
  for (const [name, folder] of Object.entries(shown.folders)) {
    const store = directoryStore(folder);
    data.set(name, { store, folder, writable: name === 'overlay' ? store : undefined });
  }
  return serveStores({ data, files: new Map([['', top], ...packageFiles]) }, { port: 0 });
}

/** How the page is opened. */
export interface TabOptions extends BrowserContextOptions {
  /** The fragment of the address. */
  readonly fragment?: string | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** The page with a browser to open it in. */
export interface PageBench {
  /** Serves folders under the content security policy of `view`, and opens the page on them. */
  open(shown: Shown & TabOptions): Promise<Visit>;
  /** Opens the page at an address. */
  openAt(address: string, options?: TabOptions): Promise<Visit>;
  close(): Promise<void>;
}

/** An open page. */
export interface Visit {
  readonly tab: Page;
  /** Errors: what nothing in the page caught, what its policy refused, and whatever else the console shows as an error. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/**
 * Files that need not be there, and are asked for: metadata of either version of Zarr, picks and records before they are written, in
 * exported files lists of absent folders. Where another server than that of `view` answers, browsers show their absence as an error.
 */
const mayBeAbsent = /\/(\.z\w+|zarr\.json|Picks\/[^/]+|list\/.+\/index\.json)$/;
const isAbsence = (message: string, url: string) => /status of 404/.test(message) && mayBeAbsent.test(url);

/** Builds the page and starts Chromium. */
export async function openPageBench(): Promise<PageBench> {
  const files = await builtPage();
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath!,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const visit = async (
    address: string,
    { fragment = '', width = 1280, height = 720, ...options }: TabOptions,
    isExpected: (message: string, url: string) => boolean,
  ): Promise<Visit> => {
    const context = await browser.newContext({ viewport: { width, height }, acceptDownloads: true, ...options });
    const tab = await context.newPage();
    const problems: string[] = [];
    tab.on('pageerror', (error) => problems.push(String(error.stack ?? error)));
    tab.on('console', (message) => {
      const { url } = message.location();
      if (message.type() !== 'error' || isExpected(message.text(), url)) return;
      problems.push(`${message.text()} ${url}`);
    });
    await tab.goto(`${address}${fragment}`);
    return { tab, problems, close: () => context.close() };
  };
  return {
    openAt: (address, options = {}) => visit(address, options, isAbsence),
    async open({ session, folders, ...options }) {
      const server = await servePage(files, { session, folders });
      const { origin } = new URL(server.address);
      const isElsewhere = (url: string) => !url.startsWith(`${origin}/`);
      const opened = await visit(
        server.address,
        options,
        (message, url) => isElsewhere(url) && isAbsence(message, url),
      );
      let closed: Promise<void> | undefined;
      return { ...opened, close: () => (closed ??= opened.close().then(() => server.close())) };
    },
    close: () => browser.close(),
  };
}

/** Tests of the page in one Chromium, which is closed after them with all pages. */
export function describePage(title: string, tests: (bench: Omit<PageBench, 'close'>) => void): void {
  describe.skipIf(chromiumPath === undefined)(`${title} (needs Chromium)`, () => {
    let bench: PageBench;
    const visits: Visit[] = [];
    beforeAll(async () => {
      bench = await openPageBench();
    }, 60_000);
    afterEach(() => Promise.all(visits.splice(0).map((visit) => visit.close())).then(() => undefined));
    afterAll(() => bench?.close());
    const kept = async (opening: Promise<Visit>) => {
      const visit = await opening;
      visits.push(visit);
      return visit;
    };
    tests({ open: (shown) => kept(bench.open(shown)), openAt: (...where) => kept(bench.openAt(...where)) });
  });
}
