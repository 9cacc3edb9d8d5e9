import {
  anything,
  describeValue,
  isFields,
  optional,
  type Rule,
  type RulesFor,
  requireArgument,
  source,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Box, formatZyx, sameZyx, type Zyx } from '../space/grid.ts';
import { blockShape, cutIntoBoxes } from '../volume/intensity.ts';
import { type NumericData, type ReadOptions, readBox, type Volume, type VolumeSource } from '../volume/volume.ts';
import { pathToWrite, sanitizeName, spacingOf } from './layout.ts';
import type { SegmentationKind } from './segmentations.ts';
import type { ProjectTree } from './tree.ts';
import { type WriteSpacedOptions, writeSpacedRules, writeVolumes } from './write-volumes.ts';

/** Options of `Run.writeSegmentation`. */
export interface WriteSegmentationOptions extends WriteSpacedOptions {
  /** Name of the object, or of the set of labels. In name, user and session, characters not valid in file names are replaced. */
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  /** What the voxels hold. @defaultValue 'panoptic' for two volumes, else 'binary' */
  readonly kind?: SegmentationKind | undefined;
  /** @defaultValue the smallest type that holds every label: at least uint8, or uint16 for kinds with instances */
  readonly dtype?: LabelType | undefined;
  /** Number of resolution levels; a coarse voxel is the first of its cell. @defaultValue 1 */
  readonly levels?: number | undefined;
}

/** What the options of `Run.writeSegmentation` must be. */
export const writeSegmentationRules: RulesFor<WriteSegmentationOptions> = {
  ...writeSpacedRules,
  name: text,
  userId: text,
  sessionId: text,
  kind: /* @__PURE__ */ optional(text),
  dtype: /* @__PURE__ */ optional(text),
  levels: anything,
};

/** A volume of labels, or two. */
export const labelVolumes: Rule = {
  expected: 'a volume of labels, or { label, instance }',
  isValid: (value) =>
    isFields(value) && ('grid' in value ? source.isValid(value) : 'label' in value && 'instance' in value),
};

/** The types of labels that can be written; labels in `uint64` are at most 2^53 − 1. */
export type LabelType = 'uint8' | 'uint16' | 'uint32' | 'uint64';

/** Writes a volume of labels into the overlay; see `Run.writeSegmentation`. */
export async function writeSegmentationOf(
  tree: ProjectTree,
  run: string,
  { labels, ...options }: WriteSegmentationOptions & { readonly labels: SegmentationVolumes },
): Promise<string> {
  const { signal, dtype, levels = 1 } = options;
  signal?.throwIfAborted();
  const volumes = 'grid' in labels ? [labels] : [labels.label, labels.instance];
  for (const one of volumes) requireArgument('run.writeSegmentation', 'labels', one, source);
  const kind = kindOf(labels, options);
  const key = keyOf(run, kind, { ...options, grid: 'grid' in labels ? labels.grid : labels.label.grid });
  const written = writtenOptions(options);
  if ('grid' in labels) {
    const greatest = await greatestLabel(labels, { signal });
    const type = typeFor(greatest, { dtype, kind });
    return writeVolumes(tree, key, labels, { ...written, levels, dtype: type });
  }
  const known = new Set(tree.objects.flatMap(({ label }) => label ?? []));
  const greatest = await greatestPanoptic(labels, known, { signal });
  return writeVolumes(tree, key, [labels.label, labels.instance], {
    ...written,
    levels,
    dtype: typeFor(greatest, { dtype, kind }),
    axis: 'c',
    metadata: { copick: { segmentation_type: 'panoptic', channels: ['label', 'instance'] } },
  });
}

function writtenOptions({ format, chunkShape, overwrite, signal, onProgress }: WriteSpacedOptions) {
  return { format, chunkShape, overwrite, signal, onProgress };
}

function kindOf(labels: SegmentationVolumes, { kind }: WriteSegmentationOptions): SegmentationKind {
  const isPair = !('grid' in labels);
  const chosen = kind ?? (isPair ? 'panoptic' : 'binary');
  if (!Object.hasOwn(FLOORS, chosen)) {
    const known = Object.keys(FLOORS).join(', ');
    throw new CryoetPicksError('invalid-option', `kind is ${describeValue(kind)}, expected one of ${known}`);
  }
  if (isPair !== (chosen === 'panoptic')) {
    throw new CryoetPicksError(
      'invalid-option',
      `a segmentation of the kind "${chosen}" is ${isPair ? 'one volume, found two' : 'two volumes, { label, instance }, found one'}`,
    );
  }
  return chosen;
}

const PLACES = {
  binary: 'segmentation',
  multilabel: 'segmentation',
  instance: 'instanceSegmentation',
  panoptic: 'panopticSegmentation',
} as const;

function keyOf(run: string, kind: SegmentationKind, options: WriteSegmentationOptions & Pick<VolumeSource, 'grid'>) {
  return pathToWrite(PLACES[kind], {
    run,
    voxelSpacing: spacingOf(options.grid, options.voxelSpacing),
    userId: sanitizeName(options.userId),
    sessionId: sanitizeName(options.sessionId),
    name: segmentationName(options.name),
    multilabel: kind === 'multilabel',
  });
}

/** The name as part of the file name. The ending that marks labels of several objects cannot belong to it. */
function segmentationName(name: string): string {
  const fit = sanitizeName(name);
  if (!fit.endsWith('-multilabel')) return fit;
  throw new CryoetPicksError(
    'invalid-option',
    `segmentation name "${name}" cannot end in "-multilabel", copick's mark of labels of several objects; ` +
      `leave it out and set \`kind: 'multilabel'\` if they are`,
  );
}

/** The maximum label of each type. */
const LIMITS: Readonly<Record<LabelType, number>> = {
  uint8: 2 ** 8 - 1,
  uint16: 2 ** 16 - 1,
  uint32: 2 ** 32 - 1,
  uint64: Number.MAX_SAFE_INTEGER,
};

/** The narrowest type of each kind, as in copick. */
const FLOORS: Readonly<Record<SegmentationKind, LabelType>> = {
  binary: 'uint8',
  multilabel: 'uint8',
  instance: 'uint16',
  panoptic: 'uint16',
};

function typeFor(
  greatest: number,
  { dtype, kind }: { readonly dtype: LabelType | undefined; readonly kind: SegmentationKind },
): LabelType {
  const types = Object.keys(LIMITS) as LabelType[];
  if (dtype === undefined) {
    return types.find((type) => LIMITS[type] >= Math.max(greatest, LIMITS[FLOORS[kind]])) ?? 'uint64';
  }
  if (!Object.hasOwn(LIMITS, dtype)) {
    throw new CryoetPicksError(
      'invalid-option',
      `dtype is ${describeValue(dtype)}, expected one of ${types.join(', ')}`,
    );
  }
  if (greatest <= LIMITS[dtype]) return dtype;
  throw new CryoetPicksError(
    'invalid-option',
    `cannot write the segmentation: label ${greatest} does not fit ${dtype}, which holds labels up to ${LIMITS[dtype]}; ` +
      'omit `dtype` to use the smallest type that holds all labels',
  );
}

/** The two volumes of a panoptic segmentation, on one grid. */
export interface PanopticVolumes {
  /** The label of the object at each voxel; 0 for background. */
  readonly label: VolumeSource;
  /** The number of the object's instance at each voxel; 0 for background and for objects not divided into instances. */
  readonly instance: VolumeSource;
}

/** One volume of labels, or the two volumes of a panoptic segmentation. */
export type SegmentationVolumes = VolumeSource | PanopticVolumes;

/** Maximum number of voxels per block that is checked. */
const BLOCK_VOXELS = 2 ** 22;

/**
 * The maximum label of a volume, which is read once.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a voxel that is not a whole number from 0 to 2^53 − 1.
 */
async function greatestLabel(labels: VolumeSource, options: ReadOptions): Promise<number> {
  let greatest = 0;
  for (const box of boxesOf(labels)) {
    greatest = Math.max(greatest, greatestOf(await readLabels(labels, box, options), box));
  }
  return greatest;
}

/**
 * The maximum number in a panoptic segmentation, whose volumes are read once.
 *
 * @param known - The labels of the project's objects.
 * @throws {@link CryoetPicksError} `invalid-option` like {@link greatestLabel}, and, as in copick, for a label that no
 *   object has and for an instance on the background.
 */
async function greatestPanoptic(
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
  return readBox(source, box, { ...options, exact: true });
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
            `voxel ${at(start, z, y, x)} is background but has instance ${instances.data[i]}; expected instances inside objects only`,
          );
        }
        if (label === last || label === 0) continue;
        if (!known.has(label)) {
          const labelled = [...known].sort((a, b) => a - b).join(', ') || 'none';
          throw invalid(
            `voxel ${at(start, z, y, x)} has the label ${label}, which no object of the project has; available: ${labelled}`,
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
