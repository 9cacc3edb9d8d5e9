import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { bundleForBrowser } from '../browser/bundle.ts';

it('the library reads zip files in browsers, without Node or evaluated code, and loads the zip library when it is used', async () => {
  const entry = fileURLToPath(new URL('../../src/storage/zip.ts', import.meta.url));
  const { outputFiles, metafile } = await bundleForBrowser(entry);
  expect(outputFiles!.map((file) => file.text).join('\n')).not.toMatch(/\bnew Function\b|\beval\(/);
  const first = Object.values(metafile!.outputs).find(({ entryPoint }) => entryPoint?.endsWith('storage/zip.ts'));
  expect(Object.keys(first!.inputs).filter((path) => path.includes('zip.js'))).toEqual([]);
  expect(Object.keys(metafile!.inputs).some((path) => path.includes('@zip.js/zip.js'))).toBe(true);
});
