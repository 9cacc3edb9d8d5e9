import {
  cziiRules,
  matchPicks,
  type ParticlePick,
  type Report,
  type ScoringRules,
  scorePicks,
  scoringRules,
} from '../entry/index.ts';
import type { Review } from './review.ts';
import type { State } from './state.ts';

/** How the kept picks compare with the truth. */
export interface Comparison {
  readonly report: Report;
  readonly rules: ScoringRules;
  /** Ids of the kept picks that hit a particle of the truth. */
  readonly hits: ReadonlySet<string>;
  readonly missed: readonly ParticlePick[];
}

/** The rules of the competition if the truth holds its objects alone, else equal weights and the radii of the project. */
export function rulesFor({ objects, truth }: Pick<State, 'objects' | 'truth'>): ScoringRules {
  const isCzii = truth.every(({ object }) => Object.hasOwn(cziiRules.objects, object));
  return isCzii ? cziiRules : scoringRules(objects);
}

/** Scores the kept picks, and tells which of them hit; undefined without a truth. */
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
  const hits = new Set<string>();
  const missed: ParticlePick[] = [];
  for (const [object, { radius }] of Object.entries(rules.objects)) {
    const own = known.filter((pick) => pick.object === object);
    const particles = wanted.filter((pick) => pick.object === object);
    const places = particles.map(({ position }) => position);
    const candidates = own.map(({ position, score }) => ({ ...position, score }));
    const { pairs } = matchPicks(places, candidates, { radius: radius * rules.matchFraction });
    const found = new Set(pairs.map(({ truth }) => truth));
    for (const { candidate } of pairs) hits.add(own[candidate]!.id);
    missed.push(...particles.filter((_, index) => !found.has(index)));
  }
  return { report, rules, hits, missed };
}
