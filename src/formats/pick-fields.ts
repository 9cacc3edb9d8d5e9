import { describeValue } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { parseNumber } from '../picks/csv.ts';
import { isPlaced, notPick, type ParticlePick, type RunPicks } from '../picks/pick.ts';
import {
  deviationFromRotation,
  type EulerAngles,
  type EulerConvention,
  eulerFromRotation,
  isIdentity,
  type Rotation,
  rotationOf,
  transformOf,
} from '../picks/rotation.ts';
import type { Point } from '../space/grid.ts';

/** A pick to write, checked. */
export interface CheckedPick {
  readonly run: string;
  readonly pick: ParticlePick;
  /** Its name in messages: `pick 3 of run "TS_5_4"`. */
  readonly place: string;
}

const code = 'invalid-picks';
const still: EulerAngles = [0, 0, 0];

/**
 * Lists the picks of all runs in order.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an empty name, a position or score that is not finite, or an instance
 * id that is not a whole number.
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

function checkPick(run: string, pick: ParticlePick, place: string): void {
  if (!isPlaced(pick)) throw notPick(pick, place);
  const { object, position, score, instanceId } = pick;
  const { x, y, z } = position;
  if (run.trim() === '' || object.trim() === '') {
    throw new CryoetPicksError(
      code,
      `${place} needs the names of run and object; run is ${JSON.stringify(run)}, object is "${object}"`,
    );
  }
  if (![x, y, z, score].every(Number.isFinite)) {
    throw new CryoetPicksError(
      code,
      `${place} is at (${x}, ${y}, ${z}) Å with score ${describeValue(score)}; expected finite numbers`,
    );
  }
  if (instanceId !== undefined && typeof instanceId !== 'bigint' && !Number.isSafeInteger(instanceId)) {
    throw new CryoetPicksError(code, `${place} has instance id ${describeValue(instanceId)}; expected a whole number`);
  }
}

/**
 * The rotation of a pick; undefined if it has none.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a matrix that is not a rotation.
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

/** The angles of a pick; 0 if it has no rotation. */
export function checkedAngles(pick: CheckedPick, convention: EulerConvention): EulerAngles {
  const rotation = checkedRotation(pick);
  return rotation === undefined ? still : eulerFromRotation(rotation, convention);
}

/** The only run of picks, for a format with one run per file; undefined if there are no picks. */
export function onlyRun(picks: readonly CheckedPick[], format: string): string | undefined {
  return only(picks, { format, part: 'run', nameOf: ({ run }) => run });
}

/** The only object of picks, for a format with one object per file; undefined if there are no picks. */
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

/** The fields of a pick in a row of a file. */
export interface FoundPick {
  readonly object: string;
  readonly position: Point;
  /** 1 if the file has no score. */
  readonly score?: number | undefined;
  /** 0 means no instance, as in copick. */
  readonly instance?: number | bigint | undefined;
  /** The identity means no rotation, as in copick. */
  readonly rotation?: Rotation | undefined;
}

/**
 * Makes a pick from the fields of a row.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an instance id that is not a whole number.
 */
export function pickFrom({ object, position, score = 1, instance, rotation }: FoundPick, place: string): ParticlePick {
  if (instance !== undefined && typeof instance !== 'bigint' && !Number.isSafeInteger(instance)) {
    throw new CryoetPicksError('invalid-picks', `${place}: instance id is ${instance}; expected a whole number`);
  }
  return {
    object,
    position,
    score,
    ...(instance ? { instanceId: instance } : {}),
    ...(rotation === undefined || isIdentity(rotation) ? {} : { transform: transformOf(rotation) }),
  };
}

/** Where a cell is, for messages. */
export interface CellPlace {
  /** The name of its column: `score`. */
  readonly what: string;
  /** The file and the row: `picks.csv, line 3`. */
  readonly place: string;
}

/** The number in a cell of text. @throws {@link CryoetPicksError} `invalid-picks` unless it is there and finite. */
export function numberIn(cell: string | undefined, { what, place }: CellPlace): number {
  const value = cell === undefined ? undefined : parseNumber(cell);
  if (value !== undefined && Number.isFinite(value)) return value;
  const found = cell === undefined ? 'missing' : showJson(cell);
  const hint = /^\s*[+-]?\d+,\d+\s*$/.test(cell ?? '') ? '; if the comma is a decimal comma, write a point' : '';
  throw new CryoetPicksError(code, `${place}: ${what} is ${found}; expected a finite number${hint}`);
}

/** The score in a cell of text; undefined if there is none, or the cell is empty, as pandas writes a score that it does not know. */
export function scoreIn(cell: string | undefined, at: CellPlace): number | undefined {
  return cell === undefined || cell.trim() === '' ? undefined : numberIn(cell, at);
}

/**
 * The instance id in a cell of text, with all digits; undefined for an empty cell.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` unless it is a whole number.
 */
export function instanceIn(cell: string | undefined, { what, place }: CellPlace): number | bigint | undefined {
  const digits = (cell ?? '').trim().replace(/^\+/, '');
  if (digits === '') return undefined;
  const value = parseNumber(digits);
  if (value !== undefined && Number.isSafeInteger(value)) return value;
  if (value !== undefined && /^-?\d+$/.test(digits)) return BigInt(digits);
  throw new CryoetPicksError(code, `${place}: ${what} is ${showJson(cell)}; expected a whole number`);
}

/**
 * The instance id of a pick, for a format whose readers parse it as a float64; 0 means no instance.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an id beyond 2⁵³.
 */
export function numberedInstance({ pick: { instanceId = 0 }, place }: CheckedPick, format: string): number {
  const number = Number(instanceId);
  if (Number.isSafeInteger(number)) return number;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place} has instance id ${instanceId}; ${format} stores ids up to 2^53; csv, copick, ndjson, napari and cmm store larger ones`,
  );
}
