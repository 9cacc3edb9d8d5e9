import { CryoetPicksError } from '../errors.ts';
import type { ListableStore, Store } from './store.ts';

/** Options of {@link readOnlyStore}. */
export interface ReadOnlyStoreOptions {
  /** Why it cannot be written, and what would work: ends the message of the error. */
  readonly reason: string;
}

/**
 * A store that refuses every write, for what can only be read but stands where a store for writing is asked for.
 *
 * @throws {@link CryoetPicksError} `read-only`, from writes and deletions.
 */
export function readOnlyStore(store: ListableStore, { reason }: ReadOnlyStoreOptions): Store {
  const refuse = async (key: string): Promise<never> => {
    throw new CryoetPicksError('read-only', `cannot write ${store.location.replace(/\/+$/, '')}${key}: ${reason}`);
  };
  return { ...store, set: refuse, delete: refuse };
}
