import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
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

/** The page with a browser to open it in. */
export interface PageBench {
  /** Serves folders under the content security policy of `view`, and opens the page on them. */
  open(shown: Shown): Promise<Visit>;
  close(): Promise<void>;
}

/** What the page is to show. */
export interface Shown {
  readonly session: Pick<ViewSession, 'open'> & Partial<ViewSession>;
  /** Folders by the name of their store; those named `overlay` are written. */
  readonly folders: Readonly<Record<string, string>>;
  /** The fragment of the address. */
  readonly fragment?: string | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** An open page. */
export interface Visit {
  readonly tab: Page;
  /** Errors that nothing in the page caught, and what its policy refused. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/** Builds the page and starts Chromium. */
export async function openPageBench(): Promise<PageBench> {
  const files = await builtPage();
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath!,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  return {
    async open({ session, folders, fragment = '', width = 1280, height = 720 }) {
      const whole: ViewSession = {
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
      const top = memoryStore([
        ...[...files].map(([path, bytes]) => [path as StoreKey, bytes] as const),
        ['/session.json', new TextEncoder().encode(JSON.stringify(whole))],
      ]);
      const data = new Map<string, ServedStore>();
      for (const [name, folder] of Object.entries(folders)) {
        const store = directoryStore(folder);
        data.set(name, { store, folder, writable: name === 'overlay' ? store : undefined });
      }
      const server: StoreServer = await serveStores(
        { data, files: new Map([['', top], ...packageFiles]) },
        { port: 0 },
      );
      const context = await browser.newContext({ viewport: { width, height }, acceptDownloads: true });
      const tab = await context.newPage();
      const problems: string[] = [];
      tab.on('pageerror', (error) => problems.push(String(error.stack ?? error)));
      tab.on('console', (message) => {
        if (/Content Security Policy/i.test(message.text())) problems.push(message.text());
      });
      await tab.goto(`${server.address}${fragment}`);
      return {
        tab,
        problems,
        async close() {
          await context.close();
          await server.close();
        },
      };
    },
    close: () => browser.close(),
  };
}
