import type { TomogramLevel } from '../ome-zarr/tomogram.ts';
import { requireInside, voxelCount, type Zyx } from '../space/grid.ts';
import { type Intensity, measureIntensity } from '../volume/intensity.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { inverted } from './runtime.ts';

/** Codes of what a detection, or the check of the voxel size before it, says itself. */
export const isToldLater: ReadonlySet<string> = new Set([
  'voxel-size-not-of-model',
  'voxels-not-finite',
  'chunks-missing',
]);

/** Options of {@link coarseIntensity}. */
export interface CoarseIntensityOptions {
  /** Whether the negative will be searched. */
  readonly invert?: true | undefined;
  readonly signal: AbortSignal;
}

/** The maximum number of voxels to read for the check of a tomogram. */
const MAX_CHECKED_VOXELS = 2 ** 24;

/**
 * The intensity of a tomogram from few voxels: those of its coarsest level, and of this the middle planes if it is large. Undefined
 * if they cannot be read, which the detection reports.
 *
 * @param open - Opens the tomogram, or one of its levels.
 */
export async function coarseIntensity(
  open: (level?: number) => Promise<VolumeSource & { readonly levels?: readonly TomogramLevel[] }>,
  { invert, signal }: CoarseIntensityOptions,
): Promise<Intensity | undefined> {
  try {
    const whole = await open();
    const [first, ...others] = whole.levels ?? [];
    const coarsest = others.reduce(
      (least, level) => (least && voxelCount(level.shape) < voxelCount(least.shape) ? level : least),
      first,
    );
    const level = middleOf(coarsest === undefined ? whole : await open(coarsest.index));
    return await measureIntensity(invert ? inverted(level) : level, { signal });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** The planes in the middle along z, as many as may be read. */
function middleOf(source: VolumeSource): VolumeSource {
  const [depth, height, width] = source.grid.shape;
  const planes = Math.min(depth, Math.max(1, Math.floor(MAX_CHECKED_VOXELS / (height * width))));
  if (planes === depth) return source;
  const first = Math.floor((depth - planes) / 2);
  const shape: Zyx = [planes, height, width];
  return {
    grid: { ...source.grid, shape },
    async read(box, options) {
      requireInside(box, { shape, where: 'the middle of the volume' });
      const moved = ([z, y, x]: Zyx): Zyx => [z + first, y, x];
      return source.read({ start: moved(box.start), end: moved(box.end) }, options);
    },
  };
}
