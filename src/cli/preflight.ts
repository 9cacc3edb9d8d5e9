import type { Run } from '../copick/run.ts';
import type { Warning } from '../core/concurrency.ts';
import { checkTomogram } from '../detect/check-tomogram.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { coarseIntensity, isToldLater } from './coarse-intensity.ts';
import type { TomogramName } from './command.ts';
import type { TomogramProblem } from './run-results.ts';
import { type FittingOptions, fitting, namedRun } from './runtime.ts';
import type { Terminal } from './terminal.ts';

/** Options of {@link preflight}. */
export interface PreflightOptions extends FittingOptions {
  readonly tomogram: TomogramName;
  readonly warn: (warning: Warning) => void;
}

/** Checks the tomograms of runs, before and after they are searched. */
export interface Preflight {
  /** Resamples a tomogram as {@link fitting} does, and warns about problems of the tomogram and of the run's picks. */
  readonly prepare: (tomogram: VolumeSource, run: Run) => Promise<VolumeSource>;
  /** Warns about chunks that were missing when the tomogram of a run was read; once per run, and only if it was prepared. */
  readonly afterwards: (run: string) => readonly TomogramProblem[];
}

/** Checks the tomograms of one type, and warns about problems. */
export function preflight(
  terminal: Terminal,
  { tomogram: { type, voxelSpacing }, warn, ...options }: PreflightOptions,
): Preflight {
  const { signal } = terminal;
  const fitted = fitting(terminal, options);
  const searched = new Map<string, { readonly tomogram: VolumeSource; readonly path: string }>();
  return {
    async prepare(tomogram, run) {
      const prepared = fitted(tomogram, namedRun(run));
      const [entry] = await run.tomograms({ type, voxelSpacing, signal });
      searched.set(run.name, { tomogram, path: entry?.path ?? run.name });
      const picks = await run.picks({ signal }).catch(() => []);
      signal.throwIfAborted();
      const findings = checkTomogram(tomogram, {
        picks,
        folderSpacing: entry?.voxelSpacing,
        spec: options.spec,
        intensity: await coarseIntensity(async (level) => (entry ? entry.open({ level, signal }) : tomogram), {
          invert: options.invert,
          signal,
        }),
      });
      for (const finding of findings) {
        if (isToldLater.has(finding.code)) continue;
        warn({ ...finding, path: entry?.path, run: run.name });
      }
      return prepared;
    },
    afterwards(run) {
      const one = searched.get(run);
      searched.delete(run);
      if (one === undefined) return [];
      const missing = checkTomogram(one.tomogram).filter(({ code }) => code === 'chunks-missing');
      for (const finding of missing) warn({ ...finding, path: one.path, run });
      return missing.map(({ message }) => ({ path: one.path, message }));
    },
  };
}
