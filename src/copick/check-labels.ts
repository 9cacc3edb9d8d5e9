import { CryoetPicksError } from '../errors.ts';
import { type Box, formatZyx, sameZyx, type Zyx } from '../space/zyx.ts';
import { blockShape, cutIntoBoxes } from '../volume/blocks.ts';
import type { NumericData, ReadOptions, Volume, VolumeSource } from '../volume/volume.ts';

/** The two volumes of a panoptic segmentation, of one grid. */
export interface PanopticVolumes {
  /** The label of the object at each voxel, 0 where none is. */
  readonly label: VolumeSource;
  /** The number of the object's instance at each voxel; 0 for a region that is not divided, and where no object is. */
  readonly instance: VolumeSource;
}

/** What `Run.writeSegmentation` takes: one volume of labels, or the two of a panoptic segmentation. */
export type SegmentationVolumes = VolumeSource | PanopticVolumes;

/** Voxels that are looked at together. */
const BLOCK_VOXELS = 2 ** 22;

/**
 * The greatest label of a volume, which is read through once.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a voxel that is no whole number from 0 to 2^53 − 1.
 */
export async function greatestLabel(labels: VolumeSource, options: ReadOptions): Promise<number> {
  let greatest = 0;
  for (const box of boxesOf(labels)) {
    greatest = Math.max(greatest, greatestOf(await readLabels(labels, box, options), box));
  }
  return greatest;
}

/**
 * The greatest number of a panoptic segmentation, whose volumes are read through once.
 *
 * @param known - The labels of the project's objects.
 * @throws {@link CryoetPicksError} `invalid-option` as above, for a label that no object has, and for an instance on the
 *   background: what copick refuses too.
 */
export async function greatestPanoptic(
  { label, instance }: PanopticVolumes,
  known: ReadonlySet<number>,
  options: ReadOptions,
): Promise<number> {
  if (!sameZyx(label.grid.shape, instance.grid.shape)) {
    const [labels, instances] = [label, instance].map(({ grid }) => formatZyx(grid.shape));
    throw invalid(`the labels are ${labels} voxels and the instances ${instances}; expected the same shape`);
  }
  let greatest = 0;
  for (const box of boxesOf(label)) {
    const [labels, instances] = await Promise.all([
      readLabels(label, box, options),
      readLabels(instance, box, options),
    ]);
    greatest = Math.max(greatest, greatestOf(labels, box), greatestOf(instances, box));
    checkPairs(labels, instances, box, known);
  }
  return greatest;
}

function boxesOf({ grid: { shape } }: VolumeSource): Iterable<Box> {
  return cutIntoBoxes(shape, blockShape(shape, BLOCK_VOXELS));
}

function readLabels(source: VolumeSource, box: Box, options: ReadOptions): Promise<Volume<NumericData>> {
  options.signal?.throwIfAborted();
  return source.readExact ? source.readExact(box, options) : source.read(box, options);
}

function greatestOf({ data, shape, stride, offset }: Volume<NumericData>, { start }: Box): number {
  let greatest = 0;
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      let i = offset + z * stride[0] + y * stride[1];
      for (let x = 0; x < shape[2]; x++, i += stride[2]) {
        const value = data[i]!;
        if (!(value >= 0 && Number.isSafeInteger(value))) {
          throw invalid(
            `voxel ${at(start, z, y, x)} holds ${value}, expected labels: whole numbers from 0 to 2^53 − 1`,
          );
        }
        if (value > greatest) greatest = value;
      }
    }
  }
  return greatest;
}

function checkPairs(
  labels: Volume<NumericData>,
  instances: Volume<NumericData>,
  { start }: Box,
  known: ReadonlySet<number>,
): void {
  const [depth, height, width] = labels.shape;
  let last = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let l = labels.offset + z * labels.stride[0] + y * labels.stride[1];
      let i = instances.offset + z * instances.stride[0] + y * instances.stride[1];
      for (let x = 0; x < width; x++, l += labels.stride[2], i += instances.stride[2]) {
        const label = labels.data[l]!;
        if (label === 0 && instances.data[i] !== 0) {
          throw invalid(
            `voxel ${at(start, z, y, x)} is background and carries instance ${instances.data[i]}; instances belong to an object`,
          );
        }
        if (label === last || label === 0) continue;
        if (!known.has(label)) {
          const labelled = [...known].sort((a, b) => a - b).join(', ') || 'none';
          throw invalid(
            `voxel ${at(start, z, y, x)} has the label ${label}, which no object of the project has; there are ${labelled}`,
          );
        }
        last = label;
      }
    }
  }
}

function at(start: Zyx, z: number, y: number, x: number): string {
  return `(${start[0] + z}, ${start[1] + y}, ${start[2] + x})`;
}

function invalid(what: string): CryoetPicksError {
  return new CryoetPicksError('invalid-option', `cannot write the segmentation: ${what}`);
}
