import { isCryoetPicksError } from '../errors.ts';
import type { StoreOptions } from '../storage/store.ts';

/** Either version of Zarr's metadata files. */
export type ZarrFormat = 2 | 3;

/**
 * The first of several places in which something is found.
 *
 * A place that cannot be read is no reason not to look into the others: to a page, a file that is absent on another server
 * without CORS is a failed connection. But if nothing is found anywhere, that may be why, and its error is thrown.
 */
export async function firstFound<P, T>(
  places: readonly P[],
  look: (place: P) => Promise<T | undefined>,
  { signal }: StoreOptions,
): Promise<T | undefined> {
  let failure: unknown;
  for (const place of places) {
    try {
      const found = await look(place);
      if (found !== undefined) return found;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isCryoetPicksError(error, 'not-found')) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}
