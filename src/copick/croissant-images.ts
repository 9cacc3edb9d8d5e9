import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { isListable, joinKey, type ReadableStore, type StoreEntry, type StoreKey } from '../storage/store.ts';

interface ListImageOptions {
  readonly folder: StoreKey;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What is in an image. Where its store cannot be listed, the top shows what its metadata names: that is enough to tell an
 * image from an empty folder.
 *
 * @throws {@link CryoetPicksError} `unsupported` for folders inside it where the store cannot be listed.
 */
export async function listImage(store: ReadableStore, options: ListImageOptions): Promise<readonly StoreEntry[]> {
  const { folder, signal } = options;
  if (isListable(store)) return store.list(folder, { signal });
  if (folder !== '/') {
    throw new CryoetPicksError(
      'unsupported',
      `${store.location}${folder} cannot be listed: its server lists no folders`,
    );
  }
  const entries = new Map<string, StoreEntry['kind']>();
  for (const name of ['.zarray', '.zattrs', '.zgroup', 'zarr.json']) {
    const bytes = await store.get(joinKey(name), { signal });
    if (bytes === undefined) continue;
    entries.set(name, 'file');
    for (const path of levelPaths(bytes)) entries.set(path, 'folder');
  }
  return [...entries].map(([name, kind]) => ({ name, kind }));
}

/** The folders of the levels that the metadata of an image name. */
function levelPaths(bytes: Uint8Array): string[] {
  try {
    const json = parseJson(new TextDecoder().decode(bytes), { what: 'metadata', code: 'invalid-metadata' });
    const attributes = child(json, 'attributes');
    const multiscales = child(child(attributes, 'ome') ?? json, 'multiscales');
    const datasets = child(Array.isArray(multiscales) ? multiscales[0] : undefined, 'datasets');
    const paths = (Array.isArray(datasets) ? datasets : []).map((dataset) => child(dataset, 'path'));
    return paths.flatMap((path) => (typeof path === 'string' ? (path.split('/').find(Boolean) ?? []) : []));
  } catch (error) {
    // Broken metadata are for those to tell who open the image.
    if (!isCryoetPicksError(error)) throw error;
    return [];
  }
}

function child(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}
