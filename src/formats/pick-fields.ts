import { describeValue } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { parseNumber } from '../picks/csv.ts';
import { notPick, type ParticlePick, pickCopy, type RunPicks, reviewMarkOf } from '../picks/pick.ts';
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

/** A pick to write, checked: a copy, so that nothing is read from the caller's object again. */
export interface CheckedPick {
  readonly run: string;
  readonly pick: ParticlePick;
  /** Its name in messages: `pick 3 of run "TS_5_4"`. */
  readonly place: string;
}

const code = 'invalid-picks';
const still: EulerAngles = [0, 0, 0];

/** Picks that are written, or looked at, between two pauses: a few milliseconds. */
const PICKS = 512;

/** What is known of picks before the first is written. */
export interface PicksToWrite {
  readonly count: number;
  /** The names of runs and objects, in order of first appearance. */
  readonly runs: ReadonlySet<string>;
  readonly objects: ReadonlySet<string>;
  /** Whether any pick has an instance id, or a transform. */
  readonly hasInstances: boolean;
  readonly hasTransforms: boolean;
  /** Whether a person has looked at any of them. */
  readonly hasMarks: boolean;
  /** The picks of all runs in their order, each checked when it comes. */
  each(): Iterable<CheckedPick>;
}

/**
 * Looks through the picks of all runs, in pieces.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an empty name, a position or score that is not finite, or an instance
 * id that is not a whole number.
 */
export function* picksToWrite(given: readonly RunPicks[]): Generator<undefined, PicksToWrite, undefined> {
  const [runs, objects] = [new Set<string>(), new Set<string>()];
  let count = 0;
  let [hasInstances, hasTransforms, hasMarks] = [false, false, false];
  for (const { run, pick } of checkedPicks(given)) {
    runs.add(run);
    objects.add(pick.object);
    hasInstances ||= pick.instanceId !== undefined;
    hasTransforms ||= pick.transform !== undefined;
    hasMarks ||= reviewMarkOf(pick) !== undefined;
    if (++count % PICKS === 0) yield;
  }
  return { count, runs, objects, hasInstances, hasTransforms, hasMarks, each: () => checkedPicks(given) };
}

/** What a function makes of each item, when it is asked for. */
export function* mapped<T, R>(items: Iterable<T>, make: (item: T, index: number) => R): Generator<R, void> {
  let index = 0;
  for (const item of items) yield make(item, index++);
}

/** Visits items in pieces. */
export function* eachInPieces<T>(items: Iterable<T>, visit: (item: T) => void): Generator<undefined, void, undefined> {
  let count = 0;
  for (const item of items) {
    visit(item);
    if (++count % PICKS === 0) yield;
  }
}

/** The lines of picks, some at a time. */
export function* linesOf<T>(items: Iterable<T>, lineOf: (item: T, index: number) => string): Generator<string, void> {
  let lines = '';
  let count = 0;
  for (const item of items) {
    lines += lineOf(item, count);
    if (++count % PICKS !== 0) continue;
    yield lines;
    lines = '';
  }
  yield lines;
}

function* checkedPicks(runs: readonly RunPicks[]): Generator<CheckedPick, void> {
  for (const { run, picks } of runs) {
    for (let index = 0; index < picks.length; index++) yield new Checked(run, picks[index]!, index);
  }
}

class Checked implements CheckedPick {
  readonly pick: ParticlePick;

  constructor(
    readonly run: string,
    given: ParticlePick,
    private readonly index: number,
  ) {
    this.pick = pickCopy(given) ?? fail(notPick(given, this.place));
    const { object, position, score, instanceId } = this.pick;
    const { x, y, z } = position;
    if (run.trim() === '' || object.trim() === '') {
      throw new CryoetPicksError(
        code,
        `${this.place} needs the names of run and object; run is ${JSON.stringify(run)}, object is "${object}"`,
      );
    }
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z) || !Number.isFinite(score)) {
      throw new CryoetPicksError(
        code,
        `${this.place} is at (${x}, ${y}, ${z}) Å with score ${describeValue(score)}; expected finite numbers`,
      );
    }
    if (instanceId !== undefined && typeof instanceId !== 'bigint' && !Number.isSafeInteger(instanceId)) {
      throw new CryoetPicksError(
        code,
        `${this.place} has instance id ${describeValue(instanceId)}; expected a whole number`,
      );
    }
  }

  get place(): string {
    return `pick ${this.index} of run ${JSON.stringify(this.run)}`;
  }
}

function fail(error: Error): never {
  throw error;
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
export function onlyRun({ runs }: PicksToWrite, format: string): string | undefined {
  return only(runs, { format, part: 'run' });
}

/** The only object of picks, for a format with one object per file; undefined if there are no picks. */
export function onlyObject({ objects }: PicksToWrite, format: string): string | undefined {
  return only(objects, { format, part: 'object' });
}

interface OnlyOptions {
  readonly format: string;
  readonly part: string;
}

function only(found: ReadonlySet<string>, { format, part }: OnlyOptions): string | undefined {
  const names = [...found];
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
export function pickFrom({ object, position, score = 1, instance, rotation }: FoundPick, place: Place): ParticlePick {
  if (instance !== undefined && typeof instance !== 'bigint' && !Number.isSafeInteger(instance)) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${placeName(place)}: instance id is ${instance}; expected a whole number`,
    );
  }
  const isTurned = rotation !== undefined && !isIdentity(rotation);
  // A plain literal takes a fraction of the time of spreads, and most picks have no more.
  if (!instance && !isTurned) return { object, position, score };
  return {
    object,
    position,
    score,
    ...(instance ? { instanceId: instance } : {}),
    ...(isTurned ? { transform: transformOf(rotation) } : {}),
  };
}

/** The file and the row, for messages: `picks.csv, line 3`, or a row that knows it. */
export type Place = string | { readonly place: string };

export function placeName(place: Place): string {
  return typeof place === 'string' ? place : place.place;
}

/** Where a cell is, for messages. */
export interface CellPlace {
  /** The name of its column: `score`. */
  readonly what: string;
  readonly place: Place;
}

/** The number in a cell of text. @throws {@link CryoetPicksError} `invalid-picks` unless it is there and finite. */
export function numberIn(cell: string | undefined, { what, place }: CellPlace): number {
  const value = cell === undefined ? undefined : parseNumber(cell);
  if (value !== undefined && Number.isFinite(value)) return value;
  const found = cell === undefined ? 'missing' : showJson(cell);
  const hint = /^\s*[+-]?\d+,\d+\s*$/.test(cell ?? '') ? '; if the comma is a decimal comma, write a point' : '';
  throw new CryoetPicksError(code, `${placeName(place)}: ${what} is ${found}; expected a finite number${hint}`);
}

/** The score in a cell of text; undefined if there is no cell, or it is empty, as pandas writes a score that it does not know. */
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
  throw new CryoetPicksError(code, `${placeName(place)}: ${what} is ${showJson(cell)}; expected a whole number`);
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
