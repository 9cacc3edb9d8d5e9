import { CryoetPicksError } from '../errors.ts';
import type { Pick } from './pick.ts';

/**
 * Picks by falling score; equal scores keep their order.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite.
 */
export function bestFirst(picks: readonly Pick[]): Pick[] {
  checkPositions(picks);
  picks.forEach(({ score, object }, index) => {
    if (!Number.isNaN(score)) return;
    throw new CryoetPicksError('invalid-picks', `pick ${index} ("${object}") has the score NaN and cannot be ranked`);
  });
  // Not b − a, which is NaN for two infinite scores.
  return [...picks].sort((a, b) => (a.score > b.score ? -1 : a.score < b.score ? 1 : 0));
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite. */
export function checkPositions(picks: readonly Pick[]): void {
  picks.forEach(({ position: { x, y, z }, object }, index) => {
    if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) return;
    throw new CryoetPicksError(
      'invalid-picks',
      `pick ${index} ("${object}") is at x ${x}, y ${y}, z ${z} Å; expected finite coordinates`,
    );
  });
}
