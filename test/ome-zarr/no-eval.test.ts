import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'cryoet-picks-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (path: string) => JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));

/** Writes and reads back a tomogram, then meets a zstd chunk and writes one: that codec compiles code. */
const program = `
  import { memoryStore } from ${at('storage/store.ts')};
  import { httpStore } from ${at('storage/http.ts')};
  import { openTomogram } from ${at('ome-zarr/tomogram.ts')};
  import { writeTomogram } from ${at('ome-zarr/write.ts')};
  import { sourceFromArray, contiguousVolume } from ${at('volume/volume.ts')};
  httpStore('https://example.org');
  const data = Float32Array.from({ length: 4096 }, (_, i) => i % 50);
  const store = memoryStore();
  await writeTomogram(store, sourceFromArray(contiguousVolume(data, [16, 16, 16])), { levels: 2 });
  const box = { start: [0, 0, 0], end: [16, 16, 16] };
  const back = await (await openTomogram(store)).read(box);
  console.log(back.data.every((v, i) => v === data[i]));
  const metadata = JSON.parse(new TextDecoder().decode(await store.get('/0/.zarray')));
  await store.set('/0/.zarray', new TextEncoder().encode(JSON.stringify({ ...metadata, compressor: { id: 'zstd' } })));
  await store.set('/0/0/0/0', Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0, 0, 0]));
  try {
    await (await openTomogram(store)).read(box);
  } catch (error) {
    console.log(error.code, error.message);
  }
  const other = memoryStore([['/notes.txt', new Uint8Array(1)]]);
  try {
    await writeTomogram(other, sourceFromArray(contiguousVolume(data, [16, 16, 16])), { format: 'zarr3', overwrite: true });
  } catch (error) {
    console.log(error.code, error.message, (await other.list('/')).length);
  }
`;

it('bundles for a browser without Node, and reads blosc-lz4 where code may not be evaluated', () => {
  const entry = join(folder, 'program.mjs');
  writeFileSync(entry, program);
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    nodePaths: [fileURLToPath(new URL('../../node_modules', import.meta.url))],
  });
  const bundle = join(folder, 'bundle.mjs');
  writeFileSync(bundle, outputFiles[0]!.text);
  const out = execFileSync(process.execPath, ['--disallow-code-generation-from-strings', bundle], { encoding: 'utf8' });
  expect(out.split('\n').slice(0, 3)).toEqual([
    'true',
    'unsupported cannot read chunk 0/0/0 of array /0 of memory: decoding zstd needs "unsafe-eval", which the Content-Security-Policy of this page refuses',
    'unsupported encoding zstd needs "unsafe-eval", which the Content-Security-Policy of this page refuses; write the format "zarr2" 1',
  ]);
});
