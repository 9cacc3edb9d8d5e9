import { CryoetPicksError } from '../errors.ts';
import type { Pick } from '../picks/pick.ts';
import type { Point } from '../space/point.ts';
import { checkRules, type ScoringRules } from './competition.ts';

/** Truth and picks of one run. */
export interface ScoredRun {
  readonly run: string;
  readonly truth: readonly Pick[];
  readonly picks: readonly Pick[];
}

/** Refuses rules and runs that cannot be scored; see `scorePicks` for what that is. */
export function checkRuns(runs: readonly ScoredRun[], rules: ScoringRules): void {
  checkRules(rules);
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

/** Objects of the truth in order of first appearance: the slots that are scored, and the order they are summed in. */
export function objectsOf(truth: Iterable<Pick>): string[] {
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
export function byObject(picks: readonly Pick[]): Map<string, Pick[]> {
  const groups = new Map<string, Pick[]>();
  let object: string | undefined;
  let group: Pick[] = [];
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

function checkObjects(run: string, picks: readonly Pick[], { objects }: ScoringRules): void {
  for (const object of objectsOf(picks)) {
    if (Object.hasOwn(objects, object)) continue;
    const known = Object.keys(objects).map((name) => JSON.stringify(name));
    throw new CryoetPicksError(
      'invalid-submission',
      `Unrecognized particle type ${JSON.stringify(object)} in run ${JSON.stringify(run)}; scored are ${known.join(', ')}`,
    );
  }
}

/** The official metric refuses a point that occurs twice in the truth of a run, under whatever names. */
function checkDuplicates(run: string, truth: readonly Pick[], { matching = 'official' }: ScoringRules): void {
  if (matching !== 'official') return;
  // Keys are dear, and hardly ever do two points of a run share an x. A set tells numbers apart as the keys do.
  if (new Set(truth.map(({ position }) => position.x)).size === truth.length) return;
  const seen = new Map<string, Pick>();
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
