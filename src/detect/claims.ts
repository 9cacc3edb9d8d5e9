import { callback, isFields, type Rule } from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import type { StoreKey } from '../storage/store.ts';

/**
 * Hands out the runs of a project to any number of processes, each run to one of them at a time: the seam between `detectProject` and
 * whatever all of them can see. `overlayClaims` of `cryoet-picks/node` does it by files in the overlay.
 */
export interface Claims {
  /**
   * Claims one of the names, the first that can be had, and waits while others hold all that are open.
   *
   * @returns `undefined` once no name is open and nobody holds one.
   * @throws The abort reason of `signal`; what `isOpen` throws; an error if a name that is left can never be had, such as one whose claim
   *   may not be taken over.
   */
  next(names: readonly string[], options: NextClaimOptions): Promise<Claim | undefined>;
}

/** Options of {@link Claims.next}. */
export interface NextClaimOptions {
  /** Whose work it is: claims of different groups do not meet. */
  readonly group: string;
  /**
   * Whether there is work to do on a name that nobody holds; asked before it is claimed, and once more when it is. A name that is
   * taken over is always handed out: the process that had it may have died in the middle of writing.
   */
  readonly isOpen: (name: string) => Promise<boolean>;
  /** Told of claims of others that this process could not take over if their processes ended, each once. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A name that this process holds until it gives it back, unless it loses it because it did not renew the claim in time. */
export interface Claim {
  readonly name: string;
  /** Aborts when the claim is found to be lost. */
  readonly signal: AbortSignal;
  /** Whether the claim is still held; ask right before results are written. */
  isHeld(): Promise<boolean>;
  /** Gives the name back; does nothing if the claim is lost. */
  release(): Promise<void>;
}

/** The folder of the claims of a group in an overlay, hidden so that it is no part of the copick project. */
export function folderOfClaims(group: string): StoreKey {
  return `/.cryoet-picks/claims/${group}`;
}

/** What claims must be. */
export const claimsRule: Rule = {
  expected: 'claims, such as overlayClaims(project) of cryoet-picks/node',
  isValid: isFields,
  fields: { next: callback },
};
