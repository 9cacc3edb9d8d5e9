import { fitsVoxelSize } from '../detect.ts';
import type { DetectProjectOptions } from '../detect-project.ts';
import type { ModelSpec } from '../inference/model.ts';
import { formatZyx } from '../space/zyx.ts';
import { resampled } from '../volume/resampled.ts';
import type { Terminal } from './terminal.ts';

/** Resamples the tomograms that do not fit the model, and says so. */
export function resampling(terminal: Terminal, spec: ModelSpec): DetectProjectOptions['prepare'] {
  return (tomogram, run) => {
    if (fitsVoxelSize(tomogram.grid, spec)) return tomogram;
    const found = formatZyx(tomogram.grid.voxelSize.map((length) => length.toFixed(3)));
    terminal.warn(
      `cryoet-picks: run "${run.name}" is resampled from voxels of ${found} Å (z×y×x) to ${spec.voxelSize} Å`,
    );
    return resampled(tomogram, spec.voxelSize);
  };
}
