import { describe, expect, it } from 'vitest';
import { crc32c } from '../../src/codecs/checksum.ts';
import { memoryStore, openTomogram, type Store, type StoreKey, toFloat32 } from '../../src/entry/index.ts';
import { openArray } from '../../src/ome-zarr/array.ts';
import { wholeBox } from '../support/volumes.ts';
import { forEachIndex, putRawArray, putShardedArray } from '../support/zarr-arrays.ts';

const value = ([z, y, x]: readonly number[]) => 100 * z! + 10 * y! + x!;
const shape = [5, 4, 7] as const;

async function readWhole(store: Store): Promise<number[]> {
  const tomogram = await openTomogram(store, { fallbackVoxelSize: 10 });
  return [...toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape))).data];
}

function expected(of: (index: readonly number[]) => number = value): number[] {
  const out: number[] = [];
  forEachIndex(shape, (index) => out.push(of(index)));
  return out;
}

async function change(store: Store, key: StoreKey, edit: (bytes: Uint8Array) => Uint8Array | undefined): Promise<void> {
  const bytes = (await store.get(key))!.slice();
  await store.set(key, edit(bytes) ?? bytes);
}

function flipped(bytes: Uint8Array, at: number, mask: number): undefined {
  bytes[at]! ^= mask;
}

async function changeMetadata(store: Store, key: StoreKey, edit: Record<string, unknown>): Promise<void> {
  const json = JSON.parse(new TextDecoder().decode((await store.get(key))!));
  await store.set(key, new TextEncoder().encode(JSON.stringify({ ...json, ...edit })));
}

describe('every type, order and separator', () => {
  const types = ['b1', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8'];
  const cases = types.flatMap((type) =>
    (type.endsWith('1') ? ['|'] : ['<', '>']).flatMap((endian) =>
      (['C', 'F'] as const).map((order) => ({ dtype: `${endian}${type}`, order })),
    ),
  );

  it.each(cases)('readChunk reads every type: $dtype in order $order', async ({ dtype, order }) => {
    const of =
      dtype[1] === 'b'
        ? (index: readonly number[]) => value(index) % 2
        : dtype.endsWith('1')
          ? (index: readonly number[]) => value(index) % 100
          : dtype[1] === 'u'
            ? value
            : (index: readonly number[]) => 200 - value(index);
    for (const separator of ['.', '/'] as const) {
      const store = memoryStore();
      await putRawArray(store, '/', { shape, chunks: [2, 3, 4], dtype, order, separator, value: of });
      expect(await readWhole(store)).toEqual(expected(of));
    }
  });

  it.each([
    ['<f4', 1.5, 1.5],
    ['<f4', 'NaN', Number.NaN],
    ['<f4', '-Infinity', Number.NEGATIVE_INFINITY],
    ['<f4', null, 0],
    ['<f2', 1.5, 1.5],
    ['|b1', true, 1],
    ['<i8', -7, -7],
    ['>u2', 9, 9],
  ])('readChunk fills absent chunks of %s with the fill value %j', async (dtype, fill, meaning) => {
    const store = memoryStore();
    await putRawArray(store, '/', {
      shape,
      chunks: [2, 3, 4],
      dtype,
      fill,
      value: () => 1,
      without: ['0/0/0', '2/1/1'],
    });
    const isAbsent = ([z, y, x]: readonly number[]) => (z! < 2 && y! < 3 && x! < 4) || (z! === 4 && y! === 3 && x! > 3);
    expect(await readWhole(store)).toEqual(expected((index) => (isAbsent(index) ? meaning : 1)));
  });

  it('openArray reads a bare NaN in the metadata, which Python writes', async () => {
    const store = memoryStore();
    await putRawArray(store, '/', { shape, chunks: [2, 3, 4], fill: 'NaN', value, without: ['0/0/0'] });
    await change(store, '/.zarray', (bytes) =>
      new TextEncoder().encode(new TextDecoder().decode(bytes).replace('"NaN"', 'NaN')),
    );
    expect((await readWhole(store))[0]).toBeNaN();
  });
});

describe('sharded arrays', () => {
  const sharded = { shape, shard: [4, 4, 4], chunk: [2, 2, 4], value, checksum: crc32c } as const;

  it.each(['start', 'end'] as const)(
    'readChunk reads shards with the index at the %s, and absent inner chunks',
    async (indexLocation) => {
      const store = memoryStore();
      const isAbsent = ([z, y]: readonly number[]) => z === 0 && y === 1;
      await putShardedArray(store, { ...sharded, indexLocation, isAbsent });
      await store.delete('/c/1/0/1');
      const isFill = ([z, y, x]: readonly number[]) => (z! < 2 && y! >= 2) || (z! >= 4 && x! >= 4);
      expect(await readWhole(store)).toEqual(expected((index) => (isFill(index) ? -1 : value(index))));
    },
  );

  it('readChunk requests an absent shard once, however many chunks it has', async () => {
    const store = memoryStore();
    await putShardedArray(store, sharded);
    await store.delete('/c/0/0/0');
    const asked: string[] = [];
    const watched = {
      ...store,
      getRange(key: StoreKey, ...rest: [never]) {
        asked.push(key);
        return store.getRange(key, ...rest);
      },
    };
    const array = await openArray(watched, '/');
    expect(await array!.readChunk([0, 0, 0])).toBeUndefined();
    expect(await array!.readChunk([1, 1, 0])).toBeUndefined();
    expect(asked).toEqual(['/c/0/0/0']);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array | undefined, RegExp]>([
    [
      'cut in its index',
      (bytes) => bytes.slice(0, 50),
      /in shard \/c\/0\/0\/0, 50 of the 68 bytes of the index are there/,
    ],
    ['cut by one byte', (bytes) => bytes.slice(0, -1), /checksum is 0x[0-9a-f]{8}, and 0x[0-9a-f]{8} is stored/],
    ['empty', () => new Uint8Array(0), / 0 of the 68 bytes of the index are there/],
    ['with a flipped bit in its index', (bytes) => flipped(bytes, bytes.length - 30, 4), /checksum/],
    ['with a flipped bit in its checksum', (bytes) => flipped(bytes, bytes.length - 1, 1), /checksum/],
  ])('readChunk throws for a shard %s', async (_, edit, message) => {
    const store = memoryStore();
    await putShardedArray(store, sharded);
    await change(store, '/c/0/0/0', edit);
    const failure = await readWhole(store).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'corrupt-data', message: expect.stringMatching(message) });
    expect(failure).toMatchObject({
      message: expect.stringMatching(/^chunk 0\/0\/0 of array \/ of memory is damaged: /),
    });
  });

  it.each([
    ['beyond the shard', 1000n, 64n, / 0 of the 64 bytes of a chunk that the index lists are there/],
    ['across its end', 300n, 64n, / 24 of the 64 bytes of a chunk that the index lists are there/],
    ['of 515 GB', 0n, 515_000_000_000n, /the index places a chunk of 515000000000 bytes at byte 0/],
    ['at 2^63', 2n ** 63n, 64n, /the index places a chunk of 64 bytes at byte 9223372036854775808/],
    ['of no bytes', 0n, 0n, /the index places a chunk of 0 bytes/],
    ['of other length', 0n, 60n, /decodes to 15 values, expected 2×2×4 = 16/],
  ])(
    'readChunk throws for an index with a valid checksum that places a chunk %s',
    async (_, offset, length, message) => {
      const store = memoryStore();
      await putShardedArray(store, sharded);
      await change(store, '/c/0/0/0', (bytes) => {
        const table = new DataView(bytes.buffer, bytes.length - 68);
        table.setBigUint64(0, offset, true);
        table.setBigUint64(8, length, true);
        table.setUint32(64, crc32c(bytes.subarray(bytes.length - 68, bytes.length - 4)), true);
      });
      await expect(readWhole(store)).rejects.toThrow(message);
    },
  );
});

describe('damaged chunks', () => {
  it.each([
    ['one value short', (bytes: Uint8Array) => bytes.slice(0, -4), 'it decodes to 23 values, expected 2×3×4 = 24'],
    [
      'one value long',
      (bytes: Uint8Array) => Uint8Array.from([...bytes, 0, 0, 0, 0]),
      'it decodes to 25 values, expected 2×3×4 = 24',
    ],
    ['cut inside a value', (bytes: Uint8Array) => bytes.slice(0, -1), ''],
    ['empty', () => new Uint8Array(0), 'it decodes to 0 values, expected 2×3×4 = 24'],
  ])('readChunk throws for an uncompressed chunk that is %s', async (_, edit, message) => {
    const store = memoryStore();
    await putRawArray(store, '/0', { shape, chunks: [2, 3, 4], value });
    await change(store, '/0/1/1/0', edit);
    const failure = await readWhole(store).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'corrupt-data' });
    expect((failure as Error).message).toContain(`chunk 1/1/0 of array /0 of memory is damaged: ${message}`);
  });

  it('readChunk names an unknown codec', async () => {
    const store = memoryStore();
    await putRawArray(store, '/', { shape, chunks: [2, 3, 4], value });
    await changeMetadata(store, '/.zarray', { compressor: { id: 'pcodec' } });
    await expect(readWhole(store)).rejects.toMatchObject({
      code: 'unsupported',
      message: 'cannot read chunk 0/0/0 of array / of memory: codec "numcodecs.pcodec" is not supported',
    });
  });

  it('readChunk throws the error of the store unchanged', async () => {
    const store = memoryStore();
    await putRawArray(store, '/', { shape, chunks: [2, 3, 4], value });
    const trouble = new Error('the disk is on fire');
    const failing: Store = {
      ...store,
      get: async (key) => (key === '/.zarray' ? store.get(key) : Promise.reject(trouble)),
    };
    await expect(readWhole(failing)).rejects.toBe(trouble);
  });

  it('readChunk accepts a Buffer from a store', async () => {
    const store = memoryStore();
    await putRawArray(store, '/', { shape, chunks: [2, 3, 4], dtype: '>f4', value });
    const odd = Buffer.alloc(8192);
    const buffers: Store = {
      ...store,
      async get(key) {
        const bytes = await store.get(key);
        if (bytes) odd.set(bytes, 3);
        return bytes && odd.subarray(3, 3 + bytes.length);
      },
    };
    const array = await openArray(buffers, '/');
    expect(Array.from((await array!.readChunk([0, 0, 0]))!.data as Float32Array)[23]).toBe(value([1, 2, 3]));
    expect(Array.from((await array!.readChunk([0, 0, 0]))!.data as Float32Array)[23]).toBe(value([1, 2, 3]));
  });
});

describe('array metadata', () => {
  const openWith = async (edit: Record<string, unknown>) => {
    const store = memoryStore();
    await putRawArray(store, '/', { shape, chunks: [2, 3, 4], value });
    await changeMetadata(store, '/.zarray', edit);
    return openArray(store, '/');
  };

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no shape', { shape: undefined }, 'invalid-metadata', /metadata of \/.zarray of memory: "shape"/],
    ['a negative shape', { shape: [-1, 2, 3] }, 'invalid-metadata', /"shape.0"/],
    ['a chunk of 0', { chunks: [0, 2, 3] }, 'invalid-metadata', /"chunks.0"/],
    ['a chunk of another rank', { chunks: [2, 2] }, 'invalid-metadata', /shape 5×4×7 and chunk shape 2×2/],
    [
      '10^12 voxels a chunk',
      { chunks: [1e4, 1e4, 1e4] },
      'unsupported',
      /: not supported: a chunk of 10000×10000×10000 float32 = 4000000000000 bytes; expected at most 2147483648 bytes$/,
    ],
    ['10^30 voxels', { shape: [1e10, 1e10, 1e10] }, 'unsupported', /a shape of 10000000000×/],
    [
      'complex numbers',
      { dtype: '<c8' },
      'unsupported',
      /: not supported: data type "<c8"; expected a type of numbers, or booleans$/,
    ],
    ['records', { dtype: [['a', '<f4']] }, 'unsupported', /data type \[\["a","<f4"\]\]/],
    ['order "A"', { order: 'A' }, 'invalid-metadata', /"order"/],
    [
      'a fill value of text',
      { fill_value: 'nothing' },
      'invalid-metadata',
      /fill value "nothing" is not a valid float32/,
    ],
    [
      'a delta filter between types',
      { filters: [{ id: 'delta', dtype: '<f4', astype: '<i2' }] },
      'unsupported',
      /filter \{"id":"delta"/,
    ],
    [
      'a shuffle of another element size',
      { filters: [{ id: 'shuffle', elementsize: 2 }] },
      'unsupported',
      /"elementsize":2/,
    ],
    ['another format number', { zarr_format: 3 }, 'invalid-metadata', /"zarr_format"/],
  ])('openArray throws for metadata with %s', async (_, edit, code, message) => {
    await expect(openWith(edit)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['codecs around shards', { codecs: 'around' }, /codecs around "sharding_indexed"/],
    ['an irregular grid', { chunk_grid: { name: 'rectilinear' } }, /chunk grid "rectilinear"/],
    ['storage transformers', { storage_transformers: [{}] }, /storage transformers/],
    ['bfloat16', { data_type: 'bfloat16' }, /data type "bfloat16"/],
    ['a data type that every object knows', { data_type: 'constructor' }, /data type "constructor"/],
    ['a data type that turns objects into text', { data_type: 'toString' }, /data type "toString"/],
  ])('openArray throws unsupported for Zarr v3 metadata with %s', async (_, edit, message) => {
    const store = memoryStore();
    await putShardedArray(store, { shape, shard: [4, 4, 4], chunk: [2, 2, 4], value, checksum: crc32c });
    const { codecs } = JSON.parse(new TextDecoder().decode((await store.get('/zarr.json'))!));
    const around = edit.codecs
      ? { codecs: [{ name: 'transpose', configuration: { order: [2, 1, 0] } }, ...codecs] }
      : {};
    await changeMetadata(store, '/zarr.json', { ...edit, ...around });
    await expect(openArray(store, '/')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(message),
    });
  });

  it('openArray names a metadata file that is not JSON', async () => {
    const store = memoryStore([['/.zarray', new TextEncoder().encode('{"shape": [1,')]]);
    await expect(openArray(store, '/')).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringMatching(/^\/.zarray of memory is not JSON: line 1, column /),
    });
  });
});
