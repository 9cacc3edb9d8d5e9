import { readFileSync } from 'node:fs';
import { deflateSync, gzipSync } from 'node:zlib';
import { encodeZstd } from '../../../src/codecs/registry.ts';
import { memoryStore, openTomogram, type Store, type StoreKey, writeTomogram } from '../../../src/entry/index.ts';
import { openChannels } from '../../../src/entry/io.ts';
import { sourceOf } from '../volumes.ts';
import { readSome, type Target } from './targets.ts';

type Files = ReadonlyMap<StoreKey, Uint8Array>;

const encoder = new TextEncoder();

/** The files of an image of 9×10×11 voxels, in two levels. */
async function imageFiles(format: 'zarr2' | 'zarr3'): Promise<Files> {
  const files = new Map<StoreKey, Uint8Array>();
  const inner = memoryStore();
  const store: Store = {
    ...inner,
    async set(key, value, options) {
      files.set(key, value);
      await inner.set(key, value, options);
    },
  };
  const data = Float32Array.from({ length: 990 }, (_, i) => Math.round(Math.sin(i) * 100));
  const source = sourceOf(data, [9, 10, 11]);
  await writeTomogram(store, source, { levels: 2, chunkShape: [8, 8, 8], format });
  return files;
}

/** Opens an image in every way, and reads a corner of each level. */
async function readImage(files: Files): Promise<void> {
  const store = memoryStore(files);
  const tomogram = await openTomogram(store, { fallbackVoxelSize: 10 });
  await readSome(tomogram);
  for (let level = 1; level < Math.min(tomogram.levels.length, 3); level++)
    await readSome(await openTomogram(store, { level }));
  await openChannels(store);
}

/** One file of an image is mutated. */
function fileTarget(
  name: string,
  kind: Target['kind'],
  places: readonly (readonly ['zarr2' | 'zarr3', StoreKey])[],
): Target {
  return {
    name,
    kind,
    corpus: async () => Promise.all(places.map(async ([format, key]) => (await imageFiles(format)).get(key)!)),
    async run(bytes, item) {
      const [format, key] = places[item]!;
      images[format] ??= imageFiles(format);
      await readImage(new Map([...(await images[format]), [key, bytes]]));
    },
  };
}

const images: Partial<Record<'zarr2' | 'zarr3', Promise<Files>>> = {};

interface Chunk {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly size: number;
  readonly compressor: object | null;
}

/** One chunk, and the metadata of an array that it fills. */
function chunkTarget(name: string, chunks: () => Promise<readonly Chunk[]>): Target {
  let made: Promise<readonly Chunk[]> | undefined;
  const all = () => {
    made ??= chunks();
    return made;
  };
  return {
    name,
    kind: 'bytes',
    corpus: async () => (await all()).map(({ bytes }) => bytes),
    async run(bytes, item) {
      const { count, size, compressor } = (await all())[item]!;
      const array = {
        zarr_format: 2,
        shape: [1, 1, count],
        chunks: [1, 1, count],
        dtype: size === 1 ? '|u1' : size === 8 ? '<f8' : `<u${size}`,
        compressor,
        fill_value: 0,
        filters: null,
        order: 'C',
        dimension_separator: '/',
      };
      const store = memoryStore([
        ['/0/.zarray', encoder.encode(JSON.stringify(array))],
        ['/0/0/0/0', bytes],
      ]);
      await readSome(await openTomogram(store, { fallbackVoxelSize: 10 }));
    },
  };
}

type BloscBuffer = Record<'cname' | 'base64', string> & Record<'shuffle' | 'size' | 'count', number>;

async function bloscChunks(): Promise<Chunk[]> {
  const path = new URL('../../fixtures/blosc-buffers.json', import.meta.url);
  const buffers = JSON.parse(readFileSync(path, 'utf8')) as BloscBuffer[];
  return buffers.map(({ cname, shuffle, size, count, base64 }) => ({
    bytes: new Uint8Array(Buffer.from(base64 as string, 'base64')),
    count: count as number,
    size: size as number,
    compressor: { id: 'blosc', cname, shuffle, clevel: 5, blocksize: 0 },
  }));
}

async function plainChunks(): Promise<Chunk[]> {
  const data = new Uint8Array(Uint16Array.from({ length: 1000 }, (_, i) => (i * i) % 97).buffer);
  const of = (bytes: Uint8Array, compressor: object | null) => ({
    bytes: new Uint8Array(bytes),
    count: 1000,
    size: 2,
    compressor,
  });
  return [
    of(gzipSync(data), { id: 'gzip', level: 1 }),
    of(deflateSync(data), { id: 'zlib', level: 1 }),
    of(await encodeZstd(data, 3), { id: 'zstd', level: 1 }),
    of(data, null),
  ];
}

/** The parsers of OME-Zarr: each file of an image, and chunks. */
export const imageTargets: readonly Target[] = [
  fileTarget('zarray', 'json', [
    ['zarr2', '/0/.zarray'],
    ['zarr2', '/1/.zarray'],
  ]),
  fileTarget('zarr-json', 'json', [
    ['zarr3', '/0/zarr.json'],
    ['zarr3', '/1/zarr.json'],
  ]),
  fileTarget('multiscales', 'json', [
    ['zarr2', '/.zattrs'],
    ['zarr3', '/zarr.json'],
  ]),
  fileTarget('shard', 'bytes', [['zarr3', '/0/0/0/0']]),
  chunkTarget('blosc', bloscChunks),
  chunkTarget('chunk', plainChunks),
];
