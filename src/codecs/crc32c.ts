import { CryoetPicksError } from '../errors.ts';

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

/** The bytes before a trailing little-endian CRC-32C, as a view. @throws {@link CryoetPicksError} `corrupt-data` if it does not fit. */
export function checkedCrc32c(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 4)
    throw new CryoetPicksError('corrupt-data', `its ${bytes.length} bytes are too few for a checksum of 4`);
  const payload = bytes.subarray(0, bytes.length - 4);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + payload.length, 4).getUint32(0, true);
  const actual = crc32c(payload);
  if (stored === actual) return payload;
  throw new CryoetPicksError(
    'corrupt-data',
    `its crc32c checksum is ${hex(actual)}, and ${hex(stored)} is stored with it`,
  );
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
