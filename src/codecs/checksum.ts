import CRC32 from 'crc-32';
import CRC32C from 'crc-32/crc32c.js';
import { CryoetPicksError } from '../core/errors.ts';

/** The checksums that the library verifies. */
export type ChecksumName = 'crc32' | 'crc32c' | 'adler32';

const CHECKSUMS: Readonly<Record<ChecksumName, (bytes: Uint8Array) => number>> = { crc32, crc32c, adler32 };

/** Bytes of a stored checksum. */
export const CHECKSUM_BYTES = 4;

/**
 * Verifies the little-endian checksum before or after some bytes, and returns the bytes without it, as a view.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the checksum is wrong.
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
    // The remainder is taken before the sums exceed 32 bits.
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

/** The CRC-32 checksum of bytes, as zip and gzip use it. */
export function crc32(bytes: Uint8Array): number {
  return CRC32.buf(bytes) >>> 0;
}

/** The CRC-32C (Castagnoli) checksum of bytes, as RFC 3720 defines it. */
export function crc32c(bytes: Uint8Array): number {
  return CRC32C.buf(bytes) >>> 0;
}
