import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTerminal } from '../../src/cli/terminal.ts';
import { exportPage } from '../../src/cli/view-export.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { TextSink } from '../support/capture-cli.ts';
import { expectMessage, press, settled } from '../support/page-hands.ts';
import { drawingOf, planeNames } from '../support/page-rings.ts';
import { type ScriptedServer, scriptedServer, serveBytes } from '../support/scripted-server.ts';
import { builtPage, describePage } from '../support/served-page.ts';
import { tempDir } from '../support/temp-dir.ts';

const types: Readonly<Record<string, string>> = {
  html: 'text/html',
  css: 'text/css',
  js: 'text/javascript',
  mjs: 'text/javascript',
  json: 'application/json',
  wasm: 'application/wasm',
};

let host: ScriptedServer;
/** Paths that the host was asked for and does not have. */
const missing: string[] = [];

/** A plain server of files, without a header of its own, that has the exported page in a folder. */
beforeAll(async () => {
  const folder = await tempDir();
  const page = join(folder, 'page');
  for (const [path, bytes] of await builtPage()) {
    await mkdir(dirname(join(page, path)), { recursive: true });
    await writeFile(join(page, path), bytes);
  }
  const terminal = openTerminal({
    stdout: new TextSink(),
    stderr: new TextSink(),
    json: false,
    signal: new AbortController().signal,
  });
  await exportPage(terminal, { export: join(folder, 'site'), page, shape: [24, 40, 40] });
  const files = directoryStore(join(folder, 'site'));
  host = await scriptedServer(async (request, response) => {
    const path = decodeURIComponent(request.url!.split('?')[0]!.replace(/^\/below\//, '/')).replace(
      /\/$/,
      '/index.html',
    );
    response.setHeader('Content-Type', types[/\.(\w+)$/.exec(path)?.[1] ?? ''] ?? 'application/octet-stream');
    const bytes = await files.get(path as `/${string}`).catch(() => undefined);
    if (bytes === undefined) missing.push(path);
    serveBytes(request, response, bytes);
  });
}, 90_000);

afterAll(() => host.close());

describePage('the page that view --export writes', ({ openAt }) => {
  it('opens its sample, with picks and their candidates, from any static server by one click, asks it for nothing that is not there, and detects in one thread', async () => {
    const { tab, problems } = await openAt(`${host.url}/below/`);
    await settled(tab);
    expect(await tab.evaluate(() => crossOriginIsolated)).toBe(false);
    expect(await tab.getByLabel('Run', { exact: true }).inputValue()).toMatch(/^TS_/);
    for (const plane of planeNames) {
      const { width, height, colorAt } = await drawingOf(tab, plane);
      const seen = new Set<number>();
      for (let x = 0; x < width; x += 2) seen.add(colorAt(x, Math.floor(height / 2))[0]);
      expect(seen.size).toBeGreaterThan(8);
    }
    expect(await tab.getByLabel('Truth').inputValue()).toMatch(/^(curation|simulation)\//);
    expect(await tab.getByRole('banner').getByLabel('Picks').inputValue()).toBe('cryoet-picks/0');
    const counts = await tab.getByRole('region', { name: 'Objects' }).locator('output.number').allTextContents();
    expect(Math.max(...counts.map((count) => Number.parseInt(count, 10)))).toBeGreaterThan(0);
    expect(await tab.locator('.estimate').first().textContent()).not.toMatch(/picks that Detect found/);
    await press(tab, 'd');
    const dialog = tab.locator('dialog[open]');
    await expect.poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 }).toMatch(/MB of memory/);
    await dialog.getByRole('button', { name: 'Detect' }).click();
    await expectMessage(tab, /Found \d+ picks?/, 90_000);
    await press(tab, 's');
    await expectMessage(tab, /cannot be written from here; Export/);
    expect(problems).toEqual([]);
    expect(missing).toEqual([]);
  }, 180_000);
});
