import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bundleForBrowser } from './bundle.ts';

const core = fileURLToPath(new URL('../../src/index.ts', import.meta.url));
const simulate = fileURLToPath(new URL('../../src/simulate/index.ts', import.meta.url));
const formats = fileURLToPath(new URL('../../src/picks/formats/index.ts', import.meta.url));
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

describe('the core bundle', () => {
  it('builds for browsers and imports nothing of Node', async () => {
    const { metafile } = await bundleForBrowser(core);
    expect(Object.keys(metafile!.inputs).filter((path) => path.includes('node:'))).toEqual([]);
  });

  it('simulates in browsers too', async () => {
    await expect(bundleForBrowser(simulate)).resolves.toBeDefined();
  });

  it('reads the files of other programs in browsers too, without evaluating code', async () => {
    const { outputFiles } = await bundleForBrowser(formats);
    expect(outputFiles!.map((file) => file.text).join('\n')).not.toMatch(/\bnew Function\b|\beval\(/);
  });

  it('holds of the formats only CSV and the competition’s', async () => {
    const { metafile } = await bundleForBrowser(core);
    const names = Object.keys(metafile!.inputs).flatMap((path) => /picks\/formats\/(.*)\.ts$/.exec(path)?.[1] ?? []);
    expect(names.sort()).toEqual(['csv', 'format', 'submission']);
  });

  it('evaluates no code', async () => {
    const { outputFiles } = await bundleForBrowser(core, [...dependencies, ...dependencies.map((name) => `${name}/*`)]);
    const text = outputFiles!.map((file) => file.text).join('\n');
    expect(text).not.toMatch(/\bnew Function\b|\beval\(/);
  });

  it('is at most 60 kB minified without dependencies', async () => {
    const { outputFiles } = await bundleForBrowser(core, [...dependencies, ...dependencies.map((name) => `${name}/*`)]);
    const bytes = outputFiles!.reduce((sum, file) => sum + file.contents.length, 0);
    expect(bytes).toBeLessThanOrEqual(60_000);
  });

  it('does not contain ndarray or a runtime', async () => {
    const { metafile } = await bundleForBrowser(core);
    const inputs = Object.keys(metafile!.inputs);
    expect(
      inputs.filter((path) => /node_modules\/(ndarray|ndarray-ops|cwise|onnxruntime-(node|web))\//.test(path)),
    ).toEqual([]);
  });
});
