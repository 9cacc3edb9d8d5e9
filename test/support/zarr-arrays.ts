import type { ReadableStore, Store, StoreKey } from '../../src/storage/store.ts';

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
