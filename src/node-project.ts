import { readFile, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseConfig } from './copick/config.ts';
import type { Problem } from './copick/problems.ts';
import { type Project, projectFromStores } from './copick/project.ts';
import { CryoetPicksError } from './errors.ts';
import { directoryStore } from './storage/directory.ts';

/** Options of {@link openProject}. */
export interface OpenProjectOptions {
  /** Told each problem once, as it is met; they are in `project.problems` too. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a copick project from its config file (Node only).
 *
 * Roots are folders: bare paths, `local://` or `file://`. A relative root is looked for beside the config first, then, as
 * copick does, in the working directory; an overlay that is nowhere yet will be made beside the config. The static root is
 * never written.
 *
 * @throws {@link CryoetPicksError} `not-found` if the config, or every root, is missing; `invalid-config`; `unsupported` for
 *   roots on other file systems (`s3://`, `ssh://`, …).
 * @example
 * ```ts
 * const project = await openProject('copick.json');
 * const run = await project.run('TS_5_4');
 * ```
 */
export async function openProject(path: string, { onProblem, signal }: OpenProjectOptions = {}): Promise<Project> {
  const config = parseConfig(await readConfig(path, signal), { source: path });
  if (config.type !== 'filesystem') {
    throw new CryoetPicksError(
      'unsupported',
      `config "${path}": projects of the kind "${config.type}" are not opened yet`,
    );
  }
  const overlay = await resolveRoot(config.overlayRoot, { key: 'overlay_root', config: path });
  const fixed =
    config.staticRoot === undefined
      ? overlay
      : await resolveRoot(config.staticRoot, { key: 'static_root', config: path });
  signal?.throwIfAborted();
  return projectFromStores({
    config: { ...config, problems: [...config.problems, ...missingRoots(path, overlay, fixed)] },
    overlay: directoryStore(overlay.path),
    static: fixed.path === overlay.path ? undefined : directoryStore(fixed.path, { readOnly: true }),
    source: path,
    onProblem,
  });
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

/** A root as a folder. */
interface Root {
  /** Links resolved where it exists, so that the same folder has one path. */
  readonly path: string;
  readonly exists: boolean;
}

async function resolveRoot(
  root: string,
  { key, config }: { readonly key: string; readonly config: string },
): Promise<Root> {
  // Of a URL only the scheme is shown: the rest may hold a password.
  const scheme = /^([a-z][a-z0-9+.-]*)(?:::|:\/\/)/i.exec(root)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'local' && scheme !== 'file') {
    throw new CryoetPicksError(
      'unsupported',
      `config "${config}": ${key} lies on "${scheme}://", which is not handled yet; expected a folder, "local://" or "file://"`,
    );
  }
  const plain = root.replace(/^(local|file):\/\//i, '').replace(/^~(?=$|\/)/, homedir());
  const beside = resolve(dirname(config), plain);
  for (const candidate of [beside, resolve(plain)]) {
    if (await isFolder(candidate)) return { path: await realpath(candidate), exists: true };
  }
  return { path: beside, exists: false };
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** What to say of roots that are not there: a new project has no overlay yet, but one without any data is a mistake. */
function missingRoots(config: string, overlay: Root, fixed: Root): string[] {
  if (fixed.exists) return [];
  if (fixed.path === overlay.path) return [`overlay_root "${overlay.path}" is not there yet`];
  const message = `static_root "${fixed.path}" is not there`;
  if (overlay.exists) return [message];
  throw new CryoetPicksError('not-found', `config "${config}": ${message}, nor is overlay_root "${overlay.path}"`);
}
