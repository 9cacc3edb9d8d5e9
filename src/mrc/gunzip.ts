import { CryoetPicksError } from '../errors.ts';

/** Options of {@link gunzipStart}. */
export interface GunzipOptions {
  /** Says, from the first `least` bytes, how many bytes are wanted in all. */
  readonly wanted: (start: Uint8Array) => number;
  readonly least: number;
  /** Where the bytes are from, for messages. */
  readonly source: string;
  readonly signal?: AbortSignal | undefined;
}

/** Deflate never packs more than 1032 bytes into one. */
const MOST_RATIO = 1032;

/** True for bytes that start as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses gzip up to the length that its own start asks for; fewer bytes where it ends earlier. What comes after is
 * not looked at, and memory is taken only for what the compressed bytes could hold.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` for bytes that do not decompress, or cannot hold as much as wanted.
 */
export async function gunzipStart(bytes: Uint8Array, options: GunzipOptions): Promise<Uint8Array> {
  const { wanted, least, source, signal } = options;
  let out = new Uint8Array(least);
  let done = 0;
  let isSized = false;
  const take = (part: Uint8Array): void => {
    out.set(part.subarray(0, out.length - done), done);
    const left = part.subarray(out.length - done);
    done = Math.min(out.length, done + part.length);
    if (isSized || done < least) return;
    isSized = true;
    const total = wanted(out);
    if (total > MOST_RATIO * bytes.length) {
      fail(`${source} cannot hold the ${total} bytes its header asks for: it has ${bytes.length} bytes of gzip`);
    }
    const start = out;
    out = new Uint8Array(total);
    out.set(start.subarray(0, total));
    take(left);
  };
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream('gzip'));
  const reader = stream.getReader();
  try {
    while (done < out.length) {
      signal?.throwIfAborted();
      const next = await nextPart(reader, source);
      if (next === undefined) return out.subarray(0, done);
      take(next);
    }
    // The checksum is looked at only where the end is asked for.
    await nextPart(reader, source);
    return out;
  } finally {
    // A stream that has failed already reports the failure again.
    await reader.cancel().catch(() => {});
  }
}

async function nextPart(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  source: string,
): Promise<Uint8Array | undefined> {
  try {
    const { value, done } = await reader.read();
    return done ? undefined : value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('corrupt-data', `${source}: its gzip data do not decompress: ${reason}`, { cause });
  }
}

function fail(message: string): never {
  throw new CryoetPicksError('corrupt-data', message);
}
