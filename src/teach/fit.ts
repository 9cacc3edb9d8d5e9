import { replaceAxis, toPhysical, voxelCount, type Zyx } from '../space/grid.ts';
import type { TomogramFeatures } from './feature-map.ts';
import { type Head, headSlabs } from './head.ts';
import { isWithin, type Lesson, type Place } from './lesson.ts';
import { type Coefficients, fitLogistic, logitOf, type Samples } from './logistic.ts';
import { meansAround } from './surroundings.ts';

/** The samples of a lesson, and which of them are of which pick. */
export interface LessonSamples extends Samples {
  readonly lesson: Lesson;
  /** Of each sample, the index of its pick; −1 of any other. */
  readonly pickOf: Int32Array;
  /** Of each sample, whether it is of a reject. */
  readonly isReject: Uint8Array;
  /** The first sample of the evenly spread background, which are the last; hard cells come before. */
  readonly evenFrom: number;
  /** Mean and standard deviation of each feature in the background, by which all are scaled. */
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/**
 * What all rejects together count, from so many on; the background counts 1. With 1, the head learns what is special about the rejects,
 * and is worse for what was not rejected: training/teach/README.md has the figures.
 */
const [REJECTS_COUNT, FULL_REJECTS] = [0.03, 10];

/**
 * The samples of an object: its picks, its rejects with the picks of other objects, and cells far from all picks.
 *
 * Of a pick or reject there are the cells that share a face with its own, too: picks are no more exact, and the head learns to be high
 * all over the middle of a particle. Picks count 1 together, and so does the background: a balance of classes.
 */
export function samplesOf(
  lesson: Lesson,
  others: readonly Place[],
  background: Background,
  hard?: HardCells,
): LessonSamples {
  const { picks, rejects } = lesson;
  const refused = [
    ...rejects,
    ...others.filter((other) => !picks.some((pick) => isWithin(pick, other, lesson.radius / 2))),
  ];
  const featureCount = background.values.length / background.places.length;
  const groups = [
    ...picks.map((place, i) => ({ place, pick: i, isReject: false })),
    ...refused.map((place) => ({ place, pick: -1, isReject: true })),
  ].map((group) => ({ ...group, values: meansAround(group.place.map, cellsAround(group.place)) }));
  const hardPlaces = hard?.places ?? [];
  const ownRows = groups.reduce((sum, { values }) => sum + values.length / featureCount, 0) + hardPlaces.length;
  const rows = ownRows + background.places.length;
  const samples = {
    values: new Float64Array(rows * featureCount),
    labels: new Float64Array(rows),
    weights: new Float64Array(rows).fill(1 / background.places.length, ownRows),
    pickOf: new Int32Array(rows).fill(-1),
    isReject: new Uint8Array(rows),
  };
  const rejectsCount = REJECTS_COUNT * Math.min(1, refused.length / FULL_REJECTS);
  let row = 0;
  for (const { values, pick, isReject } of groups) {
    const end = row + values.length / featureCount;
    samples.values.set(values, row * featureCount);
    samples.labels.fill(isReject ? 0 : 1, row, end);
    samples.pickOf.fill(pick, row, end);
    samples.isReject.fill(isReject ? 1 : 0, row, end);
    samples.weights.fill((isReject ? rejectsCount / refused.length : 1 / picks.length) / (end - row), row, end);
    row = end;
  }
  if (hard !== undefined) samples.weights.fill(hard.share / hardPlaces.length, row, ownRows);
  samples.values.set(background.values, ownRows * featureCount);
  for (const [map, places] of byMap(hardPlaces)) {
    const values = meansAround(
      map,
      places.map(({ cell }) => cell),
    );
    samples.values.set(values, row * featureCount);
    row += places.length;
  }
  const { mean, deviation } = spreadOf(samples.values, ownRows, featureCount);
  for (let i = 0; i < samples.values.length; i++) {
    const k = i % featureCount;
    samples.values[i] = (samples.values[i] - mean[k]) / deviation[k];
  }
  // The hard cells stand for these.
  for (let i = ownRows; hard !== undefined && hardPlaces.length > 0 && i < rows; i++) {
    if (logitOf(samples.values, i, featureCount, hard.coefficients) > hard.threshold) samples.weights[i] = 0;
  }
  return { ...samples, lesson, featureCount, evenFrom: ownRows, mean, deviation };
}

function byMap(places: readonly Place[]): Map<TomogramFeatures, Place[]> {
  const groups = new Map<TomogramFeatures, Place[]>();
  for (const place of places) {
    const group = groups.get(place.map);
    if (group === undefined) groups.set(place.map, [place]);
    else group.push(place);
  }
  return groups;
}

/** Mean and standard deviation of each feature, from a row on. A feature that never changes has the deviation 1. */
function spreadOf(values: Float64Array, from: number, featureCount: number): Pick<LessonSamples, 'mean' | 'deviation'> {
  const mean = new Float64Array(featureCount);
  const deviation = new Float64Array(featureCount);
  const rows = values.length / featureCount - from;
  for (let i = from * featureCount; i < values.length; i++) mean[i % featureCount] += values[i] / rows;
  for (let i = from * featureCount; i < values.length; i++) {
    deviation[i % featureCount] += (values[i] - mean[i % featureCount]) ** 2 / rows;
  }
  for (let k = 0; k < featureCount; k++) deviation[k] = Math.sqrt(deviation[k]) || 1;
  return { mean, deviation };
}

/** The cell of a place, and those of the volume that share a face with it. */
export function cellsAround({ cell, map }: Place): Zyx[] {
  const { shape } = map.grid;
  const neighbours = ([0, 1, 2] as const).flatMap((axis) =>
    [-1, 1].flatMap((step) => {
      const index = cell[axis] + step;
      return index >= 0 && index < shape[axis] ? [replaceAxis(cell, axis, index)] : [];
    }),
  );
  return [cell, ...neighbours];
}

/** The fractional part of its multiples is spread more evenly than random numbers, and is the same every time. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** Distance of background from picks, relative to the radius of their object. */
const BACKGROUND_DISTANCE = 1.5;

/** Cells that a first head takes for the object rather than all others: what of the background decides on the next head. */
export interface HardCells {
  readonly places: readonly Place[];
  /** Their share of the background, for which the places stand. */
  readonly share: number;
  /** The first head, and the logit that is theirs alone. */
  readonly coefficients: Coefficients;
  readonly threshold: number;
}

/** Share of the background that is hard, and cells of it at most. */
const [HARD_SHARE, MAX_HARD_CELLS] = [0.03, 4000];

/**
 * Finds the hard cells of all tomograms that were picked. Cells spread evenly hardly ever are; to know as many of these, it would take
 * thirty times as many. Particles without a pick are among them, but no more than they are among all cells.
 */
export async function hardCells(samples: LessonSamples, lessons: readonly Lesson[]): Promise<HardCells> {
  const { lesson } = samples;
  const coefficients = fitHead(samples, { withRejects: false });
  const logits = evenLogits(samples, coefficients);
  const threshold = logits[Math.floor((1 - HARD_SHARE) * logits.length)]!;
  const share = logits.filter((logit) => logit > threshold).length / logits.length;
  const maps = [...new Set(lesson.picks.map(({ map }) => map))];
  const places: Place[] = [];
  for (const map of maps) {
    for await (const { scores } of headSlabs(map, [headOf(samples, coefficients)], { activated: false })) {
      const above: number[] = [];
      scores.data.forEach((logit, index) => {
        if (logit > threshold) above.push(index);
      });
      const every = Math.max(1, Math.ceil((above.length * maps.length) / MAX_HARD_CELLS));
      const own = above.filter((_, i) => i % every === 0).map((index) => placeAt(map, index));
      places.push(...own.filter((place) => !isNearPick(place, lessons)));
    }
  }
  return { places, share: places.length > 0 ? share : 0, coefficients, threshold };
}

/** The logits of the evenly spread background, rising. */
export function evenLogits(
  { values, labels, evenFrom, featureCount }: LessonSamples,
  coefficients: Coefficients,
): Float64Array {
  const count = labels.length - evenFrom;
  return Float64Array.from({ length: count }, (_, i) =>
    logitOf(values, evenFrom + i, featureCount, coefficients),
  ).sort();
}

function placeAt(map: TomogramFeatures, index: number): Place {
  const [, height, width] = map.grid.shape;
  const cell: Zyx = [Math.floor(index / (height * width)), Math.floor(index / width) % height, index % width];
  return { map, cell, position: toPhysical(map.grid, cell) };
}

function isNearPick(place: Place, lessons: readonly Lesson[]): boolean {
  return lessons.some(({ picks, radius }) => picks.some((pick) => isWithin(pick, place, BACKGROUND_DISTANCE * radius)));
}

/** Cells that stand for everything else. */
export interface Background {
  readonly places: readonly Place[];
  /** Their features, `[cell, feature]`. */
  readonly values: Float64Array;
}

/** Cells spread evenly over all tomograms that were picked, none near a pick of any object. */
export function backgroundOf(lessons: readonly Lesson[], count: number): Background {
  const maps = [...new Set(lessons.flatMap(({ picks }) => picks.map(({ map }) => map)))];
  const places: Place[] = [];
  const parts: Float64Array[] = [];
  for (const map of maps) {
    const even = evenCells(map, Math.min(voxelCount(map.grid.shape), Math.ceil(count / maps.length)));
    const featureCount = even.values.length / even.places.length;
    for (const [i, place] of even.places.entries()) {
      if (isNearPick(place, lessons)) continue;
      places.push(place);
      parts.push(even.values.subarray(i * featureCount, (i + 1) * featureCount));
    }
  }
  const values = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    values.set(part, end);
    end += part.length;
  }
  return { places, values };
}

/** The cells of each tomogram, which are the same at every fit; gone when its features are. */
const evenCellsOf = new WeakMap<TomogramFeatures, Background>();

function evenCells(map: TomogramFeatures, count: number): Background {
  const known = evenCellsOf.get(map);
  if (known?.places.length === count) return known;
  const size = voxelCount(map.grid.shape);
  const indices = Uint32Array.from({ length: count }, (_, i) => (((i + 1) * GOLDEN_RATIO) % 1) * size).sort();
  const places = Array.from(indices, (index) => placeAt(map, index));
  const cells = places.map(({ cell }) => cell);
  const even = { places, values: meansAround(map, cells) };
  evenCellsOf.set(map, even);
  return even;
}

/** Which samples count in a fit. */
export interface FitOptions {
  /** Whether rejects, and picks of other objects, count. */
  readonly withRejects: boolean;
  /** Whether a pick counts, by its index. @defaultValue all */
  readonly counts?: ((pick: number) => boolean) | undefined;
  /** The fit of nearly the same samples, from which a few steps lead to this one. */
  readonly start?: Coefficients | undefined;
}

/** Steps at most from the fit of nearly the same samples, all by one Hessian. */
const FEW_STEPS = 6;

/** Fits a head to some of the samples; picks that count do so equally, 1 together. */
export function fitHead(samples: LessonSamples, { withRejects, counts, start }: FitOptions): Coefficients {
  const all = samples.lesson.picks.length;
  const kept = counts === undefined ? all : samples.lesson.picks.filter((_, i) => counts(i)).length;
  const weights = samples.weights.map((weight, row) => {
    if (samples.isReject[row] === 1) return withRejects ? weight : 0;
    const pick = samples.pickOf[row];
    if (pick < 0) return weight;
    return counts === undefined || counts(pick) ? (weight * all) / kept : 0;
  });
  return fitLogistic({ ...samples, weights }, start && { start, maxSteps: FEW_STEPS, oneHessian: true });
}

/** A head on features as the network gives them. */
export function headOf({ lesson, mean, deviation, featureCount }: LessonSamples, coefficients: Coefficients): Head {
  const weights = new Float64Array(featureCount);
  let bias = coefficients[featureCount];
  for (let k = 0; k < featureCount; k++) {
    weights[k] = coefficients[k] / deviation[k];
    bias -= weights[k] * mean[k];
  }
  return { object: lesson.object, weights, bias };
}

/** Places of which the features of one or more cells are kept: where a head is highest there is its score of the place. */
export interface Sites {
  readonly places: readonly Place[];
  /** Scaled as the samples are; `[cell, feature]`. */
  readonly values: Float64Array;
  /** First cell of each place, and the end of the last. */
  readonly starts: Uint32Array;
}

/** Keeps the features of places as samples have them: of a peak, its cell; of a pick, which is less exact, the cells around it, too. */
export function sitesOf(
  { mean, deviation, featureCount }: LessonSamples,
  places: readonly Place[],
  cellsOf: (place: Place) => readonly Zyx[],
): Sites {
  const starts = new Uint32Array(places.length + 1);
  const parts = places.map((place, i) => {
    const part = meansAround(place.map, cellsOf(place));
    starts[i + 1] = starts[i] + part.length / featureCount;
    return part;
  });
  const values = new Float64Array(starts[places.length] * featureCount);
  for (const [i, part] of parts.entries()) values.set(part, starts[i] * featureCount);
  for (let i = 0; i < values.length; i++)
    values[i] = (values[i] - mean[i % featureCount]) / deviation[i % featureCount];
  return { places, values, starts };
}

/** The logits of places. */
export function logitsOf({ values, starts }: Sites, featureCount: number, coefficients: Coefficients): Float64Array {
  return Float64Array.from({ length: starts.length - 1 }, (_, i) => {
    let highest = Number.NEGATIVE_INFINITY;
    for (let row = starts[i]; row < starts[i + 1]; row++) {
      highest = Math.max(highest, logitOf(values, row, featureCount, coefficients));
    }
    return highest;
  });
}
