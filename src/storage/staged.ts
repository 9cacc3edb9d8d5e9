import type { Store } from './store.ts';

/** Options of {@link StagedFolder.commit}. */
export interface CommitOptions {
  /**
   * Looks once more at what is to be replaced, at the moment of it: no other writer of this library replaces it meanwhile. What
   * it throws ends the commit, and everything stays as it is.
   */
  readonly check?: (() => Promise<void>) | undefined;
}

/** A folder that is written out of sight, to replace another as a whole. */
export interface StagedFolder {
  /** Takes what shall be in the folder. */
  readonly store: Store;
  /** Puts the folder into its place; what was there goes. */
  commit(options?: CommitOptions): Promise<void>;
  /** Removes what was written. */
  discard(): Promise<void>;
}
