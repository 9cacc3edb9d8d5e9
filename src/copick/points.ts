import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import type { Pick, Transform } from '../picks/pick.ts';
import { checkSchema } from './schema.ts';

const finite = v.pipe(v.number(), v.finite('it must be finite'));
const row = v.tuple([finite, finite, finite, finite]);
const pointSchema = v.looseObject({
  location: v.object({ x: finite, y: finite, z: finite }),
  transformation_: v.nullish(v.strictTuple([row, row, row, row])),
  instance_id: v.nullish(v.pipe(v.number(), v.integer())),
  score: v.nullish(finite),
});

type Point = v.InferOutput<typeof pointSchema>;

const identityMatrix: Transform = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];

/** Options of {@link parsePoint}. */
export interface ParsePointOptions {
  readonly object: string;
  /** File and index, for messages. */
  readonly place: string;
  /** Takes what is odd about the point, without being in the way. */
  readonly warnings: string[];
}

/**
 * Reads one point of a picks file as a pick at its centre, the location plus the translation of its matrix; the identity
 * matrix and instance id 0, which copick takes for missing ones, read as missing.
 *
 * @throws {@link CryoetPicksError} `invalid-picks`.
 */
export function parsePoint(
  value: unknown,
  options: ParsePointOptions,
): { readonly pick: Pick; readonly unknown: Readonly<Record<string, unknown>> } {
  const point = checkSchema(pointSchema, value, { what: options.place, code: 'invalid-picks' });
  const { location, transformation_, instance_id, score, ...unknown } = point;
  return { pick: toPick(point, options), unknown };
}

function toPick(point: Point, { object, place, warnings }: ParsePointOptions): Pick {
  const { location, transformation_: matrix, instance_id: instance } = point;
  const pick = { object, score: point.score ?? 1, ...instanceOf(instance, place, warnings) };
  if (matrix === undefined || matrix === null) return { ...pick, position: location };
  const [x, y, z, last] = matrix;
  if (last[3] !== 1 || Math.abs(last[0]) > 1e-8 || Math.abs(last[1]) > 1e-8 || Math.abs(last[2]) > 1e-8) {
    throw new CryoetPicksError('invalid-picks', `${place}: the last row of its matrix is ${last}, expected 0,0,0,1`);
  }
  const position = { x: location.x + x[3], y: location.y + y[3], z: location.z + z[3] };
  const transform = [x, y, z, identityMatrix[3]!];
  return isIdentity(transform) ? { ...pick, position } : { ...pick, position, transform };
}

function instanceOf(instance: number | null | undefined, place: string, warnings: string[]): { instanceId?: number } {
  if (instance === undefined || instance === null || instance === 0) return {};
  if (Number.isSafeInteger(instance)) return { instanceId: instance };
  warnings.push(`${place}: its instance id is beyond 2^53, which a number cannot hold, and is left out`);
  return {};
}

function isIdentity(matrix: Transform): boolean {
  return matrix.every((values, i) => values.every((value, j) => value === identityMatrix[i]![j]));
}
