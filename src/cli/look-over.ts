import { checkTomogram } from '../check.ts';
import type { Run } from '../copick/run.ts';
import type { TomogramLevel } from '../ome-zarr/tomogram.ts';
import { voxelCount } from '../space/zyx.ts';
import { type Intensity, measureIntensity } from '../volume/intensity.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { TomogramName } from './arguments.ts';
import { type FittingOptions, fitting } from './resample.ts';
import type { Terminal } from './terminal.ts';

/** Options of {@link lookingOver}. */
export interface LookingOverOptions extends FittingOptions {
  readonly tomogram: TomogramName;
}

/** Something wrong with a tomogram, and where that lies. */
export interface TomogramProblem {
  readonly path: string;
  readonly message: string;
}

/** Looks at the tomograms of runs, before and after they are searched. */
export interface LookOver {
  /** Resamples a tomogram as {@link fitting} does, and warns of what looks wrong with it and with the run's picks. */
  readonly prepare: (tomogram: VolumeSource, run: Run) => Promise<VolumeSource>;
  /** Warns of chunks that were missing when the tomogram of a run was read; of a run once, and only if it was prepared. */
  readonly afterwards: (run: string) => readonly TomogramProblem[];
}

/** Looks over the tomograms of one type, and tells what it finds on stderr. */
export function lookingOver(
  terminal: Terminal,
  { tomogram: { type, voxelSpacing }, ...options }: LookingOverOptions,
): LookOver {
  const { signal } = terminal;
  const fitted = fitting(terminal, options);
  const searched = new Map<string, { readonly tomogram: VolumeSource; readonly path: string }>();
  const warn = (run: string, message: string) => terminal.warn(`cryoet-picks: run "${run}": ${message}`);
  return {
    async prepare(tomogram, run) {
      const prepared = fitted(tomogram, run);
      const [entry] = await run.tomograms({ type, voxelSpacing, signal });
      searched.set(run.name, { tomogram, path: entry?.path ?? run.name });
      const picks = await run.picks({ signal }).catch(() => []);
      signal.throwIfAborted();
      const findings = checkTomogram(tomogram, {
        picks,
        folderSpacing: entry?.voxelSpacing,
        spec: options.spec,
        intensity: await coarseIntensity(entry?.open, signal),
      });
      for (const { code, message } of findings) {
        // That is refused, or resampled and said.
        if (code !== 'voxel-size-not-of-model') warn(run.name, message);
      }
      return prepared;
    },
    afterwards(run) {
      const one = searched.get(run);
      searched.delete(run);
      if (one === undefined) return [];
      const missing = checkTomogram(one.tomogram).filter(({ code }) => code === 'chunks-missing');
      for (const { message } of missing) warn(run, message);
      return missing.map(({ message }) => ({ path: one.path, message }));
    },
  };
}

/** The most voxels that are read to look over a tomogram. */
const MOST_VOXELS = 2 ** 24;

type OpenTomogram = Awaited<ReturnType<Run['tomograms']>>[number]['open'];

/** The intensity of the coarsest level, where that is small; a level that cannot be read is the search's to refuse. */
async function coarseIntensity(open: OpenTomogram | undefined, signal: AbortSignal): Promise<Intensity | undefined> {
  try {
    const coarsest = (await open?.({ signal }))?.levels.reduce<TomogramLevel | undefined>(
      (least, level) => (least === undefined || voxelCount(level.shape) < voxelCount(least.shape) ? level : least),
      undefined,
    );
    if (open === undefined || coarsest === undefined || voxelCount(coarsest.shape) > MOST_VOXELS) return undefined;
    return await measureIntensity(await open({ level: coarsest.index, signal }), { signal });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
