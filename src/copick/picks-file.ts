import * as v from 'valibot';
import { CryoetPicksError } from '../core/errors.ts';
import {
  checkSchema,
  formatJsonBigInt,
  holdsLongInteger,
  parseJson,
  parseJsonBigInt,
  writeNested,
} from '../core/json.ts';
import type { ParticlePick, Transform } from '../picks/pick.ts';
import type { ObjectUserSession } from './user-session-files.ts';

/** Whose picks they are: what copick tells picks files of a run apart by. */
export interface PicksIdentity {
  readonly object: string;
  readonly userId: string;
  /** `0` means made by a tool. */
  readonly sessionId: string;
}

/** One picks file of copick: the picks of one object by one user in one session. */
export interface PicksFile extends PicksIdentity {
  readonly picks: readonly ParticlePick[];
  readonly runName?: string | undefined;
  /** Voxel spacing that the picks were made at, in Å; mostly absent, and never used in a computation. */
  readonly voxelSpacing?: number | undefined;
  /** False where the rotations of `picks` mean nothing, and are only kept to be written back. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  /**
   * What to hand back as `ifVersion` when these picks are written again: a token of the file as it was read, `null` where
   * writing makes a new file, as of picks of the static tree. Absent where the store keeps no versions.
   */
  readonly version?: string | null | undefined;
  /** What is odd about the file, without being in the way. */
  readonly warnings?: readonly string[] | undefined;
  /** Keys of the file that this library does not know, written back; those of a point are in `unknown` of its pick. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@link parsePicksFile}. */
export interface ParsePicksFileOptions {
  /** Path of the file, for messages. */
  readonly source: string;
  /** What the name of the file says; it wins over the content, since it is what the file is found by. */
  readonly identity?: Partial<PicksIdentity> | undefined;
  /** The object where neither `identity` nor the content tells it. */
  readonly fallbackObject?: string | undefined;
}

/** What picks files and filaments files say of their identity, as they write it. */
interface FileHeader {
  readonly pickable_object_name?: string | null | undefined;
  readonly user_id?: string | null | undefined;
  readonly session_id?: string | null | undefined;
}

const code = 'invalid-picks';
const id = v.pipe(
  v.union([v.string(), v.number(), v.bigint()]),
  v.transform((value) => String(value)),
);
const fileSchema = v.looseObject({
  pickable_object_name: v.nullish(v.string()),
  user_id: v.nullish(id),
  session_id: v.nullish(id),
  run_name: v.nullish(v.string()),
  voxel_spacing: v.nullish(v.number()),
  unit: v.nullish(v.string()),
  // Not v.array, which would look at every point on its own.
  points: v.nullish(v.instance(Array<unknown>)),
  trust_orientation: v.nullish(v.boolean()),
});

/**
 * Reads a picks file of copick. The centre of a particle is its location plus the translation of its matrix, and
 * `position` is that centre, in Å.
 *
 * What copick takes for a missing value reads as missing: the identity matrix, instance id 0. A missing score is 1, as in
 * copick; the competition's files have none. An instance id beyond 2⁵³ is a `bigint`.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line and column where the text is not JSON, or with the index
 *   of the point that cannot be understood, bare `NaN` and `Infinity` of Python's writer included.
 * @example
 * ```ts
 * const { picks } = parsePicksFile(text, { source: 'Picks/curation_0_ribosome.json' });
 * ```
 */
export function parsePicksFile(text: string, options: ParsePicksFileOptions): PicksFile {
  const what = describeFile(options);
  const json = parseJson(text, { what, code });
  const file = readFile(json, options);
  const { unknown, picks } = file;
  // What this library knows holds no other long integers than instance ids.
  const isExact =
    Object.keys(unknown).length === 0 &&
    !picks.some((pick) => pick.unknown !== undefined || typeof pick.instanceId === 'bigint');
  if (isExact || !holdsLongInteger(text)) return file;
  return readFile(exactKeys(parseJsonBigInt(text, { what, code }) as ExactFile, json as ExactFile), options);
}

interface ExactFile extends Readonly<Record<string, unknown>> {
  readonly points?: readonly Readonly<Record<string, unknown>>[] | null | undefined;
}

/** A file with long integers in its ids and unknown keys, and with plain numbers where it measures. */
function exactKeys(exact: ExactFile, plain: ExactFile): ExactFile {
  const points = exact.points?.map((point, index) => {
    const { location, transformation_, score } = plain.points![index]!;
    return { ...point, location, transformation_, score };
  });
  return { ...exact, points, voxel_spacing: plain.voxel_spacing };
}

function readFile(
  value: unknown,
  options: ParsePicksFileOptions,
): PicksFile & { readonly unknown: Readonly<Record<string, unknown>> } {
  const what = describeFile(options);
  const json = checkSchema(fileSchema, value, { what, code });
  const named = nameOf(json, options);
  const { object } = named;
  const picks = (json.points ?? []).map((point, index) => parsePoint(point, { object, what, index }));
  const {
    pickable_object_name,
    user_id,
    session_id,
    run_name,
    voxel_spacing,
    unit,
    points,
    trust_orientation,
    ...unknown
  } = json;
  return {
    ...named,
    picks,
    runName: run_name ?? undefined,
    voxelSpacing: voxel_spacing ?? undefined,
    trustOrientation: trust_orientation ?? true,
    warnings: [...identityWarnings(json, named), ...unitWarnings(json.unit)],
    unknown,
  };
}

/**
 * Reads whose picks a file holds, as {@link parsePicksFile} does, without looking at the points: the competition's files are
 * called `ribosome.json` and tell user and session inside only. Empty where nothing tells the user or the session.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if it is no picks file.
 */
export function parsePicksIdentity(text: string, options: ParsePicksFileOptions): PicksIdentity {
  const what = describeFile(options);
  return nameOf(checkSchema(fileSchema, parseJson(text, { what, code }), { what, code }), options);
}

function describeFile({ source }: ParsePicksFileOptions): string {
  return `picks file "${source}"`;
}

/** The name of the file where it says something, else the content. */
function nameOf(json: v.InferOutput<typeof fileSchema>, options: ParsePicksFileOptions): PicksIdentity {
  const { identity = {}, fallbackObject } = options;
  const object = identity.object || json.pickable_object_name || fallbackObject;
  if (!object) {
    const what = describeFile(options);
    throw new CryoetPicksError(code, `${what}: neither its name nor pickable_object_name tells the object`);
  }
  return {
    object,
    userId: identity.userId ?? json.user_id ?? '',
    sessionId: identity.sessionId ?? json.session_id ?? '',
  };
}

/** Tells where the content of a file of picks, or of filaments, says another identity than its name. */
export function identityWarnings(json: FileHeader, named: PicksIdentity): string[] {
  const pairs = [
    ['object', named.object, json.pickable_object_name],
    ['user', named.userId, json.user_id],
    ['session', named.sessionId, json.session_id],
  ] as const;
  return pairs
    .filter(([, fromName, inside]) => inside !== undefined && inside !== null && inside !== fromName)
    .map(([key, fromName, inside]) => `its name says ${key} "${fromName}", its content "${inside}"; the name counts`);
}

/** copick reads every unit as Å, and so do we; but a reader should hear of it. */
export function unitWarnings(unit: string | null | undefined): string[] {
  if (unit === undefined || unit === null || /^(å|a|angstroms?|ångströms?)$/i.test(unit)) return [];
  return [`its unit is "${unit}"; as in copick, numbers are taken as Å all the same`];
}

/**
 * Writes a picks file as copick does, with an indent of four and `unit` angstrom.
 *
 * The whole position goes into `location`, and the translation of each matrix is 0, so that a reader who overlooks the
 * translation finds the particle too; reading gives the same positions and rotations to the last bit.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the index of a pick whose position, score or matrix is not finite,
 *   whose matrix is not 4×4 with a last row of 0, 0, 0, 1, whose instance id is no whole number, or which is of another
 *   object than the file.
 * @example
 * ```ts
 * const text = formatPicksFile({ object: 'ribosome', userId: 'me', sessionId: '1', picks });
 * ```
 */
export function formatPicksFile(file: PicksFile): string {
  const json = {
    ...headOf(file),
    points: file.picks.map((pick, index) => {
      checkPick(pick, `pick ${index} of "${file.object}"`);
      if (pick.object !== file.object) {
        throw new CryoetPicksError('invalid-picks', `pick ${index} of "${file.object}" is of object "${pick.object}"`);
      }
      return formatPick(pick);
    }),
    trust_orientation: file.trustOrientation ?? true,
    ...file.unknown,
  };
  return writeNested(() => formatJsonBigInt(json, 4), `the picks file of "${file.object}"`, 'invalid-picks');
}

function formatPick({
  position: { x, y, z },
  transform,
  instanceId = 0,
  score,
  unknown,
}: ParticlePick): Record<string, unknown> {
  const known = {
    location: { x, y, z },
    transformation_: [...[0, 1, 2].map((i) => rotationRow(transform, i)), [0, 0, 0, 1]],
    instance_id: instanceId,
    score,
  };
  return unknown === undefined ? known : { ...known, ...unknown, ...known };
}

function rotationRow(transform: Transform | undefined, i: number): number[] {
  const row = transform?.[i] ?? [0, 1, 2].map((j) => (i === j ? 1 : 0));
  return [row[0]!, row[1]!, row[2]!, 0];
}

function checkPick({ position, transform, instanceId, score }: ParticlePick, what: string): void {
  const { x, y, z } = position;
  if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z)) {
    throw new CryoetPicksError('invalid-picks', `${what} lies at x ${x}, y ${y}, z ${z} Å, which is no place`);
  }
  if (!Number.isFinite(score)) {
    throw new CryoetPicksError('invalid-picks', `${what} has a score of ${score}, expected a finite number`);
  }
  if (instanceId !== undefined && typeof instanceId !== 'bigint' && !Number.isSafeInteger(instanceId)) {
    throw new CryoetPicksError('invalid-picks', `${what} has the instance id ${instanceId}, expected a whole number`);
  }
  if (transform === undefined) return;
  const fits = transform.length === 4 && transform.every((row) => row.length === 4 && row.every(Number.isFinite));
  if (!fits || transform[3]!.some((value, i) => value !== (i === 3 ? 1 : 0))) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${what} has the matrix ${JSON.stringify(transform)}, expected 4×4 finite numbers with a last row of 0,0,0,1`,
    );
  }
}

/** What the head of a copick file of picks or filaments tells. */
export interface FileHead extends ObjectUserSession {
  readonly runName?: string | undefined;
  readonly voxelSpacing?: number | undefined;
}

/** The head that copick's files of picks and filaments share, key by key in its order. */
export function headOf(file: FileHead): Readonly<Record<string, unknown>> {
  return {
    pickable_object_name: file.object,
    user_id: file.userId,
    session_id: file.sessionId,
    run_name: file.runName ?? null,
    voxel_spacing: file.voxelSpacing ?? null,
    unit: 'angstrom',
  };
}

/** The picks of a file as far as they mean something: without rotations where the file says not to trust them. */
export function withoutUntrustedRotations({ picks, trustOrientation = true }: PicksFile): readonly ParticlePick[] {
  return trustOrientation ? picks : picks.map(({ transform: _, ...pick }) => pick);
}

const finite = v.pipe(v.number(), v.finite('it must be finite'));
const row = v.tuple([finite, finite, finite, finite]);
const pointSchema = v.looseObject({
  location: v.object({ x: finite, y: finite, z: finite }),
  transformation_: v.nullish(v.strictTuple([row, row, row, row])),
  instance_id: v.nullish(v.union([v.pipe(v.number(), v.integer()), v.bigint()])),
  score: v.nullish(finite),
});

type Point = v.InferOutput<typeof pointSchema>;
type Matrix = NonNullable<Point['transformation_']>;

const lastRow = [0, 0, 0, 1] as const;

/** Options of {@link parsePoint}. */
export interface ParsePointOptions {
  readonly object: string;
  /** The file, for messages. */
  readonly what: string;
  /** Index of the point, for messages. */
  readonly index: number;
}

/**
 * Reads one point of a picks file as a pick at its centre, the location plus the translation of its matrix; the identity
 * matrix and instance id 0, which copick takes for missing ones, read as missing.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`.
 */
function parsePoint(value: unknown, options: ParsePointOptions): ParticlePick {
  // What the quick look does not know is for the schema to take, or to name.
  const point = isPlainPoint(value)
    ? value
    : checkSchema(pointSchema, value, { what: placeOf(options), code: 'invalid-picks' });
  const pick = toPick(point, options);
  return hasUnknownKeys(point) ? { ...pick, unknown: unknownOf(point) } : pick;
}

function placeOf({ what, index }: ParsePointOptions): string {
  return `${what}: point ${index}`;
}

/** Whether a value is a point as programs write it; by plain comparisons, since files hold many thousands. */
function isPlainPoint(value: unknown): value is Point {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { location, transformation_: matrix, instance_id: instance, score } = value as Partial<Point>;
  return (
    typeof location === 'object' &&
    location !== null &&
    Number.isFinite(location.x) &&
    Number.isFinite(location.y) &&
    Number.isFinite(location.z) &&
    (isMissing(instance) || Number.isSafeInteger(instance)) &&
    (isMissing(score) || Number.isFinite(score)) &&
    (isMissing(matrix) ||
      (Array.isArray(matrix) &&
        matrix.length === 4 &&
        isRow(matrix[0]) &&
        isRow(matrix[1]) &&
        isRow(matrix[2]) &&
        isRow(matrix[3])))
  );
}

function isMissing(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function isRow(row: unknown): boolean {
  return (
    Array.isArray(row) &&
    row.length === 4 &&
    Number.isFinite(row[0]) &&
    Number.isFinite(row[1]) &&
    Number.isFinite(row[2]) &&
    Number.isFinite(row[3])
  );
}

function hasUnknownKeys(point: Point): boolean {
  for (const key in point) {
    if (key !== 'location' && key !== 'transformation_' && key !== 'instance_id' && key !== 'score') return true;
  }
  return false;
}

function unknownOf({ location, transformation_, instance_id, score, ...unknown }: Point): Record<string, unknown> {
  return unknown;
}

function toPick(point: Point, options: ParsePointOptions): ParticlePick {
  const { x, y, z } = point.location;
  const { object } = options;
  const score = point.score ?? 1;
  const instanceId = instanceOf(point.instance_id);
  const matrix = checkedMatrix(point, options);
  // Literals of their own, which cost less than putting picks together: files hold many thousands.
  if (matrix === undefined) {
    const position = { x, y, z };
    return instanceId === undefined ? { object, position, score } : { object, position, score, instanceId };
  }
  const [rowX, rowY, rowZ] = matrix;
  const position = { x: x + rowX[3], y: y + rowY[3], z: z + rowZ[3] };
  const transform = [rowX, rowY, rowZ, lastRow];
  if (isIdentity(transform)) {
    return instanceId === undefined ? { object, position, score } : { object, position, score, instanceId };
  }
  return instanceId === undefined
    ? { object, position, score, transform }
    : { object, position, score, instanceId, transform };
}

function checkedMatrix({ transformation_: matrix }: Point, options: ParsePointOptions): Matrix | undefined {
  if (isMissing(matrix)) return undefined;
  const last = matrix[3];
  if (last[3] === 1 && Math.abs(last[0]) <= 1e-8 && Math.abs(last[1]) <= 1e-8 && Math.abs(last[2]) <= 1e-8) {
    return matrix;
  }
  throw new CryoetPicksError(
    'invalid-picks',
    `${placeOf(options)}: the last row of its matrix is ${last}, expected 0,0,0,1`,
  );
}

/** 0 is none, as in copick; beyond 2⁵³ only a bigint holds it. */
function instanceOf(instance: number | bigint | null | undefined): number | bigint | undefined {
  if (isMissing(instance)) return undefined;
  const number = Number(instance);
  if (number === 0) return undefined;
  return Number.isSafeInteger(number) ? number : BigInt(instance);
}

function isIdentity(matrix: Transform): boolean {
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 4; j++) if (matrix[i]![j] !== (i === j ? 1 : 0)) return false;
  }
  return true;
}
