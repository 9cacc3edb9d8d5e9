import { realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { httpStore } from '../storage/http.ts';
import { s3Store } from '../storage/s3.ts';
import { s3OptionsOf } from '../storage/s3-address.ts';
import { type ListableStore, readOnlyStore, type Store, type StoreOptions } from '../storage/store.ts';
import { directoryStore } from './directory-store.ts';

/** A root of a project. */
export interface Root {
  /** Equal for roots that are the same place. */
  readonly location: string;
  readonly exists: boolean;
  /** Read-only if the root is in a bucket, or is the static root. */
  readonly store: Store;
}

/** Options of {@link openRoot}. */
export interface OpenRootOptions extends StoreOptions {
  /** The key of the root in the config. */
  readonly key: 'overlay_root' | 'static_root';
  /** Path of the config. */
  readonly config: string;
  /** The file-system options of the root in the config; may contain secrets. */
  readonly fsArgs?: unknown;
  /** Makes the HTTP requests. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  /** Gets what the store of a folder warns of. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Opens a root: a folder, or a public bucket that can be listed.
 *
 * @throws {@link CryoetPicksError} `unsupported` for other file systems, for buckets that need credentials, and for web servers
 *   that cannot be listed; `not-found` where a bucket is not there; `unavailable` where it is closed or cannot be reached.
 */
export async function openRoot(root: string, options: OpenRootOptions): Promise<Root> {
  const { config, key, onWarning } = options;
  if (isLocalAddress(root)) {
    const { path, exists } = await findLocal(root, { config, kind: 'folder' });
    return { location: path, exists, store: directoryStore(path, { readOnly: key === 'static_root', onWarning }) };
  }
  const scheme = schemeOf(root)!;
  const isWeb = scheme === 'http' || scheme === 'https';
  const place = `config "${config}": ${key}`;
  // Only the scheme of such a URL is shown: the rest may contain a password.
  if (!isWeb && scheme !== 's3' && scheme !== 's3a') {
    throw new CryoetPicksError(
      'unsupported',
      `${place} is on "${scheme}://", which is not supported; expected a folder, "local://", "file://", or a public bucket by ` +
        '"s3://" or "https://"',
    );
  }
  if (/^[^/]*\/\/[^/]*@/.test(root)) {
    throw new CryoetPicksError(
      'unsupported',
      `${place} is on "${scheme}://" with a user or password; only public buckets can be read here, without either`,
    );
  }
  const { store, isEmpty } = isWeb ? await openWebRoot(root, { ...options, place }) : await openS3Root(root, options);
  const reason = 'a bucket can only be read; to write, give the project an overlay_root on disk';
  return { location: store.location, exists: !isEmpty, store: readOnlyStore(store, { reason }) };
}

/** A store that was listed once, so that problems show before any work. */
interface Listed {
  readonly store: ListableStore;
  readonly isEmpty: boolean;
}

async function openS3Root(root: string, { config, key, fsArgs, fetch, signal }: OpenRootOptions): Promise<Listed> {
  const what = `config "${config}": ${key.replace('_root', '_fs_args')}`;
  return listed(s3Store(root, { ...s3OptionsOf(fsArgs, what), fetch }), signal);
}

async function listed(store: ListableStore, signal: AbortSignal | undefined): Promise<Listed> {
  return { store, isEmpty: (await store.list('/', { signal })).length === 0 };
}

interface WebRootOptions extends OpenRootOptions {
  /** Config and key, for messages. */
  readonly place: string;
}

/** A web address may be a bucket, named by path or by host; both are tried. */
async function openWebRoot(root: string, { place, fetch, signal }: WebRootOptions): Promise<Listed> {
  let empty: Listed | undefined;
  let firstError: unknown;
  for (const addressing of ['path', 'virtual'] as const) {
    try {
      const found = await listed(s3Store(root, { addressing, fetch }), signal);
      if (!found.isEmpty) return found;
      empty ??= found;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isCryoetPicksError(error)) throw error;
      firstError ??= error;
    }
  }
  if (empty !== undefined) return empty;
  throw await unlistable(root, { place, fetch, signal, cause: firstError });
}

/** The error for a web address that cannot be a root, with what would work. */
async function unlistable(
  root: string,
  { place, fetch, signal, cause }: Omit<WebRootOptions, 'key' | 'config'> & { readonly cause: unknown },
): Promise<CryoetPicksError> {
  const store = httpStore(root, { fetch });
  const found = await store.get('/Croissant/metadata.json', { signal }).catch(() => undefined);
  signal?.throwIfAborted();
  const url = `${store.location}/Croissant/metadata.json`;
  const advice =
    found === undefined
      ? 'export a Croissant of the project (copick config export-croissant) and open that, or give its bucket as "s3://"'
      : `it has a Croissant: open that, with a config of "config_type": "mlcroissant" and "croissant_url": "${url}"`;
  const reason = cause instanceof Error ? ` (${cause.message})` : '';
  return new CryoetPicksError(
    'unsupported',
    `${place} is ${store.location}, whose server lists no folders as a bucket does${reason}; ${advice}`,
    { cause },
  );
}

/** The scheme of a root or address, in lower case; undefined for a plain path, a drive letter of Windows included. */
export function schemeOf(address: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+)(?:::|:\/\/)/i.exec(address)?.[1]?.toLowerCase();
}

/** Whether an address is a local path: plain, `local://` or `file://`. */
export function isLocalAddress(address: string): boolean {
  const scheme = schemeOf(address);
  return scheme === undefined || scheme === 'local' || scheme === 'file';
}

/**
 * The paths that an address may mean, the most likely first. Copick takes what follows `file://` literally, but a file URL is
 * percent-encoded, so both are candidates. `~` is the home folder.
 */
export function localPaths(address: string): string[] {
  const plain = address.replace(/^(?:local|file):\/\//i, '').replace(/^~(?=$|[/\\])/, homedir());
  // `file:///C:/data` on Windows, where copick too drops the slash.
  const asIs = process.platform === 'win32' ? plain.replace(/^\/(?=[a-z]:)/i, '') : plain;
  if (!/^file:\/\/.*%[0-9a-f]{2}|^file:\/\/localhost\//is.test(address)) return [asIs];
  return [asIs, ...decoded(address, asIs)];
}

function decoded(address: string, plain: string): string[] {
  try {
    if (/^file:\/\/(?:localhost)?\//i.test(address)) return [fileURLToPath(address)];
    return [decodeURIComponent(plain)];
  } catch {
    return [];
  }
}

/** A path that was searched for. */
export interface FoundPath {
  /** With links resolved if it exists, so that one place has one path. */
  readonly path: string;
  readonly exists: boolean;
}

/** Options of {@link findLocal}. */
export interface FindLocalOptions {
  /** Path of the config file with the address. */
  readonly config: string;
  readonly kind: 'file' | 'folder';
}

/**
 * Searches for a local file or folder beside the config first, then, if the config is a link, beside its target, then in the working
 * directory, the only place where copick looks. What is nowhere would be beside the target.
 */
export async function findLocal(address: string, { config, kind }: FindLocalOptions): Promise<FoundPath> {
  const paths = localPaths(address);
  const beside = dirname(await realpath(config).catch(() => config));
  for (const folder of new Set([dirname(config), beside, '.'])) {
    for (const path of paths) {
      const candidate = resolve(folder, path);
      const found = await stat(candidate).catch(() => undefined);
      if (kind === 'folder' ? found?.isDirectory() : found?.isFile()) {
        return { path: await realpath(candidate), exists: true };
      }
    }
  }
  return { path: resolve(beside, paths[0]!), exists: false };
}
