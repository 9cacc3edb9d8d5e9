import { CryoetPicksError } from '../../core/errors.ts';
import { decodeText } from '../../core/json.ts';
import { joinKey, type Store, type StoreKey, type StoreOptions, subStore } from '../../storage/store.ts';

const METADATA = ['/.zattrs', '/zarr.json', '/.zgroup', '/.zmetadata'] as const;

/** Options of {@link replaceImage}. */
export interface ReplaceImageOptions {
  /** Replace the content of the store. */
  readonly overwrite: boolean;
  /** Write into an empty group, which copick 2 creates before it writes. @defaultValue false */
  readonly fillGroup?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes an image to the root of a store. If the store can stage writes, the new image becomes visible as a whole and replaces the old
 * one. Otherwise the old one is deleted first, and a failing `write` deletes what it has written, or everything if the store was
 * empty.
 *
 * Of several concurrent writers to an empty store that can stage writes, the first to finish wins; the others throw `conflict` and leave
 * nothing. In other stores their files would mix.
 *
 * @param write - Writes the image to the store that it is given, metadata last.
 * @throws {@link CryoetPicksError} `invalid-option` if the store contains an image and `overwrite` is not set; `conflict` if another
 * writer has finished meanwhile.
 */
export async function replaceImage(
  store: Store,
  options: ReplaceImageOptions,
  write: (target: Store) => Promise<void>,
): Promise<void> {
  const { overwrite, fillGroup, signal } = options;
  const isEmpty = async () => (await store.list('/', { signal })).length === 0;
  const isToFill = async () => fillGroup === true && (await isEmptyGroup(store, { signal }));
  const replaces = overwrite || (await isToFill());
  if (!replaces) await requireNoImage(store, signal);
  const staged = replaces || (await isEmpty()) ? await store.stage?.('/', { signal }) : undefined;
  if (!staged) return writeInPlace(store, { overwrite: replaces, signal }, write);
  const check = async () => {
    if (!(await isEmpty()) && !(await isToFill())) throw takenMeanwhile(store);
  };
  try {
    await write(staged.store);
    signal?.throwIfAborted();
    await staged.commit(overwrite ? { signal } : { signal, check });
  } catch (error) {
    // An error of the clean-up must not hide the first error.
    await staged.discard().catch(() => {});
    signal?.throwIfAborted();
    throw error;
  }
}

async function writeInPlace(
  store: Store,
  { overwrite, signal }: ReplaceImageOptions,
  write: (target: Store) => Promise<void>,
): Promise<void> {
  if (overwrite) await empty(store, signal);
  const before = (await store.list('/', { signal })).map(({ name }) => name);
  const written: StoreKey[] = [];
  try {
    await write(noting(store, written));
  } catch (error) {
    await removeWritten(store, { before, written });
    signal?.throwIfAborted();
    throw error;
  }
}

/** Wraps the store so that it records each key before it is written. */
function noting(store: Store, written: StoreKey[]): Store {
  const recording = subStore(store, '/');
  const { setPieces } = recording;
  recording.set = async (key, value, options) => {
    written.push(key);
    await store.set(key, value, options);
  };
  if (setPieces) {
    recording.setPieces = async (key, pieces, options) => {
      written.push(key);
      await setPieces(key, pieces, options);
    };
  }
  return recording;
}

function takenMeanwhile({ location }: Store): CryoetPicksError {
  return new CryoetPicksError(
    'conflict',
    `another writer has filled ${location} while this image was written, and its image stays; choose another folder or overwrite`,
  );
}

/** True for a Zarr group without arrays and attributes. */
async function isEmptyGroup(store: Store, { signal }: StoreOptions): Promise<boolean> {
  const entries = await store.list('/', { signal });
  if (entries.some(({ name }) => name !== 'zarr.json' && name !== '.zgroup')) return false;
  const bytes = await store.get('/zarr.json', { signal });
  if (bytes === undefined) return entries.length > 0;
  try {
    const { node_type: type, attributes = {} } = JSON.parse(
      decodeText(bytes, { what: 'zarr.json', code: 'invalid-metadata' }),
    );
    return type === 'group' && Object.keys(attributes).length === 0;
  } catch {
    return false;
  }
}

async function requireNoImage(store: Store, signal: AbortSignal | undefined): Promise<void> {
  for (const key of [...METADATA, '/.zarray', '/0/.zarray', '/0/zarr.json'] as const) {
    if (!(await store.get(key, { signal }))) continue;
    throw new CryoetPicksError(
      'invalid-option',
      `${store.location} already contains ${key}; choose another folder or overwrite`,
    );
  }
}

async function empty(store: Store, signal: AbortSignal | undefined): Promise<void> {
  // Metadata first, so that readers no longer take the rest for an image.
  for (const key of METADATA) await store.delete(key, { signal });
  for (const { name } of await store.list('/', { signal })) await store.delete(joinKey(name), { signal });
}

interface Traces {
  /** Names in the root of the store before the write. */
  readonly before: readonly string[];
  readonly written: readonly StoreKey[];
}

async function removeWritten(store: Store, { before, written }: Traces): Promise<void> {
  // New folders are deleted as a whole, other files one by one, metadata first. A failure does not stop the next deletion.
  const made = new Set(written.map((key) => key.split('/')[1]!).filter((name) => !before.includes(name)));
  const folders = [...made].map((name) => joinKey(name));
  for (const key of before.length === 0 ? (['/'] as const) : [...written].reverse().concat(folders)) {
    try {
      await store.delete(key);
    } catch {}
  }
}
