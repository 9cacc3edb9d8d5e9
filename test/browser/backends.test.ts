import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/entry/node.ts';
import { chromiumPath } from '../support/chromium.ts';
import { openPageSite, type PageSite } from '../support/page-site.ts';
import type { Scored } from './backend-page.ts';
import { patch } from './patch.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Of the greatest logit: back-ends add up in different orders, which costs a few roundings of float32. */
const TOLERANCE = 2e-6;

/** WebGPU computed on the processor. */
const softwareAdapter = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** A small U-Net of the recipe in training/unet, and its twins. */
const unets = ['unet', 'unet-float16', 'unet-int8'].map((name) => `test/fixtures/unet/${name}`);

/** A network with a reduction of integers, which WebGPU leaves to the processor. */
const notForGpu = 'test/fixtures/onnx/class-count-unknown';

/** The files of the repository, and where the bundle looks for it, the WebAssembly of the runtime. */
function hosted(path: string): Promise<Uint8Array | undefined> {
  const wasm = path.startsWith('/ort-wasm') && `node_modules/onnxruntime-web/dist${path}`;
  const card = path === `/${notForGpu}.json` && 'models/default.json';
  return readFile(repository(wasm || card || path.slice(1))).catch(() => undefined);
}

interface Native {
  readonly shape: readonly number[];
  readonly logits: Float32Array;
}

async function scoreNatively(network: string): Promise<Native> {
  const model = await loadModel(ort, repository(`${network}.onnx`), { threads: 1 });
  const { shape, data } = await model.score(patch());
  await model.dispose();
  return { shape, logits: data };
}

const greatest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Greatest difference of two networks' logits, as a part of the greatest logit of the first. */
function difference(a: Native, b: { readonly logits: ArrayLike<number> }): number {
  return greatest(a.logits.map((logit, i) => logit - b.logits[i]!)) / greatest(a.logits);
}

describe.skipIf(chromiumPath === undefined)('networks in Chromium (needs Chromium)', () => {
  let site: PageSite;
  beforeAll(async () => {
    const options = { file: hosted, chromiumArgs: softwareAdapter, patience: 150_000 };
    site = await openPageSite('backend-page', options);
  }, 60_000);
  afterAll(() => site?.close());

  async function visit(backend: string, networks: readonly string[]): Promise<readonly Scored[]> {
    const query = new URLSearchParams([['backend', backend], ...networks.map((network) => ['model', network])]);
    const { result, problems } = await site.visit<Scored[]>(`?${query}`);
    expect(problems).toEqual([]);
    return result;
  }

  it.each([['wasm'], ['webgpu'], ['webgpu of the default build']])(
    'networks in Chromium give the same logits by %s as natively',
    async (backend) => {
      const networks = ['models/default', ...unets];
      const found = await visit(backend, networks);
      const expected = await Promise.all(networks.map(scoreNatively));
      expect(found).toHaveLength(networks.length);
      found.forEach((scored, i) => {
        expect(scored).not.toHaveProperty('error');
        const { shape, logits } = scored as Exclude<Scored, { error: string }>;
        expect(shape).toEqual(expected[i]!.shape);
        expect(difference(expected[i]!, { logits }), networks[i]!).toBeLessThanOrEqual(TOLERANCE);
      });
    },
    180_000,
  );

  it('a network runs on WebGPU alone; one that needs the CPU is reported', async () => {
    const [refused] = await visit('webgpu', [notForGpu]);
    expect(refused).toEqual({ error: expect.stringContaining('assigned to the default CPU EP') });
  }, 60_000);
});

describe('a twin of a network', () => {
  it.each([
    ['unet-float16', 1e-3],
    ['unet-int8', 1e-2],
  ])('%s scores nearly as its network does, but not identically', async (name, most) => {
    const [network, twin] = await Promise.all([unets[0]!, `test/fixtures/unet/${name}`].map(scoreNatively));
    expect(twin!.shape).toEqual(network!.shape);
    expect(difference(network!, twin!)).toBeGreaterThan(TOLERANCE);
    expect(difference(network!, twin!)).toBeLessThan(most);
  });
});
