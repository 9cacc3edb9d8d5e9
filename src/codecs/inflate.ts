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
  const name = nameOf(format);
  if (bytes.length > 2 * limit + OVERHEAD) {
    const found = `its ${name} data have ${bytes.length} bytes`;
    throw new CryoetPicksError('corrupt-data', `${found}, far more than ${limit} bytes of content ever take`);
  }
  for await (const part of inflated(bytes, format)) {
    parts.push(part);
    length += part.length;
    if (length <= limit) continue;
    throw new CryoetPicksError('corrupt-data', `its ${name} data hold more than the expected ${limit} bytes`);
  }
  if (expectedBytes !== undefined && length !== expectedBytes) {
    throw new CryoetPicksError('corrupt-data', `its ${name} data hold ${length} bytes, expected ${expectedBytes}`);
  }
  return joined(parts, length);
}

/**
 * The first line of what gzip data hold, with its line feed; all that they hold, if they have no line feed. Decompresses no more than that.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the bytes do not decompress, or the line has more than `maxBytes`.
 */
export async function inflateLine(bytes: Uint8Array, { maxBytes }: { readonly maxBytes: number }): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of inflated(bytes, 'gzip')) {
    const end = part.indexOf(LINE_FEED) + 1;
    const piece = end > 0 ? part.subarray(0, end) : part;
    parts.push(piece);
    length += piece.length;
    if (length > maxBytes) {
      throw new CryoetPicksError('corrupt-data', `its first line has more than the ${maxBytes} bytes that it may have`);
    }
    if (end > 0) break;
  }
  return joined(parts, length);
}

const LINE_FEED = 10;

/** What compressed bytes hold, part by part; stops where the caller does. */
async function* inflated(
  bytes: Uint8Array,
  format: InflateOptions['format'],
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  const next = () =>
    reader.read().catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `its ${nameOf(format)} data do not decompress: ${reason}`;
      throw new CryoetPicksError('corrupt-data', message, { cause });
    });
  try {
    for (let part = await next(); !part.done; part = await next()) yield part.value;
  } finally {
    // A stream that has failed before reports the failure again.
    await reader.cancel().catch(() => {});
  }
}

function nameOf(format: InflateOptions['format']): string {
  return format === 'gzip' ? 'gzip' : 'zlib';
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
