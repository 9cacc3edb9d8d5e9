import type { ProjectConfig } from '../copick/config.ts';
import { formatSpacing } from '../copick/layout.ts';
import type { PickableObject } from '../copick/object.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import type { SegmentationKind } from '../copick/segmentations.ts';
import { mapOrdered } from '../core/concurrency.ts';
import { checkTomogram } from '../detect/check-tomogram.ts';
import { counted } from '../page/counted.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { formatZyx, type Zyx } from '../space/grid.ts';
import { withoutSecrets } from '../storage/address.ts';
import { wantedRuns } from './choose.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { openCopick } from './files.ts';
import type { Bar, BarProgress } from './live-bars.ts';
import { progressOf } from './progress.ts';
import { describeFailure, describeProblem, formatTable, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `info`. */
export interface InfoInput extends CommonFlags {
  readonly config: string;
  readonly run?: readonly string[] | undefined;
  readonly all?: true | undefined;
  /** Print the names of the runs, and nothing else. */
  readonly names?: true | undefined;
  /** Print how far a detection is. */
  readonly progress?: true | undefined;
  /** This option and the next two are for `progress`: whose picks, and in which folder. */
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly overlay?: string | undefined;
}

/** Up to so many runs are opened unasked. */
const MAX_OPENED = 200;

/** Lists the contents and problems of a project. */
export async function info(
  terminal: Terminal,
  { config, run: names, all, names: asNames, progress, userId, sessionId, overlay }: InfoInput,
): Promise<Outcome> {
  const { signal } = terminal;
  const misplaced = Object.entries({ userId, sessionId, overlay }).find(
    ([, value]) => value !== undefined && !progress,
  );
  if (misplaced !== undefined) {
    throw new UsageError(`--${misplaced[0].replace('Id', '-id')} is for --progress; info lists the picks of all users`);
  }
  const project = await openCopick(terminal, config, { overlay });
  if (progress) {
    const runs = await wantedRuns(project, { names, namesOnly: true, signal });
    return progressOf(terminal, project, { userId, sessionId, runs });
  }
  if (asNames) {
    const listed = (await wantedRuns(project, { names, namesOnly: true, signal })).map(({ name }) => name);
    terminal.print(...listed);
    return { json: { runs: listed } };
  }
  const isOpen = names !== undefined || all !== undefined;
  const found = await wantedRuns(project, { names, namesOnly: !isOpen, signal });
  const namesOnly = !isOpen && found.length > MAX_OPENED;
  const document = await withBar(terminal, async (onProgress) => {
    const runs = isOpen || namesOnly ? found : await project.runs({ signal });
    return inspectProject(project, { config, runs, namesOnly, signal, onProgress });
  });
  terminal.print(...infoLines(document, project.config));
  return { json: document };
}

/** Runs `work` with a progress bar. */
async function withBar<T>(terminal: Terminal, work: (update: Bar['update']) => Promise<T>): Promise<T> {
  const bar = terminal.startBar('reading');
  try {
    return await work(bar.update);
  } finally {
    bar.stop();
  }
}

/** What `info --json` prints. */
interface InfoDocument {
  readonly config: string;
  readonly name?: string | undefined;
  /** True if tomograms have no `levels` and picks no `count` because none was opened. */
  readonly namesOnly?: true | undefined;
  readonly objects: readonly PickableObject[];
  /** Density maps. */
  readonly objectMaps: readonly ObjectMapInfo[];
  readonly runs: readonly RunInfo[];
  /** What is broken or looks wrong, and where. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

/** A run and its contents. */
interface RunInfo extends RunListing {
  readonly name: string;
  readonly tomograms: readonly TomogramInfo[];
  readonly picks: readonly PicksInfo[];
}

/** A tomogram; `levels` is empty if it was not opened, or if it cannot be and a problem says why. */
interface TomogramInfo {
  readonly type: string;
  /** In Å, from the name of the folder. */
  readonly voxelSpacing: number;
  readonly path: string;
  /** Finest first; voxel sizes in Å, along z, y, x. */
  readonly levels: readonly { readonly shape: Zyx; readonly voxelSize: Zyx; readonly dtype: string }[];
}

/** A picks file; without `count` if it was not read, or if it cannot be and a problem says why. */
export interface PicksInfo {
  readonly userId: string;
  readonly sessionId: string;
  readonly object: string;
  readonly count?: number | undefined;
}

/** Options of {@link inspectProject}. */
export interface InspectOptions {
  /** Path of the project file. */
  readonly config: string;
  readonly runs: readonly Run[];
  /** Open no tomograms and picks. */
  readonly namesOnly: boolean;
  readonly signal: AbortSignal;
  /** Called after each run. */
  readonly onProgress?: ((progress: BarProgress) => void) | undefined;
}

/** Reads everything in some runs; what is broken is listed as a problem, and the rest is still shown. */
async function inspectProject(project: Project, options: InspectOptions): Promise<InfoDocument> {
  const { config, namesOnly, signal, onProgress } = options;
  const broken = new Map<string, string>();
  const runs: RunInfo[] = [];
  const inspect = async (run: Run, stop: AbortSignal): Promise<RunInfo> => {
    const { picks, positions } = await describePicks(run, { broken, namesOnly, signal: stop });
    const tomograms = await describeTomograms(run, { broken, namesOnly, positions, signal: stop });
    return { name: run.name, tomograms, picks, ...(await listRun(run, { broken, signal: stop })) };
  };
  // One run at a time is opened, so that problems come in the order of the runs.
  for await (const run of mapOrdered(options.runs, inspect, { concurrency: namesOnly ? 8 : 1, signal })) {
    runs.push(run);
    onProgress?.({ stage: 'runs', done: runs.length, total: options.runs.length });
  }
  const empty = runs.filter(({ tomograms }) => tomograms.length === 0);
  // Where no run has one, the project is of picks alone.
  if (empty.length < runs.length) {
    for (const { name } of empty) broken.set(`run "${name}"`, 'it has no tomogram, which detect needs');
  }
  const objectMaps = await listObjectMaps(project, { broken, signal });
  for (const { path, message } of project.problems) broken.set(path, message);
  const problems = [...broken].map(([path, message]) => ({ path, message }));
  const { name } = project.config;
  return { config, name, namesOnly: namesOnly || undefined, objects: project.objects, objectMaps, runs, problems };
}

interface DescribeOptions {
  /** Problems by path. */
  readonly broken: Map<string, string>;
  readonly namesOnly: boolean;
  readonly signal: AbortSignal;
}

async function describeTomograms(
  run: Run,
  { broken, namesOnly, positions, signal }: DescribeOptions & Pick<DescribedPicks, 'positions'>,
): Promise<TomogramInfo[]> {
  const described: TomogramInfo[] = [];
  for (const { type, voxelSpacing, path, open } of await run.tomograms({ signal })) {
    if (namesOnly) {
      described.push({ type, voxelSpacing, path, levels: [] });
      continue;
    }
    try {
      const tomogram = await open({ signal });
      const shown = tomogram.levels.map(({ shape, voxelSize, dtype }) => ({ shape, voxelSize, dtype }));
      described.push({ type, voxelSpacing, path, levels: shown });
      const findings = checkTomogram(tomogram, { folderSpacing: voxelSpacing }).map(({ message }) => message);
      const known = new Set(findings);
      for (const { owner, picks } of positions) {
        for (const { message } of checkTomogram(tomogram, { picks, folderSpacing: voxelSpacing })) {
          if (!known.has(message)) findings.push(`picks of ${owner}: ${message}`);
        }
      }
      if (findings.length > 0) broken.set(path, findings.join('; '));
    } catch (error) {
      signal.throwIfAborted();
      broken.set(path, describeFailure(error).message);
      described.push({ type, voxelSpacing, path, levels: [] });
    }
  }
  return described;
}

interface DescribedPicks {
  readonly picks: readonly PicksInfo[];
  /** The picks of all files that can be read, by their user and session. */
  readonly positions: readonly { readonly owner: string; readonly picks: readonly ParticlePick[] }[];
}

async function describePicks(run: Run, { broken, namesOnly, signal }: DescribeOptions): Promise<DescribedPicks> {
  const described: PicksInfo[] = [];
  const positions = new Map<string, ParticlePick[]>();
  for (const { userId, sessionId, object, path, read } of await run.pickSets({ signal })) {
    if (namesOnly) {
      described.push({ userId, sessionId, object });
      continue;
    }
    try {
      const { picks } = await read({ signal });
      described.push({ userId, sessionId, object, count: picks.length });
      const owner = `${userId || '(no user)'}/${sessionId || '(no session)'}`;
      const before = positions.get(owner);
      if (before === undefined) positions.set(owner, [...picks]);
      else for (const pick of picks) before.push(pick);
    } catch (error) {
      signal.throwIfAborted();
      broken.set(path, describeFailure(error).message);
      described.push({ userId, sessionId, object });
    }
  }
  return { picks: described, positions: [...positions].map(([owner, picks]) => ({ owner, picks })) };
}

/** What a run contains besides tomograms and picks; it is listed, not opened. */
interface RunListing {
  readonly features: readonly FeaturesInfo[];
  readonly segmentations: readonly SegmentationInfo[];
  readonly meshes: readonly AuthoredInfo[];
  readonly filaments: readonly AuthoredInfo[];
}

/** Features of a tomogram. */
export interface FeaturesInfo {
  /** Type of the tomogram. */
  readonly type: string;
  readonly featureType: string;
  /** In Å, from the name of the folder. */
  readonly voxelSpacing: number;
  readonly path: string;
}

/** A segmentation. */
export interface SegmentationInfo {
  readonly kind: SegmentationKind;
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  /** In Å, from the name of the file. */
  readonly voxelSpacing: number;
  readonly path: string;
}

/** A mesh, or a file of filaments. */
interface AuthoredInfo {
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly path: string;
}

/** The density map of an object. */
interface ObjectMapInfo {
  readonly object: string;
  readonly path: string;
}

/** Options of {@link listRun}. */
export interface ListingOptions {
  /** Problems by place. */
  readonly broken: Map<string, string>;
  readonly signal: AbortSignal;
}

/** Lists what a run contains besides tomograms and picks; if one kind cannot be listed, the others still are. */
async function listRun(run: Run, { broken, signal }: ListingOptions): Promise<RunListing> {
  const place = (kind: string) => ({ place: `run "${run.name}", ${kind}`, broken, signal });
  const [features, segmentations, meshes, filaments] = await Promise.all([
    listed(run.features({ signal }), place('features')),
    listed(run.segmentations({ signal }), place('segmentations')),
    listed(run.meshes({ signal }), place('meshes')),
    listed(run.filaments({ signal }), place('filaments')),
  ]);
  return {
    features: features.map(({ type, featureType, voxelSpacing, path }) => ({ type, featureType, voxelSpacing, path })),
    segmentations: segmentations.map(({ kind, name, userId, sessionId, voxelSpacing, path }) => {
      return { kind, name, userId, sessionId, voxelSpacing, path };
    }),
    meshes: meshes.map(authored),
    filaments: filaments.map(authored),
  };
}

/** Lists the density maps of a project. */
async function listObjectMaps(project: Project, options: ListingOptions): Promise<ObjectMapInfo[]> {
  const maps = await listed(project.objectMaps({ signal: options.signal }), { ...options, place: 'density maps' });
  return maps.map(({ object, path }) => ({ object, path }));
}

function authored({ object, userId, sessionId, path }: AuthoredInfo): AuthoredInfo {
  return { object, userId, sessionId, path };
}

async function listed<T>(
  entries: Promise<readonly T[]>,
  { place, broken, signal }: ListingOptions & { readonly place: string },
): Promise<readonly T[]> {
  try {
    return await entries;
  } catch (error) {
    signal.throwIfAborted();
    broken.set(place, describeFailure(error).message);
    return [];
  }
}

/** The contents of a project as lines of text. */
function infoLines(document: InfoDocument, project: ProjectConfig): string[] {
  const { config, name, namesOnly = false, objects, runs, problems } = document;
  return [
    `${config}${name === undefined ? '' : `: ${name}`}`,
    `${counted(runs.length, 'run')}; ${describeRoots(project)}`,
    ...(namesOnly ? [byNames] : []),
    '',
    ...objectLines(objects),
    '',
    ...tomogramLines(runs, namesOnly),
    '',
    ...picksLines(runs, namesOnly),
    ...listingLines(document),
    ...(problems.length > 0 ? ['', `${counted(problems.length, 'problem')}:`] : []),
    ...problems.map((problem) => `  ${describeProblem(problem)}`),
  ];
}

const byNames = 'listed by the names of folders and files alone; --run opens the runs that it names, --all opens all';

/** The roots of a project from its config, without query strings, which may contain secrets. */
function describeRoots(config: ProjectConfig): string {
  const overlay = config.overlayRoot === undefined ? 'read-only' : `overlay ${withoutSecrets(config.overlayRoot)}`;
  if (config.type === 'mlcroissant') return `${overlay}, Croissant ${withoutSecrets(config.croissantUrl)}`;
  if (config.type === 'cryoet_data_portal') return `${overlay}, portal datasets ${config.datasetIds.join(', ')}`;
  return config.staticRoot === undefined ? overlay : `${overlay}, static ${withoutSecrets(config.staticRoot)}`;
}

function objectLines(objects: readonly PickableObject[]): string[] {
  const rows = objects.map(({ name, radius, label, isParticle }) => [
    name,
    radius ?? '–',
    label ?? '–',
    isParticle ? 'particle' : 'segmented',
  ]);
  return formatTable({ header: ['object', 'radius Å', 'label', 'kind'], rows });
}

/** One line for all runs whose tomograms are alike. */
function tomogramLines(runs: readonly RunInfo[], namesOnly: boolean): string[] {
  const groups = new Map<string, string[]>();
  const cellsOf = ({ type, voxelSpacing, levels }: TomogramInfo) => {
    const [finest] = levels;
    const size =
      finest === undefined ? '–' : [...new Set(finest.voxelSize.map((length) => length.toFixed(3)))].join('×');
    const unknown = namesOnly ? '–' : 'cannot be opened';
    const shape = finest === undefined ? unknown : formatZyx(finest.shape);
    const count = namesOnly ? '–' : String(levels.length);
    return [`${type}@${formatSpacing(voxelSpacing)}`, shape, size, finest?.dtype ?? '–', count];
  };
  for (const run of runs) {
    for (const tomogram of run.tomograms) {
      const key = JSON.stringify(cellsOf(tomogram));
      const names = groups.get(key);
      if (names === undefined) groups.set(key, [run.name]);
      else names.push(run.name);
    }
  }
  const rows = [...groups].map(([key, names]) => [...(JSON.parse(key) as string[]), names.length, shortList(names)]);
  const header = ['tomogram', 'voxels z×y×x', 'voxel size Å', 'type', 'levels', 'runs', ''];
  return formatTable({ header, rows });
}

/** One line per user, session and object, over all runs. */
function picksLines(runs: readonly RunInfo[], namesOnly: boolean): string[] {
  const groups = new Map<string, { runs: number; picks: number }>();
  for (const { userId, sessionId, object, count = 0 } of runs.flatMap(({ picks }) => picks)) {
    const key = JSON.stringify([userId || '–', sessionId || '–', object]);
    const group = groups.get(key) ?? { runs: 0, picks: 0 };
    groups.set(key, { runs: group.runs + 1, picks: group.picks + count });
  }
  const rows = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return formatTable({
    header: ['user', 'session', 'object', 'runs', 'picks'],
    rows: rows.map(([key, group]) => [...(JSON.parse(key) as string[]), group.runs, namesOnly ? '–' : group.picks]),
  });
}

function shortList(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')}, … ${names.at(-1)}`;
}

/** A table for each kind of entity besides tomograms and picks, each after an empty line. */
function listingLines({ runs, objectMaps }: InfoDocument): string[] {
  const features = runs.flatMap((run) => run.features);
  const segmentations = runs.flatMap((run) => run.segmentations);
  return [
    ...groupTable(['features', 'of tomogram'], features, ({ featureType, type, voxelSpacing }) => [
      featureType,
      `${type}@${formatSpacing(voxelSpacing)}`,
    ]),
    ...groupTable(['user', 'session', 'segmentation', 'kind', 'spacing Å'], segmentations, (one) => {
      return [...ownerOf(one), one.name, one.kind, formatSpacing(one.voxelSpacing)];
    }),
    ...authoredTable(
      'mesh',
      runs.flatMap((run) => run.meshes),
    ),
    ...authoredTable(
      'filaments',
      runs.flatMap((run) => run.filaments),
    ),
    ...(objectMaps.length === 0 ? [] : ['', `density maps: ${objectMaps.map(({ object }) => object).join(', ')}`]),
  ];
}

function authoredTable(what: string, entries: readonly AuthoredInfo[]): string[] {
  return groupTable(['user', 'session', what], entries, (one) => [...ownerOf(one), one.object]);
}

function ownerOf({ userId, sessionId }: { readonly userId: string; readonly sessionId: string }): [string, string] {
  return [userId || '–', sessionId || '–'];
}

/** One line for all entries with the same cells, with the number of runs; no lines if there are no entries. */
function groupTable<T>(header: readonly string[], entries: readonly T[], cellsOf: (entry: T) => string[]): string[] {
  if (entries.length === 0) return [];
  const counts = new Map<string, number>();
  for (const entry of entries) {
    const key = JSON.stringify(cellsOf(entry));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    '',
    ...formatTable({
      header: [...header, 'runs'],
      rows: rows.map(([key, runs]) => [...(JSON.parse(key) as string[]), runs]),
    }),
  ];
}
