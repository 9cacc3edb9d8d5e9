import { CryoetPicksError } from '../../errors.ts';
import type { HttpStoreOptions } from '../../storage/http.ts';
import {
  type ByteRange,
  checkKey,
  type ReadableStore,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  sliceRange,
} from '../../storage/store.ts';
import { formatPicksFile } from '../format-picks.ts';
import { folderStore, listImage, readFile, urlOf } from './bucket.ts';
import { type AnnotationEntry, portalUser, type TomogramEntry } from './entries.ts';
import { picksFromPortalPoints } from './points.ts';
import type { PortalTree } from './tree.ts';

type Entry = TomogramEntry | AnnotationEntry;

/** Where a key leads: to an image or picks file, and below it. */
interface Found {
  readonly entry: Entry;
  /** What follows the entry in the key; `/` for the entry itself. */
  readonly rest: StoreKey;
}

/** The bytes of the portal's files, by the keys of a copick tree. */
export class PortalFiles {
  private images: Map<string, ReadableStore> = new Map();

  constructor(
    private readonly tree: PortalTree,
    private readonly http: HttpStoreOptions,
  ) {}

  /** Forgets the images that were opened. */
  refresh(): void {
    this.images = new Map();
  }

  async get(key: StoreKey, options: StoreOptions = {}): Promise<Uint8Array | undefined> {
    const found = await this.find(key, options);
    if (found === undefined) return undefined;
    const { entry, rest } = found;
    if (isPicksFile(entry)) return rest === '/' ? this.readPicks(entry, options) : undefined;
    return rest === '/' ? undefined : this.image(entry).get(rest, options);
  }

  async getRange(key: StoreKey, range: ByteRange, options: StoreOptions = {}): Promise<Uint8Array | undefined> {
    const found = await this.find(key, options);
    if (found !== undefined && !isPicksFile(found.entry) && found.rest !== '/') {
      return this.image(found.entry).getRange(found.rest, range, options);
    }
    const bytes = await this.get(key, options);
    return bytes && sliceRange(bytes, range);
  }

  async list(folder: StoreKey, options: StoreOptions = {}): Promise<readonly StoreEntry[]> {
    const segments = segmentsOf(folder);
    if (segments.length <= 3) return this.tree.list(segments, options);
    const found = await this.find(folder, options);
    if (found === undefined || isPicksFile(found.entry) || found.rest !== '/') return [];
    return listImage(this.image(found.entry), options);
  }

  private async find(key: StoreKey, options: StoreOptions): Promise<Found | undefined> {
    options.signal?.throwIfAborted();
    const segments = segmentsOf(key);
    const entry = await this.tree.find(segments.slice(0, 4), options);
    return entry && { entry, rest: `/${segments.slice(4).join('/')}` };
  }

  private image(entry: Entry): ReadableStore {
    const id = `${entry.folder}/${entry.row.id}`;
    const found = this.images.get(id) ?? folderStore(needUrl(entry), this.http);
    this.images.set(id, found);
    return found;
  }

  private async readPicks(entry: AnnotationEntry, { signal }: StoreOptions): Promise<Uint8Array> {
    const { object, row } = entry;
    const { voxelSpacing } = row.tomogramVoxelSpacing ?? {};
    if (voxelSpacing === undefined) {
      throw new CryoetPicksError('invalid-metadata', `${describe(entry)} has no voxel spacing, which its points need`);
    }
    const url = needUrl(entry);
    const oriented = row.annotationShape.shapeType === 'OrientedPoint';
    const text = new TextDecoder().decode(await readFile(url, { ...this.http, signal }));
    const picks = picksFromPortalPoints(text, { object, voxelSpacing, oriented, source: url });
    const who = { object, userId: portalUser, sessionId: String(row.id) };
    const runName = String(row.annotationShape.annotation.runId);
    return new TextEncoder().encode(
      formatPicksFile({ ...who, runName, voxelSpacing, picks, trustOrientation: oriented }),
    );
  }
}

function isPicksFile(entry: Entry): entry is AnnotationEntry {
  return entry.folder === 'Picks';
}

function segmentsOf(key: StoreKey): string[] {
  return checkKey(key).split('/').filter(Boolean);
}

function needUrl(entry: Entry): string {
  const url = urlOf(entry);
  if (url !== undefined) return url;
  const mrc = 'type' in entry && entry.row.httpsMrcFile ? `, only the MRC file ${entry.row.httpsMrcFile}` : '';
  throw new CryoetPicksError('not-found', `${describe(entry)} has no OME-Zarr image over HTTPS${mrc}`);
}

function describe(entry: Entry): string {
  return 'type' in entry ? `tomogram ${entry.row.id} of the portal` : `annotation file ${entry.row.id} of the portal`;
}
