import { eventLoopTurn } from '../core/concurrency.ts';
import { localMaxima } from '../peaks/local-maxima.ts';
import { type ParticlePick, type RunPicks, toPick } from '../picks/pick.ts';
import { suppressNearby } from '../picks/suppress.ts';
import { toVoxel, type Zyx } from '../space/grid.ts';
import { type CutOff, chooseCutOff } from './cut-off.ts';
import { cellsAround, evenLogits, fitHead, headOf, type LessonSamples, logitsOf, type Sites, sitesOf } from './fit.ts';
import { type Head, headSlabs } from './head.ts';
import { isWithin, type Lesson, MIN_PICKS, type Place } from './lesson.ts';
import type { Coefficients } from './logistic.ts';

/** A point of the learning curve. */
export interface LearningPoint {
  /** Number of picks that were learned from. */
  readonly picks: number;
  /** F1 to expect, estimated by the picks that were left out. */
  readonly score: number;
}

/** What was learned of one object. */
export interface Learned {
  readonly object: string;
  /** The logit of the object; 0 is its cut-off. */
  readonly head: Head;
  /** Minimum scores of picks, balanced (F1) and for the competition (F4). */
  readonly thresholds: { readonly balanced: number; readonly competition: number };
  /** Number of picks that it was learned from. */
  readonly picks: number;
  /** Number of rejects that it was learned from: 0 where they made it worse. */
  readonly rejects: number;
  /** True if there were rejects, and the picks that were left out are found better without. */
  readonly rejectsDropped: boolean;
  /** Number of particles in the tomograms that were picked, estimated. */
  readonly particles: number;
  /** The scores of the picks, each by the head that was fitted without it; in the order of the picks, repeated ones once. */
  readonly leftOut: readonly number[];
  /** F1 to expect with fewer picks, and with these. Where it still rises, more picks help. */
  readonly curve: readonly LearningPoint[];
  /** What to look at next: peaks that it is least sure of, by run. */
  readonly unsure: readonly RunPicks[];
}

/** The largest number of fits that leave picks out; more take longer than they tell. */
const MAX_FOLDS = 10;

/** Picks that are learned from along the curve. */
const CURVE = [3, 5, 10, 20, 50] as const;

/** Draws of picks per point of the curve. */
const DRAWS = 2;

/** How many peaks to look at next are named. */
const MAX_UNSURE = 10;

/**
 * Rise of the mean logarithm of ranks that counts as worse; a little comes with many rejects, also where new tomograms gain by them:
 * training/teach/README.md has the figures.
 */
const WORSE = 0.27;

/** The competition's metric is F4. */
const COMPETITION_BETA = 4;

/** The logit of a usual pick: above it scores would be 1 in float32 for what is good and for what is best. */
const USUAL_LOGIT = 6;

/** Learns one object. */
export async function learn(samples: LessonSamples, signal: AbortSignal | undefined): Promise<Learned> {
  const { lesson, featureCount } = samples;
  const { picks, object } = lesson;
  const plain = fitHead(samples, { withRejects: false });
  const candidates = sitesOf(samples, await candidatesOf(samples, plain, signal), ({ cell }) => [cell]);
  const known = sitesOf(samples, picks, cellsAround);
  const look = { samples, candidates, known };
  let best = leaveOut(look, { withRejects: false, all: plain });
  let rejectsDropped = false;
  if (samples.isReject.includes(1)) {
    const withRejects = leaveOut(look, {
      withRejects: true,
      all: fitHead(samples, { withRejects: true }),
    });
    rejectsDropped = ranked(look, withRejects) > ranked(look, best) + WORSE;
    if (!rejectsDropped) best = withRejects;
  }
  await eventLoopTurn();
  signal?.throwIfAborted();
  const peaks = [...logitsOf(candidates, featureCount, best.all)];
  const cutOff = chooseCutOff(best.leftOut, peaks);
  const competition = chooseCutOff(best.leftOut, peaks, COMPETITION_BETA);
  const usual = best.leftOut.reduce((sum, one) => sum + one, 0) / best.leftOut.length;
  const scale = Math.min(1, USUAL_LOGIT / Math.max(1, usual - cutOff.logit));
  const scoreOf = (logit: number) => 1 / (1 + Math.exp(-scale * (logit - cutOff.logit)));
  const head = headOf(samples, best.all);
  return {
    object,
    head: { object, weights: head.weights.map((one) => scale * one), bias: scale * (head.bias - cutOff.logit) },
    thresholds: { balanced: 0.5, competition: Math.min(0.5, scoreOf(competition.logit)) },
    picks: picks.length,
    rejects: best.withRejects ? lesson.rejects.length : 0,
    rejectsDropped: rejectsDropped && lesson.rejects.length > 0,
    particles: Math.round(cutOff.particles),
    leftOut: best.leftOut.map(scoreOf),
    curve: curveOf(look, best, cutOff),
    unsure: unsureOf(
      look,
      peaks.map((logit) => ({ logit: logit - cutOff.logit, score: scoreOf(logit) })),
    ),
  };
}

/** Share of the background that is below every candidate. Where particles are dense, many are in the tenth above it. */
const BELOW_CANDIDATES = 0.9;

/** Candidates of each tomogram, at most. */
const MAX_CANDIDATES = 1000;

/** The peaks of a head in the tomograms that were picked. */
async function candidatesOf(
  samples: LessonSamples,
  coefficients: Coefficients,
  signal: AbortSignal | undefined,
): Promise<Place[]> {
  const { object, radius, picks } = samples.lesson;
  const head = headOf(samples, coefficients);
  const rising = evenLogits(samples, coefficients);
  const threshold = rising[Math.floor(BELOW_CANDIDATES * (rising.length - 1))]!;
  const places: Place[] = [];
  for (const map of new Set(picks.map((pick) => pick.map))) {
    const found: ParticlePick[] = [];
    const slabs = headSlabs(map, [head], { activated: false });
    for await (const peak of localMaxima(slabs, { threshold, signal })) found.push(toPick(peak));
    for (const { position } of suppressNearby(found, { minDistance: { [object]: radius } }).slice(0, MAX_CANDIDATES)) {
      const cell = toVoxel(map.grid, position).map(Math.round) as unknown as Zyx;
      places.push({ map, position, cell });
    }
  }
  return places;
}

/** What heads are compared on. */
interface Look {
  readonly samples: LessonSamples;
  readonly candidates: Sites;
  readonly known: Sites;
}

/** A head that was fitted to all picks, and what those fitted without some of them say of these. */
interface LeftOutFit {
  readonly all: Coefficients;
  readonly withRejects: boolean;
  /** As logits of the head of all picks: those of the candidates at the same ranks. */
  readonly leftOut: readonly number[];
}

/** Fits heads without each pick, or each tenth of them, and asks them for it. */
function leaveOut(
  { samples, candidates, known }: Look,
  { withRejects, all }: Pick<LeftOutFit, 'withRejects' | 'all'>,
): LeftOutFit {
  const { featureCount } = samples;
  const count = known.places.length;
  const folds = Math.min(count, MAX_FOLDS);
  const falling = logitsOf(candidates, featureCount, all).sort((a, b) => b - a);
  const leftOut: number[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const without = fitHead(samples, { withRejects, start: all, counts: (pick) => pick % folds !== fold });
    const others = logitsOf(candidates, featureCount, without).sort((a, b) => b - a);
    const own = logitsOf(known, featureCount, without);
    for (let pick = fold; pick < count; pick += folds) leftOut[pick] = atRank(falling, rankAmong(others, own[pick]));
  }
  return { all, withRejects, leftOut };
}

/** How many of the falling numbers are above one. */
function rankAmong(falling: Float64Array, one: number): number {
  let [low, high] = [0, falling.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (falling[middle] > one) low = middle + 1;
    else high = middle;
  }
  return low;
}

function atRank(falling: Float64Array, rank: number): number {
  if (rank < falling.length) return falling[rank];
  return (falling[falling.length - 1] ?? 0) - 1;
}

/** Whether a pick or a reject lies within a distance in Å of a place. */
function isTold({ picks, rejects }: Lesson, place: Place, distance: number): boolean {
  return [...picks, ...rejects].some((told) => isWithin(told, place, distance));
}

/** Mean logarithm of the ranks of left-out picks among candidates that nobody has told anything about. */
function ranked({ samples, candidates }: Look, { all, leftOut }: LeftOutFit): number {
  const { lesson } = samples;
  const logits = logitsOf(candidates, samples.featureCount, all);
  const isUntold = (_: number, i: number) => !isTold(lesson, candidates.places[i]!, lesson.radius / 2);
  const falling = logits.filter(isUntold).sort((a, b) => b - a);
  return leftOut.reduce((sum, logit) => sum + Math.log(1 + rankAmong(falling, logit)), 0) / leftOut.length;
}

/** The learning curve: at fewer picks, the means of some draws. */
function curveOf(look: Look, best: LeftOutFit, { score }: CutOff): LearningPoint[] {
  const { samples, candidates, known } = look;
  const { featureCount } = samples;
  const count = known.places.length;
  const points = CURVE.filter((size) => size < count && size >= MIN_PICKS).map((size) => {
    let sum = 0;
    for (let draw = 1; draw <= DRAWS; draw++) {
      const order = [...known.places.keys()].sort((a, b) => drawn(a, draw) - drawn(b, draw));
      const chosen = new Set(order.slice(0, size));
      const few = fitHead(samples, {
        withRejects: best.withRejects,
        start: best.all,
        counts: (pick) => chosen.has(pick),
      });
      const own = logitsOf(known, featureCount, few);
      const leftOut = order.slice(size).map((pick) => own[pick]!);
      sum += chooseCutOff(leftOut, [...logitsOf(candidates, featureCount, few)]).score;
    }
    return { picks: size, score: sum / DRAWS };
  });
  return [...points, { picks: count, score }];
}

/** A number that orders picks otherwise in each draw, the same every time. */
function drawn(pick: number, draw: number): number {
  return ((pick + 1) * Math.SQRT2 * (draw + Math.E)) % 1;
}

/** Peaks nearest the cut-off that nobody has told anything about, the most doubtful first. */
function unsureOf(
  { samples, candidates }: Look,
  scores: readonly { readonly logit: number; readonly score: number }[],
): RunPicks[] {
  const { lesson } = samples;
  const { object } = lesson;
  const doubtful = [...candidates.places.keys()]
    .filter((i) => !isTold(lesson, candidates.places[i]!, lesson.radius))
    .sort((a, b) => Math.abs(scores[a]!.logit) - Math.abs(scores[b]!.logit))
    .slice(0, MAX_UNSURE);
  const byRun = new Map<string, ParticlePick[]>();
  for (const i of doubtful) {
    const { map, position } = candidates.places[i]!;
    byRun.set(map.run, [...(byRun.get(map.run) ?? []), { object, position, score: scores[i]!.score }]);
  }
  return [...byRun].map(([run, own]) => ({ run, picks: own }));
}
