import { CryoetPicksError } from '../errors.ts';
import type { Pick } from './pick.ts';

/**
 * Picks by falling score; equal scores keep their order.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if a score is NaN or a position is not finite.
 */
export function bestFirst(picks: readonly Pick[]): Pick[] {
  checkRankable(picks);
  return ranked(picks);
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite. */
export function checkPositions(picks: readonly Pick[]): void {
  for (let index = 0; index < picks.length; index++) checkPosition(picks[index], index);
}

/** @throws {@link CryoetPicksError} `invalid-picks`, naming the pick, if a position is not finite or else a score NaN. */
export function checkRankable(picks: readonly Pick[]): void {
  let unranked = -1;
  for (let index = 0; index < picks.length; index++) {
    checkPosition(picks[index], index);
    if (unranked < 0 && Number.isNaN(picks[index].score)) unranked = index;
  }
  if (unranked < 0) return;
  const name = picks[unranked].object;
  throw new CryoetPicksError('invalid-picks', `pick ${unranked} ("${name}") has the score NaN and cannot be ranked`);
}

function checkPosition({ object, position: { x, y, z } }: Pick, index: number): void {
  if (Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z)) return;
  throw new CryoetPicksError(
    'invalid-picks',
    `pick ${index} ("${object}") is at x ${x}, y ${y}, z ${z} Å; expected finite coordinates`,
  );
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
