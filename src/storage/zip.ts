import type { Entry, Reader } from '@zip.js/zip.js/lib/zip-core-reader.js';
import { LRUCache } from 'lru-cache';
import { crc32 } from '../codecs/checksum.ts';
import { inflate } from '../codecs/inflate.ts';
import {
  optional,
  reader as readerRule,
  requireArgument,
  requireOptions,
  someNumber,
  text,
} from '../core/arguments.ts';
import { untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { folderAndName } from './address.ts';
import { httpStore } from './http.ts';
import { blobReader, type RandomAccessReader, storeReader } from './random-access.ts';
import {
  boundRules,
  checkCall,
  checkRange,
  compareNames,
  joinKey,
  type ListableStore,
  METADATA,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  sliceRange,
  spanOf,
  tooLarge,
  type ValueBound,
  type ValueBounds,
  valueBounds,
} from './store.ts';

/** A part of the zip file. */
export interface ZipSpan {
  readonly offset: number;
  readonly length: number;
}

/** Size of the cache of inflated entries, in bytes, for reads of parts. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Opens a zip file by its directory. @throws {@link CryoetPicksError} `corrupt-data`, `unsupported`; the errors of the reader. */
async function openArchive(
  reader: RandomAccessReader,
  { folder, maxDirectoryBytes = 2 ** 30 }: ZipStoreOptions,
): Promise<ZipArchive> {
  const size = reader.size ?? (await reader.measure?.());
  if (size === undefined) {
    const what = `cannot read ${reader.location} as a zip file: its size is unknown`;
    throw new CryoetPicksError('unsupported', `${what}; give a reader that has a size`);
  }
  const records = await readDirectory(reader, { size, maxDirectoryBytes });
  const root = folder === undefined ? rootOf([...records.keys()]) : joinKey(folder).slice(1);
  return new ZipArchive(reader, within(records, root));
}

/** The folder of the image: the root if it has metadata, else the only folder. */
function rootOf(names: readonly string[]): string {
  if (names.some((name) => !name.includes('/') && METADATA.test(`/${name}`))) return '';
  const seen = names.filter((name) => !/^(\.|__MACOSX\/)/.test(name));
  const [folder, ...others] = new Set(seen.map((name) => name.split('/', 1)[0]!));
  return folder !== undefined && others.length === 0 && seen[0] !== folder ? folder : '';
}

function within(records: ReadonlyMap<string, ZipRecord>, root: string): Map<string, ZipRecord> {
  const prefix = root === '' ? '' : `${root}/`;
  const found = new Map<string, ZipRecord>();
  for (const [name, record] of records) if (name.startsWith(prefix)) found.set(`/${name.slice(prefix.length)}`, record);
  return found;
}

/** The files of a zip file by key. */
class ZipArchive {
  readonly #reader: RandomAccessReader;
  readonly #records: ReadonlyMap<string, ZipRecord>;
  readonly #starts = new Map<string, number>();
  readonly #kept = new LRUCache<string, Uint8Array>({
    maxSize: KEPT_BYTES,
    sizeCalculation: ({ length }) => length + 1,
  });
  #folders: ReadonlyMap<string, readonly StoreEntry[]> | undefined;

  constructor(reader: RandomAccessReader, records: ReadonlyMap<string, ZipRecord>) {
    this.#reader = reader;
    this.#records = records;
  }

  /**
   * The bytes of an entry, after verifying its checksum; undefined if there is no such entry.
   *
   * @throws {@link CryoetPicksError} if it is larger than `bound`, before it is inflated.
   */
  async read(
    key: StoreKey,
    { bound, ...options }: StoreOptions & { readonly bound: ValueBound },
  ): Promise<Uint8Array | undefined> {
    const record = this.#records.get(key);
    if (!record) return undefined;
    checkRecord(record, this.#where(key));
    if (record.bytes > bound.bytes) throw tooLarge(this.#where(key), bound);
    return readRecord(this.#reader, record, { ...options, where: this.#where(key) });
  }

  /** The same, from the cache if it was read before. */
  async readKept(
    key: StoreKey,
    options: StoreOptions & { readonly bound: ValueBound },
  ): Promise<Uint8Array | undefined> {
    const bytes = this.#kept.get(key) ?? (await this.read(key, options));
    if (bytes) this.#kept.set(key, bytes);
    return bytes;
  }

  /** The part of the file with the bytes of a stored entry; undefined for one that is compressed or absent. */
  async locate(key: StoreKey, options: StoreOptions): Promise<ZipSpan | undefined> {
    const record = this.#records.get(key);
    if (record?.method !== 0) return undefined;
    const start =
      this.#starts.get(key) ?? (await dataStart(this.#reader, record, { ...options, where: this.#where(key) }));
    this.#starts.set(key, start);
    return { offset: start, length: record.bytes };
  }

  /** Reads a part of the file that belongs to an entry. */
  async readSpan(key: StoreKey, { offset, length }: ZipSpan, options: StoreOptions): Promise<Uint8Array> {
    const bytes = await this.#reader.read(offset, length, options);
    if (bytes.length === length) return bytes;
    throw new CryoetPicksError('corrupt-data', `${this.#where(key)} is incomplete: the file ends within it`);
  }

  /** The children of a folder. */
  list(folder: StoreKey): readonly StoreEntry[] {
    this.#folders ??= foldersOf(this.#records.keys());
    return this.#folders.get(folder) ?? [];
  }

  #where(key: StoreKey): string {
    return `${key} of ${this.#reader.location}`;
  }
}

/** The children of every folder. */
function foldersOf(keys: Iterable<string>): Map<string, StoreEntry[]> {
  const folders = new Map<string, Map<string, StoreEntry>>();
  for (const key of keys) {
    let kind: StoreEntry['kind'] = 'file';
    for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1)) {
      const slash = key.lastIndexOf('/', end - 1);
      const folder = key.slice(0, slash) || '/';
      const name = key.slice(slash + 1, end);
      const entries = folders.get(folder) ?? new Map<string, StoreEntry>();
      folders.set(folder, entries);
      const isKnown = entries.get(name)?.kind === 'folder';
      if (!isKnown) entries.set(name, { name, kind });
      if (isKnown) break;
      kind = 'folder';
    }
  }
  return new Map([...folders].map(([folder, entries]) => [folder, [...entries.values()].sort(byName)]));
}

function byName(a: StoreEntry, b: StoreEntry): number {
  return compareNames(a.name, b.name);
}

/** Options of {@link readRecord}. */
export interface ReadRecordOptions extends StoreOptions {
  /** Names the entry in messages. */
  readonly where: string;
}

const LOCAL_HEADER_BYTES = 30;
/** The fields of a local header may be longer than those in the directory, by time stamps or by padding that aligns the data. */
const MORE_HEADER_BYTES = 128;
/** The maximum size of an entry to read whole. */
const MAX_BYTES = 2 ** 31;

/**
 * Reads a whole entry: header and data in one read, unless the header is longer than expected.
 *
 * Source: PKWARE APPNOTE 6.3.10, §4.3.7.
 *
 * @throws {@link CryoetPicksError} `corrupt-data`, `unsupported`.
 */
async function readRecord(
  reader: RandomAccessReader,
  record: ZipRecord,
  { where, signal }: ReadRecordOptions,
): Promise<Uint8Array> {
  if (record.bytes > MAX_BYTES) {
    const found = `it has ${record.bytes} bytes, expected at most ${MAX_BYTES}`;
    throw new CryoetPicksError('unsupported', `cannot read the whole of ${where}: ${found}`);
  }
  const guess = LOCAL_HEADER_BYTES + record.headerBytes + MORE_HEADER_BYTES;
  const head = await reader.read(record.offset, guess + record.compressedBytes, { signal });
  const start = startIn(head, where);
  const end = start + record.compressedBytes;
  const data =
    end <= head.length
      ? head.subarray(start, end)
      : await reader.read(record.offset + start, record.compressedBytes, { signal });
  if (data.length !== record.compressedBytes) {
    const found = `${data.length} of its ${record.compressedBytes} bytes are there`;
    throw new CryoetPicksError('corrupt-data', `${where} is incomplete: ${found}`);
  }
  return record.method === 0 ? checkedStored(data, record, where) : inflated(data, record, where);
}

/** The offset of the data of an entry in the file. */
async function dataStart(
  reader: RandomAccessReader,
  record: ZipRecord,
  { where, signal }: ReadRecordOptions,
): Promise<number> {
  checkRecord(record, where);
  return record.offset + startIn(await reader.read(record.offset, LOCAL_HEADER_BYTES, { signal }), where);
}

/** Throws for entries that cannot be read, before memory of their size is allocated. */
function checkRecord({ method, compressedBytes, bytes, unsupportedReason }: ZipRecord, where: string): void {
  if (unsupportedReason !== undefined)
    throw new CryoetPicksError('unsupported', `cannot read ${where}: ${unsupportedReason}`);
  // A deflated byte expands to at most 1032 bytes.
  const isPlausible = method === 0 ? bytes === compressedBytes : bytes <= 1032 * compressedBytes;
  if (isPlausible) return;
  throw new CryoetPicksError('corrupt-data', `${where} is damaged: ${compressedBytes} bytes cannot expand to ${bytes}`);
}

/** The offset of the data from the start of a local header. */
function startIn(head: Uint8Array, where: string): number {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length < LOCAL_HEADER_BYTES || view.getUint32(0, true) !== 0x04034b50) {
    throw new CryoetPicksError('corrupt-data', `${where} is damaged: the directory points to no entry`);
  }
  return LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}

function checkedStored(data: Uint8Array, { crc }: ZipRecord, where: string): Uint8Array {
  const found = crc32(data);
  if (found === crc) return data;
  const what = `its CRC-32 is ${hex(found)}, but the directory says ${hex(crc)}`;
  throw new CryoetPicksError('corrupt-data', `${where} is damaged: ${what}`);
}

/** Inflates data as a gzip file, made with a header and the checksum, which the platform then verifies. */
async function inflated(data: Uint8Array, { crc, bytes }: ZipRecord, where: string): Promise<Uint8Array> {
  const file = new Uint8Array(data.length + 18);
  file.set([0x1f, 0x8b, 8]);
  file.set(data, 10);
  const view = new DataView(file.buffer);
  view.setUint32(data.length + 10, crc, true);
  view.setUint32(data.length + 14, bytes, true);
  try {
    return await inflate(file, { format: 'gzip', expectedBytes: bytes });
  } catch (cause) {
    if (!isCryoetPicksError(cause)) throw cause;
    throw new CryoetPicksError('corrupt-data', `${where} is damaged: ${cause.message}`, { cause });
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** An entry in the directory of a zip file. */
interface ZipRecord {
  /** The offset of its local header. */
  readonly offset: number;
  /** Bytes of name and extra fields in the directory; the local header has about as many. */
  readonly headerBytes: number;
  /** 0 is stored, 8 is deflated. */
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly crc: number;
  /** Why it cannot be read, if that is known from the directory. */
  readonly unsupportedReason?: string | undefined;
}

/** The size of a zip file, and the maximum size of its directory, in bytes. */
interface DirectoryOptions {
  readonly size: number;
  readonly maxDirectoryBytes: number;
}

/** A reader for zip.js, whose read-only module has no class to extend. */
function readerOver(source: RandomAccessReader, { size, maxDirectoryBytes }: DirectoryOptions): Reader<unknown> {
  const reader: Pick<Reader<unknown>, 'size' | 'readUint8Array'> = {
    size,
    async readUint8Array(index, length) {
      if (length > maxDirectoryBytes) {
        const most = `at most ${maxDirectoryBytes} are read; if it is right, pass a larger maxDirectoryBytes`;
        throw new CryoetPicksError('unsupported', `the directory of ${source.location} has ${length} bytes, ${most}`, {
          path: source.location,
          option: 'maxDirectoryBytes',
        });
      }
      try {
        return await source.read(index, Math.max(0, Math.min(length, size - index)));
      } catch (cause) {
        if (isCryoetPicksError(cause)) throw cause;
        const { location: path } = source;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new CryoetPicksError('unavailable', `cannot read ${path}: ${reason}`, { cause, path });
      }
    },
  };
  return reader as Reader<unknown>;
}

/**
 * Reads the directory of a zip file: its files by name, the last of those that share one.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if it is not a zip file, or has a name that leads out of it; `unavailable` if it
 *   cannot be read.
 */
async function readDirectory(source: RandomAccessReader, options: DirectoryOptions): Promise<Map<string, ZipRecord>> {
  const records = new Map<string, ZipRecord>();
  try {
    const { ZipReader } = await import('@zip.js/zip.js/lib/zip-core-reader.js');
    const reader = new ZipReader(readerOver(source, options));
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
    unsupportedReason: unsupportedReasonOf(entry),
  };
}

function unsupportedReasonOf({ encrypted, symlink, compressionMethod }: Entry): string | undefined {
  if (encrypted) return 'it is encrypted';
  if (symlink) return 'it is a symbolic link';
  if (compressionMethod === 0 || compressionMethod === 8) return undefined;
  return `its compression method is ${compressionMethod}, expected 0 (stored) or 8 (deflated)`;
}

/** Options of {@link zipStore}. */
export interface ZipStoreOptions extends ValueBounds {
  /**
   * The folder inside the file that is the root of the store.
   * @defaultValue the root of the file if it has Zarr metadata, else its only folder
   */
  readonly folder?: string | undefined;
  /** Maximum size of the directory of the zip file, in bytes. @defaultValue 1 GiB */
  readonly maxDirectoryBytes?: number | undefined;
}

/**
 * A zip file as a read-only store: an OME-Zarr image in one file, `.zip` or `.ozx`.
 *
 * The first call reads the directory of the file. Entries that are stored without compression, as Zarr writers do, are then
 * read by range, only the bytes that are wanted; deflated entries are read whole. ZIP64 is supported. The checksum of every
 * entry that is read whole is verified. If a name occurs twice, the last entry counts, as in zarr-python.
 *
 * @param source - A reader (`fileReader` of `cryoet-picks/node`, `storeReader`), a dropped file, or a URL.
 * @throws {@link CryoetPicksError} from its methods: `corrupt-data` if it is not a zip file, is damaged, or has a name that
 * would lead out of it; `unsupported` for encrypted entries, links, and compressions other than deflate.
 * @example
 * ```ts
 * const tomogram = await openTomogram(zipStore(new URL('https://example.org/denoised.ozx')));
 * ```
 */
export function zipStore(source: RandomAccessReader | Blob | URL, options: ZipStoreOptions = {}): ListableStore {
  requireOptions('zipStore', options, {
    ...boundRules,
    folder: optional(text),
    maxDirectoryBytes: optional(someNumber),
  });
  const boundOf = valueBounds(options);
  const reader = readerOf(source);
  let opened: Promise<ZipArchive> | undefined;
  // A failure is not cached.
  const load = () => {
    opened ??= openArchive(reader, options);
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  return {
    location: reader.location,
    async get(key, wait) {
      const options = checkCall('get', key, wait);
      const { signal } = options;
      return (await untilAborted(load(), signal)).read(key, { signal, bound: boundOf(key, options) });
    },
    async getRange(key, range, wait) {
      checkRange(range);
      const { signal } = checkCall('getRange', key, wait);
      const archive = await untilAborted(load(), signal);
      const span = await archive.locate(key, { signal });
      if (!span) return sliceOf(await archive.readKept(key, { signal, bound: { bytes: MAX_BYTES } }), range);
      const { offset, length } = spanOf(range, span.length);
      return length === 0
        ? new Uint8Array(0)
        : archive.readSpan(key, { offset: span.offset + offset, length }, { signal });
    },
    async list(at, wait) {
      const { signal } = checkCall('list', at, wait);
      return (await untilAborted(load(), signal)).list(at);
    },
  };
}

function sliceOf(bytes: Uint8Array | undefined, range: Parameters<typeof sliceRange>[1]): Uint8Array | undefined {
  return bytes && sliceRange(bytes, range);
}

function readerOf(source: RandomAccessReader | Blob | URL): RandomAccessReader {
  if (source instanceof Blob) return blobReader(source);
  if (typeof source === 'string') {
    throw new CryoetPicksError(
      'invalid-option',
      'zipStore does not take a string: give new URL(…), a Blob, or fileReader(path)',
    );
  }
  if (!(source instanceof URL)) {
    requireArgument('zipStore', 'source', source, readerRule);
    return source;
  }
  const { folder, name } = folderAndName(source);
  return storeReader(httpStore(folder), `/${name}` as StoreKey);
}
