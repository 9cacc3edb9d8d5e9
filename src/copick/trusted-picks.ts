import type { Pick } from '../picks/pick.ts';
import type { PicksFile } from './picks.ts';

/** The picks of a file as far as they mean something: without rotations where the file says not to trust them. */
export function trustedPicks({ picks, trustOrientation = true }: PicksFile): readonly Pick[] {
  return trustOrientation ? picks : picks.map(({ transform: _, ...pick }) => pick);
}
