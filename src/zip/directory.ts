import { type Entry, type Reader, ZipReader } from '@zip.js/zip.js/lib/zip-core-reader.js';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import type { RandomAccessReader } from '../mrc/random-access.ts';

/** An entry of a zip file, as its directory has it. */
export interface ZipRecord {
  /** Where its local header starts. */
  readonly offset: number;
  /** Bytes of name and further fields in the directory, which are about as many in the local header. */
  readonly headerBytes: number;
  /** 0 is stored, 8 is deflated. */
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly crc: number;
  /** Why it cannot be read, where that is known beforehand. */
  readonly refusal?: string | undefined;
}

/** Hands the bytes of a source to zip.js, whose module for reading alone has no class to extend. */
function readerOver(source: RandomAccessReader, size: number): Reader<unknown> {
  const reader: Pick<Reader<unknown>, 'size' | 'readUint8Array'> = {
    size,
    readUint8Array: async (index, length) => source.read(index, Math.max(0, Math.min(length, size - index))),
  };
  return reader as Reader<unknown>;
}

/**
 * Reads the directory of a zip file: its files by name, the last of those that share one.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` for what is no zip file, or has a name that leads out of it.
 */
export async function readDirectory(source: RandomAccessReader, size: number): Promise<Map<string, ZipRecord>> {
  const records = new Map<string, ZipRecord>();
  try {
    const reader = new ZipReader(readerOver(source, size));
    for await (const entry of reader.getEntriesGenerator({ filenameValidation: 'strict' })) {
      if (!entry.directory) records.set(entry.filename, recordOf(entry));
    }
  } catch (cause) {
    if (isCryoetPicksError(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const name = (cause as { filename?: unknown } | null)?.filename;
    const where = typeof name === 'string' ? ` (${JSON.stringify(name)})` : '';
    throw new CryoetPicksError('corrupt-data', `cannot read ${source.location} as a zip file: ${reason}${where}`, {
      cause,
    });
  }
  return records;
}

function recordOf(entry: Entry): ZipRecord {
  const { offset, compressedSize, uncompressedSize, compressionMethod, rawFilename, rawExtraField } = entry;
  return {
    offset,
    headerBytes: rawFilename.length + rawExtraField.length,
    method: compressionMethod,
    compressedBytes: compressedSize,
    bytes: uncompressedSize,
    crc: entry.crc32 ?? entry.signature ?? 0,
    refusal: refusalOf(entry),
  };
}

function refusalOf({ encrypted, symlink, compressionMethod }: Entry): string | undefined {
  if (encrypted) return 'it is encrypted';
  if (symlink) return 'it is a symbolic link';
  if (compressionMethod === 0 || compressionMethod === 8) return undefined;
  return `its compression method is ${compressionMethod}, expected 0 (stored) or 8 (deflated)`;
}
