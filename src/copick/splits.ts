import { CryoetPicksError } from '../errors.ts';
import type { ListableStore, StoreOptions } from '../storage/store.ts';
import { listNames } from './problems.ts';
import type { ProjectTree } from './tree.ts';

/** The names of runs by split. */
export type Splits = ReadonlyMap<string, readonly string[]>;

/** A store that may know the splits of its runs, as a Croissant does. */
interface SplitStore extends ListableStore {
  splits?(options?: StoreOptions): Promise<Splits>;
}

/** The splits that the static tree tells of; none where it tells nothing. */
export async function splitsOf({ static: data }: ProjectTree, signal: AbortSignal | undefined): Promise<Splits> {
  const store: SplitStore | undefined = data;
  return (await store?.splits?.({ signal })) ?? new Map();
}

interface RunsOfSplitOptions extends StoreOptions {
  readonly split: string;
  /** Where the project comes from, for messages. */
  readonly source: string;
}

/** The names of the runs of a split. @throws {@link CryoetPicksError} `not-found`, listing the splits that are there. */
export async function runsOfSplit(
  tree: ProjectTree,
  { split, source, signal }: RunsOfSplitOptions,
): Promise<ReadonlySet<string>> {
  const splits = await splitsOf(tree, signal);
  const names = splits.get(split);
  if (names !== undefined) return new Set(names);
  throw new CryoetPicksError(
    'not-found',
    `split "${split}" not found in project "${source}"; available: ${listNames([...splits.keys()])}`,
  );
}
