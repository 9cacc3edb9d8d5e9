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
