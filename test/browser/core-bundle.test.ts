import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bundleForBrowser } from './bundle.ts';

const core = fileURLToPath(new URL('../../src/entry/index.ts', import.meta.url));
const simulate = fileURLToPath(new URL('../../src/entry/simulate.ts', import.meta.url));
const formats = fileURLToPath(new URL('../../src/entry/formats.ts', import.meta.url));
const dependencies = [
  'zarrita',
  'valibot',
  'papaparse',
  'lru-cache',
  'onnxruntime-common',
  'fft.js',
  'fast-png',
  'numcodecs',
];
const external = [...dependencies, ...dependencies.map((name) => `${name}/*`)];

describe('the bundle of an entry', () => {
  it('the bundle of an entry builds for browsers and imports nothing of Node', async () => {
    const { metafile } = await bundleForBrowser(core);
    expect(Object.keys(metafile!.inputs).filter((path) => path.includes('node:'))).toEqual([]);
  });

  it('the simulation entry builds for browsers', async () => {
    await expect(bundleForBrowser(simulate)).resolves.toBeDefined();
  });

  it('the formats entry builds for browsers and evaluates no code', async () => {
    const { outputFiles } = await bundleForBrowser(formats);
    expect(outputFiles!.map((file) => file.text).join('\n')).not.toMatch(/\bnew Function\b|\beval\(/);
  });

  it('the core bundle holds the interface of picks formats, but no format', async () => {
    const { metafile } = await bundleForBrowser(core);
    const names = Object.keys(metafile!.inputs).flatMap((path) => /src\/formats\/(.*)\.ts$/.exec(path)?.[1] ?? []);
    expect(names.sort()).toEqual(['format']);
  });

  it('the core bundle evaluates no code', async () => {
    const { outputFiles } = await bundleForBrowser(core, external);
    const text = outputFiles!.map((file) => file.text).join('\n');
    expect(text).not.toMatch(/\bnew Function\b|\beval\(/);
  });

  it('the core bundle contains neither ndarray nor a runtime', async () => {
    const { metafile } = await bundleForBrowser(core);
    const inputs = Object.keys(metafile!.inputs);
    expect(
      inputs.filter((path) => /node_modules\/(ndarray|ndarray-ops|cwise|onnxruntime-(node|web))\//.test(path)),
    ).toEqual([]);
  });
});
