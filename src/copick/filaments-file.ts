import * as v from 'valibot';
import {
  describeValue,
  isFields,
  listOf,
  optional,
  type Rule,
  record,
  requireArgument,
  requireOptions,
  someNumber,
  text as textRule,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { checkSchema, formatJsonBigInt, measure, parseJsonBigInt, wholeNumber } from '../core/json.ts';
import type { Point } from '../space/grid.ts';
import { type FilamentCurve, hasStaleCurve, lineRule } from './filament-curve.ts';
import { headOf, identityWarnings, unitWarnings } from './picks-file.ts';
import type { ObjectUserSession } from './user-session-files.ts';

/** One filament: the ordered points of its centreline. */
export interface Filament {
  /**
   * A whole number of at least 1, unique in its file; picks along the filament get the same id. A `bigint` beyond 2⁵³, where a
   * `number` would lose digits.
   */
  readonly instanceId: number | bigint;
  /** At least two points, in Å, in order along the filament. */
  readonly points: readonly Point[];
  /** Whether the order of the points follows the polarity of the structure. @defaultValue false */
  readonly polarityKnown?: boolean | undefined;
  /** @defaultValue 1 */
  readonly score?: number | undefined;
  /** Radius of the tube, in Å. */
  readonly radius?: number | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** The curve that the points were computed from, if any. */
  readonly curve?: FilamentCurve | undefined;
  /** Unknown keys, which are written back. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** One filaments file of copick: the filaments of one object by one user in one session. */
export interface FilamentsFile extends ObjectUserSession {
  readonly filaments: readonly Filament[];
  readonly runName?: string | undefined;
  /** Voxel spacing of the tomogram that was traced, in Å. */
  readonly voxelSpacing?: number | undefined;
  /** Version of the file format. @defaultValue 1 */
  readonly formatVersion?: number | undefined;
  /** What it was read as, to hand back as `ifVersion`: a token, or `null` where writing makes a new file. */
  readonly version?: string | null | undefined;
  /** Mistakes in the file that do not prevent its use. */
  readonly warnings?: readonly string[] | undefined;
  /** Unknown keys, which are written back. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@link parseFilamentsFile}. */
export interface ParseFilamentsOptions {
  /** Path of the file, for messages. */
  readonly source: string;
  /** The identity in the name of the file; it wins over the content, because files are found by name. */
  readonly identity?: ObjectUserSession | undefined;
}

const code = 'invalid-picks';
const finite = v.pipe(measure, v.finite('it must be finite'));
const length = v.pipe(finite, v.gtValue(0, 'it must be above 0'));
/** Passed through unchanged: a schema of keys would drop keys that exist on the prototype of objects. */
const metadata = v.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'it must be an object',
);
const point = v.strictTuple([finite, finite, finite]);
const curveSchema = v.looseObject({
  kind: v.pipe(v.string(), v.nonEmpty('it is empty')),
  control_points: v.array(point),
  step: length,
  alpha: v.nullish(finite),
  degree: v.nullish(wholeNumber),
  knots: v.nullish(v.array(finite)),
  smoothing: v.nullish(v.pipe(finite, v.minValue(0))),
});
const filamentSchema = v.looseObject({
  instance_id: v.union([
    v.pipe(v.number(), v.safeInteger('it must be a whole number'), v.minValue(1)),
    v.pipe(v.bigint(), v.minValue(1n)),
  ]),
  points: v.pipe(v.array(point), v.minLength(2, 'a filament has at least two points')),
  polarity_known: v.nullish(v.boolean()),
  score: v.nullish(finite),
  radius: v.nullish(length),
  metadata: v.nullish(metadata),
  curve: v.nullish(curveSchema),
});
const fileSchema = v.looseObject({
  pickable_object_name: v.string(),
  user_id: v.string(),
  session_id: v.string(),
  run_name: v.nullish(v.string()),
  voxel_spacing: v.nullish(measure),
  unit: v.nullish(v.string()),
  version: v.nullish(wholeNumber),
  filaments: v.nullish(v.array(filamentSchema)),
});

/**
 * Reads a filaments file of copick, including curves and unknown keys. Missing values get copick's defaults: a score of 1, no
 * known polarity, no metadata.
 *
 * Long integers in ids, metadata and unknown keys keep all digits, as `bigint`.
 *
 * A curve is returned even if it no longer matches its points; {@link hasCurrentCurve} checks that.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`, with line and column if the text is not JSON, or with the place of a value
 *   that is not valid: an id below 1 or used twice, fewer than two points, a number that is not finite.
 * @example
 * ```ts
 * const { filaments } = parseFilamentsFile(text, { source: 'Filaments/me_1_actin.json' });
 * ```
 */
export function parseFilamentsFile(text: string, options: ParseFilamentsOptions): FilamentsFile {
  requireArgument('parseFilamentsFile', 'text', text, textRule);
  const rules = { source: textRule, identity: optional(fileIdentity) };
  const { source, identity } = requireOptions('parseFilamentsFile', options, rules);
  const what = `filaments file "${source}"`;
  const json = checkSchema(fileSchema, parseJsonBigInt(text, { what, code, maxDepth: 200 }), { what, code });
  const { pickable_object_name, user_id, session_id, run_name, voxel_spacing, unit, version, filaments, ...unknown } =
    json;
  const named = identity ?? { object: pickable_object_name, userId: user_id, sessionId: session_id };
  const { object, userId, sessionId } = named;
  checkIds(
    (filaments ?? []).map(({ instance_id }) => instance_id),
    what,
  );
  return {
    object,
    userId,
    sessionId,
    filaments: (filaments ?? []).map(toFilament),
    runName: run_name ?? undefined,
    voxelSpacing: voxel_spacing ?? undefined,
    formatVersion: version ?? 1,
    warnings: [...identityWarnings(json, named), ...unitWarnings(unit), ...versionWarnings(version ?? 1)],
    unknown,
  };
}

/** @throws {@link CryoetPicksError} `invalid-picks` if two filaments share an id. */
function checkIds(ids: readonly (number | bigint)[], what: string): void {
  const seen = new Set<bigint>();
  for (const id of ids.map(BigInt)) {
    if (seen.has(id)) throw new CryoetPicksError(code, `${what}: two filaments have the instance id ${id}`);
    seen.add(id);
  }
}

function versionWarnings(version: number): string[] {
  return version === 1 ? [] : [`it has version ${version} of the format; it is read as version 1, the only known one`];
}

function toFilament(json: v.InferOutput<typeof filamentSchema>): Filament {
  const { instance_id, points, polarity_known, score, radius, metadata, curve, ...unknown } = json;
  return {
    instanceId: instance_id,
    points: points.map(toPoint),
    polarityKnown: polarity_known ?? false,
    score: score ?? 1,
    ...(radius === undefined || radius === null ? {} : { radius }),
    metadata: metadata ?? {},
    ...(curve === undefined || curve === null ? {} : { curve: toCurve(curve) }),
    unknown,
  };
}

function toCurve(json: v.InferOutput<typeof curveSchema>): FilamentCurve {
  const { kind, control_points, step, alpha, degree, knots, smoothing, ...unknown } = json;
  const numbers = { alpha, degree, smoothing };
  const present = Object.entries(numbers).filter(([, value]) => value !== undefined && value !== null);
  return {
    kind,
    controlPoints: control_points.map(toPoint),
    step,
    ...(Object.fromEntries(present) as { readonly [key in keyof typeof numbers]?: number }),
    ...(knots === undefined || knots === null ? {} : { knots }),
    unknown,
  };
}

function toPoint([x, y, z]: readonly [number, number, number]): Point {
  return { x, y, z };
}

/**
 * Formats a filaments file as copick does, with an indent of four. Unknown keys and curves of unknown kinds are written
 * unchanged. As in copick, a curve of a known kind that no longer matches the points of its filament is omitted.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the index of a filament that has fewer than two points, an id that
 *   is below 1 or taken, a number that is not finite, or a radius that is not above 0.
 * @example
 * ```ts
 * const text = formatFilamentsFile({ object: 'actin', userId: 'me', sessionId: '1', filaments });
 * ```
 */
export function formatFilamentsFile(file: FilamentsFile): string {
  requireArgument('formatFilamentsFile', 'file', file, fileRule);
  const what = `the filaments of "${file.object}"`;
  file.filaments.forEach((filament, index) => {
    checkFilament(filament, `${what}: filament ${index}`);
  });
  checkIds(
    file.filaments.map(({ instanceId }) => instanceId),
    what,
  );
  const json = {
    ...headOf(file),
    version: file.formatVersion ?? 1,
    filaments: file.filaments.map(formatFilament),
    ...file.unknown,
  };
  return formatJsonBigInt(json, 4);
}

const fileIdentity: Rule = {
  expected: '{ object, userId, sessionId }',
  isValid: isFields,
  fields: { object: textRule, userId: textRule, sessionId: textRule },
};
const fileRule: Rule = {
  expected: 'a filaments file { object, userId, sessionId, filaments }',
  isValid: isFields,
  fields: {
    object: textRule,
    userId: textRule,
    sessionId: textRule,
    filaments: /* @__PURE__ */ listOf('filaments', lineRule),
    runName: /* @__PURE__ */ optional(textRule),
    voxelSpacing: /* @__PURE__ */ optional(someNumber),
    formatVersion: /* @__PURE__ */ optional(someNumber),
    unknown: /* @__PURE__ */ optional(record),
  },
};

function formatFilament(filament: Filament): Record<string, unknown> {
  const { instanceId, points, polarityKnown = false, score = 1, radius, metadata = {}, curve, unknown } = filament;
  return {
    instance_id: instanceId,
    points: points.map(formatPoint),
    polarity_known: polarityKnown,
    score,
    radius: radius ?? null,
    metadata,
    curve: curve === undefined || hasStaleCurve(filament) ? null : formatCurve(curve),
    ...unknown,
  };
}

function formatCurve({ kind, controlPoints, unknown, ...numbers }: FilamentCurve): Record<string, unknown> {
  const { step, alpha, degree, knots, smoothing } = numbers;
  // A field that is undefined must not become a key of the JSON.
  return { kind, control_points: controlPoints.map(formatPoint), step, alpha, degree, knots, smoothing, ...unknown };
}

function formatPoint({ x, y, z }: Point): number[] {
  return [x, y, z];
}

function checkFilament({ instanceId, points, score = 1, radius = 1, curve }: Filament, what: string): void {
  const refuse = (wrong: string) => new CryoetPicksError('invalid-picks', `${what} ${wrong}`);
  if (!((typeof instanceId === 'bigint' || Number.isSafeInteger(instanceId)) && instanceId >= 1)) {
    throw refuse(`has the instance id ${describeValue(instanceId)}, expected a whole number of at least 1`);
  }
  if (points.length < 2) throw refuse(`has ${points.length} points, expected at least two`);
  const lost = points.findIndex((point) => !formatPoint(point).every(Number.isFinite));
  if (lost >= 0)
    throw refuse(`has point ${lost} at ${formatPoint(points[lost]!).join(', ')} Å, expected finite numbers`);
  if (!Number.isFinite(score)) throw refuse(`has a score of ${describeValue(score)}, expected a finite number`);
  if (!(radius > 0 && Number.isFinite(radius)))
    throw refuse(`has a radius of ${describeValue(radius)} Å, expected a length above 0`);
  if (curve !== undefined && !isAllFinite(curve))
    throw refuse(`has a curve of kind "${curve.kind}" with a number that is not finite`);
}

/** Whether all numbers of a curve are finite: JSON would write `null` for others. */
function isAllFinite({
  controlPoints,
  step,
  alpha = 0,
  degree = 0,
  smoothing = 0,
  knots = [],
}: FilamentCurve): boolean {
  return [step, alpha, degree, smoothing, ...knots, ...controlPoints.flatMap(formatPoint)].every(Number.isFinite);
}
