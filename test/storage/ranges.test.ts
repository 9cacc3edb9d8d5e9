import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteRange, httpStore, memoryStore, openTomogram, type ReadableStore } from '../../src/entry/index.ts';
import { coalesced, zipStore } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { type ScriptedServer, scriptedServer, serveBytes } from '../support/scripted-server.ts';
import { putRawArray } from '../support/zarr-arrays.ts';
import { zipBytes } from '../support/zip-bytes.ts';

const value = Uint8Array.from({ length: 10 }, (_, i) => i);
let folder: string;
let server: ScriptedServer;
const stores: Record<string, ReadableStore> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-'));
  await writeFile(join(folder, 'a'), value);
  server = await scriptedServer((request, response) => serveBytes(request, response, value));
  stores.memory = memoryStore([['/a', value]]);
  stores.directory = directoryStore(folder);
  stores.http = httpStore(server.url);
  stores.coalesced = coalesced(stores.memory);
  for (const method of [0, 8] as const) {
    const file = zipBytes([{ name: 'a', data: value, method }]);
    stores[`zip ${method}`] = zipStore(new Blob([file as BlobPart]));
  }
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

describe.each(['memory', 'directory', 'http', 'coalesced', 'zip 0', 'zip 8'])('a part of a value: %s', (name) => {
  it('getRange reads from an offset to the end without a length', async () => {
    const store = stores[name]!;
    expect(await store.getRange('/a', { offset: 4 })).toEqual(value.slice(4));
    expect(await store.getRange('/a', { offset: 0 })).toEqual(value);
    expect(await store.getRange('/a', { offset: 10 })).toEqual(new Uint8Array(0));
    expect(await store.getRange('/a', { offset: 4, length: undefined })).toEqual(value.slice(4));
  });

  it.each([
    { offset: -1, length: 2 },
    { offset: 0.5 },
    { offset: 0, length: Number.NaN },
    { suffixLength: -1 },
    {},
    null,
  ])('getRange throws for the range %j', async (range) => {
    const read = async () => stores[name]!.getRange('/a', range as unknown as ByteRange);
    await expect(read()).rejects.toMatchObject({ code: 'invalid-option', option: 'range' });
  });
});

it('a store refuses a file that is larger than its bound, by its path, without reading it', async () => {
  const file = join(folder, 'picks.json');
  await writeFile(file, '');
  await truncate(file, 3 * 2 ** 30);
  await expect(directoryStore(folder).get('/picks.json')).rejects.toMatchObject({
    code: 'unsupported',
    path: file,
    option: 'maxFileBytes',
  });
  await truncate(file, 100);
  await expect(directoryStore(folder, { maxFileBytes: 99 }).get('/picks.json')).rejects.toMatchObject({ path: file });
  expect(await directoryStore(folder, { maxFileBytes: 100 }).get('/picks.json')).toHaveLength(100);
  const zip = zipBytes([{ name: 'zarr.json', data: new Uint8Array(2 ** 20), method: 8 }]);
  const store = zipStore(new Blob([zip as BlobPart]), { maxMetadataBytes: 1000 });
  await expect(store.get('/zarr.json')).rejects.toMatchObject({ code: 'unsupported', option: 'maxMetadataBytes' });
  const small = zipStore(new Blob([zip as BlobPart]), { maxDirectoryBytes: 10 });
  await expect(small.list('/')).rejects.toMatchObject({ code: 'unsupported', option: 'maxDirectoryBytes' });
});

it('a chunk file on disk that is larger than its array allows is refused before it is read', async () => {
  const store = directoryStore(join(folder, 'image.zarr'));
  await putRawArray(store, '/0', { shape: [2, 2, 2], chunks: [2, 2, 2], value: () => 1 });
  const chunk = store.pathOf!('/0/0/0/0');
  await truncate(chunk, 2 ** 34);
  const tomogram = await openTomogram(store, { fallbackVoxelSize: 10 });
  await expect(tomogram.read({ start: [0, 0, 0], end: [1, 1, 1] })).rejects.toMatchObject({
    code: 'corrupt-data',
    path: chunk,
  });
});
