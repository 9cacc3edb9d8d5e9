import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directoryStore, loadModel } from '../../src/entry/node.ts';
import { type StoreServer, serveStores } from '../../src/node/store-server.ts';
import { chromiumPath } from '../support/chromium.ts';
import { tempDir } from '../support/temp-dir.ts';
import { bundleForBrowser } from './bundle.ts';
import { patch } from './patch.ts';
import type { WebResult } from './web-page.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const folderOf = (path: string) => directoryStore(repository(path), { readOnly: true });

describe.skipIf(chromiumPath === undefined)(
  'the entry for browsers in Chromium, on the server of view (needs Chromium)',
  () => {
    let server: StoreServer;
    let result: WebResult;

    beforeAll(async () => {
      const page = await tempDir();
      for (const entry of ['test/browser/web-page.ts', 'src/web/model-worker.ts']) {
        const { outputFiles } = await bundleForBrowser(repository(entry));
        for (const { path, contents } of outputFiles!) await writeFile(join(page, basename(path)), contents);
      }
      await writeFile(join(page, 'index.html'), '<!doctype html><script type="module" src="./web-page.js"></script>');
      const files = new Map([
        ['', directoryStore(page)],
        ['ort', folderOf('node_modules/onnxruntime-web/dist')],
        ['unet', folderOf('test/fixtures/unet')],
      ]);
      server = await serveStores({ data: new Map(), files }, { port: 0 });
      const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-gpu'] });
      try {
        const tab = await browser.newPage();
        await tab.goto(server.address);
        const read = () => tab.evaluate<WebResult | { error: string } | null>('globalThis.pageResult ?? null');
        let found = await read();
        while (found === null) {
          await setTimeout(100);
          found = await read();
        }
        if ('error' in found) throw new Error(found.error);
        result = found;
      } finally {
        await browser.close();
      }
    }, 120_000);
    afterAll(() => server?.close());

    it('a network computes in a worker, in threads that share memory, under the policy of view, and gives what Node gives', async () => {
      const model = await loadModel(ort, repository('test/fixtures/unet/unet.onnx'), { threads: 1 });
      const { data } = await model.score(patch());
      await model.dispose();
      const greatest = Math.max(...data.map(Math.abs));
      expect(Math.max(...data.map((value, i) => Math.abs(value - result.logits[i]!)))).toBeLessThan(greatest * 1e-5);
      const file = await readFile(repository('test/fixtures/unet/unet.onnx'));
      expect(result.sha256).toBe(createHash('sha256').update(file).digest('hex'));
      expect(result.isIsolated).toBe(true);
      expect(result.transferred).toEqual({ movedAway: true, cameBack: true });
    });

    it('each failure has its code, and no call waits for a worker that has ended', () => {
      expect(result.codes).toEqual({
        moved: 'invalid-option',
        aborted: 'Error: stopped',
        absentNetwork: 'not-found',
        noCard: 'invalid-option',
        notOnnx: 'model-failed',
        noRuntime: 'model-failed',
        noScript: 'model-failed',
        noDevice: 'invalid-option',
        disposedWhileComputing: 'model-failed',
        disposed: 'model-failed',
      });
    });

    it('a folder of the browser is a store: it reads, writes, lists, compares versions and deletes', () => {
      expect(result.store).toEqual({
        part: [7, 8, 9],
        tail: [98, 99],
        size: 100,
        names: ['b folder', 'x.json file'],
        absent: [undefined, undefined, 0],
        versions: [true, true],
        afterConflict: [1],
        winners: 1,
        codes: ['conflict', 'conflict', 'AbortError', 'read-only', 'corrupt-data', 'write-failed'],
        afterDelete: ['x.json'],
      });
    });
  },
);
