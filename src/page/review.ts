import { type Candidates, type ParticlePick, picksFromCandidates, suppressNearby } from '../entry/index.ts';
import { nearbyTest } from './nearby.ts';
import { type Places, placesOf } from './places.ts';
import { type Edit, type LoadedPick, movedThresholds, named, ownOf, type State } from './state.ts';

/** Where a pick comes from: `found` as it was loaded, `edited` by a person in place or object, or `added` by one. */
export type Source = 'found' | 'edited' | 'added';

/** A pick under review: one that is kept, or one that a person rejected. */
export interface ReviewedPick extends LoadedPick {
  readonly source: Source;
  readonly decision: 'accepted' | 'rejected' | undefined;
}

/** True for a pick that no person has decided about, moved, renamed or added. */
export function isOpen({ decision, source }: ReviewedPick): boolean {
  return decision === undefined && source === 'found';
}

/** False for a pick that a person added: nothing gave it a score. Its number is the 1 that copick takes for a missing one. */
export function hasScore({ unknown, source }: Pick<ParticlePick, 'unknown'> & { readonly source?: Source }): boolean {
  return (source ?? sourceOf({ unknown })) !== 'added';
}

/** The score as it is shown. */
export function scoreText(pick: ReviewedPick): string {
  return hasScore(pick) ? pick.score.toFixed(3) : 'no score';
}

/** The sign of what a person did to a pick: ✓ accepted, ✗ rejected, ✎ moved or renamed. */
export function markOf({ decision, source }: ReviewedPick): string {
  const decided = decision === 'accepted' ? '✓' : decision === 'rejected' ? '✗' : '';
  return source === 'edited' ? `${decided}✎` : decided;
}

/** The picks under review, best first, those without a score at the end. */
export interface Review {
  readonly kept: readonly ReviewedPick[];
  readonly rejected: readonly ReviewedPick[];
  /** Both, best first. */
  readonly all: readonly ReviewedPick[];
}

/** What decides which picks are kept. */
export type ReviewInput = Pick<State, 'loaded' | 'candidates' | 'edits' | 'thresholds' | 'minDistances'> &
  Partial<Pick<State, 'picking'>>;

/**
 * The picks at the present thresholds, with what a person decided.
 *
 * What nobody has decided yet are the picks of the library: those of the candidates, else those of the files that have at least the
 * threshold. What a person accepted, moved or added is kept whatever its score and however close to another such pick; what nobody
 * decided is taken out closer to it than the minimum distance. What was rejected is taken out after the suppression, so that no
 * weaker candidate takes its place.
 */
export function reviewOf(input: ReviewInput, fixed: Fixed = fixedOf(input)): Review {
  const { edits } = input;
  const { decided, own, isNearOwn } = fixed;
  const picks = [...picksOfCandidates(input, fixed), ...picksOfFiles(input, fixed)];
  const undecided = edits.size === 0 ? picks : picks.filter(({ id }) => !edits.has(id));
  return sorted(
    [...undecided.filter((pick) => !isNearOwn(pick)), ...own],
    decided.filter(({ decision }) => decision === 'rejected'),
  );
}

/** A review, with the thresholds from which the present ones were moved. */
export type MovedReviewInput = ReviewInput & Pick<State, 'usualThresholds'>;

/**
 * The picks of a submission, with what a person decided: at the thresholds of the competition where the person has moved none, and with
 * objects that do not affect each other. Where there is but one set of thresholds, the picks at hand.
 */
export function submissionOf(input: MovedReviewInput): Review {
  const { candidates, picking = { madeBy: {} }, thresholds } = input;
  if (candidates?.competitionThresholds === undefined) return reviewOf(input);
  return reviewOf({
    ...input,
    thresholds: { ...thresholds, ...candidates.competitionThresholds, ...movedThresholds(input) },
    picking: { ...picking, acrossObjects: false },
  });
}

/** What a review takes from picks and decisions, whatever the thresholds. */
interface Fixed {
  /** What a person decided about, moved or added. */
  readonly decided: readonly ReviewedPick[];
  /** Those of them that are not rejected: they are kept. */
  readonly own: readonly ReviewedPick[];
  /** Whether a pick is closer to one of these than the minimum distance of its object. */
  readonly isNearOwn: (pick: ReviewedPick) => boolean;
  /** Of all objects that picks have or get, in Å. */
  readonly minDistance: Readonly<Record<string, number>>;
  /** The picks that were loaded, as if nobody had decided about them. */
  readonly found: readonly ReviewedPick[];
  /** The same. */
  readonly places: Places<ReviewedPick>;
}

function fixedOf({ loaded, edits, minDistances }: ReviewInput): Fixed {
  const objects = new Set<string>();
  for (const { object } of loaded) objects.add(object);
  for (const { object } of edits.values()) if (object !== undefined) objects.add(object);
  const minDistance = Object.fromEntries([...objects].map((object) => [object, ownOf(minDistances, object) ?? 0]));
  const found = loaded.map(asFound);
  const decided = decidedPicks(loaded, edits);
  const own = decided.filter(({ decision }) => decision !== 'rejected');
  return { decided, own, isNearOwn: nearbyTest(own, minDistance), minDistance, found, places: placesOf(found) };
}

function picksOfCandidates({ candidates, picking, thresholds }: ReviewInput, { places }: Fixed): ReviewedPick[] {
  if (candidates === undefined) return [];
  const { max, acrossObjects } = picking ?? {};
  const allowed = allowedThresholds(candidates, thresholds);
  const picks = picksFromCandidates(candidates, { thresholds: allowed, max, acrossObjects });
  const found = picks.flatMap((pick) => places.at(pick) ?? []);
  return places.hasTwins || found.length < picks.length ? named(picks).map(asFound) : found;
}

/** The picks of objects that have no candidates, and those that were made of none. */
function picksOfFiles({ candidates, thresholds }: ReviewInput, { found, minDistance }: Fixed): ReviewedPick[] {
  const again = new Set(candidates?.objects);
  const passing = found.filter(
    (pick) =>
      !again.has(pick.object) &&
      (!hasScore(pick) || pick.score >= (ownOf(thresholds, pick.object) ?? Number.NEGATIVE_INFINITY)),
  );
  const fixed = found.filter(({ object, isFixed }) => isFixed && again.has(object));
  return [...(suppressNearby(passing, { minDistance }) as ReviewedPick[]), ...fixed];
}

/** The thresholds of candidates by object, not below the lowest one at which nothing is missing. */
export function allowedThresholds(
  { objects, lowestThresholds }: Candidates,
  thresholds: State['thresholds'],
): State['thresholds'] {
  const given = objects.filter((object) => ownOf(thresholds, object) !== undefined);
  return raised(Object.fromEntries(given.map((object) => [object, thresholds[object] as number])), lowestThresholds);
}

/** The lowest threshold of each object, where its slider ends: that of its candidates, else the lowest score of its picks. */
export function lowestThresholds({
  loaded,
  candidates,
}: Pick<ReviewInput, 'loaded' | 'candidates'>): State['thresholds'] {
  const lowest = new Map<string, number>();
  for (const pick of loaded) {
    if (hasScore(pick)) lowest.set(pick.object, Math.min(lowest.get(pick.object) ?? pick.score, pick.score));
  }
  return { ...Object.fromEntries(lowest), ...candidates?.lowestThresholds };
}

/** Thresholds, each raised to the lowest one of its object. */
export function raised(thresholds: State['thresholds'], lowest: State['thresholds']): State['thresholds'] {
  const raise = ([object, value]: [string, number]) =>
    [object, Math.max(value, ownOf(lowest, object) ?? value)] as const;
  return Object.fromEntries(Object.entries(thresholds).map(raise));
}

/** All candidates as picks, to be listed and counted. */
export function candidatePicks({ objects, objectIndices, positions, scores }: Candidates): LoadedPick[] {
  const picks: ParticlePick[] = [];
  for (let i = 0; i < scores.length; i++) {
    const [x, y, z] = positions.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
    picks.push({
      object: objects[objectIndices[i] as number] as string,
      position: { x, y, z },
      score: scores[i] as number,
    });
  }
  return named(picks);
}

function sorted(kept: readonly ReviewedPick[], rejected: readonly ReviewedPick[]): Review {
  const [keptFirst, rejectedFirst] = [bestFirst(kept), bestFirst(rejected)];
  return { kept: keptFirst, rejected: rejectedFirst, all: merged(keptFirst, rejectedFirst) };
}

function bestFirst(picks: readonly ReviewedPick[]): ReviewedPick[] {
  return [...picks].sort((a, b) => rankOf(b) - rankOf(a));
}

/** Two lists, each best first, as one. */
function merged(kept: readonly ReviewedPick[], rejected: readonly ReviewedPick[]): ReviewedPick[] {
  const all: ReviewedPick[] = [];
  let next = 0;
  for (const pick of rejected) {
    const rank = rankOf(pick);
    while (next < kept.length && rankOf(kept[next]!) >= rank) all.push(kept[next++]!);
    all.push(pick);
  }
  return all.concat(kept.slice(next));
}

function rankOf(pick: ReviewedPick): number {
  return hasScore(pick) ? pick.score : -Number.MAX_VALUE;
}

function asFound(pick: LoadedPick): ReviewedPick {
  return { ...pick, source: sourceOf(pick), decision: undefined };
}

/** What the file says about where a pick came from, as this page writes it. */
function sourceOf({ unknown }: Pick<ParticlePick, 'unknown'>): Source {
  const reviewed = unknown?.reviewed;
  return reviewed === 'added' || reviewed === 'edited' ? reviewed : 'found';
}

function decidedPicks(loaded: State['loaded'], edits: State['edits']): ReviewedPick[] {
  const decided: ReviewedPick[] = [];
  if (edits.size === 0) return decided;
  for (const pick of loaded) {
    const edit = edits.get(pick.id);
    if (edit === undefined || edit.decision === 'deleted') continue;
    decided.push(withEdit(pick, { ...edit, decision: edit.decision }));
  }
  for (const [id, { object, position, decision, isAdded }] of edits) {
    if (!isAdded || object === undefined || position === undefined || decision === 'deleted') continue;
    decided.push({ id, object, position, score: 1, source: 'added', decision });
  }
  return decided;
}

type KeptEdit = Edit & { readonly decision: ReviewedPick['decision'] };

function withEdit(pick: State['loaded'][number], { object, position, decision }: KeptEdit): ReviewedPick {
  const isEdited = object !== undefined || position !== undefined;
  return {
    ...pick,
    object: object ?? pick.object,
    position: position ?? pick.position,
    source: isEdited ? 'edited' : sourceOf(pick),
    decision,
  };
}

/** A pick as it is written: what a person did to it stands beside what else its file said. */
export function toSave({ id: _, isFixed: __, source, decision, ...pick }: ReviewedPick): ParticlePick {
  const reviewed = source === 'found' ? decision : source;
  const { reviewed: ___, ...unknown } = pick.unknown ?? {};
  if (reviewed === undefined && Object.keys(unknown).length === 0) return { ...pick, unknown: undefined };
  return { ...pick, unknown: { ...unknown, ...(reviewed && { reviewed }) } };
}

/**
 * Remembers the review of the last state, since many parts of the page ask for it, and what of it thresholds do not change, since a
 * slider moves them many times a second.
 */
export function createReviewer(): (state: ReviewInput) => Review {
  let input: ReviewInput | undefined;
  let fixed: Fixed | undefined;
  let review: Review = { kept: [], rejected: [], all: [] };
  return (state) => {
    const isSame = (...names: readonly (keyof ReviewInput)[]) => names.every((name) => input?.[name] === state[name]);
    if (fixed === undefined || !isSame('loaded', 'edits', 'minDistances')) fixed = fixedOf(state);
    if (input === undefined || !isSame('loaded', 'candidates', 'picking', 'edits', 'thresholds', 'minDistances')) {
      review = reviewOf(state, fixed);
    }
    input = state;
    return review;
  };
}
