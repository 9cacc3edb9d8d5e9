import * as v from 'valibot';
import { atOnce, type Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { checkSchema, parseJsonBigInt } from '../core/json.ts';
import { lineSteps, type TextContent } from '../core/text-pieces.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { type Rotation, transformOf } from '../picks/rotation.ts';
import type { Point } from '../space/grid.ts';

/** A point of an annotation file of the CryoET Data Portal. */
export interface PortalPoint {
  /** In voxels of the annotation's voxel spacing; the centre of voxel 0 is 0. */
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
 * Parses an annotation file of the CryoET Data Portal: a JSON object per line, `point`, `orientedPoint` or `instancePoint`.
 * Blank lines are skipped.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line that is not valid.
 */
export function parsePortalPoints(text: string, { source }: { readonly source: string }): PortalPoint[] {
  const points: PortalPoint[] = [];
  atOnce(portalPointSteps(text, source, (point) => points.push(point)));
  return points;
}

/**
 * Reads an annotation file of the portal in pieces, and visits its points in their order.
 *
 * @throws {@link CryoetPicksError} As {@link parsePortalPoints} does.
 */
export function portalPointSteps(
  content: TextContent,
  source: string,
  visit: (point: PortalPoint) => void,
): Steps<void> {
  return lineSteps(content, { source, code }, (text, line) => {
    if (text.trim() === '') return;
    const what = `${source}, line ${line}`;
    const {
      location,
      xyz_rotation_matrix: rotation,
      instance_id: instanceId,
    } = checkSchema(schema, parseJsonBigInt(text, { what, code }), { what, code });
    visit({
      location,
      ...(rotation === undefined || rotation === null ? {} : { rotation }),
      ...(instanceId === undefined || instanceId === null ? {} : { instanceId }),
      line,
    });
  });
}

/** Options of {@link picksFromPortalPoints}. */
export interface PortalPointsOptions {
  readonly object: string;
  /** Voxel spacing of the annotation file, in Å; its coordinates are in voxels of this size. */
  readonly voxelSpacing: number;
  /** Whether each point must have a rotation. If false, rotations are ignored, as in copick. */
  readonly oriented: boolean;
  /** Where the text comes from, for messages. */
  readonly source: string;
}

/**
 * Reads the picks of an annotation file of the portal.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line that is not valid or lacks its rotation.
 */
export function picksFromPortalPoints(text: string, options: PortalPointsOptions): ParticlePick[] {
  const { object, voxelSpacing, oriented, source } = options;
  return parsePortalPoints(text, { source }).map(({ rotation, ...point }) => {
    if (!oriented) return pickFromPortalPoint(point, { object, voxelSpacing });
    if (rotation !== undefined) return pickFromPortalPoint({ ...point, rotation }, { object, voxelSpacing });
    throw new CryoetPicksError(
      'invalid-picks',
      `${source}, line ${point.line}: an oriented point has no xyz_rotation_matrix`,
    );
  });
}

/**
 * Converts a point from voxels to Å, without any shift: the centre of voxel 0 is 0 Å. The score is 1, since the portal has
 * none.
 */
export function pickFromPortalPoint(
  { location: { x, y, z }, rotation, instanceId }: PortalPoint,
  { object, voxelSpacing }: Pick<PortalPointsOptions, 'object' | 'voxelSpacing'>,
): ParticlePick {
  return {
    object,
    position: { x: x * voxelSpacing, y: y * voxelSpacing, z: z * voxelSpacing },
    score: 1,
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(rotation === undefined ? {} : { transform: transformOf(rotation) }),
  };
}
