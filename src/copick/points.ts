import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import type { Pick, Transform } from '../picks/pick.ts';
import { checkSchema } from './schema.ts';

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
export function parsePoint(value: unknown, options: ParsePointOptions): Pick {
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

function toPick(point: Point, options: ParsePointOptions): Pick {
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
