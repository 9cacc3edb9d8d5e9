import { readFile, stat } from 'node:fs/promises';
import { parseConfig } from './copick/config.ts';
import type { Problem } from './copick/problems.ts';
import { type Project, projectFromStores } from './copick/project.ts';
import { CryoetPicksError } from './errors.ts';
import { configOfCroissant, openCroissantConfig } from './node-croissant.ts';
import { openRoot, type Root } from './node-roots.ts';

/** Options of {@link openProject}. */
export interface OpenProjectOptions {
  /** Told each problem once, as it is met; they are in `project.problems` too. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
  /** Makes the requests for what lies on other computers. @defaultValue the platform's `fetch` */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a copick project from its config file (Node only), of any of copick's kinds: `filesystem`, `mlcroissant`,
 * `cryoet_data_portal`. In place of a config, a Croissant may be named: its web address, its `metadata.json`, or the folder above.
 *
 * Roots are folders (bare paths, `local://`, `file://`) or public buckets (`s3://`, or the `https://` URL of one). A relative root
 * is looked for beside the config first, then, as copick does, in the working directory; an overlay that is nowhere yet will be
 * made beside the config. The static root, a Croissant and the portal are never written, nor is an overlay in a bucket.
 *
 * @throws {@link CryoetPicksError} `not-found` if the config, or every root, is missing, or a server cannot be reached;
 *   `invalid-config`, for a volume too; `invalid-metadata` for a broken Croissant; `unsupported` for roots on other file systems (`ssh://`, …), that
 *   need credentials, or whose server lists no folders.
 * @example
 * ```ts
 * const project = await openProject('copick.json');
 * const run = await project.run('TS_5_4');
 * ```
 */
export async function openProject(path: string, options: OpenProjectOptions = {}): Promise<Project> {
  const { onProblem, fetch, signal } = options;
  await refuseVolume(path);
  const config = (await configOfCroissant(path)) ?? parseConfig(await readConfig(path, signal), { source: path });
  if (config.type === 'mlcroissant') return openCroissantConfig(config, { ...options, path });
  const args = config.original?.() ?? {};
  const open = { config: path, fetch, signal };
  const overlay = await openRoot(config.overlayRoot, { ...open, key: 'overlay_root', fsArgs: args.overlay_fs_args });
  const project = { overlay: overlay.store, source: path, onProblem };
  if (config.type === 'cryoet_data_portal') {
    const { portalStore } = await import('./copick/portal/store.ts');
    signal?.throwIfAborted();
    return projectFromStores({ ...project, config, static: portalStore({ ...config, fetch }) });
  }
  const fixed =
    config.staticRoot === undefined
      ? overlay
      : await openRoot(config.staticRoot, { ...open, key: 'static_root', fsArgs: args.static_fs_args });
  signal?.throwIfAborted();
  return projectFromStores({
    ...project,
    config: { ...config, problems: [...config.problems, ...missingRoots(path, overlay, fixed)] },
    static: fixed.location === overlay.location ? undefined : fixed.store,
  });
}

const volumeName = /\.(?:mrcs?|rec|map|ccp4|tiff?|zarr|ozx)(?:\.(?:gz|zip))?[/\\]*$/i;

/** Tells whoever names a tomogram in place of a config what to do with it. */
async function refuseVolume(path: string): Promise<void> {
  if (!volumeName.test(path) || (await stat(path).catch(() => undefined)) === undefined) return;
  throw new CryoetPicksError(
    'invalid-config',
    `"${path}" is named like a volume; expected the config of a copick project, such as copick.json. "A tomogram without a ` +
      'project" in the README of cryoet-picks shows how to search a volume by itself and how to make a project of it',
  );
}

async function readConfig(path: string, signal: AbortSignal | undefined): Promise<string> {
  signal?.throwIfAborted();
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (cause) {
    signal?.throwIfAborted();
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? 'not found'
        : code === 'EISDIR'
          ? 'is a folder; give the config file itself'
          : `cannot be read (${code})`;
    throw new CryoetPicksError('not-found', `config "${path}" ${reason}`, { cause });
  }
}

/** What to say of roots that are not there: a new project has no overlay yet, but one without any data is a mistake. */
function missingRoots(config: string, overlay: Root, fixed: Root): string[] {
  if (fixed.exists) return [];
  if (fixed.location === overlay.location) return [`overlay_root "${overlay.location}" is not there yet`];
  const message = `static_root "${fixed.location}" is not there`;
  if (overlay.exists) return [message];
  throw new CryoetPicksError('not-found', `config "${config}": ${message}, nor is overlay_root "${overlay.location}"`);
}
