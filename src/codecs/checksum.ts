import { CryoetPicksError } from '../core/errors.ts';

/** The checksums that are verified. */
export type ChecksumName = 'crc32' | 'crc32c' | 'adler32';

const CHECKSUMS: Readonly<Record<ChecksumName, (bytes: Uint8Array) => number>> = { crc32, crc32c, adler32 };

/** Bytes of each of them. */
export const CHECKSUM_BYTES = 4;

/**
 * The bytes that a little-endian checksum stands before or after, as a view.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if it does not fit.
 */
export function withoutChecksum(
  bytes: Uint8Array,
  { name, isAtStart = false }: { readonly name: ChecksumName; readonly isAtStart?: boolean },
): Uint8Array {
  if (bytes.length < CHECKSUM_BYTES) {
    throw new CryoetPicksError(
      'corrupt-data',
      `its ${bytes.length} bytes are too few for a checksum of ${CHECKSUM_BYTES}`,
    );
  }
  const end = bytes.length - CHECKSUM_BYTES;
  const payload = isAtStart ? bytes.subarray(CHECKSUM_BYTES) : bytes.subarray(0, end);
  const at = bytes.byteOffset + (isAtStart ? 0 : end);
  const stored = new DataView(bytes.buffer, at, CHECKSUM_BYTES).getUint32(0, true);
  const actual = CHECKSUMS[name](payload);
  if (stored === actual) return payload;
  throw new CryoetPicksError(
    'corrupt-data',
    `its ${name} checksum is ${hex(actual)}, and ${hex(stored)} is stored with it`,
  );
}

/** The Adler-32 checksum of bytes, as RFC 1950 defines it. */
export function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (let i = 0; i < bytes.length; ) {
    // So many sums fit into 32 bits before the remainder must be taken.
    const end = Math.min(bytes.length, i + 3800);
    for (; i < end; i++) {
      a += bytes[i]!;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** Eight tables: `TABLES[k][b]` is the effect of byte `b` with k bytes of 0 after it. */
const TABLES = /* @__PURE__ */ tables();

function tables(): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let entry = byte;
    for (let bit = 0; bit < 8; bit++) entry = entry & 1 ? (entry >>> 1) ^ 0xedb88320 : entry >>> 1;
    return entry;
  });
  const all = [first];
  for (let k = 1; k < 8; k++) all.push(all[k - 1]!.map((entry) => (entry >>> 8) ^ first[entry & 255]!));
  return all;
}

/**
 * The CRC-32 checksum of bytes, as zip and gzip have it, eight bytes at a time.
 *
 * Source: M. Kounavis and F. Berry, "A systematic approach to building high performance software-based CRC generators", 2005.
 */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  let crc = -1;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t7[crc & 255]! ^
      t6[(crc >>> 8) & 255]! ^
      t5[(crc >>> 16) & 255]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = t0[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const POLYNOMIAL = 0x82f63b78;

function tableEntry(byte: number): number {
  let entry = byte;
  for (let bit = 0; bit < 8; bit++) entry = entry & 1 ? (entry >>> 1) ^ POLYNOMIAL : entry >>> 1;
  return entry;
}

const TABLE = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, byte) => tableEntry(byte));

/** The CRC-32C (Castagnoli) checksum of bytes, as RFC 3720 defines it. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
