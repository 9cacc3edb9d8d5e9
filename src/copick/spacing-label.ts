import { CryoetPicksError } from '../errors.ts';
import type { VoxelGrid } from '../space/grid.ts';
import { formatZyx } from '../space/zyx.ts';
import { formatSpacing } from './names.ts';

/** The label to look for: the wanted one if it is there, else that of the nearest spacing within 0.001 Å. */
export function nearestLabel(found: readonly { readonly voxelSpacing: number }[], wanted: number): string | undefined {
  const label = formatSpacing(wanted);
  const distance = ({ voxelSpacing }: { readonly voxelSpacing: number }) => Math.abs(voxelSpacing - wanted);
  if (found.some(({ voxelSpacing }) => formatSpacing(voxelSpacing) === label)) return label;
  const [nearest] = found.filter((one) => distance(one) <= 1e-3 + 1e-9).sort((a, b) => distance(a) - distance(b));
  return nearest === undefined ? undefined : formatSpacing(nearest.voxelSpacing);
}

/** How far the edges of a voxel may differ, as a fraction: copick knows one length for all three. */
const MOST_ANISOTROPY = 1e-3;

/** How far the label of a folder may be from the voxel size, as a fraction. */
const MOST_ROUNDING = 0.01;

/**
 * The voxel spacing, in Å, under which a volume is filed: the one asked for, else its voxel size along z.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for voxels whose edges differ by more than 0.1 %, which copick would read
 *   as cubes, and for a spacing that is more than 1 % off the voxel size.
 */
export function spacingOf({ voxelSize }: VoxelGrid, voxelSpacing: number = voxelSize[0]): number {
  const label = formatSpacing(voxelSpacing);
  for (const length of voxelSize) formatSpacing(length);
  if (Math.max(...voxelSize) > Math.min(...voxelSize) * (1 + MOST_ANISOTROPY)) {
    throw new CryoetPicksError(
      'invalid-option',
      `voxels of ${formatZyx(voxelSize)} Å cannot be filed in a copick project, which takes them for cubes; ` +
        'expected edges within 0.1 % of each other: resample the volume first',
    );
  }
  const size = Math.cbrt(voxelSize[0] * voxelSize[1] * voxelSize[2]);
  if (Math.abs(voxelSpacing / size - 1) > MOST_ROUNDING) {
    throw new CryoetPicksError(
      'invalid-option',
      `voxelSpacing ${label} Å is no label for voxels of ${formatZyx(voxelSize)} Å; expected one within 1 % of them`,
    );
  }
  return voxelSpacing;
}
