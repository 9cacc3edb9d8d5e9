import { LRUCache } from 'lru-cache';
import { CryoetPicksError } from '../errors.ts';
import type { RandomAccessReader } from '../mrc/random-access.ts';
import { compareNames } from '../storage/children.ts';
import { joinKey, type StoreEntry, type StoreKey, type StoreOptions } from '../storage/store.ts';
import { readDirectory, type ZipRecord } from './directory.ts';
import { dataStart, readRecord } from './record.ts';

/** A part of the zip file. */
export interface ZipSpan {
  readonly offset: number;
  readonly length: number;
}

/** Bytes of inflated entries to keep for those who read them part by part. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Opens a zip file by its directory. @throws {@link CryoetPicksError} `corrupt-data`, `not-found`. */
export async function openArchive(
  reader: RandomAccessReader,
  { folder }: { readonly folder?: string | undefined },
): Promise<ZipArchive> {
  const size = reader.size ?? (await reader.measure?.());
  if (size === undefined) {
    const what = `cannot read ${reader.location} as a zip file: how long it is, is unknown`;
    throw new CryoetPicksError('unsupported', `${what}; give a reader that has a size`);
  }
  const records = await readDirectory(reader, size);
  const root = folder === undefined ? rootOf([...records.keys()]) : joinKey(folder).slice(1);
  return new ZipArchive(reader, within(records, root));
}

const METADATA = /^(\.z(attrs|group|array|metadata)|zarr\.json)$/;

/** The folder of the image: the root where metadata lie there, else the only one. */
function rootOf(names: readonly string[]): string {
  if (names.some((name) => METADATA.test(name))) return '';
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
export class ZipArchive {
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

  /** The bytes of an entry, its checksum verified; nothing where there is none. */
  async read(key: StoreKey, options: StoreOptions): Promise<Uint8Array | undefined> {
    const record = this.#records.get(key);
    return record && readRecord(this.#reader, record, { ...options, where: this.#where(key) });
  }

  /** The same, from memory where it was read a while ago. */
  async readKept(key: StoreKey, options: StoreOptions): Promise<Uint8Array | undefined> {
    const bytes = this.#kept.get(key) ?? (await this.read(key, options));
    if (bytes) this.#kept.set(key, bytes);
    return bytes;
  }

  /** Where in the file the bytes of an entry lie as they are; nothing for one that is compressed, or absent. */
  async locate(key: StoreKey, options: StoreOptions): Promise<ZipSpan | undefined> {
    const record = this.#records.get(key);
    if (record?.method !== 0) return undefined;
    const start =
      this.#starts.get(key) ?? (await dataStart(this.#reader, record, { ...options, where: this.#where(key) }));
    this.#starts.set(key, start);
    return { offset: start, length: record.bytes };
  }

  /** A part of the file that belongs to an entry. */
  async readSpan(key: StoreKey, { offset, length }: ZipSpan, options: StoreOptions): Promise<Uint8Array> {
    const bytes = await this.#reader.read(offset, length, options);
    if (bytes.length === length) return bytes;
    throw new CryoetPicksError('corrupt-data', `${this.#where(key)} is cut short: the file ends within it`);
  }

  /** What is in a folder. */
  list(folder: StoreKey): readonly StoreEntry[] {
    this.#folders ??= foldersOf(this.#records.keys());
    return this.#folders.get(folder) ?? [];
  }

  #where(key: StoreKey): string {
    return `${key} of ${this.#reader.location}`;
  }
}

/** The content of every folder. */
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
