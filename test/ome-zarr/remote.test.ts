import { afterEach, describe, expect, it, vi } from 'vitest';
import { crc32c } from '../../src/codecs/checksum.ts';
import {
  type Box,
  type HttpStoreOptions,
  httpStore,
  memoryStore,
  type OpenTomogramOptions,
  openTomogram,
  type Store,
  type StoreKey,
  toFloat32,
  type Zyx,
} from '../../src/entry/index.ts';
import { fakeClock, type ScriptedServer, scriptedServer, serveBytes } from '../support/scripted-server.ts';
import { wholeBox } from '../support/volumes.ts';
import { putMultiscales, putRawArray, putShardedArray } from '../support/zarr-arrays.ts';

const shape: Zyx = [64, 64, 64];
const value = ([z, y, x]: readonly number[]) => 4096 * z! + 64 * y! + x!;
const isRight = (voxels: Float32Array | undefined) => voxels?.length === 64 ** 3 && voxels.every((v, i) => v === i);
let server: ScriptedServer | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  return server?.close();
});

async function shardedStore(): Promise<Store> {
  const store = memoryStore();
  await putShardedArray(store, { shape, shard: shape, chunk: [16, 16, 16], value, checksum: crc32c });
  return store;
}

async function plainStore(): Promise<Store> {
  const store = memoryStore();
  await putRawArray(store, '/0', { shape, chunks: [16, 16, 16], value });
  const scale = [{ type: 'scale', scale: [10, 10, 10] }];
  const axes = ['z', 'y', 'x'].map((name) => ({ name, unit: 'angstrom' }));
  await putMultiscales(store, { axes, datasets: [{ path: '0', coordinateTransformations: scale }] });
  return store;
}

async function serve(store: Store): Promise<ScriptedServer> {
  server = await scriptedServer((request, response) => {
    void store.get(new URL(request.url ?? '', 'http://x').pathname as StoreKey).then((bytes) => {
      serveBytes(request, response, bytes);
    });
  });
  return server;
}

/** Reads boxes over HTTP; the number of requests after opening, and what came. */
async function readRemotely(store: Store, boxes: readonly Box[], options: HttpStoreOptions = {}) {
  const { url, requests } = await serve(store);
  const opening: OpenTomogramOptions = { fallbackVoxelSize: 10 };
  const tomogram = await openTomogram(httpStore(url, options), opening);
  requests.length = 0;
  const volumes = await Promise.all(boxes.map(async (box) => toFloat32(await tomogram.read(box)).data));
  await server?.close();
  return { volumes, requests: [...requests] };
}

/** Every request on its own, as without merging. */
const apart: HttpStoreOptions = { maxBytes: 1 };

describe('requests of a whole image of 64 chunks', () => {
  it('an image in one shard takes 65 requests, or 5 if coalesced', async () => {
    const before = await readRemotely(await shardedStore(), [wholeBox(shape)], apart);
    expect(before.requests).toHaveLength(65);
    const after = await readRemotely(await shardedStore(), [wholeBox(shape)]);
    expect(after.requests).toHaveLength(5);
    expect(isRight(before.volumes[0])).toBe(true);
    expect(isRight(after.volumes[0])).toBe(true);
  });

  it('an image in separate files takes 64 requests, also for two concurrent readers', async () => {
    const twice = [wholeBox(shape), wholeBox(shape)];
    const after = await readRemotely(await plainStore(), twice);
    expect(after.requests).toHaveLength(64);
    expect(after.volumes.map(isRight)).toEqual([true, true]);
  });
});

describe('requests of a column of 4 chunks that lie apart in the shard', () => {
  const column: Box = { start: [0, 0, 0], end: [64, 16, 16] };
  const gap = 15 * 16 ** 3 * 4;

  it('coalesced requests bridge gaps up to the limit, but no longer ones', async () => {
    const store = await shardedStore();
    const bridged = await readRemotely(store, [column], { maxGapBytes: gap });
    expect(bridged.requests).toHaveLength(1 + 1);
    const separate = await readRemotely(store, [column], { maxGapBytes: gap - 1 });
    expect(separate.requests).toHaveLength(1 + 4);
    expect(bridged.volumes).toEqual(separate.volumes);
  });
});

it('openTomogram reads an image from a server that fails every third request', async () => {
  const store = await shardedStore();
  server = await scriptedServer((request, response, n) => {
    if (n % 3 === 1) response.writeHead(503).end();
    else if (n % 3 === 2) response.destroy();
    else
      void store.get(new URL(request.url ?? '', 'http://x').pathname as StoreKey).then((bytes) => {
        serveBytes(request, response, bytes);
      });
  });
  fakeClock(0);
  const tomogram = await openTomogram(httpStore(server.url), { fallbackVoxelSize: 10 });
  expect(isRight(toFloat32(await tomogram.read(wholeBox(shape))).data)).toBe(true);
});
