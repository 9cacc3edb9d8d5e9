import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type CroissantConfig, type FilesystemConfig, parseConfig } from '../copick/config.ts';
import { volumeFormatOf } from '../copick/contents.ts';
import { croissantStore, projectOfCroissant } from '../copick/croissant/store.ts';
import type { LocalFolders } from '../copick/croissant/urls.ts';
import { type Project, projectFromStores } from '../copick/project.ts';
import type { Problem } from '../copick/tree.ts';
import { abortSignal, callback, filePath, optional, requireArgument, requireOptions } from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { decodeText } from '../core/json.ts';
import { s3OptionsOf } from '../storage/s3-address.ts';
import { readFailure } from './atomic-files.ts';
import { directoryStore } from './directory-store.ts';
import { readInput } from './read-file.ts';
import { findLocal, isLocalAddress, localPaths, type OpenRootOptions, openRoot, type Root, schemeOf } from './roots.ts';
import { describeSystemError, errnoOf } from './system-error.ts';

/** Options of {@link openProject}. */
export interface OpenProjectOptions {
  /**
   * Path of a folder to write to, and to read picks from, in place of the config's overlay; it need not exist. Without a
   * static root in the config, the config's overlay is then only read.
   */
  readonly overlay?: string | undefined;
  /** Called with each problem once, when it is found; problems are also in `project.problems`. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
  /** Called once for a write into the overlay that has waited 5 s for another process, with the lock and who holds it. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
  /** Makes the HTTP requests. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a copick project from its config file (Node only), of any kind: `filesystem`, `mlcroissant`, `cryoet_data_portal`.
 * Instead of a config, give the URL of a Croissant, its `metadata.json`, or the folder above.
 *
 * Roots are folders (bare paths, `local://`, `file://`) or public buckets (`s3://`, or the `https://` URL of one). A relative root
 * is searched for beside the config first, and beside its target if it is a link, then, as in copick, in the working directory; an
 * overlay that does not exist yet is created beside the config, or its target. The static root, a Croissant, the portal, and an overlay in a bucket are never written.
 *
 * @throws {@link CryoetPicksError} `not-found` if the config, or every root, is missing; `unavailable` if a server cannot be reached;
 *   `invalid-config`, for a volume too; `invalid-metadata` for a broken Croissant; `unsupported` for roots on other file systems (`ssh://`, …), that
 *   need credentials, or whose server lists no folders.
 * @example
 * ```ts
 * const project = await openProject('copick.json');
 * const run = await project.run('TS_5_4');
 * ```
 */
export async function openProject(path: string, options: OpenProjectOptions = {}): Promise<Project> {
  requireArgument('openProject', 'path', path, filePath);
  const { onProblem, onWarning, fetch, signal } = requireOptions('openProject', options, {
    onProblem: optional(callback),
    onWarning: optional(callback),
    fetch: optional(callback),
    signal: optional(abortSignal),
    overlay: optional(filePath),
  });
  await refuseVolume(path);
  await refuseZip(path);
  const config = (await configOfCroissant(path)) ?? parseConfig(await readConfig(path, signal), { source: path });
  if (config.type === 'mlcroissant') return openCroissantConfig(config, { ...options, path });
  const args = config.original?.() ?? {};
  const open = { config: path, fetch, signal, onWarning };
  const configured = { ...open, key: 'overlay_root', fsArgs: args.overlay_fs_args } as const;
  const overlay = (await givenOverlay(options)) ?? (await openRoot(config.overlayRoot, configured));
  const project = { overlay: overlay.store, source: path, onProblem };
  if (config.type === 'cryoet_data_portal') {
    const { portalStore } = await import('../copick/portal/store.ts');
    signal?.throwIfAborted();
    return projectFromStores({ ...project, config, static: portalStore({ ...config, fetch }) });
  }
  const fixed = await openData(config, { ...open, overlay: options.overlay === undefined ? overlay : undefined, args });
  signal?.throwIfAborted();
  return projectFromStores({
    ...project,
    config: { ...config, problems: [...config.problems, ...missingRoots(path, overlay, fixed)] },
    static: fixed.location === overlay.location ? undefined : fixed.store,
  });
}

/** The folder that the option `overlay` names. */
async function givenOverlay({ overlay, onWarning }: OpenProjectOptions): Promise<Root | undefined> {
  if (overlay === undefined) return undefined;
  const found = await stat(overlay).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    const message = `overlay "${overlay}" cannot be read: ${describeSystemError(cause)}`;
    throw new CryoetPicksError('unavailable', message, { cause, option: 'overlay', path: overlay });
  });
  if (found !== undefined && !found.isDirectory()) {
    throw new CryoetPicksError('invalid-option', `overlay "${overlay}" is a file, expected a folder`, {
      option: 'overlay',
    });
  }
  const location = found === undefined ? resolve(overlay) : await realpath(overlay);
  return { location, exists: found !== undefined, store: directoryStore(location, { onWarning }) };
}

interface DataOptions extends Pick<OpenRootOptions, 'config' | 'fetch' | 'signal' | 'onWarning'> {
  /** The overlay, if it is that of the config. */
  readonly overlay: Root | undefined;
  readonly args: Readonly<Record<string, unknown>>;
}

/** The root whose data is only read: the static root, or the config's overlay. */
async function openData(
  { staticRoot, overlayRoot }: FilesystemConfig,
  { overlay, args, ...open }: DataOptions,
): Promise<Root> {
  if (staticRoot !== undefined)
    return openRoot(staticRoot, { ...open, key: 'static_root', fsArgs: args.static_fs_args });
  return overlay ?? openRoot(overlayRoot, { ...open, key: 'static_root', fsArgs: args.overlay_fs_args });
}

/** True for the path of a file or folder that is named like a volume, and of a folder with the metadata of Zarr. */
export async function isVolume(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || volumeFormatOf(basename(path)) !== undefined) return found !== undefined;
  if (!found.isDirectory()) return false;
  const metadata = ['.zattrs', '.zgroup', '.zarray', 'zarr.json'].map((name) => stat(join(path, name)));
  return (await Promise.allSettled(metadata)).some(({ status }) => status === 'fulfilled');
}

/** Throws, with advice, for a tomogram in place of a config. */
async function refuseVolume(path: string): Promise<void> {
  if (!(await isVolume(path))) return;
  throw new CryoetPicksError(
    'invalid-config',
    `"${path}" holds a Zarr array or image, or is named like a volume; expected the config of a copick project, such as copick.json. ` +
      '"npx cryoet-picks detect VOLUME --out picks.csv" searches a single volume; docs/guides/pick-in-a-file.md shows how to make a ' +
      'project of it',
  );
}

/** Throws, with advice, for a zip file in place of a config. */
async function refuseZip(path: string): Promise<void> {
  if (!/\.zip$/i.test(path) || !(await stat(path).catch(() => undefined))?.isFile()) return;
  throw new CryoetPicksError(
    'invalid-config',
    `"${path}" is a zip file; expected the config of a copick project, such as copick.json. Unpack it and give the config in it. ` +
      'To look at it as it is, run "npx cryoet-picks view" with it. An OME-Zarr image in a zip file is named .zarr.zip or .ozx',
    { path },
  );
}

/** Bytes of a config at most. */
const MAX_CONFIG = 2 ** 26;

async function readConfig(path: string, signal: AbortSignal | undefined): Promise<string> {
  signal?.throwIfAborted();
  try {
    const bytes = await readInput(path, {
      maxBytes: MAX_CONFIG,
      remedy: 'expected the config of a copick project',
      signal,
    });
    return decodeText(bytes, { what: `config "${path}"`, code: 'invalid-config', path });
  } catch (cause) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(cause)) throw cause;
    const { code, reason } = readFailure(cause);
    throw new CryoetPicksError(code, `config "${path}" ${reason}`, { cause, path });
  }
}

/** The problems of roots that do not exist: a new project has no overlay yet, but a project without any data is an error. */
function missingRoots(config: string, overlay: Root, fixed: Root): string[] {
  if (fixed.exists) return [];
  if (fixed.location === overlay.location) return [`overlay_root "${overlay.location}" does not exist yet`];
  const message = `static_root "${fixed.location}" does not exist`;
  if (overlay.exists) return [message];
  throw new CryoetPicksError(
    'not-found',
    `config "${config}": ${message}, nor does overlay_root "${overlay.location}"`,
  );
}

/** Local folders, for Croissants on disk. */
const local: LocalFolders = {
  urlOf(path) {
    // For a URL the decoded path counts, which is the last candidate; most addresses here are URLs.
    const chosen = localPaths(path).at(-1) ?? path;
    return pathToFileURL(resolve(chosen)).href.replace(/\/+$/, '');
  },
  open: (url) => directoryStore(fileURLToPath(url), { readOnly: true }),
};

/** Opens the project of a config of the kind `mlcroissant`, on disk or on the web. */
async function openCroissantConfig(
  config: CroissantConfig,
  options: OpenProjectOptions & { readonly path: string },
): Promise<Project> {
  const { path, onProblem, onWarning, signal, fetch } = options;
  const url = await addressOf(config.croissantUrl, path);
  const { croissantBaseUrl, overlayRoot } = config;
  const baseUrl = croissantBaseUrl === undefined ? undefined : await addressOf(croissantBaseUrl, path);
  const args = config.original?.() ?? {};
  const s3 = {
    ...s3OptionsOf(args.croissant_fs_args, `config "${path}": croissant_fs_args`),
    ...s3OptionsOf(args.static_fs_args, `config "${path}": static_fs_args`),
  };
  const configured = {
    key: 'overlay_root',
    config: path,
    fsArgs: args.overlay_fs_args,
    fetch,
    signal,
    onWarning,
  } as const;
  const overlay =
    (await givenOverlay(options)) ?? (overlayRoot === undefined ? undefined : await openRoot(overlayRoot, configured));
  const store = croissantStore(url, {
    baseUrl,
    s3,
    fetch,
    ...(isRemote(url) && !baseUrl?.startsWith('file:') ? {} : { local }),
  });
  await requireData(store, { path, signal });
  return projectOfCroissant(store, { config, overlay: overlay?.store, onProblem, signal, source: path });
}

/**
 * The config of a Croissant that is named itself, not by a config: its web address, its `metadata.json`, or the folder above it.
 * Undefined for any other path.
 */
export async function configOfCroissant(path: string): Promise<CroissantConfig | undefined> {
  const scheme = schemeOf(path);
  const isWeb = scheme !== undefined && ['http', 'https', 's3', 's3a'].includes(scheme);
  const isNamed = basename(path) === 'metadata.json' && basename(dirname(resolve(path))) === 'Croissant';
  const folder =
    isWeb || isNamed ? undefined : await stat(join(path, 'Croissant', 'metadata.json')).catch(() => undefined);
  if (!isWeb && !isNamed && folder === undefined) return undefined;
  return { type: 'mlcroissant', croissantUrl: isWeb ? path : resolve(path), objects: [], problems: [] };
}

function isRemote(url: string): boolean {
  return !url.startsWith('file:');
}

/** A web address unchanged, or a local address as its `file:` URL; searched for as roots are. */
async function addressOf(address: string, config: string): Promise<string> {
  if (!isLocalAddress(address)) return address;
  const file = await findLocal(address, { config, kind: 'file' });
  const found = file.exists ? file : await findLocal(address, { config, kind: 'folder' });
  return pathToFileURL(found.path).href.replace(/\/+$/, '');
}

/** Throws if the data of a local Croissant is not where it says, since it may have been moved. */
async function requireData(
  store: ReturnType<typeof croissantStore>,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { baseUrl } = await store.index({ signal });
  if (!baseUrl.startsWith('file:')) return;
  const folder = fileURLToPath(baseUrl);
  if ((await stat(folder).catch(() => undefined))?.isDirectory()) return;
  throw new CryoetPicksError(
    'not-found',
    `config "${path}": the Croissant places its data in ${folder}, which does not exist; give its place as croissant_base_url`,
  );
}
