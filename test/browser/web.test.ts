import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/entry/node.ts';
import { chromiumPath } from '../support/chromium.ts';
import { visitModule } from '../support/served-module.ts';
import { patch } from './patch.ts';
import type { WebResult } from './web-page.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

describe.skipIf(chromiumPath === undefined)(
  'the entry for browsers in Chromium, on the server of view (needs Chromium)',
  () => {
    let result: WebResult;

    beforeAll(async () => {
      const folders = { ort: 'node_modules/onnxruntime-web/dist', unet: 'test/fixtures/unet' };
      result = await visitModule<WebResult>('web-page', { folders });
    }, 120_000);

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
