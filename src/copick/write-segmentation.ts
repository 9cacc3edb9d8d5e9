import { CryoetPicksError } from '../errors.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { greatestLabel, greatestPanoptic, type SegmentationVolumes } from './check-labels.ts';
import { pathOf } from './layout.ts';
import { sanitizeName } from './names.ts';
import type { SegmentationKind } from './segmentations.ts';
import { spacingOf } from './spacing-label.ts';
import type { ProjectTree } from './tree.ts';
import { type WriteSpacedOptions, writeVolumes } from './write-volumes.ts';

/** Options of `Run.writeSegmentation`. */
export interface WriteSegmentationOptions extends WriteSpacedOptions {
  /** Name of the object, or of the set of labels; made fit for file names, as are user and session. */
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  /** What the voxels hold. @defaultValue 'panoptic' for two volumes, 'multilabel' where `multilabel` is set, else 'binary' */
  readonly kind?: SegmentationKind | undefined;
  /** Whether the voxels hold the labels of several objects: the kind `multilabel`. @defaultValue false */
  readonly multilabel?: boolean | undefined;
  /** @defaultValue the smallest that holds every label, from uint8 on, or from uint16 for kinds with instances */
  readonly dtype?: LabelType | undefined;
  /** Number of resolution levels; a coarse voxel is the first of its cell. @defaultValue 1 */
  readonly levels?: number | undefined;
}

/** The types that labels are written in; `uint64` holds them up to 2^53 − 1. */
export type LabelType = 'uint8' | 'uint16' | 'uint32' | 'uint64';

/** Writes a volume of labels into the overlay; see `Run.writeSegmentation`. */
export async function writeSegmentationOf(
  tree: ProjectTree,
  run: string,
  { labels, ...options }: WriteSegmentationOptions & { readonly labels: SegmentationVolumes },
): Promise<string> {
  const { signal, dtype, levels = 1 } = options;
  signal?.throwIfAborted();
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

function kindOf(labels: SegmentationVolumes, { kind, multilabel }: WriteSegmentationOptions): SegmentationKind {
  const isPair = !('grid' in labels);
  const chosen = kind ?? (isPair ? 'panoptic' : multilabel ? 'multilabel' : 'binary');
  if (!Object.hasOwn(FLOORS, chosen)) {
    const known = Object.keys(FLOORS).join(', ');
    throw new CryoetPicksError('invalid-option', `kind is ${JSON.stringify(kind)}, expected one of ${known}`);
  }
  if (multilabel === true && chosen !== 'multilabel') {
    throw new CryoetPicksError('invalid-option', `multilabel is set for a segmentation of the kind "${chosen}"`);
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
  return pathOf(PLACES[kind], {
    run,
    voxelSpacing: spacingOf(options.grid, options.voxelSpacing),
    userId: sanitizeName(options.userId),
    sessionId: sanitizeName(options.sessionId),
    name: segmentationName(options.name),
    multilabel: kind === 'multilabel',
  });
}

/** A name as the file has it. The ending that tells labels of several objects cannot belong to the name. */
function segmentationName(name: string): string {
  const fit = sanitizeName(name);
  if (!fit.endsWith('-multilabel')) return fit;
  throw new CryoetPicksError(
    'invalid-option',
    `segmentation name "${name}" cannot end in "-multilabel", copick's mark of labels of several objects; ` +
      `leave it out and set \`multilabel: true\` if they are`,
  );
}

/** The greatest label that each type holds. */
const LIMITS: Readonly<Record<LabelType, number>> = {
  uint8: 2 ** 8 - 1,
  uint16: 2 ** 16 - 1,
  uint32: 2 ** 32 - 1,
  uint64: Number.MAX_SAFE_INTEGER,
};

/** The narrowest type of each kind, as copick has it. */
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
      `dtype is ${JSON.stringify(dtype)}, expected one of ${types.join(', ')}`,
    );
  }
  if (greatest <= LIMITS[dtype]) return dtype;
  throw new CryoetPicksError(
    'invalid-option',
    `cannot write the segmentation: label ${greatest} does not fit ${dtype}, which holds labels up to ${LIMITS[dtype]}; ` +
      'leave `dtype` out to take the type that holds all',
  );
}
