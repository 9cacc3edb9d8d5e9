import { CryoetPicksError } from '../../core/errors.ts';
import { decodeText } from '../../core/json.ts';
import { parseMetadataFile } from '../../ome-zarr/metadata.ts';
import { decodedSegment } from '../../storage/address.ts';
import { type HttpStoreOptions, httpStore } from '../../storage/http.ts';
import {
  type ByteRange,
  checkKey,
  type ReadableStore,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
  sliceRange,
} from '../../storage/store.ts';
import { formatPicksFile } from '../picks-file.ts';
import { picksFromPortalPoints } from '../portal-points.ts';
import { type AnnotationEntry, type PortalTree, portalUser, type TomogramEntry } from './tree.ts';

type Entry = TomogramEntry | AnnotationEntry;

/** The image or picks file of a key, and the path below it. */
interface Found {
  readonly entry: Entry;
  /** The rest of the key after the entry; `/` for the entry itself. */
  readonly rest: StoreKey;
}

/** The files of the portal, by the keys of a copick tree. */
export class PortalFiles {
  private images: Map<string, ReadableStore> = new Map();

  constructor(
    private readonly tree: PortalTree,
    private readonly http: HttpStoreOptions,
  ) {}

  /** Closes the images that were opened. */
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
    const found = this.images.get(id) ?? folderStore(requireUrl(entry), this.http);
    this.images.set(id, found);
    return found;
  }

  private async readPicks(entry: AnnotationEntry, { signal }: StoreOptions): Promise<Uint8Array> {
    const { object, row } = entry;
    const { voxelSpacing } = row.tomogramVoxelSpacing ?? {};
    if (voxelSpacing === undefined) {
      throw new CryoetPicksError('invalid-metadata', `${describe(entry)} has no voxel spacing, which its points need`);
    }
    const url = requireUrl(entry);
    const oriented = row.annotationShape.shapeType === 'OrientedPoint';
    const bytes = await readFile(url, { ...this.http, signal });
    const text = decodeText(bytes, { what: url, code: 'invalid-picks', path: url });
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

function requireUrl(entry: Entry): string {
  const url = urlOf(entry);
  if (url !== undefined) return url;
  const mrc = 'type' in entry && entry.row.httpsMrcFile ? `, only the MRC file ${entry.row.httpsMrcFile}` : '';
  throw new CryoetPicksError('not-found', `${describe(entry)} has no OME-Zarr image over HTTPS${mrc}`);
}

function describe(entry: Entry): string {
  return 'type' in entry ? `tomogram ${entry.row.id} of the portal` : `annotation file ${entry.row.id} of the portal`;
}

/** The portal's bucket over HTTPS. */
const files = 'https://files.cryoetdataportal.cziscience.com';
const bucket = 's3://cryoet-data-portal-public/';

/** The URL of a tomogram or annotation file: as the portal says, else at the same key of its bucket. */
export function urlOf(entry: TomogramEntry | AnnotationEntry): string | undefined {
  const [https, s3] =
    'type' in entry ? [entry.row.httpsOmezarrDir, entry.row.s3OmezarrDir] : [entry.row.httpsPath, entry.row.s3Path];
  if (https) return https;
  return s3?.startsWith(bucket) ? `${files}/${s3.slice(bucket.length)}` : undefined;
}

/**
 * Reads one file of the portal.
 *
 * @throws {@link CryoetPicksError} `not-found` if it is not there; `unavailable` if the server cannot be reached; `invalid-metadata` if it is not a URL.
 */
async function readFile(url: string, options: HttpStoreOptions & StoreOptions): Promise<Uint8Array> {
  const { signal, ...http } = options;
  const [, folder, name] = /^(https?:\/\/.*)\/([^/?#]+)$/.exec(url) ?? [];
  if (folder === undefined || name === undefined) throw notAUrl(url);
  const bytes = await httpStore(folder, http).get(`/${decodedSegment(name)}`, { signal });
  if (bytes === undefined)
    throw new CryoetPicksError('not-found', `${url} not found, although the portal names it`, { path: url });
  return bytes;
}

/** A folder of the portal, such as an OME-Zarr image. @throws {@link CryoetPicksError} `invalid-metadata` if it is not a URL. */
function folderStore(url: string, http: HttpStoreOptions): ReadableStore {
  if (!/^https?:\/\//.test(url)) throw notAUrl(url);
  return httpStore(url, http);
}

/**
 * The top level of an OME-Zarr image: the metadata files that exist and the arrays that they name. The bucket itself cannot be
 * listed.
 */
export async function listImage(image: ReadableStore, options: StoreOptions): Promise<StoreEntry[]> {
  const names: readonly StoreKey[] = ['/.zattrs', '/.zgroup', '/zarr.json'];
  const found: StoreEntry[] = [];
  for (const key of names) {
    const bytes = await image.get(key, options);
    if (bytes === undefined) continue;
    found.push({ name: key.slice(1), kind: 'file' }, ...arraysOf(bytes));
    if (key === '/.zgroup') break;
  }
  const kinds = new Map(found.map((entry) => [entry.name, entry.kind]));
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Multiscales {
  readonly multiscales: readonly { readonly datasets: readonly { readonly path: string }[] }[];
}

/** What is read of the metadata of an image, in Zarr v2 or v3; not checked. */
interface ImageMetadata extends Partial<Multiscales> {
  readonly attributes?: { readonly ome?: Multiscales };
}

/** The arrays that multiscales name; none if the metadata cannot be parsed, which fails when the image is opened. */
function arraysOf(metadata: Uint8Array): StoreEntry[] {
  try {
    const { multiscales, attributes } = parseMetadataFile(metadata, 'the image') as ImageMetadata;
    const [image] = multiscales ?? attributes!.ome!.multiscales;
    return image!.datasets.map(({ path }) => ({ name: path.split('/')[0]!, kind: 'folder' }));
  } catch {
    return [];
  }
}

function notAUrl(url: string): CryoetPicksError {
  return new CryoetPicksError(
    'invalid-metadata',
    `the portal gives ${JSON.stringify(url)} as the URL of a file, which it is not`,
  );
}
