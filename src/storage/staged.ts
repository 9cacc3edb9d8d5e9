import type { Store } from './store.ts';

/** A folder that is written out of sight, to replace another as a whole. */
export interface StagedFolder {
  /** Takes what shall be in the folder. */
  readonly store: Store;
  /** Puts the folder into its place; what was there goes. */
  commit(): Promise<void>;
  /** Removes what was written. */
  discard(): Promise<void>;
}
