import * as v from 'valibot';
import type { Rotation } from '../picks/rotation.ts';
import type { Point } from '../space/point.ts';
import { parseExactJson } from './exact-json.ts';
import { checkSchema } from './schema.ts';

/** A point of an annotation file of the CryoET Data Portal. */
export interface PortalPoint {
  /** In voxels of the annotation's voxel spacing, voxel 0 first. */
  readonly location: Point;
  readonly rotation?: Rotation | undefined;
  readonly instanceId?: number | bigint | undefined;
  /** Line of the file, counted from 1. */
  readonly line: number;
}

const code = 'invalid-picks';
const finite = v.pipe(v.number(), v.finite('it must be finite'));
const row = v.strictTuple([finite, finite, finite]);
const schema = v.looseObject({
  location: v.object({ x: finite, y: finite, z: finite }),
  xyz_rotation_matrix: v.nullish(v.strictTuple([row, row, row])),
  instance_id: v.nullish(v.union([v.pipe(v.number(), v.integer()), v.bigint()])),
});

/**
 * Reads an annotation file of the CryoET Data Portal: a JSON object per line, `point`, `orientedPoint` or `instancePoint`;
 * blank lines are passed over.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line that cannot be understood.
 */
export function parsePortalPoints(text: string, { source }: { readonly source: string }): PortalPoint[] {
  const points: PortalPoint[] = [];
  for (const [index, line] of text.split(/\r\n?|\n/).entries()) {
    if (line.trim() === '') continue;
    const what = `${source}, line ${index + 1}`;
    const {
      location,
      xyz_rotation_matrix: rotation,
      instance_id: instanceId,
    } = checkSchema(schema, parseExactJson(line, { what, code }), { what, code });
    points.push({
      location,
      ...(rotation === undefined || rotation === null ? {} : { rotation }),
      ...(instanceId === undefined || instanceId === null ? {} : { instanceId }),
      line: index + 1,
    });
  }
  return points;
}
