import { isFields, picks as picksRule, type Rule, requireArgument, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { isPlaced, notPick, type ParticlePick } from '../picks/pick.ts';
import type { Point } from '../space/grid.ts';
import { type Candidate, matchNamed } from './match.ts';
import { checkRules, cziiRules, type ScoringRules } from './rules.ts';

/** How well one object was found, in one run or over all of them. */
export interface ObjectScore extends Counts, Quality {
  /** Number of candidates minus number of truths. */
  readonly countError: number;
  /** Mean distance of matched pairs in Å; absent without a match. */
  readonly meanDistance?: number | undefined;
  /** Median distance of matched pairs in Å; absent without a match, and in a running score. */
  readonly medianDistance?: number | undefined;
}

/** The result of scoring; `runs` holds the same table run by run. */
export interface Report {
  /** Weighted mean of the F-measures; may exceed 1 by a little where one candidate hits two truths. */
  readonly score: number;
  /** Every object of the truth, in order of first appearance there. */
  readonly objects: { readonly [object: string]: ObjectScore };
  readonly runs: { readonly [run: string]: { readonly [object: string]: ObjectScore } };
  /** Objects that were picked but that no truth holds: neither counted nor punished. */
  readonly ignoredObjects: readonly string[];
}

/**
 * Scores picks against the truth, by default as the CZII competition did, identical to the last digit.
 *
 * Counts are summed over runs per object, turned into an F-measure, and averaged by weight. An object counts if the truth
 * of any run holds it; in a run whose truth lacks it all its picks are false. Every run given is scored, also one without
 * truth; `scoreTables` takes a truth table with fewer runs than the submission.
 *
 * @param rules - Radii, weights, β, matching: `{ ...cziiRules, matching: 'hungarian' }` scores one to one.
 * @throws {@link CryoetPicksError} `invalid-submission` for an object the rules do not name, a point that occurs twice in
 * the truth of a run (official matching), or a coordinate that is not finite while truth and picks both hold points;
 * `invalid-option` for rules out of range or a run given twice.
 *
 * @example
 * ```ts
 * const { score, objects } = scorePicks([{ run: 'TS_5_4', truth, picks }], cziiRules);
 * console.log(score, objects['ribosome']?.recall);
 * ```
 *
 * Source: Kaggle notebook `metric/czi-cryoet-84969`.
 */
export function scorePicks(runs: readonly ScoredRun[], rules: ScoringRules = cziiRules): Report {
  checkRuns(runs, rules, 'scorePicks');
  return scoreInOrder(runs, objectsOf(runs.flatMap(({ truth }) => truth)), rules);
}

/** {@link scorePicks} with the objects to score named in the order their shares are summed. */
function scoreInOrder(runs: readonly ScoredRun[], objects: readonly string[], rules: ScoringRules): Report {
  const totals = new Map(objects.map((object) => [object, newTally()]));
  const tables = runs.map((run): [string, Record<string, ObjectScore>] => [run.run, scoreRun(run, totals, rules)]);
  const scores = objects.map((object): [string, ObjectScore] => [object, summarize(totals.get(object)!, rules)]);
  const picked = new Set(runs.flatMap(({ picks }) => objectsOf(picks)));
  return {
    score: weightedMean(scores, rules),
    objects: Object.fromEntries(scores),
    runs: Object.fromEntries(tables),
    ignoredObjects: [...picked].filter((object) => !totals.has(object)),
  };
}

/** A score that grows run by run; what {@link runningScore} makes. */
export interface RunningScore {
  /** @throws {@link CryoetPicksError} As {@link scorePicks} does for one run. */
  add(run: ScoredRun): void;
  /** The report of the runs so far. */
  report(): RunningReport;
}

/** The report of a {@link RunningScore}: that of {@link scorePicks} without single runs, and without median distances. */
export type RunningReport = Omit<Report, 'runs'>;

/**
 * Scores runs one after the other, in memory that does not grow with their number: the counts of each object are kept, and no picks.
 *
 * Score and counts are those of {@link scorePicks} of the same runs in the same order, to the last digit.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for rules out of range.
 *
 * @example
 * ```ts
 * const running = runningScore(cziiRules);
 * for (const run of runs) running.add(run);
 * console.log(running.report().score);
 * ```
 */
export function runningScore(rules: ScoringRules = cziiRules): RunningScore {
  checkRules(rules, 'runningScore');
  const totals = new Map<string, Tally & { sum: number; matched: number }>();
  const scored = new Set<string>();
  return {
    add(one) {
      checkRuns([one], rules, 'runningScore');
      const { run, truth, picks } = one;
      const inTruth = objectsOf(truth);
      for (const object of inTruth) scored.add(object);
      const names = [...new Set([...inTruth, ...objectsOf(picks)])];
      const tallies = new Map(names.map((object) => [object, newTally()]));
      scoreRun({ run, truth, picks }, tallies, rules);
      for (const [object, { tp, fp, fn, distances }] of tallies) {
        const total = totals.get(object) ?? { ...newTally(), sum: 0, matched: 0 };
        totals.set(object, total);
        total.tp += tp;
        total.fp += fp;
        total.fn += fn;
        for (const distance of distances) total.sum += distance;
        total.matched += distances.length;
      }
    },
    report() {
      const scores = [...scored].map((object): [string, ObjectScore] => {
        const { sum, matched, ...counts } = totals.get(object)!;
        const mean = matched === 0 ? {} : { meanDistance: sum / matched };
        return [object, { ...summarize(counts, rules), ...mean }];
      });
      return {
        score: weightedMean(scores, rules),
        objects: Object.fromEntries(scores),
        ignoredObjects: [...totals.keys()].filter((object) => !scored.has(object)),
      };
    },
  };
}

/** Mean of F-measures by weight, summed in the order given, divided as the rules say. */
export function weightedMean(
  scores: Iterable<readonly [object: string, { readonly fbeta: number }]>,
  rules: ScoringRules,
): number {
  let sum = 0;
  for (const [object, { fbeta }] of scores) sum += fbeta * rules.objects[object]!.weight;
  return sum / divisorOf(rules);
}

/** The divisor of the weighted sum; 1 if nothing has weight, so that the score is 0. */
export function divisorOf({ objects, weightSum }: ScoringRules): number {
  return weightSum ?? (Object.values(objects).reduce((total, { weight }) => total + weight, 0) || 1);
}

/** Counts that still grow, and the distances of the matched pairs in Å. */
interface Tally {
  tp: number;
  fp: number;
  fn: number;
  readonly distances: number[];
}

function newTally(): Tally {
  return { tp: 0, fp: 0, fn: 0, distances: [] };
}

/** Scores one run and adds its counts to the totals. */
function scoreRun(
  { run, truth, picks }: ScoredRun,
  totals: ReadonlyMap<string, Tally>,
  rules: ScoringRules,
): Record<string, ObjectScore> {
  const truthOf = byObject(truth);
  const picksOf = byObject(picks);
  const table: [string, ObjectScore][] = [];
  for (const [object, total] of totals) {
    const tally = newTally();
    const name = `${JSON.stringify(object)} in run ${JSON.stringify(run)}`;
    matchInto(tally, truthOf.get(object) ?? [], picksOf.get(object) ?? [], object, name, rules);
    total.tp += tally.tp;
    total.fp += tally.fp;
    total.fn += tally.fn;
    for (const distance of tally.distances) total.distances.push(distance);
    table.push([object, summarize(tally, rules)]);
  }
  return Object.fromEntries(table);
}

function matchInto(
  tally: Tally,
  truth: readonly ParticlePick[],
  picks: readonly ParticlePick[],
  object: string,
  name: string,
  { objects, matchFraction, matching }: ScoringRules,
): void {
  const references = truth.map(({ position }) => position);
  // Only greedy matching needs scores; positions alone need no copy.
  const candidates: Candidate[] = picks.map(matching === 'greedy' ? toCandidate : ({ position }) => position);
  const radius = objects[object]!.radius * matchFraction;
  const { tp, fp, fn, pairs } = matchNamed(references, candidates, {
    ...{ radius, matching, code: 'invalid-submission' },
    nameOf: (side, index) => `${side === 'truth' ? 'truth' : 'pick'} ${index} of ${name}`,
  });
  tally.tp = tp;
  tally.fp = fp;
  tally.fn = fn;
  for (const { distance } of pairs) tally.distances.push(distance);
}

function toCandidate({ position: { x, y, z }, score }: ParticlePick): Candidate {
  return { x, y, z, score };
}

function summarize({ tp, fp, fn, distances }: Tally, { beta }: ScoringRules): ObjectScore {
  const counts = { tp, fp, fn, ...qualityOf({ tp, fp, fn }, beta), countError: fp - fn };
  if (distances.length === 0) return counts;
  const sorted = Float64Array.from(distances).sort();
  const half = sorted.length >>> 1;
  return {
    ...counts,
    meanDistance: sorted.reduce((sum, distance) => sum + distance, 0) / sorted.length,
    medianDistance: sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2,
  };
}

/** Counts of one object: `tp + fp` candidates, `tp + fn` truths. */
export interface Counts {
  readonly tp: number;
  /** May be negative under official matching. */
  readonly fp: number;
  readonly fn: number;
}

/** Precision, recall and F-measure; each is 0 if it is not defined, and may exceed 1 if fp is negative. */
export interface Quality {
  readonly precision: number;
  readonly recall: number;
  readonly fbeta: number;
}

/**
 * Precision, recall and F-measure of counts, in the official order of operations to the last bit.
 *
 * @param beta - Recall counts β times as much as precision.
 */
export function qualityOf({ tp, fp, fn }: Counts, beta: number): Quality {
  const precision = tp + fp > 0 ? tp / (tp + fp) : 0;
  const recall = tp + fn > 0 ? tp / (tp + fn) : 0;
  // The product comes first and the sum divides last: another association changes the last digit.
  const fbeta =
    precision + recall > 0 ? ((1 + beta * beta) * (precision * recall)) / (beta * beta * precision + recall) : 0;
  return { precision, recall, fbeta };
}

/** Truth and picks of one run. */
export interface ScoredRun {
  readonly run: string;
  readonly truth: readonly ParticlePick[];
  readonly picks: readonly ParticlePick[];
}

/** Throws unless rules and runs can be scored; see `scorePicks` for the conditions. */
export function checkRuns(runs: readonly ScoredRun[], rules: ScoringRules, call: string): void {
  requireArgument(call, 'runs', runs, scoredRuns);
  checkRules(rules, call);
  const names = new Set<string>();
  for (const { run, truth, picks } of runs) {
    if (names.has(run)) {
      throw new CryoetPicksError('invalid-option', `run ${JSON.stringify(run)} is given twice; join its picks first`);
    }
    names.add(run);
    checkObjects(run, picks, rules);
    checkObjects(run, truth, rules);
    checkDuplicates(run, truth, rules);
  }
}

const scoredRuns: Rule = {
  expected: 'a list of runs { run, truth, picks }',
  isValid: Array.isArray,
  items: {
    expected: 'a run { run, truth, picks }',
    isValid: isFields,
    fields: { run: text, truth: picksRule, picks: picksRule },
  },
};

/** Objects of the truth in order of first appearance: the slots that are scored, and the order they are summed in. */
export function objectsOf(truth: Iterable<ParticlePick>): string[] {
  const names = new Set<string>();
  let last: string | undefined;
  for (const { object } of truth) {
    // Tables list the picks of an object together, and looking a name up costs more than comparing it.
    if (object === last) continue;
    names.add(object);
    last = object;
  }
  return [...names];
}

/** Picks by object, each list in the order given. */
export function byObject(picks: readonly ParticlePick[]): Map<string, ParticlePick[]> {
  const groups = new Map<string, ParticlePick[]>();
  let object: string | undefined;
  let group: ParticlePick[] = [];
  for (const pick of picks) {
    if (pick.object !== object) {
      object = pick.object;
      group = groups.get(object) ?? [];
      groups.set(object, group);
    }
    group.push(pick);
  }
  return groups;
}

function checkObjects(run: string, picks: readonly ParticlePick[], { objects }: ScoringRules): void {
  let last: string | undefined;
  for (let index = 0; index < picks.length; index++) {
    const pick = picks[index];
    if (!isPlaced(pick)) throw notPick(pick, `pick ${index} of run ${JSON.stringify(run)}`);
    const { object } = pick;
    if (object === last || Object.hasOwn(objects, object)) {
      last = object;
      continue;
    }
    const known = Object.keys(objects).map((name) => JSON.stringify(name));
    throw new CryoetPicksError(
      'invalid-submission',
      `Unrecognized particle type ${JSON.stringify(object)} in run ${JSON.stringify(run)}; scored are ${known.join(', ')}`,
    );
  }
}

/** The official metric throws if a point occurs twice in the truth of a run, even under different names. */
function checkDuplicates(run: string, truth: readonly ParticlePick[], { matching = 'official' }: ScoringRules): void {
  if (matching !== 'official') return;
  // Keys take time to make, and two points of a run hardly ever share an x. A set tells numbers apart as the keys do.
  if (new Set(truth.map(({ position }) => position.x)).size === truth.length) return;
  const seen = new Map<string, ParticlePick>();
  for (const pick of truth) {
    const key = positionKey(pick.position);
    const first = seen.get(key);
    if (first !== undefined) {
      throw new CryoetPicksError(
        'invalid-submission',
        `truth of run ${JSON.stringify(run)} has the point (${key}) Å twice, as ${JSON.stringify(first.object)} and as ${JSON.stringify(pick.object)}; expected every point once`,
      );
    }
    seen.set(key, pick);
  }
}

/** Equal for equal coordinates, where −0 is 0 and NaN is NaN, as in pandas. */
function positionKey({ x, y, z }: Point): string {
  return `${x}, ${y}, ${z}`;
}

/** One row of a truth or submission table. */
export interface TableRow {
  readonly run: string;
  readonly pick: ParticlePick;
}

/** A report on tables, with the runs that the truth table does not contain. */
export interface TableReport extends Report {
  /** Runs that only the submission holds: dropped before anything is checked, as the official metric does. */
  readonly ignoredRuns: readonly string[];
}

/**
 * Scores a submission table against a truth table, as the official metric does.
 *
 * The truth decides which runs are scored: rows of other runs are dropped first, so an unknown object there does no harm,
 * and a run without a row in the submission counts as all missed. Objects are summed in order of first appearance in the
 * truth table, which decides the last digit.
 *
 * @throws {@link CryoetPicksError} as {@link scorePicks}.
 *
 * @example
 * ```ts
 * const report = scoreTables({ truth: parseSubmissionRows(truthCsv), submission: parseSubmissionRows(submissionCsv) });
 * ```
 */
export function scoreTables(
  tables: { readonly truth: readonly TableRow[]; readonly submission: readonly TableRow[] },
  rules: ScoringRules = cziiRules,
): TableReport {
  const { truth, submission } = requireOptions('scoreTables', tables, { truth: listRule, submission: listRule });
  const runs = new Map<string, ScoredRun & { truth: ParticlePick[]; picks: ParticlePick[] }>();
  const open = (run: string) => {
    const group = { run, truth: [], picks: [] };
    runs.set(run, group);
    return group;
  };
  forEachRun('truth', truth, (run) => {
    const group = runs.get(run) ?? open(run);
    return (pick) => group.truth.push(pick);
  });
  const ignoredRuns = new Set<string>();
  forEachRun('submission', submission, (run) => {
    const group = runs.get(run);
    if (group === undefined) ignoredRuns.add(run);
    return (pick) => group?.picks.push(pick);
  });
  const scored = [...runs.values()];
  checkRuns(scored, rules, 'scoreTables');
  const report = scoreInOrder(scored, objectsOf(truth.map(({ pick }) => pick)), rules);
  return { ...report, ignoredRuns: [...ignoredRuns] };
}

const listRule: Rule = {
  expected: 'a list of rows { run, pick }, as `parseSubmissionRows` gives',
  isValid: Array.isArray,
};
const tableRule: Rule = {
  ...listRule,
  isValid: (rows) => (rows as readonly TableRow[]).every((row) => typeof row?.run === 'string'),
};

/** Hands each pick to what `enter` gives for its run; a table lists the rows of a run together, so it is seldom called. */
function forEachRun(
  table: 'truth' | 'submission',
  rows: readonly TableRow[],
  enter: (run: string) => (pick: ParticlePick) => void,
): void {
  // Differs from every value, so that the first row is looked at whatever it is; a run that equals the last needs no second look.
  let last: unknown = Number.NaN;
  let add: (pick: ParticlePick) => void = () => {};
  for (let i = 0; i < rows.length; i++) {
    const run = rows[i]?.run;
    if (run !== last) {
      if (typeof run !== 'string') requireArgument('scoreTables', table, rows, tableRule);
      add = enter(run);
      last = run;
    }
    add(rows[i].pick);
  }
}
