import { CryoetPicksError } from '../errors.ts';
import { readOnlyStore } from '../storage/read-only.ts';
import { type ListableStore, memoryStore, type Store } from '../storage/store.ts';

/**
 * What stands for the overlay of a project that has none: empty, and closed to writes.
 *
 * @throws {@link CryoetPicksError} `invalid-option` where there is no static tree either.
 */
export function noOverlay(data: ListableStore | undefined): Store {
  if (data === undefined) {
    throw new CryoetPicksError('invalid-option', 'a project needs a place: give `overlay`, `static`, or both');
  }
  const { location } = data;
  const reason =
    'the project has no overlay; to write, give it one: overlay_root in the config, or the option `overlay`';
  return readOnlyStore({ ...memoryStore(), location }, { reason });
}
