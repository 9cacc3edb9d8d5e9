import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, it } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';

const folder = await tempDir();

const at = (path: string) => JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));

/** Writes and reads back a tomogram, reads a zstd chunk, and writes one: that encoder compiles code. */
const program = `
  import {
    contiguousVolume, httpStore, memoryStore, openTomogram, sourceFromArray, writeTomogram,
  } from ${at('entry/index.ts')};
  httpStore('https://example.org');
  const data = Float32Array.from({ length: 4096 }, (_, i) => i % 50);
  const store = memoryStore();
  await writeTomogram(store, sourceFromArray(contiguousVolume(data, [16, 16, 16])), { levels: 2 });
  const box = { start: [0, 0, 0], end: [16, 16, 16] };
  const back = await (await openTomogram(store)).read(box);
  console.log(back.data.every((v, i) => v === data[i]));
  const metadata = JSON.parse(new TextDecoder().decode(await store.get('/0/.zarray')));
  await store.set('/0/.zarray', new TextEncoder().encode(JSON.stringify({ ...metadata, compressor: { id: 'zstd' } })));
  // One block: 16384 times the same byte.
  await store.set('/0/0/0/0', Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0x40, 0, 0, 0x03, 0, 0x02, 0x40]));
  const plain = await (await openTomogram(store)).read(box);
  console.log(plain.data.every((v) => v === new Float32Array(new Uint8Array(4).fill(0x40).buffer)[0]));
  const other = memoryStore([['/notes.txt', new Uint8Array(1)]]);
  try {
    await writeTomogram(other, sourceFromArray(contiguousVolume(data, [16, 16, 16])), { format: 'zarr3', overwrite: true });
  } catch (error) {
    console.log(error.code, error.message, (await other.list('/')).length);
  }
`;

it('the library bundles for a browser without Node, and reads blosc-lz4 and zstd where eval is forbidden', () => {
  const entry = join(folder, 'program.mjs');
  writeFileSync(entry, program);
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    alias: { '#decode-pool': fileURLToPath(new URL('../../src/web/decode-pool.ts', import.meta.url)) },
    nodePaths: [fileURLToPath(new URL('../../node_modules', import.meta.url))],
  });
  const bundle = join(folder, 'bundle.mjs');
  writeFileSync(bundle, outputFiles[0]!.text);
  const out = execFileSync(process.execPath, ['--disallow-code-generation-from-strings', bundle], { encoding: 'utf8' });
  expect(out.split('\n').slice(0, 3)).toEqual([
    'true',
    'true',
    'unsupported encoding zstd needs "unsafe-eval", which the Content-Security-Policy of this page forbids; write the format "zarr2" 1',
  ]);
});
