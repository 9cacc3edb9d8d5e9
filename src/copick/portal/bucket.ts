import { CryoetPicksError } from '../../errors.ts';
import { type HttpStoreOptions, httpStore } from '../../storage/http.ts';
import type { ReadableStore, StoreEntry, StoreKey, StoreOptions } from '../../storage/store.ts';
import type { AnnotationEntry, TomogramEntry } from './entries.ts';

/** The portal's bucket over HTTPS. */
const files = 'https://files.cryoetdataportal.cziscience.com';
const bucket = 's3://cryoet-data-portal-public/';

/** Where a tomogram or annotation file lies: over HTTPS as the portal says, else at the same key of its bucket. */
export function urlOf(entry: TomogramEntry | AnnotationEntry): string | undefined {
  const [https, s3] =
    'type' in entry ? [entry.row.httpsOmezarrDir, entry.row.s3OmezarrDir] : [entry.row.httpsPath, entry.row.s3Path];
  if (https) return https;
  return s3?.startsWith(bucket) ? `${files}/${s3.slice(bucket.length)}` : undefined;
}

/**
 * Reads one file of the portal.
 *
 * @throws {@link CryoetPicksError} `not-found` if it is not there or cannot be read; `invalid-metadata` for a URL that is none.
 */
export async function readFile(url: string, options: HttpStoreOptions & StoreOptions): Promise<Uint8Array> {
  const { signal, ...http } = options;
  const [, folder, name] = /^(https?:\/\/.*)\/([^/?#]+)$/.exec(url) ?? [];
  if (folder === undefined || name === undefined) throw noUrl(url);
  const bytes = await httpStore(folder, http).get(`/${decode(name)}`, { signal });
  if (bytes === undefined) throw new CryoetPicksError('not-found', `${url} is not there, although the portal names it`);
  return bytes;
}

/** A folder of the portal, such as an OME-Zarr image. @throws {@link CryoetPicksError} `invalid-metadata` for a URL that is none. */
export function folderStore(url: string, http: HttpStoreOptions): ReadableStore {
  if (!/^https?:\/\//.test(url)) throw noUrl(url);
  return httpStore(url, http);
}

/**
 * What an OME-Zarr image holds at its top: the metadata that is there and the arrays it names. The bucket itself cannot be
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

/** The arrays that multiscales name. What cannot be understood names none here, and fails where it is opened. */
function arraysOf(metadata: Uint8Array): StoreEntry[] {
  try {
    const json = JSON.parse(new TextDecoder().decode(metadata));
    const [image] = json.multiscales ?? json.attributes.ome.multiscales;
    const paths = image.datasets.map(({ path }: { readonly path: string }) => path.split('/')[0]);
    return paths.map((name: string) => ({ name, kind: 'folder' }));
  } catch {
    return [];
  }
}

function noUrl(url: string): CryoetPicksError {
  return new CryoetPicksError('invalid-metadata', `the portal names ${JSON.stringify(url)}, which is no URL of a file`);
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
