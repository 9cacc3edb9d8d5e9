import { CryoetPicksError } from '../../errors.ts';
import type { Pick } from '../pick.ts';
import {
  deviationFromRotation,
  type EulerAngles,
  type EulerConvention,
  eulerFromRotation,
  type Rotation,
  rotationOf,
} from '../rotation.ts';
import type { RunPicks } from '../run-picks.ts';

/** A pick on its way into a file. */
export interface CheckedPick {
  readonly run: string;
  readonly pick: Pick;
  /** What it is called in messages: `pick 3 of run "TS_5_4"`. */
  readonly place: string;
}

const code = 'invalid-picks';
const still: EulerAngles = [0, 0, 0];

/**
 * Lists the picks of all runs in order.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an empty name, a position or score that is not finite, or an instance
 * id that is no whole number.
 */
export function checkedPicks(runs: Iterable<RunPicks>): CheckedPick[] {
  const checked: CheckedPick[] = [];
  for (const { run, picks } of runs) {
    for (const [index, pick] of picks.entries()) {
      const place = `pick ${index} of run ${JSON.stringify(run)}`;
      checkPick(run, pick, place);
      checked.push({ run, pick, place });
    }
  }
  return checked;
}

function checkPick(run: string, { object, position: { x, y, z }, score, instanceId }: Pick, place: string): void {
  if (run.trim() === '' || object.trim() === '') {
    throw new CryoetPicksError(code, `${place} needs names; run is ${JSON.stringify(run)}, object is "${object}"`);
  }
  if (![x, y, z, score].every(Number.isFinite)) {
    throw new CryoetPicksError(
      code,
      `${place} is at (${x}, ${y}, ${z}) Å with score ${score}; expected finite numbers`,
    );
  }
  if (instanceId !== undefined && typeof instanceId !== 'bigint' && !Number.isSafeInteger(instanceId)) {
    throw new CryoetPicksError(code, `${place} has instance id ${instanceId}; expected a whole number`);
  }
}

/**
 * The rotation of a pick, undefined where nothing is turned.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a matrix that is no rotation.
 */
export function checkedRotation({ pick, place }: CheckedPick): Rotation | undefined {
  const rotation = rotationOf(pick.transform);
  if (rotation === undefined) return undefined;
  const deviation = deviationFromRotation(rotation);
  if (deviation < 1e-3) return rotation;
  throw new CryoetPicksError(
    code,
    `${place} has the matrix ${JSON.stringify(rotation)}, expected a rotation: rows of length 1 at right angles`,
  );
}

/** The angles of a pick, 0 where nothing is turned. */
export function checkedAngles(pick: CheckedPick, convention: EulerConvention): EulerAngles {
  const rotation = checkedRotation(pick);
  return rotation === undefined ? still : eulerFromRotation(rotation, convention);
}

/** The only run of picks for a file that has no place for more; undefined if there are no picks. */
export function onlyRun(picks: readonly CheckedPick[], format: string): string | undefined {
  return only(picks, { format, part: 'run', nameOf: ({ run }) => run });
}

/** The only object of picks for a file that has no place for more; undefined if there are no picks. */
export function onlyObject(picks: readonly CheckedPick[], format: string): string | undefined {
  return only(picks, { format, part: 'object', nameOf: ({ pick }) => pick.object });
}

interface OnlyOptions {
  readonly format: string;
  readonly part: string;
  readonly nameOf: (pick: CheckedPick) => string;
}

function only(picks: readonly CheckedPick[], { format, part, nameOf }: OnlyOptions): string | undefined {
  const names = [...new Set(picks.map(nameOf))];
  if (names.length <= 1) return names[0];
  const shown = names
    .slice(0, 3)
    .map((name) => JSON.stringify(name))
    .join(', ');
  throw new CryoetPicksError(
    code,
    `${format} holds one ${part} per file; found ${names.length}: ${shown}${names.length > 3 ? ', …' : ''}`,
  );
}
