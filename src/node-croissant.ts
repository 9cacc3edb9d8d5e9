import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { CroissantConfig } from './copick/config.ts';
import { projectOfCroissant } from './copick/croissant.ts';
import { croissantStore } from './copick/croissant-store.ts';
import type { LocalFolders } from './copick/croissant-urls.ts';
import type { Project } from './copick/project.ts';
import { CryoetPicksError } from './errors.ts';
import { findLocal, isLocalAddress, localPaths, schemeOf } from './node-paths.ts';
import type { OpenProjectOptions } from './node-project.ts';
import { openRoot } from './node-roots.ts';
import { directoryStore } from './storage/directory.ts';
import { s3OptionsOf } from './storage/s3-fs-args.ts';

/** Local folders, for Croissants that lie on disk. */
const local: LocalFolders = {
  urlOf(path) {
    // Of a URL the decoded path counts, which comes last; and URLs are what this is mostly asked for.
    const chosen = localPaths(path).at(-1) ?? path;
    return pathToFileURL(resolve(chosen)).href.replace(/\/+$/, '');
  },
  open: (url) => directoryStore(fileURLToPath(url), { readOnly: true }),
};

/** Opens the project of a config of the kind `mlcroissant`, local or on the web. */
export async function openCroissantConfig(
  config: CroissantConfig,
  { path, onProblem, signal, fetch }: OpenProjectOptions & { readonly path: string },
): Promise<Project> {
  const url = await addressOf(config.croissantUrl, path);
  const { croissantBaseUrl, overlayRoot } = config;
  const baseUrl = croissantBaseUrl === undefined ? undefined : await addressOf(croissantBaseUrl, path);
  const args = config.original?.() ?? {};
  const s3 = {
    ...s3OptionsOf(args.croissant_fs_args, `config "${path}": croissant_fs_args`),
    ...s3OptionsOf(args.static_fs_args, `config "${path}": static_fs_args`),
  };
  const overlay =
    overlayRoot === undefined
      ? undefined
      : await openRoot(overlayRoot, {
          key: 'overlay_root',
          config: path,
          fsArgs: args.overlay_fs_args,
          fetch,
          signal,
        });
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
 * Undefined for a path that is none of these.
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

/** A web address as it is, a local one as its `file:` URL; looked for as roots are. */
async function addressOf(address: string, config: string): Promise<string> {
  if (!isLocalAddress(address)) return address;
  const file = await findLocal(address, { config, kind: 'file' });
  const found = file.exists ? file : await findLocal(address, { config, kind: 'folder' });
  return pathToFileURL(found.path).href.replace(/\/+$/, '');
}

/** Makes sure that the data of a local Croissant is where it says: it may have been moved since. */
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
    `config "${path}": the Croissant places its data in ${folder}, which is not there; tell by croissant_base_url where it is now`,
  );
}
