import { describe, expect, it } from 'vitest';
import { isCryoetPicksError, memoryStore, openTomogram, type StoreKey, type Zyx } from '../../src/entry/index.ts';
import { openArray } from '../../src/ome-zarr/array.ts';
import matrix from '../fixtures/zarr-matrix.json' with { type: 'json' };
import { wholeBox } from '../support/volumes.ts';
import { forEachIndex } from '../support/zarr-arrays.ts';

interface MatrixEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly files: Readonly<Record<string, string>>;
  /** Numbers, or the names of those that are not finite. */
  readonly values: readonly (number | string)[];
}

const entries = Object.entries(matrix as unknown as Record<string, MatrixEntry>);

/** What is refused, by what the message says is not supported. All else must read as zarr-python reads it. */
const REFUSED: readonly (readonly [name: RegExp, reason: RegExp])[] = [
  [/ (compressor bz2|numcodecs BZ2)$/, /codec "numcodecs\.bz2" is not supported$/],
  [/ (compressor lzma|numcodecs LZMA)$/, /codec "numcodecs\.lzma" is not supported$/],
  [/ (filter quantize|numcodecs Quantize)$/, /codec "numcodecs\.quantize" is not supported$/],
  [/ (filter astype|numcodecs AsType)$/, /codec "numcodecs\.astype" is not supported$/],
  [/ (filter fletcher32|numcodecs Fletcher32)$/, /codec "numcodecs\.fletcher32" is not supported$/],
  [/ (filter jenkins_lookup3.*|numcodecs JenkinsLookup3)$/, /codec "numcodecs\.jenkins_lookup3" is not supported$/],
  [/ (filter packbits|numcodecs PackBits)$/, /packbits/],
  [/ delta <i2 as <i4$/, /not supported: filter \{"id":"delta".*\} on data type "<i2"$/],
  [/ numcodecs Delta as i4$/, /not supported: codec \{"name":"numcodecs\.delta".*\} on data type "int16"$/],
  [/ fixedscaleoffset >f4 as <i2$/, /not supported: filter \{"id":"fixedscaleoffset".*\} on data type ">f4"$/],
  [/ numcodecs FixedScaleOffset$/, /codec "numcodecs\.fixedscaleoffset" is not supported$/],
  [/ transpose twice$/, /not supported: more than one "transpose" codec$/],
  [/ shards with a big-endian index$/, /not supported: shard index codecs "bytes,crc32c", big-endian$/],
  [/ shards in shards$/, /not supported: shards inside shards$/],
  [/ shards, checksummed$/, /not supported: codecs around "sharding_indexed"$/],
];

const storeOf = ({ files }: MatrixEntry) =>
  memoryStore(
    Object.entries(files).map(([key, text]) => [`/${key}` as StoreKey, Uint8Array.from(Buffer.from(text, 'base64'))]),
  );

async function readExactly(entry: MatrixEntry): Promise<number[]> {
  const tomogram = await openTomogram(storeOf(entry), { fallbackVoxelSize: 10 });
  const { data, offset, stride } = await tomogram.read(wholeBox(entry.shape as unknown as Zyx), { exact: true });
  const out: number[] = [];
  forEachIndex(entry.shape, ([z, y, x]) => out.push(data[offset + z! * stride[0] + y! * stride[1] + x! * stride[2]]!));
  return out;
}

it('the list of unsupported arrays names only arrays that exist', () => {
  for (const [pattern] of REFUSED) expect(entries.some(([name]) => pattern.test(name))).toBe(true);
  expect(entries.length).toBeGreaterThan(200);
});

describe('arrays as zarr-python writes and reads them', () => {
  it.each(entries)('openArray reads what zarr-python writes: %s', async (name, entry) => {
    const expected = entry.values.map(Number);
    const refusal = REFUSED.find(([pattern]) => pattern.test(name));
    const outcome = await readExactly(entry).catch((error: unknown) => error);
    if (refusal) {
      expect(outcome).toMatchObject({ code: 'unsupported', message: expect.stringMatching(refusal[1]) });
      return;
    }
    if (isCryoetPicksError(outcome)) throw outcome;
    expect(outcome).toEqual(expected);
    expect((await openArray(storeOf(entry), '/'))?.dtype).toBe(entry.dtype);
  });
});
