import { CryoetPicksError } from '../core/errors.ts';

/** Options of {@link inflate}. */
export interface InflateOptions {
  /** `gzip`, or `deflate` for what Zarr calls zlib. */
  readonly format: 'gzip' | 'deflate';
  /** Decompressed length, if known. */
  readonly expectedBytes?: number | undefined;
  /** Maximum decompressed length. @defaultValue expectedBytes */
  readonly maxBytes?: number | undefined;
}

/** Compressed bytes that a content may take at most: beyond twice its length and this, they are members of gzip that hold nothing. */
const OVERHEAD = 2 ** 20;

/**
 * Decompresses gzip or zlib by the platform's `DecompressionStream`, which verifies their checksums. Stops when the result gets
 * longer than expected, so that a small file cannot fill the memory; refuses far more bytes than the result can take, so that a large
 * one cannot take time for nothing.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the bytes do not decompress, or to another length.
 */
export async function inflate(
  bytes: Uint8Array,
  { format, expectedBytes, maxBytes = Number.MAX_SAFE_INTEGER }: InflateOptions,
): Promise<Uint8Array> {
  const limit = expectedBytes ?? maxBytes;
  const parts: Uint8Array[] = [];
  let length = 0;
  const name = format === 'gzip' ? 'gzip' : 'zlib';
  if (bytes.length > 2 * limit + OVERHEAD) {
    const found = `its ${name} data have ${bytes.length} bytes`;
    throw new CryoetPicksError('corrupt-data', `${found}, far more than ${limit} bytes of content ever take`);
  }
  try {
    const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream(format));
    const reader = stream.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      parts.push(next.value);
      length += next.value.length;
      if (length > limit) {
        await reader.cancel();
        break;
      }
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('corrupt-data', `its ${name} data do not decompress: ${reason}`, { cause });
  }
  if (length > limit || (expectedBytes !== undefined && length !== expectedBytes)) {
    const found = length > limit ? `more than ${limit}` : `${length}`;
    throw new CryoetPicksError('corrupt-data', `its ${name} data decompress to ${found} bytes, expected ${limit}`);
  }
  return joined(parts, length);
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
