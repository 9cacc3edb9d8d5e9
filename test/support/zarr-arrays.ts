import type { ReadableStore, Store, StoreKey } from '../../src/entry/index.ts';

/** Calls `visit` with every index of a shape, last dimension fastest. */
export function forEachIndex(shape: readonly number[], visit: (index: readonly number[]) => void): void {
  const index = shape.map(() => 0);
  const total = shape.reduce((a, b) => a * b, 1);
  for (let n = 0; n < total; n++) {
    visit(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

export interface RawArray {
  readonly shape: readonly number[];
  readonly chunks: readonly number[];
  /** NumPy's, as `<f4`. */
  readonly dtype?: string;
  readonly order?: 'C' | 'F';
  readonly separator?: '.' | '/';
  readonly fill?: unknown;
  readonly value: (index: readonly number[]) => number;
  /** Chunks to leave out, by key. */
  readonly without?: readonly string[];
}

/** Writes an uncompressed Zarr v2 array, byte by byte, without any of the code under test. */
export async function putRawArray(store: Store, folder: string, array: RawArray): Promise<void> {
  const { shape, chunks, dtype = '<f4', order = 'C', separator = '/', fill = 0, value, without = [] } = array;
  const at = (name: string): StoreKey => `${folder === '/' ? '' : folder}/${name}` as StoreKey;
  const metadata = {
    zarr_format: 2,
    shape,
    chunks,
    dtype,
    order,
    dimension_separator: separator,
    fill_value: fill,
    compressor: null,
    filters: null,
  };
  await store.set(at('.zarray'), new TextEncoder().encode(JSON.stringify(metadata)));
  const size = Number(dtype.slice(2));
  const count = chunks.reduce((a, b) => a * b, 1);
  const grid = shape.map((extent, i) => Math.ceil(extent / chunks[i]!));
  const work: Promise<void>[] = [];
  forEachIndex(grid, (chunk) => {
    const key = chunk.join(separator);
    if (without.includes(key)) return;
    const view = new DataView(new ArrayBuffer(count * size));
    forEachIndex(chunks, (inner) => {
      const index = inner.map((n, i) => n + chunk[i]! * chunks[i]!);
      if (index.some((n, i) => n >= shape[i]!)) return;
      const place = (axes: readonly number[]) => axes.reduce((sum, axis) => sum * chunks[axis]! + inner[axis]!, 0);
      const axes = chunks.map((_, axis) => axis);
      writeNumber(view, size * place(order === 'C' ? axes : axes.reverse()), dtype, value(index));
    });
    work.push(store.set(at(key), new Uint8Array(view.buffer)));
  });
  await Promise.all(work);
}

function writeNumber(view: DataView, at: number, dtype: string, value: number): void {
  const little = dtype[0] !== '>';
  const kind = dtype.slice(1);
  if (kind === 'f4') view.setFloat32(at, value, little);
  else if (kind === 'f8') view.setFloat64(at, value, little);
  else if (kind === 'f2') view.setUint16(at, halfBits(value), little);
  else if (kind === 'i1') view.setInt8(at, value);
  else if (kind === 'u1' || kind === 'b1') view.setUint8(at, value);
  else if (kind === 'i2') view.setInt16(at, value, little);
  else if (kind === 'u2') view.setUint16(at, value, little);
  else if (kind === 'i4') view.setInt32(at, value, little);
  else if (kind === 'u4') view.setUint32(at, value, little);
  else if (kind === 'i8') view.setBigInt64(at, BigInt(value), little);
  else if (kind === 'u8') view.setBigUint64(at, BigInt(value), little);
  else throw new Error(`unknown type ${dtype}`);
}

/** Bits of a half for whole numbers from 0 to 2048 in size. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = (Math.abs(value) / 2 ** exponent - 1) * 1024;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

/** Puts the metadata of an image with axes and levels beside its arrays. */
export async function putMultiscales(store: Store, multiscales: object): Promise<void> {
  const json = { multiscales: [{ version: '0.4', ...multiscales }] };
  await store.set('/.zattrs', new TextEncoder().encode(JSON.stringify(json)));
}

/** A store that keeps a list of what is read, and that can be made to wait. */
export function watchedStore(store: ReadableStore): ReadableStore & { reads: StoreKey[]; gate: Promise<unknown> } {
  const watched = {
    location: store.location,
    reads: [] as StoreKey[],
    gate: Promise.resolve() as Promise<unknown>,
    async get(key: StoreKey, options?: { signal?: AbortSignal | undefined }) {
      options?.signal?.throwIfAborted();
      watched.reads.push(key);
      await watched.gate;
      return store.get(key, options);
    },
    async getRange(key: StoreKey, range: Parameters<ReadableStore['getRange']>[1], options?: object) {
      watched.reads.push(key);
      await watched.gate;
      return store.getRange(key, range, options);
    },
  };
  return watched;
}

export interface ShardedArray {
  readonly shape: readonly number[];
  readonly shard: readonly number[];
  readonly chunk: readonly number[];
  readonly indexLocation?: 'start' | 'end';
  readonly value: (index: readonly number[]) => number;
  /** True for inner chunks, by index in the whole grid of inner chunks, that the index marks as absent. */
  readonly isAbsent?: (at: readonly number[]) => boolean;
  readonly checksum: (bytes: Uint8Array) => number;
}

/** Writes an uncompressed float32 Zarr v3 array in shards with a checksummed index, at the root of a store. */
export async function putShardedArray(store: Store, array: ShardedArray): Promise<void> {
  const { shape, shard, chunk, indexLocation = 'end', value, isAbsent = () => false, checksum } = array;
  const bytes = { name: 'bytes', configuration: { endian: 'little' } };
  const metadata = {
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type: 'float32',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: shard } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: -1,
    codecs: [
      {
        name: 'sharding_indexed',
        configuration: {
          chunk_shape: chunk,
          codecs: [bytes],
          index_codecs: [bytes, { name: 'crc32c' }],
          index_location: indexLocation,
        },
      },
    ],
  };
  await store.set('/zarr.json', new TextEncoder().encode(JSON.stringify(metadata)));
  const inner = shard.map((extent, i) => extent / chunk[i]!);
  const chunkBytes = 4 * chunk.reduce((a, b) => a * b, 1);
  const count = inner.reduce((a, b) => a * b, 1);
  const indexBytes = 16 * count + 4;
  const shards: { key: StoreKey; file: Uint8Array }[] = [];
  forEachIndex(
    shape.map((extent, i) => Math.ceil(extent / shard[i]!)),
    (place) => {
      const file = new Uint8Array(indexBytes + count * chunkBytes);
      const view = new DataView(file.buffer);
      const index = new DataView(new ArrayBuffer(indexBytes));
      let end = indexLocation === 'start' ? indexBytes : 0;
      let n = 0;
      forEachIndex(inner, (at) => {
        const chunkAt = at.map((i, axis) => i + place[axis]! * inner[axis]!);
        const absent = isAbsent(chunkAt);
        index.setBigUint64(16 * n, absent ? 2n ** 64n - 1n : BigInt(end), true);
        index.setBigUint64(16 * n++ + 8, absent ? 2n ** 64n - 1n : BigInt(chunkBytes), true);
        if (absent) return;
        forEachIndex(chunk, (i) => {
          view.setFloat32(end, value(i.map((offset, axis) => offset + chunkAt[axis]! * chunk[axis]!)), true);
          end += 4;
        });
      });
      const table = new Uint8Array(index.buffer);
      index.setUint32(indexBytes - 4, checksum(table.subarray(0, -4)), true);
      file.set(table, indexLocation === 'start' ? 0 : end);
      const length = indexLocation === 'start' ? end : end + indexBytes;
      shards.push({ key: `/c/${place.join('/')}`, file: file.slice(0, length) });
    },
  );
  for (const { key, file } of shards) await store.set(key, file);
}
