import { describe, expect, it } from 'vitest';
import { loadModel } from '../src/node-model.ts';
import { openTomogram } from '../src/ome-zarr/tomogram.ts';
import { writeTomogram } from '../src/ome-zarr/write.ts';
import { csvFormat } from '../src/picks/formats/csv.ts';
import { formatPicks, parsePicks } from '../src/picks/formats/format.ts';
import { formatSubmission } from '../src/picks/submission.ts';
import { httpStore } from '../src/storage/http.ts';
import { memoryStore } from '../src/storage/store.ts';
import { contiguousVolume, sourceFromArray } from '../src/volume/volume.ts';
import { zipStore } from '../src/zip/zip-store.ts';

const refusal = (message: string) => ({ code: 'invalid-option', message: expect.stringContaining(message) });
/** What plain JavaScript lets pass. */
const any = (value: unknown) => value as never;
const thrown = (act: () => unknown) => expect(async () => act()).rejects;

describe('what plain JavaScript may hand in by mistake', () => {
  it('is refused where a store is expected, with what makes one', async () => {
    await expect(openTomogram(any('/data/x.zarr'))).rejects.toMatchObject(
      refusal('found "/data/x.zarr"; wrap a path in'),
    );
    await expect(openTomogram(any(undefined))).rejects.toMatchObject(refusal('expected a store, found undefined'));
    const url = any(new URL('https://example.org/x.zarr?key=secret'));
    await expect(openTomogram(url)).rejects.toMatchObject(refusal('the URL https://example.org/x.zarr; wrap'));
    const source = sourceFromArray(contiguousVolume(new Float32Array(8), [2, 2, 2]));
    await expect(writeTomogram(any('x.zarr'), source)).rejects.toMatchObject(refusal('directoryStore(path)'));
    await expect(writeTomogram(memoryStore(), source, { levels: any('3') })).rejects.toMatchObject(
      refusal('levels is "3"'),
    );
  });

  it('is refused where a zip file is expected', async () => {
    await thrown(() => zipStore(any('https://example.org/x.zip'))).toMatchObject(refusal('give new URL(…), a Blob'));
  });

  it.each(['unet.onnx', undefined, {}])('is refused where a runtime is expected: %j', async (ort) => {
    await expect(loadModel(any(ort))).rejects.toMatchObject(refusal('hand in the runtime first: loadModel(ort, path)'));
  });

  it('is refused where a format, or runs, are expected', async () => {
    const pick = { object: 'a', position: { x: 1, y: 2, z: 3 }, score: 1 };
    const format = any('csv');
    await thrown(() => parsePicks('', { format })).toMatchObject(refusal('format is "csv", expected one of'));
    await thrown(() => formatPicks([], { format })).toMatchObject(refusal('such as csvFormat()'));
    const bare = any([pick]);
    await thrown(() => formatPicks(bare, { format: csvFormat() })).toMatchObject(refusal('expected runs, [{ run:'));
    await thrown(() => formatSubmission(bare)).toMatchObject(refusal('expected runs, [{ run:'));
  });

  it('is told of an address where nothing lies', async () => {
    const store = httpStore('https://example.org/x.zarr', { fetch: async () => new Response(null, { status: 404 }) });
    await expect(openTomogram(store)).rejects.toThrow('nothing was found there (404)');
  });
});
