import { CryoetPicksError } from '../../errors.ts';
import type { Pick } from '../../picks/pick.ts';
import { transformOf } from '../../picks/rotation.ts';
import { parsePortalPoints } from '../portal-points.ts';

/** Options of {@link picksFromPortalPoints}. */
export interface PortalPointsOptions {
  readonly object: string;
  /** Of the annotation file, in Å; its numbers are voxels of this size. */
  readonly voxelSpacing: number;
  /** Whether each point must have a rotation; if not, rotations are not looked at, as in copick. */
  readonly oriented: boolean;
  /** Where the text comes from, for messages. */
  readonly source: string;
}

/**
 * The picks of an annotation file of the portal: voxels become Å, voxel 0 first, without any shift; the score is 1, since the
 * portal has none.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line that cannot be understood or lacks its rotation.
 */
export function picksFromPortalPoints(text: string, options: PortalPointsOptions): Pick[] {
  const { object, voxelSpacing, oriented, source } = options;
  return parsePortalPoints(text, { source }).map(({ location: { x, y, z }, rotation, instanceId, line }) => {
    if (oriented && rotation === undefined) {
      throw new CryoetPicksError(
        'invalid-picks',
        `${source}, line ${line}: an oriented point has no xyz_rotation_matrix`,
      );
    }
    return {
      object,
      position: { x: x * voxelSpacing, y: y * voxelSpacing, z: z * voxelSpacing },
      score: 1,
      ...(instanceId === undefined ? {} : { instanceId }),
      ...(oriented && rotation !== undefined ? { transform: transformOf(rotation) } : {}),
    };
  });
}
