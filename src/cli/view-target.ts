import { readdir, realpath, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { formatConfig, newConfig } from '../copick/edit-config.ts';
import { fitName } from '../copick/layout.ts';
import { type Project, projectFromStores } from '../copick/project.ts';
import type { Problem } from '../copick/tree.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { directoryStore } from '../node/directory-store.ts';
import { isVolume } from '../node/open-project.ts';
import { isInside } from '../node/request-path.ts';
import { isLocalAddress } from '../node/roots.ts';
import type { ServedStore } from '../node/store-server.ts';
import { type ListableStore, requireWritable, type Store, type StoreKey } from '../storage/store.ts';
import type { OpenedVolume, ViewSession } from '../web/session.ts';
import { isFolder, openCopick } from './files.ts';
import { describeFailure, describeProblem, type Terminal } from './terminal.ts';

/** What to show, and as whom. */
export interface TargetOptions {
  /** A config, a folder, or a volume; nothing for a page on which something can be opened. */
  readonly path: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Read and write behind links that lead out of the folders of the project. */
  readonly followLinks?: true | undefined;
}

/** What was opened: stores to serve by name, and what the page is told of them. */
export interface ViewTarget extends Pick<ViewSession, 'title' | 'open' | 'writable' | 'userId' | 'sessionId'> {
  readonly data: ReadonlyMap<string, ServedStore>;
}

/**
 * Opens what is to be shown: a copick project of any kind, a folder that holds one or volumes, or a volume.
 *
 * @throws {@link CryoetPicksError} As `openProject` does; `not-found` for a folder without anything to show.
 */
export async function openTarget(terminal: Terminal, options: TargetOptions): Promise<ViewTarget> {
  const { path, userId, sessionId = '1' } = options;
  const person = { userId: nameOfPerson(userId), sessionId: fitName(sessionId) ?? '1' };
  if (path === undefined) {
    return { ...person, title: '', open: { kind: 'nothing' }, writable: false, data: new Map() };
  }
  if (await isVolume(path)) {
    return {
      ...person,
      title: path,
      ...(await openVolumes(terminal, options, { folder: dirname(path), paths: [path] })),
    };
  }
  const isPlainFolder = isLocalAddress(path) && (await isFolder(path)) && !(await isThere(join(path, 'Croissant')));
  const opened = isPlainFolder
    ? await openFolder(terminal, { ...options, path })
    : await serveProject(terminal, { ...options, project: await openWatched(terminal, path) });
  const named = opened.open.kind === 'project' ? opened.open.config.user_id : undefined;
  return { ...person, userId: nameOfPerson(userId ?? named), title: path, ...opened };
}

/** The part of a target that is not about the person. */
export type Opened = Pick<ViewTarget, 'open' | 'writable' | 'data'>;

/** The name that a person's picks are saved under. */
function nameOfPerson(given: unknown): string {
  const name = typeof given === 'string' ? given : systemUser();
  return fitName(name) ?? 'reviewer';
}

function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that has no name.
    return 'reviewer';
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function openWatched(terminal: Terminal, path: string): Promise<Project> {
  const onProblem = (problem: Problem) => terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  return openCopick(terminal, path, { onProblem });
}

/** A folder with a `copick.json`, with the runs of a project but no config, or with volumes. */
async function openFolder(terminal: Terminal, options: TargetOptions & { readonly path: string }): Promise<Opened> {
  const { path } = options;
  const config = join(path, 'copick.json');
  if (await isThere(config))
    return serveProject(terminal, { ...options, project: await openWatched(terminal, config) });
  if (await isFolder(join(path, 'ExperimentRuns'))) {
    const store = directoryStore(path, { readOnly: true });
    const project = projectFromStores({
      config: newConfig({ overlayRoot: 'overlay', staticRoot: 'static', name: basename(resolve(path)) }),
      static: store,
    });
    terminal.warn(`cryoet-picks: ${path} has no copick.json, so picks cannot be saved into it, but exported`);
    return serveProject(terminal, { ...options, project });
  }
  const paths = await volumesBelow(path);
  if (paths.length > 0) return openVolumes(terminal, options, { folder: path, paths });
  throw new CryoetPicksError(
    'not-found',
    `${path} has nothing to show: no copick.json, no ExperimentRuns, and no volume (.mrc, .rec, .map, .tif, .zarr)`,
    { path },
  );
}

/** How deep volumes are looked for, and how many are shown. */
const [MAX_DEPTH, MAX_VOLUMES] = [3, 1000];

/** The volumes in a folder and in those below it. */
async function volumesBelow(folder: string, depth: number = MAX_DEPTH): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  const found: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (await isVolume(path)) found.push(path);
    else if (depth > 1 && (await isFolder(path))) found.push(...(await volumesBelow(path, depth - 1)));
    if (found.length >= MAX_VOLUMES) break;
  }
  return found.slice(0, MAX_VOLUMES);
}

const formats: readonly (readonly [RegExp, OpenedVolume['format']])[] = [
  [/\.zarr$/i, 'ome-zarr'],
  [/\.(?:ozx|zip)$/i, 'zip'],
  [/\.tiff?$/i, 'tiff'],
];

/** Serves each volume by itself, so that nothing beside them can be read. */
async function openVolumes(
  terminal: Terminal,
  { followLinks }: TargetOptions,
  { folder, paths }: { readonly folder: string; readonly paths: readonly string[] },
): Promise<Opened> {
  const data = new Map<string, ServedStore>();
  const volumes: OpenedVolume[] = [];
  for (const path of paths) {
    const name = relative(folder, path).split(sep).join('/');
    if (paths.length > 1 && !followLinks && !(await isInside(folder, path))) {
      terminal.warn(
        `cryoet-picks: ${path} is a link out of ${folder}, so it is not shown; add --follow-links if you trust it`,
      );
      continue;
    }
    const real = await realpath(path);
    const isZarr = await isFolder(real);
    const root = isZarr ? real : dirname(real);
    const key: StoreKey = isZarr ? '/' : `/${basename(real)}`;
    const mount = String(volumes.length);
    const store = directoryStore(root, { readOnly: true });
    data.set(mount, { store, ...(!followLinks && { folder: root }), ...(!isZarr && { only: key }) });
    const format = isZarr ? 'ome-zarr' : (formats.find(([ending]) => ending.test(path))?.[1] ?? 'mrc');
    volumes.push({ name, format, store: `./data/${mount}`, key });
  }
  return { open: { kind: 'volumes', volumes }, writable: false, data };
}

/** Serves the two trees of a project. What lies on the web is read by this program, so that its servers need not let pages read. */
export async function serveProject(
  terminal: Terminal,
  { project, followLinks }: TargetOptions & { readonly project: Project },
): Promise<Opened> {
  const { overlayStore: overlay, staticStore, config } = project;
  const writable = overlay !== undefined && (await canWrite(terminal, overlay));
  const data = new Map<string, ServedStore>();
  if (overlay) data.set('overlay', { ...served(overlay, followLinks), ...(writable && { writable: overlay }) });
  if (staticStore) data.set('static', served(staticStore, followLinks));
  const { name, description, userId } = config;
  // Without what the file says beyond that: options of file systems may hold passwords.
  const shown = { type: 'filesystem', name, description, userId, overlayRoot: 'overlay', problems: [] } as const;
  const text = formatConfig({ ...shown, objects: project.objects });
  return {
    open: {
      kind: 'project',
      config: JSON.parse(text) as Record<string, unknown>,
      ...(overlay && { overlay: './data/overlay' }),
      ...(staticStore && { static: './data/static' }),
    },
    writable,
    data,
  };
}

function served(store: ListableStore, followLinks: true | undefined): ServedStore {
  const isOnDisk = store.pathOf !== undefined && !followLinks;
  return { store, ...(isOnDisk && { folder: store.location }) };
}

/** Whether the overlay takes picks; says why if not. */
async function canWrite({ warn, signal }: Terminal, overlay: Store): Promise<boolean> {
  try {
    await requireWritable(overlay, '/', { what: 'the overlay', signal });
    return true;
  } catch (error) {
    if (!isCryoetPicksError(error)) throw error;
    warn(`cryoet-picks: picks cannot be saved, but exported: ${describeFailure(error).message}`);
    return false;
  }
}
