import {
  abortSignal,
  callback,
  flag,
  grid,
  isFields,
  modelSpec,
  numberPerObject,
  optional,
  type PerObject,
  perObject,
  positiveCount,
  positiveLength,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  runPicks,
  text,
  voxelSizeRule,
} from '../core/arguments.ts';
import { eventLoopTurn, type Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type ModelSpec, requireSpec } from '../inference/model.ts';
import { setsOf, type ThresholdSet } from '../inference/thresholds.ts';
import type { RunPicks } from '../picks/pick.ts';
import type { ScoreSlab } from '../tiles/blend.ts';
import type { TomogramFeatures } from './feature-map.ts';
import { backgroundOf, hardCells, samplesOf } from './fit.ts';
import { headSlabs } from './head.ts';
import { type Learned, learn } from './learn.ts';
import { type Lesson, lessonsOf } from './lesson.ts';

/** Options of {@link teach}. */
export interface TeachOptions {
  /** Places that look like the particle but are something else, by run; each with the object that it looks like. @defaultValue none */
  readonly rejects?: readonly RunPicks[] | undefined;
  /** How many cells far from all picks stand for everything else. @defaultValue 4,000 */
  readonly background?: number | undefined;
  /** Radius of each object, in Å: peaks are no closer to each other. @defaultValue 80 */
  readonly radius?: PerObject | undefined;
  /** Whether the model finds the objects of the network, too. @defaultValue true */
  readonly keepKnown?: boolean | undefined;
  /** Name of the model. @defaultValue the objects that were taught */
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for rejects that were dropped, since the left-out picks are found better without. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** Objects that were taught. */
export interface Taught {
  /** The card of the model that {@link addHead} makes. */
  readonly spec: ModelSpec;
  /** What was learned, object by object. */
  readonly objects: readonly Learned[];
  /** The network whose features it is a function of, and its SHA-256, if it is known. */
  readonly base: { readonly spec: ModelSpec; readonly sha256?: string | undefined };
  /**
   * The scores of the taught objects in a tomogram whose features are in memory: those that the model gives. Where tiles overlap, features
   * were averaged instead of scores, which differs by as much as tiles disagree there.
   */
  readonly scoreSlabs: (features: TomogramFeatures) => AsyncGenerator<ScoreSlab, void, undefined>;
}

/**
 * Teaches a network new objects by a few picks of each: a linear function of its features around a cell, fitted in some seconds.
 *
 * Logistic regression with a ridge penalty, from Fisher's discriminant on. Picks and background balance each other; of the background,
 * cells that a first fit takes for the object are sampled more densely. Rejects and the picks of other objects count as background of
 * their own. Fits without each pick in turn tell how well particles are found that it was
 * not shown; from that and from all peaks come thresholds, a learning curve, and whether rejects help. Picks need not be complete: a
 * particle without a pick is hardly ever among the background.
 *
 * @param features - Of the tomograms with picks, by `computeFeatures`, all of one network.
 * @param picks - Picks by run, at least three of each object.
 * @returns The card, the heads, and what to annotate next; `addHead` makes the model.
 * @throws {@link CryoetPicksError} `invalid-picks` for picks outside of their tomogram, too few, all at one place, or at the place of a
 *   reject; `invalid-option` for features of different networks, and objects that the network knows already; the abort reason of
 *   `signal`, untouched.
 *
 * @example
 * ```ts
 * const features = await computeFeatures(tomogram, { model, run: 'TS_1' });
 * const taught = await teach([features], [{ run: 'TS_1', picks }], { radius: 120 });
 * const network = await addHead(await readFile('default.onnx'), taught);
 * ```
 */
export async function teach(
  features: readonly TomogramFeatures[],
  picks: readonly RunPicks[],
  options: TeachOptions = {},
): Promise<Taught> {
  requireArgument('teach', 'features', features, featuresRule);
  requireArgument('teach', 'picks', picks, runPicks);
  const {
    rejects = [],
    background = 4000,
    radius = 80,
    keepKnown = true,
    name,
    signal,
    onWarning,
  } = requireOptions('teach', options, teachRules);
  for (const { spec } of features) requireSpec('teach', spec);
  const network = oneNetwork(features);
  const radiusOf = numberPerObject('radius', radius, positiveLength, 'teach');
  const lessons = lessonsOf(features, picks, { rejects, radiusOf });
  if (keepKnown) requireNew(network, lessons);
  const empty = backgroundOf(lessons, background);
  if (empty.places.length < MIN_BACKGROUND) {
    const found = `${empty.places.length} cells of the tomograms are far enough from all picks`;
    fail('radius', `${found}, too few to learn what is no particle; is the radius right?`);
  }
  const objects: Learned[] = [];
  for (const lesson of lessons) {
    const others = lessons.flatMap((other) => (other === lesson ? [] : other.picks));
    const first = samplesOf(lesson, others, empty);
    const learned = await learn(samplesOf(lesson, others, empty, await hardCells(first, lessons)), signal);
    if (learned.rejectsDropped) onWarning?.(droppedWarning(lesson));
    objects.push(learned);
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
  const heads = objects.map(({ head }) => head);
  return {
    spec: cardOf(network, { objects, lessons, keepKnown, name }),
    objects,
    base: { spec: network.spec, sha256: network.sha256 },
    scoreSlabs: (map) => {
      requireArgument('scoreSlabs', 'features', map, featuresRule.items!);
      return headSlabs(map, heads);
    },
  };
}

/** Fewer cells are no picture of what there is. */
const MIN_BACKGROUND = 100;

const howToGetFeatures = 'such as `await computeFeatures(tomogram, { model, run })`';

const featuresRule: Rule = {
  expected: `a list of features of tomograms, each ${howToGetFeatures}`,
  isValid: Array.isArray,
  items: {
    expected: `features of a tomogram, ${howToGetFeatures}`,
    isValid: isFields,
    fields: {
      run: text,
      grid,
      voxelSize: voxelSizeRule,
      spec: modelSpec,
      sha256: /* @__PURE__ */ optional(text),
      featureCount: positiveCount,
      blocks: {
        expected: 'blocks of features',
        isValid: (value) => Array.isArray(value) && value.length > 0 && value.every((one) => isFields(one)),
      },
    },
  },
};

const teachRules: RulesFor<TeachOptions> = {
  rejects: /* @__PURE__ */ optional(runPicks),
  background: /* @__PURE__ */ optional(positiveCount),
  radius: /* @__PURE__ */ optional(perObject),
  keepKnown: /* @__PURE__ */ optional(flag),
  name: /* @__PURE__ */ optional(text),
  signal: /* @__PURE__ */ optional(abortSignal),
  onWarning: /* @__PURE__ */ optional(callback),
};

/** The network whose features they are. */
function oneNetwork(features: readonly TomogramFeatures[]): TomogramFeatures {
  const [first] = features;
  if (first === undefined) fail('features', 'there are no features; expected those of at least one tomogram');
  const other = features.find(
    ({ sha256, featureCount, spec }) =>
      sha256 !== first.sha256 || featureCount !== first.featureCount || spec.name !== first.spec.name,
  );
  if (other !== undefined) {
    const [a, b] = [first, other].map(
      ({ run, spec, sha256 }) => `run "${run}" of "${spec.name}" (${sha256 ?? 'unknown'})`,
    );
    fail('features', `features must be of one network, found those of ${a} and of ${b}`);
  }
  const twice = features.find(({ run }, i) => features.findIndex((one) => one.run === run) < i);
  if (twice !== undefined) fail('features', `there are features of run "${twice.run}" twice`);
  if (first.spec.offsets) fail('features', `model "${first.spec.name}" gives offsets; such a network cannot be taught`);
  return first;
}

function requireNew({ spec }: TomogramFeatures, lessons: readonly Lesson[]): void {
  const known = lessons.find(({ object }) => spec.classes.includes(object));
  if (known === undefined) return;
  fail(
    'keepKnown',
    `model "${spec.name}" finds "${known.object}" already; name the picks otherwise, or leave its objects out by keepKnown: false`,
  );
}

function droppedWarning({ object, rejects }: Lesson): Warning {
  const message = `the ${rejects.length} rejects of "${object}" were left out: with them, picks that were left out are found later than without`;
  return { code: 'rejects-dropped', message };
}

interface CardInput {
  readonly objects: readonly Learned[];
  readonly lessons: readonly Lesson[];
  readonly keepKnown: boolean;
  readonly name: string | undefined;
}

/** A card whose provenance says what the heads were learned from. */
function cardOf({ spec, sha256 }: TomogramFeatures, { objects, lessons, keepKnown, name }: CardInput): ModelSpec {
  const { calibration, calibrationCurves, taught: before, ...rest } = spec;
  const names = objects.map(({ object }) => object);
  const thresholdsIn = (set: ThresholdSet) => ({
    ...(keepKnown && setsOf(spec.thresholds)[set]),
    ...Object.fromEntries(objects.map(({ object, thresholds }) => [object, thresholds[set]])),
  });
  const maps = [...new Set(lessons.flatMap((lesson) => lesson.picks.map(({ map }) => map)))];
  const card = {
    ...rest,
    name: name ?? names.join(' and '),
    classes: [...(keepKnown ? spec.classes : []), ...names],
    activation: 'none' as const,
    thresholds: { balanced: thresholdsIn('balanced'), competition: thresholdsIn('competition') },
    minDistances: {
      ...(keepKnown && spec.minDistances),
      ...Object.fromEntries(lessons.map(({ object, radius }) => [object, radius])),
    },
    ...(keepKnown && calibration !== undefined && { calibration }),
    ...(keepKnown && calibrationCurves !== undefined && { calibrationCurves }),
    taught: {
      objects: [...(keepKnown ? (before?.objects ?? []) : []), ...names],
      network: spec.name,
      ...(sha256 !== undefined && { sha256 }),
      voxelSizes: [...new Set(maps.map(({ voxelSize }) => Math.max(...voxelSize)))],
    },
    provenance: {
      made: 'cryoet-picks teach: a linear head on means of the features of a network, and the activations in its graph.',
      limits: 'Picks are peaks of cells: positions are not refined, and no neighbours vote.',
      objects: objects.map(({ object, picks, rejects, rejectsDropped, particles, curve }, i) => ({
        ...{ object, picks, rejects, rejectsDropped, particles, curve },
        runs: [...new Set(lessons[i]!.picks.map(({ map }) => map.run))],
      })),
    },
  };
  return card;
}

function fail(option: string, message: string): never {
  throw new CryoetPicksError('invalid-option', `cannot learn: ${message}`, { option });
}
