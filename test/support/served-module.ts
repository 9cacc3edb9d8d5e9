import { writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { directoryStore } from '../../src/entry/node.ts';
import { serveStores } from '../../src/node/store-server.ts';
import { bundleForBrowser } from '../browser/bundle.ts';
import { chromiumPath } from './chromium.ts';
import { tempDir } from './temp-dir.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folderOf = (path: string) => directoryStore(resolve(repository('.'), path), { readOnly: true });

/** Options of {@link visitModule}. */
export interface VisitModuleOptions {
  /** Folders, absolute or of the repository, by the name under which the page finds them. */
  readonly folders: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly chromiumArgs?: readonly string[];
  /** Called once the page is open, while it works. */
  readonly during?: (tab: Page) => Promise<void>;
}

/**
 * Serves a module of `test/browser` as a page on the server of `view`, with the worker of `loadModel` beside it, opens it in Chromium,
 * and waits until it has set `globalThis.pageResult`.
 *
 * @param entry - Name of the module, without its ending.
 * @throws What the page gives as `{ error }`.
 */
export async function visitModule<T extends object>(
  entry: string,
  { folders, query = '', chromiumArgs = ['--disable-gpu'], during }: VisitModuleOptions,
): Promise<T> {
  const page = await tempDir();
  for (const path of [`test/browser/${entry}.ts`, 'src/web/model-worker.ts']) {
    const { outputFiles } = await bundleForBrowser(repository(path));
    for (const { path: name, contents } of outputFiles!) await writeFile(join(page, basename(name)), contents);
  }
  await writeFile(join(page, 'index.html'), `<!doctype html><script type="module" src="./${entry}.js"></script>`);
  const shown = Object.entries(folders).map(([name, path]) => [name, folderOf(path)] as const);
  const files = new Map([['', directoryStore(page)], ...shown]);
  const server = await serveStores({ data: new Map(), files }, { port: 0 });
  const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', ...chromiumArgs] });
  try {
    const tab = await browser.newPage();
    await tab.goto(server.address + query);
    await during?.(tab);
    // Not waitForFunction, which evaluates code in the page and is refused there.
    const read = () => tab.evaluate<T | { error: string } | null>('globalThis.pageResult ?? null');
    let found = await read();
    while (found === null) {
      await setTimeout(100);
      found = await read();
    }
    if ('error' in found) throw new Error(String(found.error));
    return found;
  } finally {
    await browser.close();
    await server.close();
  }
}
