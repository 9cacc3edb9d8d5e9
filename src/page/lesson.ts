import {
  addHead,
  type Box,
  type Candidates,
  collectCandidates,
  type FeatureBlock,
  type Learned,
  localMaxima,
  type ModelSpec,
  type ParticlePick,
  type Peak,
  type Point,
  sha256Hex,
  type Taught,
  type TomogramFeatures,
  teach,
  toPhysical,
  toVoxel,
  type VoxelGrid,
  type Zyx,
} from '../entry/index.ts';

/** What is taught in: the features of a tomogram, and the network that gave them. */
export interface Classroom {
  readonly features: TomogramFeatures;
  /** Of the tomogram. */
  readonly grid: VoxelGrid;
  readonly network: Uint8Array;
}

/** What is to be learned. */
export interface TeachRequest {
  readonly picks: readonly ParticlePick[];
  readonly rejects: readonly ParticlePick[];
  /** Of each object, in Å. */
  readonly radius: Readonly<Record<string, number>>;
  /** What is looked at: its candidates come first. */
  readonly view: Extent;
}

/** A box in Å. */
export interface Extent {
  readonly lowest: Point;
  readonly highest: Point;
}

/** What was learned. */
export interface TeachResult {
  /** Of the objects that were taught. */
  readonly candidates: Candidates;
  readonly objects: readonly Learned[];
  /** The card and the ONNX file of the model. */
  readonly spec: ModelSpec;
  readonly onnx: Uint8Array;
  /** Of the file; undefined where the browser cannot tell. */
  readonly sha256: string | undefined;
}

/** The best candidates of an object that are kept, however many there are. */
const MAX_CANDIDATES = 10_000;

/** Candidates reach down to this share of the threshold, as those of a search do. */
const FLOOR_SHARE = 0.1;

/**
 * Learns objects by what a person has told about them, and finds their candidates: those of the view first.
 *
 * @param onView - Called with the candidates that lie in the view, if it is a part of the tomogram.
 * @throws What `teach` throws.
 */
export async function learnObjects(
  { features, grid, network }: Classroom,
  { picks, rejects, radius, view }: TeachRequest,
  onView: (candidates: Candidates, spec: ModelSpec) => void,
): Promise<TeachResult> {
  const { run } = features;
  const taught = await teach([features], [{ run, picks }], { rejects: [{ run, picks: rejects }], radius });
  const box = viewBox(features.grid, view);
  if (isSmall(box, features.grid.shape)) {
    onView(
      await candidatesIn(cropped(features, box), { grid, taught, isWanted: isOfWhole(box, features.grid.shape) }),
      taught.spec,
    );
  }
  const candidates = await candidatesIn(features, { grid, taught });
  const onnx = await addHead(network, taught);
  return { candidates, objects: taught.objects, spec: taught.spec, onnx, sha256: await sha256Hex(onnx) };
}

interface FindOptions {
  readonly grid: VoxelGrid;
  readonly taught: Taught;
  readonly isWanted?: ((peak: Peak) => boolean) | undefined;
}

function candidatesIn(
  features: TomogramFeatures,
  { grid, taught, isWanted = () => true }: FindOptions,
): Promise<Candidates> {
  const byName = (numberOf: (one: Learned) => number) =>
    Object.fromEntries(taught.objects.map((one) => [one.object, numberOf(one)]));
  const thresholds = byName((one) => one.thresholds.balanced);
  const competitionThresholds = byName((one) => one.thresholds.competition);
  const floors = byName(({ thresholds: { balanced, competition } }) => FLOOR_SHARE * Math.min(balanced, competition));
  const peaks = localMaxima(taught.scoreSlabs(features), { threshold: floors });
  return collectCandidates(only(peaks, isWanted), {
    ...{ grid, objects: taught.objects.map(({ object }) => object), thresholds, competitionThresholds, floors },
    minDistances: byName(({ object }) => taught.spec.minDistances[object]!),
    candidatesPerObject: MAX_CANDIDATES,
  });
}

async function* only(peaks: AsyncIterable<Peak>, isWanted: (peak: Peak) => boolean): AsyncGenerator<Peak> {
  for await (const peak of peaks) if (isWanted(peak)) yield peak;
}

/** Cells around a cell on which its score depends: `teach` takes means over boxes of up to nine cells. */
const SURROUNDINGS = 4;

/** Cells around the view, so that its peaks and their positions are those of the whole: a neighbour's score counts, too. */
const MARGIN = SURROUNDINGS + 2;

/** The cells of the view with a margin, as far as there are such. */
function viewBox(grid: VoxelGrid, { lowest, highest }: Extent): Box {
  const { shape } = grid;
  const [low, high] = [toVoxel(grid, lowest), toVoxel(grid, highest)];
  const within = (index: number, axis: number) => Math.min(shape[axis]!, Math.max(0, index));
  return {
    start: low.map((index, axis) => within(Math.floor(index) - MARGIN, axis)) as unknown as Zyx,
    end: high.map((index, axis) => within(Math.ceil(index) + MARGIN + 1, axis)) as unknown as Zyx,
  };
}

/** False for a view of hardly any cells, and for one that would take nearly as long as all of the tomogram. */
function isSmall({ start, end }: Box, shape: Zyx): boolean {
  const share = shape.reduce((part, edge, axis) => (part * Math.max(0, end[axis]! - start[axis]!)) / edge, 1);
  return share > 0 && share < 0.5;
}

/** Whether a peak of a part is one of the whole: the scores at the faces of the part depend on what lies outside. */
function isOfWhole({ start, end }: Box, shape: Zyx): (peak: Peak) => boolean {
  const first = start.map((index) => (index === 0 ? 0 : SURROUNDINGS + 1));
  const last = end.map((index, axis) => index - start[axis]! - 1 - (index === shape[axis] ? 0 : SURROUNDINGS + 1));
  return ({ voxel }) => voxel.every((index, axis) => index >= first[axis]! && index <= last[axis]!);
}

/** A part of the features. */
export function cropped(features: TomogramFeatures, { start, end }: Box): TomogramFeatures {
  const { grid, featureCount } = features;
  const blocks = features.blocks.flatMap((block): FeatureBlock[] => {
    const { axis, shape } = block;
    const first = [0, 0, 0].map((_, a) => (a === axis ? block.start : 0)) as unknown as Zyx;
    const low = start.map((index, a) => Math.max(index, first[a]!)) as unknown as Zyx;
    const high = end.map((index, a) => Math.min(index, first[a]! + shape[a]!)) as unknown as Zyx;
    const size = high.map((index, a) => index - low[a]!) as unknown as Zyx;
    if (size.some((edge) => edge <= 0)) return [];
    const numbers = new Uint16Array(featureCount * size[0] * size[1] * size[2]);
    let at = 0;
    for (let k = 0; k < featureCount; k++) {
      for (let z = low[0] - first[0]; z < high[0] - first[0]; z++) {
        for (let y = low[1] - first[1]; y < high[1] - first[1]; y++) {
          const row = ((k * shape[0] + z) * shape[1] + y) * shape[2] + low[2] - first[2];
          numbers.set(block.numbers.subarray(row, row + size[2]), at);
          at += size[2];
        }
      }
    }
    return [{ ...block, start: low[axis]! - start[axis]!, shape: size, numbers }];
  });
  const shape = end.map((index, axis) => index - start[axis]!) as unknown as Zyx;
  return { ...features, grid: { ...grid, shape, origin: toPhysical(grid, start) }, blocks };
}
