import { realpath, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { contentsOf, type FoundVolume, volumeFormatOf } from '../copick/contents.ts';
import { formatConfig } from '../copick/edit-config.ts';
import { fitName } from '../copick/layout.ts';
import { type Project, projectFromStores } from '../copick/project.ts';
import type { Problem } from '../copick/tree.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { directoryStore } from '../node/directory-store.ts';
import { openStore } from '../node/files.ts';
import { isVolume } from '../node/open-project.ts';
import { findRoot, isInside } from '../node/request-path.ts';
import { isLocalAddress } from '../node/roots.ts';
import type { ServedStore } from '../node/store-server.ts';
import { type ListableStore, requireWritable, type Store, type StoreKey } from '../storage/store.ts';
import type { OpenedVolume, ViewSession } from '../web/session.ts';
import { isFolder, openCopick } from './files.ts';
import { describeFailure, describeProblem, type Terminal, UsageError } from './terminal.ts';

/** What to show, and as whom. */
export interface TargetOptions {
  /** A config, a folder, or a volume; nothing for a page on which something can be opened. */
  readonly path: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** In Å, of volumes that do not say theirs. */
  readonly voxelSize?: number | undefined;
  /** Read and write behind links that lead out of the folders of the project. */
  readonly followLinks?: true | undefined;
}

/** What was opened: stores to serve by name, and what the page is told of them. */
export interface ViewTarget extends Pick<ViewSession, 'title' | 'id' | 'open' | 'writable' | 'userId' | 'sessionId'> {
  readonly data: ReadonlyMap<string, ServedStore>;
}

/**
 * Opens what is to be shown: a copick project of any kind, a folder that holds one or volumes, or a volume.
 *
 * @throws {@link CryoetPicksError} As `openProject` does; `not-found` for a folder without anything to show.
 */
export async function openTarget(terminal: Terminal, options: TargetOptions): Promise<ViewTarget> {
  const { path } = options;
  const id = path !== undefined && isLocalAddress(path) ? await realpath(path).catch(() => resolve(path)) : path;
  const target = { ...(await openPath(terminal, options)), ...(id !== undefined && { id }) };
  if (options.voxelSize === undefined || target.open.kind === 'volumes') return target;
  throw new UsageError(
    '--voxel-size is for volumes that do not say theirs: MRC, TIFF or OME-Zarr, or a folder of them',
  );
}

async function openPath(terminal: Terminal, options: TargetOptions): Promise<ViewTarget> {
  const { path, userId, sessionId = '1' } = options;
  const person = { userId: nameOfPerson(userId), sessionId: fitName(sessionId) ?? '1' };
  if (path === undefined) {
    return { ...person, title: '', open: { kind: 'nothing' }, writable: false, data: new Map() };
  }
  if (await isVolume(path)) {
    const name = basename(resolve(path));
    const format = (await isFolder(path)) ? 'ome-zarr' : (volumeFormatOf(name) ?? 'mrc');
    const one = { folder: dirname(resolve(path)), volumes: [{ name, format }] };
    return { ...person, title: path, ...(await openVolumes(terminal, options, one)) };
  }
  if (isLocalAddress(path) && /\.zip$/i.test(path) && (await isThere(path))) {
    return { ...person, title: path, ...(await openArchive(terminal, { ...options, path })) };
  }
  if (!/^\w+:\/\//.test(path) && !(await isThere(path))) {
    throw new CryoetPicksError('not-found', `"${path}" not found: neither a config, nor a folder, nor a volume`, {
      path,
    });
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

/** A folder with a project, with the runs of one but no config, or with volumes. */
async function openFolder(terminal: Terminal, options: TargetOptions & { readonly path: string }): Promise<Opened> {
  const { path } = options;
  const store = directoryStore(path, { readOnly: true });
  const contents = await contentsOf(store, { signal: terminal.signal });
  if (contents.kind === 'volumes') return openVolumes(terminal, options, { folder: path, ...contents });
  const { folder, configKey, config } = contents;
  if (configKey !== undefined) {
    const file = join(path, configKey);
    if (configKey !== '/copick.json') terminal.warn(`cryoet-picks: ${file} is the config of what is shown`);
    return serveProject(terminal, { ...options, project: await openCopick(terminal, file) });
  }
  const project = projectFromStores({ config, static: directoryStore(join(path, folder), { readOnly: true }) });
  terminal.warn(
    `cryoet-picks: ${join(path, folder)} has no copick.json, so picks cannot be saved into it, but exported`,
  );
  return serveProject(terminal, { ...options, project });
}

/** A zip file, which the page reads as one that is dropped; what cannot be read, or holds nothing to show, is an error here. */
async function openArchive(
  terminal: Terminal,
  { path, followLinks }: TargetOptions & { readonly path: string },
): Promise<Opened> {
  await contentsOf(await openStore(path), { signal: terminal.signal });
  const { key, served } = await servedFile(await realpath(path), followLinks);
  return { open: { kind: 'archive', store: './data/0', key }, writable: false, data: new Map([['0', served]]) };
}

/** A single file, so that nothing beside it can be read. */
async function servedFile(
  path: string,
  followLinks: true | undefined,
): Promise<{ readonly key: StoreKey; readonly served: ServedStore }> {
  const [root, key] = [dirname(path), `/${basename(path)}` as const];
  const store = directoryStore(root, { readOnly: true });
  return { key, served: { store, root: await findRoot(root), ...(!followLinks && { folder: root }), only: key } };
}

interface VolumesOfFolder {
  readonly folder: string;
  readonly volumes: readonly Omit<FoundVolume, 'key'>[];
}

/** Serves each volume separately, so that nothing beside them can be read. */
async function openVolumes(
  terminal: Terminal,
  { followLinks, voxelSize }: TargetOptions,
  { folder, volumes }: VolumesOfFolder,
): Promise<Opened> {
  const data = new Map<string, ServedStore>();
  const opened: OpenedVolume[] = [];
  const image = async (folder: string) => ({
    key: '/' as const,
    served: await served(directoryStore(folder, { readOnly: true }), followLinks),
  });
  for (const { name, format } of volumes) {
    const path = join(folder, name);
    if (volumes.length > 1 && !followLinks && !(await isInside(folder, path))) {
      terminal.warn(
        `cryoet-picks: ${path} is a link out of ${folder}, so it is not shown; add --follow-links if you trust it`,
      );
      continue;
    }
    const real = await realpath(path);
    const mount = String(opened.length);
    const { key, served: file } = format === 'ome-zarr' ? await image(real) : await servedFile(real, followLinks);
    data.set(mount, file);
    opened.push({ name, format, store: `./data/${mount}`, key, ...(voxelSize !== undefined && { voxelSize }) });
  }
  return { open: { kind: 'volumes', volumes: opened }, writable: false, data };
}

/** Serves the two trees of a project. What lies on the web is read by this program, so that its servers need not let pages read. */
export async function serveProject(
  terminal: Terminal,
  { project, followLinks }: TargetOptions & { readonly project: Project },
): Promise<Opened> {
  const { overlayStore: overlay, staticStore, config } = project;
  const writable = overlay !== undefined && (await canWrite(terminal, overlay));
  const data = new Map<string, ServedStore>();
  if (overlay) data.set('overlay', { ...(await served(overlay, followLinks)), ...(writable && { writable: overlay }) });
  if (staticStore) data.set('static', await served(staticStore, followLinks));
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

async function served(store: ListableStore, followLinks: true | undefined): Promise<ServedStore> {
  if (store.pathOf === undefined) return { store };
  return { store, root: await findRoot(store.location), ...(!followLinks && { folder: store.location }) };
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
