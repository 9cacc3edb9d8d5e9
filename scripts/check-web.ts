/**
 * Builds the projects of `examples/web` with the packed package, as a user would, and drives each in Chromium: the page must be
 * isolated, find particles, and find fewer when its slider goes up. Exit status 1 if one fails.
 *
 *     npx tsx scripts/check-web.ts [--only vite] [--keep FOLDER]
 *
 * Needs the built package, the package registry, and Chromium.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { chromiumPath } from '../test/support/chromium.ts';

const { values } = parseArgs({ options: { only: { type: 'string' }, keep: { type: 'string' } } });
const root = resolve(import.meta.dirname, '..');

/** The folder of each project whose files are the site; next has a server of its own. */
const sites: Readonly<Record<string, string | undefined>> = {
  vite: 'dist',
  webpack: 'public',
  plain: '.',
  next: undefined,
};

/** Time for the search of 48×128×128 voxels on a slow machine. */
const PATIENCE = 180_000;

const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const work = values.keep ?? mkdtempSync(join(tmpdir(), 'cryoet-picks-web-'));
const packed = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', work], {
  cwd: root,
  encoding: 'utf8',
});
const tarball = join(work, packed.trim().split('\n').at(-1)!);
if (chromiumPath === undefined)
  throw new Error('there is no Chromium; install it, such as by `apt-get install chromium`');
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
let failed = 0;
try {
  for (const name of Object.keys(sites).filter((one) => (values.only ?? one) === one)) {
    const begin = performance.now();
    try {
      const said = await check(name);
      console.log(`${name}: ${said}, ${((performance.now() - begin) / 1000).toFixed(0)} s`);
    } catch (error) {
      failed++;
      console.error(`${name}: FAILED: ${(error as Error).message}`);
    }
  }
} finally {
  await browser.close();
  if (values.keep === undefined) rmSync(work, { recursive: true });
}
process.exitCode = failed === 0 ? 0 : 1;

async function check(name: string): Promise<string> {
  const folder = join(work, name);
  cpSync(join(root, 'examples/web', name), folder, { recursive: true });
  const npm = (...args: string[]) => execFileSync('npm', args, { cwd: folder, stdio: 'pipe', encoding: 'utf8' });
  npm('install', '--no-audit', '--no-fund', '--silent', tarball);
  npm('run', 'build');
  const site = sites[name];
  const server = site === undefined ? await startNext(folder) : await serve(join(folder, site));
  try {
    return await drive(browser, server.url);
  } finally {
    server.stop();
  }
}

interface Server {
  readonly url: string;
  readonly stop: () => void;
}

/** A file server as simple as they come, with the headers that isolate a page. */
async function serve(folder: string): Promise<Server> {
  const server = createServer(({ url = '' }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://site').pathname).replace(/\/$/, '/index.html');
    const file = join(folder, path);
    if (!existsSync(file)) return void response.writeHead(404, isolated).end();
    const type = types[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { ...isolated, 'content-type': type }).end(readFileSync(file));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function startNext(folder: string): Promise<Server> {
  const child = spawn(join(folder, 'node_modules/.bin/next'), ['start', '--hostname', '127.0.0.1', '--port', '0'], {
    cwd: folder,
  });
  let said = '';
  const url = await new Promise<string>((done, fail) => {
    child.stdout.on('data', (text) => {
      said += text;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found !== null) done(`${found[0]}/`);
    });
    child.once('exit', () => fail(new Error(`next ended: ${said}`)));
  });
  return { url, stop: () => child.kill() };
}

/** What the page found, before and after its slider went up. */
async function drive(chromiumBrowser: Browser, url: string): Promise<string> {
  const page = await chromiumBrowser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  try {
    await page.goto(url);
    const found = page.locator('#count');
    const counted = found.filter({ hasText: 'particles' }).waitFor({ timeout: PATIENCE });
    await counted.catch(async () => {
      const status = await page.locator('#status').textContent();
      throw new Error(`no particles in ${PATIENCE / 1000} s; the page says "${status}"; ${problems.join('; ')}`);
    });
    const status = await page.locator('#status').textContent();
    if (status !== 'Searched in threads.') throw new Error(`the page says "${status}": it is not isolated`);
    const before = Number.parseInt((await found.textContent())!, 10);
    await page.locator('#threshold').fill('0.99');
    const after = Number.parseInt((await found.textContent())!, 10);
    if (!(before > 0 && after < before)) throw new Error(`${before} particles, ${after} above 0.99`);
    return `${before} particles, ${after} above 0.99`;
  } finally {
    await page.close();
  }
}
