import * as v from 'valibot';
import { CryoetPicksError } from '../core/errors.ts';
import { checkSchema, formatJsonBigInt, measure, parseJsonBigInt, wholeNumber } from '../core/json.ts';
import type { Point } from '../space/grid.ts';
import { type FilamentCurve, hasStaleCurve } from './filament-curve.ts';
import { headOf, identityWarnings, unitWarnings } from './picks-file.ts';
import type { ObjectUserSession } from './user-session-files.ts';

/** One filament: the ordered points of its centreline. */
export interface Filament {
  /**
   * A whole number from 1 on, one for each filament of a file; picks along it carry the same. A `bigint` only where a `number`
   * would not hold all of its digits, beyond 2⁵³.
   */
  readonly instanceId: number | bigint;
  /** Two or more, in Å, in order along it. */
  readonly points: readonly Point[];
  /** Whether the order of the points follows the polarity of the structure. @defaultValue false */
  readonly polarityKnown?: boolean | undefined;
  /** @defaultValue 1 */
  readonly score?: number | undefined;
  /** Of the tube, in Å. */
  readonly radius?: number | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** What the points were made from, if anything; see {@link FilamentCurve}. */
  readonly curve?: FilamentCurve | undefined;
  /** Keys this library does not know; written back. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** One filaments file of copick: those of one object, by one user in one session. */
export interface FilamentsFile extends ObjectUserSession {
  readonly filaments: readonly Filament[];
  readonly runName?: string | undefined;
  /** Voxel spacing that they were traced at, in Å. */
  readonly voxelSpacing?: number | undefined;
  /** Version of the file format. @defaultValue 1 */
  readonly formatVersion?: number | undefined;
  /** What it was read as, to hand back as `ifVersion`: a token, or `null` where writing makes a new file. */
  readonly version?: string | null | undefined;
  /** What is odd about the file, without being in the way. */
  readonly warnings?: readonly string[] | undefined;
  /** Keys this library does not know; written back. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@link parseFilamentsFile}. */
export interface ParseFilamentsOptions {
  /** Path of the file, for messages. */
  readonly source: string;
  /** What the name of the file says; it wins over the content, since it is what the file is found by. */
  readonly identity?: ObjectUserSession | undefined;
}

const code = 'invalid-picks';
const finite = v.pipe(measure, v.finite('it must be finite'));
const length = v.pipe(finite, v.gtValue(0, 'it must be above 0'));
/** Passed through as it is: a schema of keys would drop those that objects have from their prototype. */
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
  points: v.pipe(v.array(point), v.minLength(2, 'a filament has two points or more')),
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
 * Reads a filaments file of copick, curves and unknown keys included. What is left out reads as copick takes it: a score of 1,
 * no known polarity, no metadata.
 *
 * Long integers of ids, metadata and unknown keys keep all their digits, as `bigint`.
 *
 * A curve is given as it is, also where it no longer matches its points; {@link hasCurrentCurve} tells.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with line and column where the text is not JSON, or with the place of what
 *   cannot be understood: an id that is below 1 or used twice, fewer than two points, a number that is not finite.
 * @example
 * ```ts
 * const { filaments } = parseFilamentsFile(text, { source: 'Filaments/me_1_actin.json' });
 * ```
 */
export function parseFilamentsFile(text: string, { source, identity }: ParseFilamentsOptions): FilamentsFile {
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

/** Refuses filaments that cannot be told apart. @throws {@link CryoetPicksError} `invalid-picks` */
function checkIds(ids: readonly (number | bigint)[], what: string): void {
  const seen = new Set<bigint>();
  for (const id of ids.map(BigInt)) {
    if (seen.has(id)) throw new CryoetPicksError(code, `${what}: two filaments have the instance id ${id}`);
    seen.add(id);
  }
}

function versionWarnings(version: number): string[] {
  return version === 1
    ? []
    : [`it is of version ${version} of the format; it is read as version 1, the one known here`];
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
 * Writes a filaments file as copick does, with an indent of four. Unknown keys and curves of unknown kinds come back unchanged; a
 * curve of a known kind that no longer matches the points of its filament is left out, as copick leaves it out.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the index of a filament that has fewer than two points, an id below 1 or of
 *   another one, a number that is not finite, or a radius that is not above 0.
 * @example
 * ```ts
 * const text = formatFilamentsFile({ object: 'actin', userId: 'me', sessionId: '1', filaments });
 * ```
 */
export function formatFilamentsFile(file: FilamentsFile): string {
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
  // What is undefined is no key of the JSON.
  return { kind, control_points: controlPoints.map(formatPoint), step, alpha, degree, knots, smoothing, ...unknown };
}

function formatPoint({ x, y, z }: Point): number[] {
  return [x, y, z];
}

function checkFilament({ instanceId, points, score = 1, radius = 1, curve }: Filament, what: string): void {
  const refuse = (wrong: string) => new CryoetPicksError('invalid-picks', `${what} ${wrong}`);
  if (!((typeof instanceId === 'bigint' || Number.isSafeInteger(instanceId)) && instanceId >= 1)) {
    throw refuse(`has the instance id ${instanceId}, expected a whole number from 1 on`);
  }
  if (points.length < 2) throw refuse(`has ${points.length} points, expected two or more`);
  const lost = points.findIndex((point) => !formatPoint(point).every(Number.isFinite));
  if (lost >= 0) throw refuse(`has point ${lost} at ${formatPoint(points[lost]!).join(', ')} Å, which is no place`);
  if (!Number.isFinite(score)) throw refuse(`has a score of ${score}, expected a finite number`);
  if (!(radius > 0 && Number.isFinite(radius))) throw refuse(`has a radius of ${radius} Å, expected a length above 0`);
  if (curve !== undefined && !isAllFinite(curve))
    throw refuse(`has a curve of kind "${curve.kind}" with a number that is not finite`);
}

/** True if JSON can hold all numbers of a curve: it writes `null` for what is not finite, which nobody reads. */
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
