import { CryoetPicksError } from '../../errors.ts';
import type { Point } from '../../space/point.ts';
import type { Pick } from '../pick.ts';
import { isIdentity, type Rotation, transformOf } from '../rotation.ts';

/** What a row of a file says of a pick. */
export interface FoundPick {
  readonly object: string;
  readonly position: Point;
  /** 1 where the file has none. */
  readonly score?: number | undefined;
  /** 0 is none, as in copick. */
  readonly instance?: number | bigint | undefined;
  /** The identity is none, as in copick. */
  readonly rotation?: Rotation | undefined;
}

/**
 * A pick of what a row says.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an instance id that is no whole number.
 */
export function pickFrom({ object, position, score = 1, instance, rotation }: FoundPick, place: string): Pick {
  if (instance !== undefined && typeof instance !== 'bigint' && !Number.isSafeInteger(instance)) {
    throw new CryoetPicksError('invalid-picks', `${place}: instance id is ${instance}; expected a whole number`);
  }
  return {
    object,
    position,
    score,
    ...(instance ? { instanceId: instance } : {}),
    ...(rotation === undefined || isIdentity(rotation) ? {} : { transform: transformOf(rotation) }),
  };
}
