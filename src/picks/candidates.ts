import {
  abortSignal,
  callback,
  describeValue,
  fieldsOf,
  finiteLength,
  finitePoint,
  finiteScore,
  grid as gridRule,
  isFields,
  listOf,
  numberPerObject,
  numbersByName,
  optional,
  ownNumber,
  type PerObject,
  perObject,
  positiveCount,
  quotedNames,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  stream,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Calibration, calibrationsRule } from '../inference/calibration.ts';
import { givenNumbers, isOneLabelUsual, type Thresholds, thresholdsRule } from '../inference/thresholds.ts';
import type { Peak } from '../peaks/planes.ts';
import { comparePlaces, greedyNms, isBeforeInSpace } from '../space/cell-grid.ts';
import type { Point, Transform, VoxelGrid } from '../space/grid.ts';
import { orderOf, type ParticlePick, toPick } from './pick.ts';
import { pointsAt, type Scored } from './suppress.ts';

/**
 * All local maxima of a tomogram down to a floor, before any of them is suppressed: what is needed to pick again with other
 * thresholds, distances or masks without the network. In columns, one entry per candidate in the order in which they were found,
 * since there may be a million of them.
 */
export interface Candidates {
  /** Geometry of the tomogram that was searched. */
  readonly grid: VoxelGrid;
  /** Names of the objects that were looked for. */
  readonly objects: readonly string[];
  /** The threshold of each object unless another is asked for: that which was given to the detection, else the balanced one. */
  readonly thresholds: Readonly<Record<string, number>>;
  /**
   * The threshold of each object in a submission, that which was given to the detection, else that of the competition; absent if the model
   * card has one set for both.
   */
  readonly competitionThresholds?: Readonly<Record<string, number>> | undefined;
  /** The minimum distance in Å of each object unless another is asked for: that of the detection. */
  readonly minDistances: Readonly<Record<string, number>>;
  /** The score of each object down to which all local maxima were looked for. */
  readonly floors: Readonly<Record<string, number>>;
  /**
   * The lowest threshold of each object for which candidates give the picks of a fresh run: its floor, or the score of the last one
   * that was kept, if only the best were; never above `thresholds` and `competitionThresholds`.
   */
  readonly lowestThresholds: Readonly<Record<string, number>>;
  /** What the scores say about how many picks are false, by object, if the model card says it. */
  readonly calibration?: Readonly<Record<string, Calibration>> | undefined;
  /** The object of each candidate: its index in `objects`. */
  readonly objectIndices: Uint16Array;
  /** x, y, z of each candidate in Å, one after the other. */
  readonly positions: Float64Array;
  /** The score of each candidate. */
  readonly scores: Float32Array;
  /**
   * The orientation of each candidate, if the search turned a template: the rows x, y, z of the rotation that takes the object to the
   * tomogram, nine numbers; zeros for a candidate without one. Absent if none has one.
   */
  readonly rotations?: Float32Array | undefined;
}

/** Options of {@link collectCandidates}. */
export interface CollectCandidatesOptions
  extends Pick<
    Candidates,
    'grid' | 'objects' | 'thresholds' | 'competitionThresholds' | 'minDistances' | 'floors' | 'calibration'
  > {
  /**
   * How many candidates of an object to keep, the best ones. All that reach one of its thresholds or are as good as the last one are kept,
   * however many there are. @defaultValue all that reach the floor
   */
  readonly candidatesPerObject?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Collects the peaks of a search as candidates; scores become float32, as score maps hold them. Orientations are kept.
 *
 * Takes 30 bytes for each, 66 with orientations; with `candidatesPerObject`, for at most twice as many as are kept.
 *
 * @param peaks - What `localMaxima` finds with `floors` as thresholds.
 * @throws {@link CryoetPicksError} `invalid-option` for a peak of an object that is not in `objects`.
 *
 * @example
 * ```ts
 * const { classes, ...defaults } = chooseObjects(model.spec, project.objects);
 * const floors = Object.fromEntries(classes.map((object) => [object, 0.05]));
 * const peaks = localMaxima(slabs, { threshold: floors });
 * const candidates = await collectCandidates(peaks, { grid: tomogram.grid, objects: classes, ...defaults, floors });
 * ```
 */
export async function collectCandidates(
  peaks: AsyncIterable<Peak> | Iterable<Peak>,
  options: CollectCandidatesOptions,
): Promise<Candidates> {
  const call = 'collectCandidates';
  requireArgument(call, 'peaks', peaks, stream);
  const { candidatesPerObject, signal, ...table } = requireOptions(call, options, collectRules);
  const { grid, objects, thresholds, competitionThresholds, minDistances, floors, calibration } = table;
  requireNumbers(objects, { thresholds, competitionThresholds, minDistances, floors }, call);
  const indices = new Map(objects.map((object, index) => [object, index]));
  const columns = new Columns(
    objects.map((object) => Math.min(thresholds[object]!, competitionThresholds?.[object] ?? Number.POSITIVE_INFINITY)),
    candidatesPerObject ?? Number.POSITIVE_INFINITY,
  );
  for await (const peak of peaks) {
    signal?.throwIfAborted();
    const pick = toPick(peak);
    const index = indices.get(pick.object);
    if (index === undefined || Number.isNaN(pick.score)) {
      const found = `one of "${pick.object}" with the score ${pick.score}`;
      const message = `${call}: peaks has ${found}, expected a score of ${quotedNames(objects)}`;
      throw new CryoetPicksError('invalid-option', message, { option: 'peaks' });
    }
    columns.add(index, pick);
  }
  const { last, ...found } = columns.finish();
  const lowestThresholds = Object.fromEntries(
    objects.map((object, index) => [object, Math.max(floors[object], last[index] ?? Number.NEGATIVE_INFINITY)]),
  );
  return {
    ...{ grid, objects, thresholds, minDistances, floors, lowestThresholds },
    ...(competitionThresholds && { competitionThresholds }),
    ...(calibration && { calibration }),
    ...found,
  };
}

/**
 * Candidates of two searches of one tomogram: all of the first, and of the second those of objects that the first did not look
 * for. Objects are in the order of the second, then of the first.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for what are no candidates.
 *
 * @example
 * ```ts
 * const ribosomes = await detectCandidates(tomogram, { model, objects: [{ name: 'ribosome' }] });
 * const viruses = await detectCandidates(tomogram, { model, objects: [{ name: 'virus-like-particle' }] });
 * const picks = picksFromCandidates(joinCandidates(viruses, ribosomes));
 * ```
 */
export function joinCandidates(found: Candidates, before: Candidates): Candidates {
  requireCandidates(found, 'joinCandidates');
  requireCandidates(before, 'joinCandidates');
  const fresh = new Set(found.objects);
  const objects = [...new Set([...before.objects, ...found.objects])];
  const indices = new Map(objects.map((object, index) => [object, index]));
  const byName = (field: 'thresholds' | 'competitionThresholds' | 'minDistances' | 'floors' | 'lowestThresholds') =>
    Object.fromEntries(
      objects.map((object) => [object, ownNumber(found[field], object) ?? ownNumber(before[field], object)!]),
    );
  const columns = new Columns(
    objects.map(() => Number.NEGATIVE_INFINITY),
    Number.POSITIVE_INFINITY,
  );
  const add = (from: Candidates, isWanted: (object: string) => boolean) => {
    for (let i = 0; i < from.scores.length; i++) {
      const pick = pickOf(from, i);
      if (isWanted(pick.object)) columns.add(indices.get(pick.object)!, pick);
    }
  };
  add(before, (object) => !fresh.has(object));
  add(found, () => true);
  const { last: _, ...joined } = columns.finish();
  const calibration = Object.fromEntries(
    objects.flatMap((object): [string, Calibration][] => {
      const { calibration: own = {} } = fresh.has(object) ? found : before;
      return Object.hasOwn(own, object) ? [[object, own[object]!]] : [];
    }),
  );
  return {
    ...{ grid: found.grid, objects, thresholds: byName('thresholds'), minDistances: byName('minDistances') },
    ...{ floors: byName('floors'), lowestThresholds: byName('lowestThresholds'), ...joined },
    ...(found.competitionThresholds && { competitionThresholds: byName('competitionThresholds') }),
    ...(Object.keys(calibration).length > 0 && { calibration }),
  };
}

type Numbers = Pick<Candidates, 'thresholds' | 'minDistances' | 'floors'> &
  Partial<Pick<Candidates, 'competitionThresholds' | 'lowestThresholds'>>;

/** @throws {@link CryoetPicksError} `invalid-option` if an object lacks a number, or one is not finite, or a length negative. */
function requireNumbers(objects: readonly string[], numbers: Numbers, call: string): void {
  for (const [option, values] of Object.entries(numbers)) {
    if (values === undefined) continue;
    const rule = option === 'minDistances' ? finiteLength : finiteScore;
    const numberOf = numberPerObject(option, values, rule, call);
    for (const object of objects) numberOf(object);
  }
}

/** A grid of numbers that a file can hold. */
const finiteGrid: Rule = { ...gridRule, fields: { ...gridRule.fields, origin: finitePoint } };

const objectNames: Rule = {
  expected: 'a list of object names, 65536 at most',
  isValid: (value) => Array.isArray(value) && value.length <= 65536,
  items: text,
};

const collectRules: RulesFor<CollectCandidatesOptions> = {
  grid: finiteGrid,
  objects: objectNames,
  thresholds: numbersByName,
  competitionThresholds: /* @__PURE__ */ optional(numbersByName),
  minDistances: numbersByName,
  floors: numbersByName,
  calibration: /* @__PURE__ */ optional(calibrationsRule),
  candidatesPerObject: /* @__PURE__ */ optional(positiveCount),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** The columns of candidates while they come, of each object the best. */
class Columns {
  readonly #thresholds: readonly number[];
  readonly #perObject: number;
  #length = 0;
  #objectIndices = new Uint16Array(1024);
  #positions = new Float64Array(3 * 1024);
  #scores = new Float32Array(1024);
  /** Made when the first orientation comes. */
  #rotations: Float32Array | undefined;
  /** By object: how many there are, how many there may be until the worst are dropped, and the score below which they were. */
  readonly #counts: number[];
  readonly #limits: number[];
  readonly #last: (number | undefined)[];

  constructor(thresholds: readonly number[], perObject: number) {
    this.#thresholds = thresholds;
    this.#perObject = perObject;
    this.#counts = thresholds.map(() => 0);
    this.#limits = thresholds.map(() => 2 * perObject);
    this.#last = thresholds.map(() => undefined);
  }

  add(object: number, { position: { x, y, z }, score, transform }: ParticlePick): void {
    const last = this.#last[object];
    if (last !== undefined && score < last) return;
    const at = this.#length++;
    if (at === this.#scores.length) this.#grow();
    this.#objectIndices[at] = object;
    this.#positions.set([x, y, z], 3 * at);
    this.#scores[at] = score;
    if (transform) this.#rotations ??= new Float32Array(9 * this.#scores.length);
    this.#rotations?.set(transform ? numbersOfRotation(transform) : noRotation, 9 * at);
    if (++this.#counts[object] <= this.#limits[object]) return;
    this.#dropWorst(object);
    // Many may be left; then it takes as many again before the next look.
    this.#limits[object] = 2 * Math.max(this.#perObject, this.#counts[object]);
  }

  /** The columns without spare memory, and the last score of each object of which some were dropped. */
  finish(): Pick<Candidates, 'objectIndices' | 'positions' | 'scores' | 'rotations'> & {
    readonly last: readonly (number | undefined)[];
  } {
    this.#counts.forEach((_, object) => {
      this.#dropWorst(object);
    });
    return {
      objectIndices: this.#objectIndices.slice(0, this.#length),
      positions: this.#positions.slice(0, 3 * this.#length),
      scores: this.#scores.slice(0, this.#length),
      ...(this.#rotations && { rotations: this.#rotations.slice(0, 9 * this.#length) }),
      last: this.#last,
    };
  }

  #grow(): void {
    const grown = <A extends Uint16Array | Float32Array | Float64Array>(bigger: A, old: A): A => {
      bigger.set(old);
      return bigger;
    };
    this.#objectIndices = grown(new Uint16Array(2 * this.#objectIndices.length), this.#objectIndices);
    this.#positions = grown(new Float64Array(2 * this.#positions.length), this.#positions);
    this.#scores = grown(new Float32Array(2 * this.#scores.length), this.#scores);
    if (this.#rotations) this.#rotations = grown(new Float32Array(2 * this.#rotations.length), this.#rotations);
  }

  /** Drops what is worse than the last one to keep of an object, and keeps the order of the rest. */
  #dropWorst(object: number): void {
    const count = this.#counts[object];
    if (count <= this.#perObject) return;
    const own = new Float32Array(count);
    for (let i = 0, at = 0; i < this.#length; i++) if (this.#objectIndices[i] === object) own[at++] = this.#scores[i];
    const last = Math.min(own.sort()[count - this.#perObject], this.#thresholds[object]);
    if (own[0] >= last) return;
    this.#last[object] = last;
    let to = 0;
    for (let i = 0; i < this.#length; i++) {
      if (this.#objectIndices[i] === object && this.#scores[i] < last) continue;
      this.#objectIndices[to] = this.#objectIndices[i];
      this.#positions.copyWithin(3 * to, 3 * i, 3 * i + 3);
      this.#rotations?.copyWithin(9 * to, 9 * i, 9 * i + 9);
      this.#scores[to++] = this.#scores[i];
    }
    this.#counts[object] -= this.#length - to;
    this.#length = to;
  }
}

/** The rotation of a transform, row by row. */
function numbersOfRotation(transform: Transform): number[] {
  return transform.slice(0, 3).flatMap((row) => row.slice(0, 3));
}

const noRotation: readonly number[] = new Array(9).fill(0);

/** True where picks may lie: a function of a position in Å. */
export type Mask = (position: Point) => boolean;

/** What becomes of peaks above the threshold, beside the suppression of those that lie too close together. */
export interface PickingOptions {
  /** Where picks may lie: a mask, or several that must all agree. @defaultValue everywhere */
  readonly mask?: Mask | readonly Mask[] | undefined;
  /**
   * Of picks of different objects that are closer than this, in Å, only the best is kept: a place holds one particle. `true`
   * stands for the smallest minimum distance of the objects.
   * @defaultValue true if the model card has two sets of thresholds, unless `thresholds` is `'competition'`; else false: objects do not
   * affect each other
   */
  readonly acrossObjects?: boolean | number | undefined;
  /**
   * Maximum number of picks of an object, the best ones: one for all objects, or a record of those that have one.
   * @defaultValue none
   */
  readonly max?: PerObject | undefined;
}

/** Options of {@link picksFromCandidates}. */
export interface PicksFromCandidatesOptions extends PickingOptions {
  /** Objects to pick; others are left out. @defaultValue every object of the candidates */
  readonly objects?: readonly { readonly name: string }[] | undefined;
  /**
   * Minimum score of a pick: `'competition'` for those of a submission, one number for all objects, or a record of those that differ
   * from the thresholds of the candidates. @defaultValue 'balanced': the thresholds of the candidates
   */
  readonly thresholds?: Thresholds | undefined;
  /**
   * Minimum distance of two picks of an object, in Å: one for all objects, or a record of those that differ from the distances of
   * the candidates.
   * @defaultValue the distances of the candidates
   */
  readonly minDistances?: PerObject | undefined;
  /** Called for each object all of whose picks the mask removes: the mask may be that of another tomogram, or upside down. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Turns candidates into picks: threshold, mask, suppression, across objects, maximum number, in that order.
 *
 * The picks are those of a fresh run of `detectParticles` with the same options, to the last bit, in whatever order the candidates
 * are. Of equal scores the one with the lower z is the better one, then y, then x, and at one place the object whose name comes
 * first. 2,000 candidates take a few milliseconds, so the picks can follow a slider.
 *
 * @returns Picks in Å, best first.
 * @throws {@link CryoetPicksError} `invalid-option` if a threshold lies below the lowest one of the candidates, where a fresh run
 *   would find more; if an option cannot be, or names an object that the candidates do not have; if a mask gives anything but true or false.
 *
 * @example
 * ```ts
 * const candidates = await detectCandidates(tomogram, { model });
 * const picks = picksFromCandidates(candidates, { thresholds: { ribosome: 0.3 }, max: 500 });
 * ```
 */
export function picksFromCandidates(candidates: Candidates, options: PicksFromCandidatesOptions = {}): ParticlePick[] {
  requireCandidates(candidates, call);
  const { max = {}, onWarning, ...asked } = requireOptions(call, options, picksRules);
  const { acrossObjects = isOneLabelUsual(candidates, asked.thresholds) } = asked;
  const picking = pickingOf(candidates, asked);
  checkMax(candidates.objects, { max }, call);
  const apart = joined([...candidatesApart(candidates, picking, onWarning).values()]);
  const single =
    acrossObjects === false
      ? apart
      : bestAcross(candidates, apart, distanceAcross(acrossObjects, picking.minDistances));
  return bestOfEach(
    Array.from(bestFirst(candidates, single), (index) => pickOf(candidates, index)),
    max,
  );
}

const call = 'picksFromCandidates';

/** What the options of picking must be; the maximum numbers are checked with the objects. */
export const pickingRules: RulesFor<PickingOptions> = {
  mask: {
    expected: 'a function of a position, or a list of such functions',
    isValid: (value) => value === undefined || [value].flat().every((one) => typeof one === 'function'),
  },
  acrossObjects: {
    expected: 'true, false or a finite length ≥ 0 Å',
    isValid: (value) => value === undefined || typeof value === 'boolean' || finiteLength.isValid(value),
  },
  max: /* @__PURE__ */ optional(perObject),
};

const picksRules: RulesFor<PicksFromCandidatesOptions> = {
  ...pickingRules,
  objects: /* @__PURE__ */ optional(listOf('objects { name }', fieldsOf('an object { name }', { name: text }))),
  thresholds: /* @__PURE__ */ optional(thresholdsRule),
  minDistances: /* @__PURE__ */ optional(perObject),
  onWarning: /* @__PURE__ */ optional(callback),
};

/** @throws {@link CryoetPicksError} `invalid-option` for anything but what {@link collectCandidates} gives. */
export function requireCandidates(candidates: Candidates, call: string): void {
  requireArgument(call, 'candidates', candidates, candidatesRule);
  const fault = columnsFault(candidates);
  if (fault !== undefined) {
    throw new CryoetPicksError('invalid-option', `${call}: candidates.${fault}`, { option: 'candidates' });
  }
  const { objects, thresholds, competitionThresholds, minDistances, floors, lowestThresholds } = candidates;
  const numbers = { thresholds, competitionThresholds, minDistances, floors, lowestThresholds };
  requireNumbers(objects, numbers, `${call}: candidates`);
}

const candidatesRule: Rule = {
  expected: 'candidates, such as `await detectCandidates(tomogram, { model })`',
  isValid: isFields,
  fields: {
    grid: finiteGrid,
    objects: objectNames,
    thresholds: numbersByName,
    competitionThresholds: /* @__PURE__ */ optional(numbersByName),
    minDistances: numbersByName,
    floors: numbersByName,
    lowestThresholds: numbersByName,
    calibration: /* @__PURE__ */ optional(calibrationsRule),
    objectIndices: { expected: 'a Uint16Array', isValid: (value) => value instanceof Uint16Array },
    positions: { expected: 'a Float64Array', isValid: (value) => value instanceof Float64Array },
    scores: { expected: 'a Float32Array', isValid: (value) => value instanceof Float32Array },
    rotations: {
      expected: 'a Float32Array',
      isValid: (value) => value === undefined || value instanceof Float32Array,
    },
  },
};

/** What is wrong with the columns of candidates, one of which belongs to the other two. */
function columnsFault({ objects, objectIndices, positions, scores, rotations }: Candidates): string | undefined {
  if (objectIndices.length !== scores.length) {
    return `objectIndices has ${objectIndices.length} entries, expected ${scores.length}, as many as scores`;
  }
  if (positions.length !== 3 * scores.length) {
    return `positions has ${positions.length} numbers, expected ${3 * scores.length}, three for each of scores`;
  }
  if (rotations !== undefined && rotations.length !== 9 * scores.length) {
    return `rotations has ${rotations.length} numbers, expected ${9 * scores.length}, nine for each of scores`;
  }
  const beyond = objectIndices.findIndex((index) => index >= objects.length);
  if (beyond < 0) return undefined;
  return `objectIndices[${beyond}] is ${objectIndices[beyond]}, expected an index into the ${objects.length} of objects`;
}

/** What decides which candidates are picks before objects affect each other. */
export interface Picking {
  /** The objects to pick, by name. */
  readonly names: readonly string[];
  /** Of each of them. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Of each of them, in Å. */
  readonly minDistances: Readonly<Record<string, number>>;
  readonly mask?: Mask | readonly Mask[] | undefined;
}

/**
 * What is asked for, or else what the candidates say.
 *
 * @throws {@link CryoetPicksError} `invalid-option` as {@link picksFromCandidates}.
 */
export function pickingOf(
  candidates: Candidates,
  {
    objects,
    thresholds,
    minDistances = {},
    mask,
  }: Pick<PicksFromCandidatesOptions, 'objects' | 'thresholds' | 'minDistances' | 'mask'>,
): Picking {
  const names = namesOf(candidates, objects);
  const usual = usualThresholds(candidates, thresholds);
  const picking = {
    names,
    thresholds: numbersOf(candidates, {
      option: 'thresholds',
      names,
      usual,
      given: givenNumbers(thresholds),
      rule: finiteScore,
    }),
    minDistances: numbersOf(candidates, {
      ...{ option: 'minDistances', names, usual: candidates.minDistances, given: minDistances, rule: finiteLength },
    }),
    mask,
  };
  requireComplete(candidates, picking.thresholds);
  return picking;
}

/** The objects to pick, by name. */
function namesOf(candidates: Candidates, wanted: PicksFromCandidatesOptions['objects']): readonly string[] {
  const asked = wanted && new Set(wanted.map(({ name }) => name));
  const names = candidates.objects.filter((object) => asked?.has(object) ?? true);
  if (names.length > 0 || asked === undefined) return [...new Set(names)].sort();
  throw new CryoetPicksError(
    'invalid-option',
    `${call}: objects names ${quotedNames([...asked])}, but the candidates are of ${quotedNames(candidates.objects)}`,
    { option: 'objects' },
  );
}

/** The thresholds of candidates that hold where no numbers are given: those of a submission if they are asked for. */
export function usualThresholds(
  { thresholds, competitionThresholds = thresholds }: Pick<Candidates, 'thresholds' | 'competitionThresholds'>,
  asked: Thresholds | undefined,
): Readonly<Record<string, number>> {
  return asked === 'competition' ? competitionThresholds : thresholds;
}

interface GivenNumbers {
  readonly option: string;
  readonly names: readonly string[];
  /** Of the candidates. */
  readonly usual: Readonly<Record<string, number>>;
  readonly given: PerObject;
  readonly rule: Rule;
}

/** The number of each object that is picked: the one given, else that of the candidates. */
function numbersOf(
  { objects }: Candidates,
  { option, names, usual, given, rule }: GivenNumbers,
): Record<string, number> {
  requireKnown(objects, { option, value: given, call });
  const all = typeof given === 'number' ? given : { ...usual, ...given };
  const numberOf = numberPerObject(option, all, rule, call);
  return Object.fromEntries(names.map((name) => [name, numberOf(name)]));
}

/** @throws {@link CryoetPicksError} `invalid-option` if a maximum number is not a positive whole number, or belongs to an object that is not looked for. */
export function checkMax(objects: readonly string[], { max = {} }: PickingOptions, call: string): void {
  requireKnown(objects, { option: 'max', value: max, call });
  numberPerObject('max', max, positiveCount, call);
}

interface GivenOption {
  readonly option: string;
  readonly value: Thresholds | undefined;
  readonly call: string;
}

/** @throws {@link CryoetPicksError} `invalid-option` for a record that names objects that are not looked for. */
export function requireKnown(objects: readonly string[], { option, value, call }: GivenOption): void {
  if (typeof value !== 'object') return;
  const known = new Set(objects);
  const unknown = Object.keys(value).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const message = `${call}: ${option} names ${quotedNames(unknown)}, but the objects are ${quotedNames(objects)}`;
  throw new CryoetPicksError('invalid-option', message, { option });
}

/** @throws {@link CryoetPicksError} `invalid-option` for a threshold below which candidates are missing. */
function requireComplete({ floors, lowestThresholds }: Candidates, thresholds: Readonly<Record<string, number>>): void {
  for (const [object, threshold] of Object.entries(thresholds)) {
    const [floor, lowest] = [ownNumber(floors, object), ownNumber(lowestThresholds, object)];
    if (threshold >= lowest!) continue;
    const kept = floor === lowest ? '' : `, and only the best were kept, down to ${lowest}`;
    throw new CryoetPicksError(
      'invalid-option',
      `the threshold of "${object}" is ${threshold}, but its candidates were looked for down to ${floor}${kept}; ` +
        'choose a higher threshold, or detect again',
      { option: 'thresholds' },
    );
  }
}

/**
 * The candidates of each object that are picks before objects affect each other, by their indices, in the order in which they were
 * found: threshold, mask, suppression.
 *
 * @param onWarning - Called for each object all of whose candidates the mask removes.
 */
export function candidatesApart(
  candidates: Candidates,
  picking: Picking,
  onWarning?: (warning: Warning) => void,
): ReadonlyMap<string, Uint32Array> {
  const { mask, minDistances } = picking;
  const isApart = new Uint8Array(candidates.scores.length);
  const members = [...candidatesAbove(candidates, picking)].map(([object, above]) => {
    const inside = mask === undefined ? above : above.filter((index) => isInside(positionOf(candidates, index), mask));
    if (onWarning && inside.length === 0 && above.length > 0) warnOfEmptied(object, above.length, onWarning);
    greedyNms(pointsAt(scoredOf(candidates), inside), minDistances[object], isApart, isBeforeInSpace);
    return [object, inside.filter((index) => isApart[index] === 1)] as const;
  });
  return new Map(members);
}

/** The candidates of each object that reach its threshold. */
function candidatesAbove(
  { objects, objectIndices, scores }: Candidates,
  { names, thresholds }: Picking,
): Map<string, Uint32Array> {
  const order = new Map(names.map((name, at) => [name, at]));
  const places = objects.map((object) => order.get(object) ?? names.length);
  // False for an object that is not picked.
  const least = objects.map((object) => ownNumber(thresholds, object) ?? Number.NaN);
  const counts = new Uint32Array(names.length);
  for (let i = 0; i < scores.length; i++) if (scores[i] >= least[objectIndices[i]]) counts[places[objectIndices[i]]]++;
  const members = Array.from(counts, (count) => new Uint32Array(count));
  for (let i = scores.length - 1; i >= 0; i--) {
    if (!(scores[i] >= least[objectIndices[i]])) continue;
    const place = places[objectIndices[i]];
    members[place][--counts[place]] = i;
  }
  return new Map(names.map((name, at) => [name, members[at]]));
}

/** Of some candidates, ordered by the name of their object, those that suppression leaves whatever their objects. */
function bestAcross(candidates: Candidates, members: Uint32Array, distance: number): Uint32Array {
  const isKept = new Uint8Array(members.length);
  const points = { ...pointsAt(scoredOf(candidates), members), indices: Uint32Array.from(members.keys()) };
  greedyNms(points, distance, isKept, isBeforeInSpace);
  return members.filter((_, at) => isKept[at] === 1);
}

/** Some candidates, ordered by the name of their object, by falling score; equal scores by z, y, x, and at one place by the name. */
export function bestFirst(candidates: Candidates, members: Uint32Array): Uint32Array {
  const { places, values } = pointsAt(scoredOf(candidates), members);
  const order = orderOf(values);
  for (let from = 0, to = 0; from < order.length; from = to) {
    for (to = from + 1; to < order.length && values[order[to]] === values[order[from]]; ) to++;
    if (to - from > 1) order.subarray(from, to).sort((a, b) => comparePlaces(places, a, b) || a - b);
  }
  return order.map((at) => members[at]);
}

/** A candidate as a pick. */
export function pickOf(candidates: Candidates, index: number): ParticlePick {
  const { objects, objectIndices, scores } = candidates;
  const transform = transformAt(candidates, index);
  return {
    object: objects[objectIndices[index]],
    position: positionOf(candidates, index),
    score: scores[index],
    ...(transform && { transform }),
  };
}

function transformAt({ rotations }: Candidates, index: number): Transform | undefined {
  const numbers = rotations?.subarray(9 * index, 9 * index + 9);
  if (!numbers?.some((number) => number !== 0)) return undefined;
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = numbers;
  return [
    [xx!, xy!, xz!, 0],
    [yx!, yy!, yz!, 0],
    [zx!, zy!, zz!, 0],
    [0, 0, 0, 1],
  ];
}

function positionOf({ positions }: Candidates, index: number): Point {
  return { x: positions[3 * index], y: positions[3 * index + 1], z: positions[3 * index + 2] };
}

function scoredOf({ positions: places, scores }: Candidates): Scored {
  return { places, scores };
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Warns of an object that the mask leaves nothing of. */
function warnOfEmptied(object: string, count: number, onWarning: (warning: Warning) => void): void {
  const reached = count === 1 ? '1 candidate reaches' : `${count} candidates reach`;
  const message = `the mask removes all picks of "${object}": ${reached} its threshold, 0 are left`;
  onWarning({ code: 'mask-removes-all', message });
}

function isInside(position: Point, mask: Mask | readonly Mask[]): boolean {
  for (const one of typeof mask === 'function' ? [mask] : mask) {
    const answer: unknown = one(position);
    if (answer === false) return false;
    if (answer === true) continue;
    const message = `${call}: a mask must give true or false, found ${describeValue(answer)}`;
    throw new CryoetPicksError('invalid-option', message, { option: 'mask' });
  }
  return true;
}

function distanceAcross(given: true | number, minDistances: Readonly<Record<string, number>>): number {
  if (given !== true) return given;
  return Object.values(minDistances).reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
}

/** The first picks of each object, as many as it may have. */
function bestOfEach(picks: ParticlePick[], max: PerObject): ParticlePick[] {
  const counts = new Map<string, number>();
  return picks.filter(({ object }) => {
    const count = (counts.get(object) ?? 0) + 1;
    counts.set(object, count);
    return count <= (typeof max === 'number' ? max : (ownNumber(max, object) ?? Number.POSITIVE_INFINITY));
  });
}
