import * as v from 'valibot';
import {
  describeValue,
  flag,
  isFields,
  optional,
  picks as picksRule,
  type Rule,
  record,
  requireArgument,
  requireOptions,
  someNumber,
  text as textRule,
} from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import {
  checkSchema,
  decodeText,
  formatJsonBigInt,
  holdsLongInteger,
  measure,
  parseJson,
  parseJsonBigInt,
  writeNested,
} from '../core/json.ts';
import { type JsonBatch, jsonSteps } from '../core/json-parser.ts';
import { notPick, type ParticlePick, pickCopy } from '../picks/pick.ts';
import type { Transform } from '../space/grid.ts';
import type { ObjectUserSession } from './user-session-files.ts';

/** What identifies a picks file within a run: its object, user and session. */
export interface PicksIdentity {
  readonly object: string;
  readonly userId: string;
  /** By convention, `0` means made by a tool. */
  readonly sessionId: string;
}

/** One picks file of copick: the picks of one object by one user in one session. */
export interface PicksFile extends PicksIdentity {
  readonly picks: readonly ParticlePick[];
  readonly runName?: string | undefined;
  /** Voxel spacing of the tomogram that was picked, in Å; often absent, and never used in a computation. */
  readonly voxelSpacing?: number | undefined;
  /** False if the rotations of `picks` are meaningless and only kept to be written back. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  /**
   * What to hand back as `ifVersion` when these picks are written again: a token of the file as it was read, `null` where
   * writing makes a new file, as of picks of the static tree. Absent where the store keeps no versions.
   */
  readonly version?: string | null | undefined;
  /** Mistakes in the file that do not prevent its use. */
  readonly warnings?: readonly string[] | undefined;
  /** Unknown keys of the file, which are written back; unknown keys of a point are in `unknown` of its pick. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@link parsePicksFile}. */
export interface ParsePicksFileOptions {
  /** Path of the file, for messages. */
  readonly source: string;
  /** The identity in the name of the file; it wins over the content, because files are found by name. */
  readonly identity?: Partial<PicksIdentity> | undefined;
  /** The object, if neither `identity` nor the content names it. */
  readonly fallbackObject?: string | undefined;
}

/** The identity that picks files and filaments files state in their content. */
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
  voxel_spacing: v.nullish(measure),
  unit: v.nullish(v.string()),
  // Not v.array, which would check every point separately.
  points: v.nullish(v.instance(Array<unknown>)),
  trust_orientation: v.nullish(v.boolean()),
});

/**
 * Reads a picks file of copick. The centre of a particle is its location plus the translation of its matrix, and
 * `position` is that centre, in Å.
 *
 * The identity matrix and instance id 0 are read as missing values, as in copick. A missing score becomes 1, as in copick;
 * the competition's files have no scores. An instance id beyond 2⁵³ is a `bigint`.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`, with line and column if the text is not JSON, or with the index of a point
 *   that is not valid; bare `NaN` and `Infinity` of Python's writer are not.
 * @example
 * ```ts
 * const { picks } = parsePicksFile(text, { source: 'Picks/curation_0_ribosome.json' });
 * ```
 */
export function parsePicksFile(text: string, options: ParsePicksFileOptions): PicksFile {
  requireArgument('parsePicksFile', 'text', text, textRule);
  requireOptions('parsePicksFile', options, {
    source: textRule,
    identity: optional({
      expected: '{ object, userId, sessionId }',
      isValid: isFields,
      fields: { object: optional(textRule), userId: optional(textRule), sessionId: optional(textRule) },
    }),
    fallbackObject: optional(textRule),
  });
  return readText(text, options);
}

/** Reads the text of a picks file. */
function readText(text: string, options: ParsePicksFileOptions): PicksFile {
  const what = describeFile(options);
  const file = readFile(parseJson(text, { what, code }), options);
  // Of the known fields, only instance ids may be long integers.
  const isExact = Object.keys(file.unknown).length === 0 && !file.picks.some(isInexact);
  if (isExact || !holdsLongInteger(text)) return file;
  const exact = parseJsonBigInt(text, { what, code }) as { readonly points?: readonly unknown[] | null };
  return readFile({ ...exact, points: exact.points?.map(withPlainMeasures) }, options);
}

/** A pick that may have held a long integer: as its id, or in a key of its own. */
function isInexact({ unknown, instanceId }: ParticlePick): boolean {
  return unknown !== undefined || typeof instanceId === 'bigint';
}

const plain = (value: unknown) => (typeof value === 'bigint' ? Number(value) : value);

/** A point of exact JSON, whose measurements are plain numbers: only ids and unknown keys keep long integers. */
function withPlainMeasures(point: unknown): unknown {
  if (!isFields(point)) return point;
  const { location, transformation_: matrix, score } = point as Readonly<Record<string, unknown>>;
  const { x, y, z } = (isFields(location) ? location : {}) as Readonly<Record<string, unknown>>;
  return {
    ...point,
    location: isFields(location) ? { x: plain(x), y: plain(y), z: plain(z) } : location,
    transformation_: Array.isArray(matrix) ? matrix.slice(0, 5).map(plainRow) : matrix,
    score: plain(score),
  };
}

/** Rows that are longer are cut, as by the schema. */
function plainRow(row: unknown): unknown {
  return Array.isArray(row) ? row.slice(0, 4).map(plain) : row;
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

/** Bytes of a file that is read at once: a few milliseconds. */
const SMALL = 2 ** 19;

/** Options of {@link picksFileSteps}: the name of a file, and what is known of it otherwise, give its object. */
export interface PicksFileStepsOptions extends ParsePicksFileOptions {
  readonly identity: PicksIdentity;
}

/**
 * Reads a picks file as {@link parsePicksFile} does, piece by piece: its text never exists as a whole, unless the file is small.
 *
 * @throws {@link CryoetPicksError} As {@link parsePicksFile} does, and `invalid-picks` if the bytes are not UTF-8, or an object
 *   has more than 50,000 keys, or a list beside the points 2²² items.
 */
export function* picksFileSteps(bytes: Uint8Array, options: PicksFileStepsOptions): Steps<PicksFile> {
  const what = describeFile(options);
  if (bytes.length <= SMALL) return parsePicksFile(decodeText(bytes, { what, code, keepsMark: true }), options);
  const { object } = options.identity;
  const picks: ParticlePick[] = [];
  let points: readonly unknown[] | undefined;
  const take = ({ items, list, text }: JsonBatch) => {
    // Of a key that occurs twice the last value counts.
    if (list !== points) picks.length = 0;
    points = list;
    const found = items.map((item, i) => {
      const point = text === undefined ? withPlainMeasures(item) : item;
      return parsePoint(point, { object, what, index: picks.length + i });
    });
    if (text !== undefined && found.some(isInexact) && holdsLongInteger(text)) return 'exact';
    for (const pick of found) picks.push(pick);
    return 'more';
  };
  const json = yield* jsonSteps(bytes, { what, code, isExact: true, list: { key: 'points', take } });
  const file = readFile(json, options);
  return (json as { readonly points?: unknown }).points === points ? { ...file, picks } : file;
}

/**
 * Reads the identity of a picks file, as {@link picksFileSteps} does, without reading the points if its keys come before them: the
 * competition's files are called `ribosome.json` and name user and session in their content only. User and session are empty if
 * unknown.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if the bytes are not a picks file.
 */
export function* picksIdentitySteps(bytes: Uint8Array, options: ParsePicksFileOptions): Steps<PicksIdentity> {
  const what = describeFile(options);
  const take = ({ root }: JsonBatch) => (root.user_id !== undefined && root.session_id !== undefined ? 'stop' : 'more');
  const json =
    bytes.length <= SMALL
      ? parseJson(bytes, { what, code })
      : yield* jsonSteps(bytes, { what, code, list: { key: 'points', take } });
  return nameOf(checkSchema(fileSchema, json, { what, code }), options);
}

function describeFile({ source }: ParsePicksFileOptions): string {
  return `picks file "${source}"`;
}

/** The identity in the name of the file, completed by that in the content. */
function nameOf(json: FileHeader, options: ParsePicksFileOptions): PicksIdentity {
  const { identity = {}, fallbackObject } = options;
  const object = identity.object || json.pickable_object_name || fallbackObject;
  if (!object) {
    const what = describeFile(options);
    throw new CryoetPicksError(code, `${what}: neither its name nor pickable_object_name names the object`);
  }
  return {
    object,
    userId: identity.userId ?? json.user_id ?? '',
    sessionId: identity.sessionId ?? json.session_id ?? '',
  };
}

/** Describes where the content of a file of picks, or of filaments, contradicts its name. */
export function identityWarnings(json: FileHeader, named: PicksIdentity): string[] {
  const pairs = [
    ['object', named.object, json.pickable_object_name],
    ['user', named.userId, json.user_id],
    ['session', named.sessionId, json.session_id],
  ] as const;
  return pairs
    .filter(([, fromName, inside]) => inside !== undefined && inside !== null && inside !== fromName)
    .map(([key, fromName, inside]) => `its name says ${key} "${fromName}", its content "${inside}"; the name is used`);
}

/** Copick reads every unit as Å, and so do we, with a report. */
export function unitWarnings(unit: string | null | undefined): string[] {
  if (unit === undefined || unit === null || /^(å|a|angstroms?|ångströms?)$/i.test(unit)) return [];
  return [`its unit is "${unit}"; as in copick, its numbers are read as Å`];
}

/** Picks from which on points are written without an indent: with it, a million of them would not fit into one text. */
const MANY = 200_000;
/** Picks that are formatted at once: a few milliseconds. */
const PIECE = 1000;

/**
 * Formats a picks file as copick does, with an indent of four and `unit` angstrom. Of more than 200,000 picks, each is one line.
 *
 * `location` holds the whole position, and the translation of each matrix is 0, so that programs that ignore the translation
 * find the particle too. Reading the text gives the same positions and rotations to the last bit.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the index of a pick whose position, score or matrix is not finite,
 *   whose matrix is not 4×4 with a last row of 0, 0, 0, 1, whose instance id is not a whole number, or whose object is
 *   not that of the file; and for more picks than fit into one text, of which `Run.writePicks` writes any number.
 * @example
 * ```ts
 * const text = formatPicksFile({ object: 'ribosome', userId: 'me', sessionId: '1', picks });
 * ```
 */
export function formatPicksFile(file: PicksFile): string {
  requireArgument('formatPicksFile', 'file', file, fileRule);
  const pieces = [...picksFilePieces(file)];
  return writeNested(() => pieces.join(''), `the picks file of "${file.object}"`, code);
}

/** The text of {@link formatPicksFile}, piece by piece. */
export function* picksFilePieces(file: PicksFile): Generator<string, void, undefined> {
  const { picks, object } = file;
  const what = `the picks file of "${object}"`;
  const json = { ...headOf(file), points: [], trust_orientation: file.trustOrientation ?? true, ...file.unknown };
  const frame = writeNested(() => formatJsonBigInt(json, 4), what, code);
  // Line breaks are escaped within strings, so this is the key.
  const at = frame.indexOf('\n    "points": []');
  const start = at < 0 ? frame.length : at + '\n    "points": ['.length;
  yield frame.slice(0, start);
  for (let from = 0; from < picks.length && at >= 0; from += PIECE) {
    const points = picks.slice(from, from + PIECE).map((pick, index) => {
      const place = `pick ${from + index} of "${object}"`;
      const copy = pickCopy(pick);
      if (copy === undefined) throw notPick(pick, place);
      // A transform too is read once.
      const own = copy.transform ? { ...copy, transform: copy.transform.map((row) => [...row]) } : copy;
      checkPick(own, place);
      if (own.object !== object) throw new CryoetPicksError(code, `${place} is of object "${own.object}"`);
      return formatPick(own);
    });
    yield writeNested(() => (from === 0 ? '' : ',') + formatPoints(points, picks.length > MANY), what, code);
  }
  yield `${picks.length > 0 && at >= 0 ? '\n    ' : ''}${frame.slice(start)}`;
}

function formatPoints(points: readonly object[], isCompact: boolean): string {
  if (isCompact) return points.map((point) => `\n        ${formatJsonBigInt(point)}`).join(',');
  return formatJsonBigInt({ points }, 4).slice('{\n    "points": ['.length, -'\n    ]\n}'.length);
}

const fileRule: Rule = {
  expected: 'a picks file { object, userId, sessionId, picks }',
  isValid: isFields,
  fields: {
    object: textRule,
    userId: textRule,
    sessionId: textRule,
    picks: picksRule,
    runName: /* @__PURE__ */ optional(textRule),
    voxelSpacing: /* @__PURE__ */ optional(someNumber),
    trustOrientation: /* @__PURE__ */ optional(flag),
    unknown: /* @__PURE__ */ optional(record),
  },
};

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
    throw new CryoetPicksError('invalid-picks', `${what} lies at x ${x}, y ${y}, z ${z} Å, expected finite numbers`);
  }
  if (!Number.isFinite(score)) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${what} has a score of ${describeValue(score)}, expected a finite number`,
    );
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

/** The header of a copick file of picks or filaments. */
export interface FileHead extends ObjectUserSession {
  readonly runName?: string | undefined;
  readonly voxelSpacing?: number | undefined;
}

/** The header that copick's files of picks and filaments share, with keys in copick's order. */
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

/** The picks of a file, without rotations if the file says not to trust them. */
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
 * Reads one point of a picks file as a pick at its centre: the location plus the translation of its matrix. The identity
 * matrix and instance id 0 are read as missing values, as in copick.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`.
 */
function parsePoint(value: unknown, options: ParsePointOptions): ParticlePick {
  // The schema accepts whatever else is valid, and names what is not.
  const point = isPlainPoint(value)
    ? value
    : checkSchema(pointSchema, value, { what: placeOf(options), code: 'invalid-picks' });
  const pick = toPick(point, options);
  return hasUnknownKeys(point) ? { ...pick, unknown: unknownOf(point) } : pick;
}

function placeOf({ what, index }: ParsePointOptions): string {
  return `${what}: point ${index}`;
}

/** Whether a value is a point as programs write it. Plain comparisons, because files hold many thousands of points. */
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
  // Separate literals are faster than spreads, and files hold many thousands of points.
  if (matrix === undefined) {
    const position = { x, y, z };
    return instanceId === undefined ? { object, position, score } : { object, position, score, instanceId };
  }
  const [rowX, rowY, rowZ] = matrix;
  const position = { x: x + rowX[3], y: y + rowY[3], z: z + rowZ[3] };
  const transform = [shared(rowX, 0), shared(rowY, 1), shared(rowZ, 2), lastRow];
  if (transform[0] === unitRows[0] && transform[1] === unitRows[1] && transform[2] === unitRows[2]) {
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

/** 0 means no instance, as in copick; only a bigint holds an id beyond 2⁵³. */
function instanceOf(instance: number | bigint | null | undefined): number | bigint | undefined {
  if (isMissing(instance)) return undefined;
  const number = Number(instance);
  if (number === 0) return undefined;
  return Number.isSafeInteger(number) ? number : BigInt(instance);
}

/** Rows of the identity, of which a million picks need one. */
const unitRows: readonly Matrix[number][] = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];

/** The row itself, or that of the identity if it is equal. */
function shared(row: Matrix[number], i: number): Matrix[number] {
  for (let j = 0; j < 4; j++) if (row[j] !== (i === j ? 1 : 0)) return row;
  return unitRows[i]!;
}
