import type { Run } from '../copick/run.ts';
import { fitsVoxelSize, requireVoxelSize } from '../detect-options.ts';
import type { ModelSpec } from '../inference/model.ts';
import { formatZyx } from '../space/zyx.ts';
import { resampled } from '../volume/resampled.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { Terminal } from './terminal.ts';

/** Options of {@link fitting}. */
export interface FittingOptions {
  readonly spec: ModelSpec;
  readonly resample?: true | undefined;
}

/** Resamples the tomograms that do not fit the model, and says so; or refuses them, naming the flag that would. */
export function fitting(
  terminal: Terminal,
  { spec, resample }: FittingOptions,
): (tomogram: VolumeSource, run: Run) => VolumeSource {
  return (tomogram, run) => {
    if (resample !== true) requireVoxelSize(tomogram.grid, spec, { remedy: 'add --resample' });
    if (fitsVoxelSize(tomogram.grid, spec)) return tomogram;
    const found = formatZyx(tomogram.grid.voxelSize.map((length) => length.toFixed(3)));
    terminal.warn(
      `cryoet-picks: run "${run.name}" is resampled from voxels of ${found} Å (z×y×x) to ${spec.voxelSize} Å`,
    );
    return resampled(tomogram, spec.voxelSize);
  };
}
