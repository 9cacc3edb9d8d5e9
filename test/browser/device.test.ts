import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/entry/node.ts';
import { WEBGPU_TOLERANCE } from '../../src/web/device-choice.ts';
import { chromiumPath } from '../support/chromium.ts';
import { visitModule } from '../support/served-module.ts';
import type { DeviceResult } from './device-page.ts';
import { patch } from './patch.ts';

const folders = { ort: 'node_modules/onnxruntime-web/dist', unet: 'test/fixtures/unet' };

/** WebGPU computed on the processor. */
const softwareAdapter = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Ends the process that computes for WebGPU, once the page does so. */
async function loseCard(tab: Page): Promise<void> {
  while (!(await tab.evaluate('globalThis.isReady ?? globalThis.pageResult ?? false'))) await setTimeout(100);
  const devTools = await tab.context().browser()!.newBrowserCDPSession();
  await devTools.send('Browser.crashGpuProcess');
}

describe.skipIf(chromiumPath === undefined)('devices in Chromium (needs Chromium)', () => {
  let expected: Float32Array;
  beforeAll(async () => {
    const unet = fileURLToPath(new URL('../fixtures/unet/unet.onnx', import.meta.url));
    const model = await loadModel(ort, unet, { threads: 1 });
    ({ data: expected } = await model.score(patch()));
    await model.dispose();
  });

  const difference = ({ logits }: DeviceResult) =>
    Math.max(...expected.map((value, i) => Math.abs(value - logits[i]!))) / Math.max(...expected.map(Math.abs));

  it('a browser without a graphics card computes in WebAssembly, says why, and gives what Node gives', async () => {
    const result = await visitModule<DeviceResult>('device-page', { folders });
    expect(result.choices).toEqual([{ device: 'wasm', reason: expect.stringMatching(/WebGPU/) }]);
    expect(difference(result)).toBeLessThan(WEBGPU_TOLERANCE);
    expect(result.codes).toEqual([
      expect.stringMatching(/^invalid-option: .*executionProviders/),
      expect.stringMatching(/^invalid-option: .*{ wasm, webgpu }/),
    ]);
  }, 120_000);

  it('WebGPU scores as WebAssembly does, the faster one is taken, and a card that is lost ends the call', async () => {
    const options = { folders, query: '?lose', chromiumArgs: softwareAdapter, during: loseCard };
    const result = await visitModule<DeviceResult>('device-page', options);
    expect(result.choices).toHaveLength(1);
    const [{ device, trial }] = result.choices as [DeviceResult['choices'][number]];
    expect(trial!.difference).toBeLessThan(WEBGPU_TOLERANCE / 10);
    expect(device).toBe(trial!.seconds.webgpu < trial!.seconds.wasm ? 'webgpu' : 'wasm');
    expect(difference(result)).toBeLessThan(WEBGPU_TOLERANCE);
    expect(result.loss).toMatch(/^model-failed: .*lost/);
  }, 180_000);
});
