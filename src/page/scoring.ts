import {
  matchPicks,
  type ObjectOfProject,
  type ParticlePick,
  projectRules,
  type Report,
  type ScoringRules,
  type SweepCurve,
  scorePicks,
  sweepThresholds,
} from '../entry/index.ts';
import { type Review, reviewOf } from './review.ts';
import { DEFAULT_RADIUS, ownOf, type ShownObject, type State } from './state.ts';

/** How the kept picks compare with the truth. */
export interface Comparison {
  readonly report: Report;
  readonly rules: ScoringRules;
  /**
   * How many particles of the truth each kept pick hits, by its id; picks that hit none are absent. The sum is that of the hits in
   * the report: a pick between two particles hits both, and of several picks near a particle the nearest hits it.
   */
  readonly hits: ReadonlyMap<string, number>;
  /** Particles that no kept pick is near, as many as the report counts. */
  readonly missed: readonly ParticlePick[];
  /** The objects of the truth that the project does not have: nothing of them is scored. */
  readonly unknown: readonly string[];
}

/** The rules of the command line; a radius that neither the project nor the competition gives is assumed. */
export function rulesFor({ objects, truth }: Pick<State, 'objects' | 'truth'>): ScoringRules {
  return projectRules(objects.filter(({ isUnknown }) => !isUnknown).map(asGiven), {
    truth: [...new Set(truth.map(({ object }) => object))],
    radius: DEFAULT_RADIUS,
  });
}

function asGiven({ name, radius, isRadiusAssumed }: ShownObject): ObjectOfProject {
  return { name, radius: isRadiusAssumed ? undefined : radius };
}

/** The radius of each object, in Å, as rings show it: that of the project, else the one that scores take. */
export function shownRadii(
  objects: readonly ObjectOfProject[],
): ReadonlyMap<string, Pick<ShownObject, 'radius' | 'isRadiusAssumed'>> {
  // A radius that is not above 0 counts as missing.
  const given = objects.map(({ name, radius }) => ({ name, radius: (radius ?? 0) > 0 ? radius : undefined }));
  const rules = projectRules(given, { truth: given.map(({ name }) => name), radius: DEFAULT_RADIUS });
  return new Map(
    given.map(({ name, radius }) => [
      name,
      { radius: radius ?? ownOf(rules.objects, name)!.radius, isRadiusAssumed: radius === undefined },
    ]),
  );
}

/** Scores the kept picks, and says which of them hit; undefined without a truth. */
export function compareWithTruth(
  state: Pick<State, 'objects' | 'truth' | 'run'>,
  { kept }: Review,
): Comparison | undefined {
  const { truth, run = 'run' } = state;
  if (truth.length === 0) return undefined;
  const rules = rulesFor(state);
  const isKnown = ({ object }: ParticlePick) => Object.hasOwn(rules.objects, object);
  const known = kept.filter(isKnown);
  const wanted = truth.filter(isKnown);
  const report = scorePicks([{ run, truth: wanted, picks: known }], rules);
  const hits = new Map<string, number>();
  const missed: ParticlePick[] = [];
  for (const [object, { radius }] of Object.entries(rules.objects)) {
    const own = known.filter((pick) => pick.object === object);
    const particles = wanted.filter((pick) => pick.object === object);
    const places = particles.map(({ position }) => position);
    const candidates = own.map(({ position, score }) => ({ ...position, score }));
    const { pairs } = matchPicks(places, candidates, { radius: radius * rules.matchFraction });
    const found = new Set(pairs.map(({ truth }) => truth));
    for (const { candidate } of pairs) {
      const { id } = own[candidate]!;
      hits.set(id, (hits.get(id) ?? 0) + 1);
    }
    missed.push(...particles.filter((_, index) => !found.has(index)));
  }
  const unknown = [...new Set(truth.map(({ object }) => object))].filter((name) => !Object.hasOwn(rules.objects, name));
  return { report, rules, hits, missed, unknown };
}

/**
 * Precision and recall of an object at each threshold that changes them: those of the picks that the page keeps there, after
 * suppression and with what a person decided. The other objects stay at their thresholds.
 *
 * One review at the lowest threshold gives all of them. Suppression goes from the best pick to the worst, so what it keeps at a
 * higher threshold is what of this reaches it; what a person decided is kept at every threshold.
 */
export function curveOf(
  object: string,
  state: Parameters<typeof reviewOf>[0] & Pick<State, 'objects' | 'truth' | 'run'>,
): SweepCurve | undefined {
  const { truth, thresholds, edits, run = 'run' } = state;
  const rules = rulesFor(state);
  if (!Object.hasOwn(rules.objects, object)) return undefined;
  const { kept } = reviewOf({ ...state, thresholds: { ...thresholds, [object]: Number.NEGATIVE_INFINITY } });
  const picks = kept
    .filter((pick) => pick.object === object)
    .map((pick) => (edits.has(pick.id) ? { ...pick, score: Number.POSITIVE_INFINITY } : pick));
  const wanted = truth.filter((particle) => particle.object === object);
  return sweepThresholds([{ run, truth: wanted, picks }], rules).objects[object]?.curve;
}
