import { CryoetPicksError } from '../errors.ts';
import type { Peak } from '../peaks/local-maxima.ts';
import { toPhysical } from '../space/grid.ts';
import type { Point } from '../space/point.ts';

/** A 4×4 matrix, row by row, that maps object space to tomogram space; its last row is 0, 0, 0, 1. Translation in Å. */
export type Transform = readonly (readonly number[])[];

/** One particle found, or known: the sparse stage works on these alone. */
export interface Pick {
  /** Name of the pickable object. */
  readonly object: string;
  /** Centre of the particle, in Å. */
  readonly position: Point;
  /** Higher is surer; the scale is the finder's. */
  readonly score: number;
  /** A whole number; a `bigint` only where a `number` would not hold all of its digits, beyond 2⁵³. */
  readonly instanceId?: number | bigint | undefined;
  /** Orientation, and a shift that `position` already includes. */
  readonly transform?: Transform | undefined;
  /** Keys of its point in a picks file of copick that this library does not know; written back with it. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Makes a pick of a peak.
 *
 * @param classes - Names of the model's classes, `null` for one that is no object.
 * @throws {@link CryoetPicksError} `invalid-option` if the peak's class has no name.
 */
export function toPick({ grid, voxel, classIndex, score }: Peak, classes: readonly (string | null)[]): Pick {
  const object = classes[classIndex];
  if (object === undefined || object === null) {
    throw new CryoetPicksError(
      'invalid-option',
      `peak of class ${classIndex} has no object; the classes are ${JSON.stringify(classes)}`,
    );
  }
  return { object, position: toPhysical(grid, voxel), score };
}
