import { CryoetPicksError } from '../errors.ts';
import type { Pick } from './pick.ts';

/**
 * Picks by falling score; equal scores keep their order.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite.
 */
export function bestFirst(picks: readonly Pick[]): Pick[] {
  checkPositions(picks);
  checkScores(picks);
  return ranked(picks);
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite. */
export function checkPositions(picks: readonly Pick[]): void {
  for (let index = 0; index < picks.length; index++) {
    const { x, y, z } = picks[index].position;
    if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) continue;
    throw new CryoetPicksError(
      'invalid-picks',
      `pick ${index} ("${picks[index].object}") is at x ${x}, y ${y}, z ${z} Å; expected finite coordinates`,
    );
  }
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a score is NaN. */
export function checkScores(picks: readonly Pick[]): void {
  for (let index = 0; index < picks.length; index++) {
    const { score, object } = picks[index];
    if (!Number.isNaN(score)) continue;
    throw new CryoetPicksError('invalid-picks', `pick ${index} ("${object}") has the score NaN and cannot be ranked`);
  }
}

/**
 * As {@link bestFirst}, of picks that were checked: a radix sort of the scores' bits, some at a time, which is stable
 * and takes the same time per pick however many there are.
 */
export function ranked(picks: readonly Pick[]): Pick[] {
  const count = picks.length;
  const keys = new Float64Array(count);
  let order = new Uint32Array(count);
  let next = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    // Not a sign change: −0 and 0 are equal scores, and must be one key.
    keys[i] = 0 - picks[i].score;
    order[i] = i;
  }
  const words = sortableWords(keys);
  const bits = count < 65536 ? 8 : 16;
  const places = new Uint32Array(1 << bits);
  const mask = places.length - 1;
  for (let bit = 0; bit < 64; bit += bits) {
    const word = bit >> 5;
    const shift = bit & 31;
    places.fill(0);
    for (let i = word; i < words.length; i += 2) places[(words[i] >>> shift) & mask]++;
    if (places[(words[word] >>> shift) & mask] === count) continue;
    for (let value = 0, place = 0; value <= mask; value++) {
      const here = places[value];
      places[value] = place;
      place += here;
    }
    for (let i = 0; i < count; i++) next[places[(words[2 * order[i] + word] >>> shift) & mask]++] = order[i];
    [order, next] = [next, order];
  }
  const sorted: Pick[] = [];
  for (let i = 0; i < count; i++) sorted.push(picks[order[i]]);
  return sorted;
}

/** The bits of numbers, low word first as all engines keep them, so that they sort as whole numbers do. */
function sortableWords(numbers: Float64Array): Uint32Array {
  const words = new Uint32Array(numbers.buffer);
  for (let i = 0; i < words.length; i += 2) {
    const sign = words[i + 1] >> 31;
    words[i] ^= sign;
    words[i + 1] ^= sign | 0x80000000;
  }
  return words;
}
