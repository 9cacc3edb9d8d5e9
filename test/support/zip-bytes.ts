import { crc32 as crcOfNode, deflateRawSync } from 'node:zlib';
import { crc32 } from '../../src/codecs/checksum.ts';

/** An entry for {@link zipBytes}. */
export interface ZipTestEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  /** Sizes and checksum after the data instead of before them. */
  readonly descriptor?: boolean;
  readonly flags?: number;
  readonly crc?: number;
  /** What the directory claims. */
  readonly claimedBytes?: number;
  /** Bytes of padding in the local header, which the directory does not have. */
  readonly padding?: number;
  /** Unix mode, as of a link. */
  readonly mode?: number;
}

export interface ZipTestOptions {
  /** Put sizes and offsets into ZIP64 fields. */
  readonly zip64?: boolean;
  readonly before?: Uint8Array;
  readonly comment?: string;
}

const u16 = (n: number) => [n & 255, (n >> 8) & 255];
const u32 = (n: number) => [...u16(n & 0xffff), ...u16(Math.floor(n / 65536) & 0xffff)];
const u64 = (n: number) => [...u32(n % 2 ** 32), ...u32(Math.floor(n / 2 ** 32))];

/** Makes a zip file, byte by byte, without any of the code under test but the checksum, which is Node's where it has one. */
export function zipBytes(entries: readonly ZipTestEntry[], options: ZipTestOptions = {}): Uint8Array {
  const { zip64 = false, before = new Uint8Array(0), comment = '' } = options;
  const out: number[][] = [];
  const directory: number[][] = [];
  let at = 0;
  const put = (bytes: readonly number[] | Uint8Array) => {
    out.push([...bytes]);
    at += bytes.length;
  };
  for (const entry of entries) {
    const { data, method = 0, descriptor = false, flags = 0, padding = 0, mode = 0 } = entry;
    const name = [...new TextEncoder().encode(entry.name)];
    const packed = method === 8 ? deflateRawSync(data) : data;
    const crc = entry.crc ?? (crcOfNode ?? crc32)(data);
    const size = entry.claimedBytes ?? data.length;
    const bits = flags | (descriptor ? 8 : 0) | 0x800;
    const offset = at;
    const extra = [...u16(0xcafe), ...u16(padding), ...new Array<number>(padding).fill(0)];
    const now = descriptor ? [...u32(0), ...u32(0), ...u32(0)] : [...u32(crc), ...u32(packed.length), ...u32(size)];
    put([...u32(0x04034b50), ...u16(20), ...u16(bits), ...u16(method), ...u32(0), ...now]);
    put([...u16(name.length), ...u16(padding > 0 ? extra.length : 0), ...name, ...(padding > 0 ? extra : [])]);
    put(packed);
    if (descriptor) put([...u32(0x08074b50), ...u32(crc), ...u32(packed.length), ...u32(size)]);
    const far = zip64 ? [...u16(1), ...u16(24), ...u64(size), ...u64(packed.length), ...u64(offset)] : [];
    const sizes = zip64 ? [...u32(0xffffffff), ...u32(0xffffffff)] : [...u32(packed.length), ...u32(size)];
    directory.push([
      ...[...u32(0x02014b50), ...u16(0x0314), ...u16(zip64 ? 45 : 20), ...u16(bits), ...u16(method), ...u32(0)],
      ...[...u32(crc), ...sizes, ...u16(name.length), ...u16(far.length), ...u16(0), ...u16(0), ...u16(0)],
      ...[...u32(mode * 65536), ...u32(zip64 ? 0xffffffff : offset), ...name, ...far],
    ]);
  }
  const start = at;
  for (const record of directory) put(record);
  const length = at - start;
  const count = entries.length;
  if (zip64) {
    const end = at;
    put([...u32(0x06064b50), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0), ...u64(count), ...u64(count)]);
    put([...u64(length), ...u64(start)]);
    put([...u32(0x07064b50), ...u32(0), ...u64(end), ...u32(1)]);
  }
  const told = zip64 ? [0xffff, 0xffffffff, 0xffffffff] : [count, length, start];
  put([...u32(0x06054b50), ...u32(0), ...u16(told[0]!), ...u16(told[0]!), ...u32(told[1]!), ...u32(told[2]!)]);
  put([...u16(comment.length), ...new TextEncoder().encode(comment)]);
  return Uint8Array.from([...before, ...out.flat()]);
}
