import { fieldsOf, listOf, positiveCount, type Rule, requireArgument, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';

/** One of the equal shares that the runs of a project are divided into, as for the tasks of a job array. */
export interface Shard {
  /** Which share: 1 to `count`. */
  readonly index: number;
  /** How many shares there are. */
  readonly count: number;
}

/** What a shard must be. */
export const shardRule: Rule = fieldsOf('a shard { index, count }', { index: positiveCount, count: positiveCount });

/**
 * The names in one share: of the sorted names the one at `index`, and every `count`th after it.
 *
 * The shares of 1 to `count` have each name exactly once, and sizes that differ by at most one. They do not depend on the order of
 * the names, which are sorted by their code units, as `Array.sort` does, and a name that comes twice counts once: processes that list the
 * same project in different orders agree.
 *
 * @param names - Names, such as those of the runs of a project.
 * @throws `CryoetPicksError` `invalid-option` if `index` is not a whole number from 1 to `count`.
 *
 * @example
 * ```ts
 * import { shardOf } from 'cryoet-picks';
 *
 * console.log(shardOf(['TS_1', 'TS_2', 'TS_3', 'TS_4', 'TS_5'], { index: 2, count: 3 })); // [ 'TS_2', 'TS_5' ]
 * ```
 */
export function shardOf(names: readonly string[], shard: Shard): string[] {
  requireArgument('shardOf', 'names', names, listOf('a list of names', text));
  const { index, count } = requireShard('shardOf', shard);
  return [...new Set(names)].sort().filter((_, i) => i % count === index - 1);
}

/** Checks a shard and returns it. @throws `CryoetPicksError` `invalid-option` if it is not one, or its index is above its count. */
export function requireShard(call: string, shard: Shard): Shard {
  requireArgument(call, 'shard', shard, shardRule);
  if (shard.index <= shard.count) return shard;
  throw new CryoetPicksError(
    'invalid-option',
    `${call}: shard.index must be a whole number from 1 to shard.count (${shard.count}), found ${shard.index}`,
    { option: 'shard' },
  );
}
