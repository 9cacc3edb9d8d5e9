import { checkTomogram } from '../check.ts';
import type { PickableObject } from '../copick/config.ts';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import type { Pick } from '../picks/pick.ts';
import type { Zyx } from '../space/zyx.ts';
import { describeFailure } from './failure.ts';
import { listObjectMaps, listRun, type ObjectMapInfo, type RunListing } from './listings.ts';
import type { BarProgress } from './terminal.ts';

/** What `info --json` prints. */
export interface InfoDocument {
  readonly config: string;
  readonly name?: string | undefined;
  readonly objects: readonly PickableObject[];
  /** Density maps. */
  readonly objectMaps: readonly ObjectMapInfo[];
  readonly runs: readonly RunInfo[];
  /** What is broken or odd; `path` says where. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

/** A run and what it holds. */
export interface RunInfo extends RunListing {
  readonly name: string;
  readonly tomograms: readonly TomogramInfo[];
  readonly picks: readonly PicksInfo[];
}

/** A tomogram; `levels` is empty where it cannot be opened, and a problem says why. */
export interface TomogramInfo {
  readonly type: string;
  /** In Å, as the folder says. */
  readonly voxelSpacing: number;
  readonly path: string;
  /** Finest first; voxel sizes in Å, along z, y, x. */
  readonly levels: readonly { readonly shape: Zyx; readonly voxelSize: Zyx; readonly dtype: string }[];
}

/** A picks file; without `count` where it cannot be read, and a problem says why. */
export interface PicksInfo {
  readonly userId: string;
  readonly sessionId: string;
  readonly object: string;
  readonly count?: number | undefined;
}

/** Options of {@link surveyProject}. */
export interface SurveyOptions {
  /** Path of the project file. */
  readonly config: string;
  readonly signal: AbortSignal;
  /** Told before each run. */
  readonly onProgress?: ((progress: BarProgress) => void) | undefined;
}

/** Looks at everything a project holds; what is broken is listed and hides nothing else. */
export async function surveyProject(project: Project, options: SurveyOptions): Promise<InfoDocument> {
  const { config, signal, onProgress } = options;
  const broken = new Map<string, string>();
  const runs: RunInfo[] = [];
  const found = await project.runs({ signal });
  for (const run of found) {
    onProgress?.({ stage: 'runs', done: runs.length, total: found.length });
    const { picks, positions } = await describePicks(run, { broken, signal });
    const tomograms = await describeTomograms(run, { broken, positions, signal });
    runs.push({ name: run.name, tomograms, picks, ...(await listRun(run, { broken, signal })) });
  }
  const objectMaps = await listObjectMaps(project, { broken, signal });
  for (const { path, message } of project.problems) broken.set(path, message);
  const problems = [...broken].map(([path, message]) => ({ path, message }));
  return { config, name: project.config.name, objects: project.objects, objectMaps, runs, problems };
}

interface DescribeOptions {
  /** What cannot be read or looks wrong, by path, and why. */
  readonly broken: Map<string, string>;
  readonly signal: AbortSignal;
}

async function describeTomograms(
  run: Run,
  { broken, positions, signal }: DescribeOptions & { readonly positions: readonly Pick[] },
): Promise<TomogramInfo[]> {
  const described: TomogramInfo[] = [];
  for (const { type, voxelSpacing, path, open } of await run.tomograms({ signal })) {
    try {
      const tomogram = await open({ signal });
      const shown = tomogram.levels.map(({ shape, voxelSize, dtype }) => ({ shape, voxelSize, dtype }));
      described.push({ type, voxelSpacing, path, levels: shown });
      const odd = checkTomogram(tomogram, { picks: positions, folderSpacing: voxelSpacing });
      if (odd.length > 0) broken.set(path, odd.map(({ message }) => message).join('; '));
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
  /** The picks of all files that can be read. */
  readonly positions: readonly Pick[];
}

async function describePicks(run: Run, { broken, signal }: DescribeOptions): Promise<DescribedPicks> {
  const described: PicksInfo[] = [];
  const positions: Pick[] = [];
  for (const { userId, sessionId, object, path, read } of await run.pickSets({ signal })) {
    try {
      const { picks } = await read({ signal });
      described.push({ userId, sessionId, object, count: picks.length });
      for (const pick of picks) positions.push(pick);
    } catch (error) {
      signal.throwIfAborted();
      broken.set(path, describeFailure(error).message);
      described.push({ userId, sessionId, object });
    }
  }
  return { picks: described, positions };
}
