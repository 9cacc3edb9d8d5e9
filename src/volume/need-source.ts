import { CryoetPicksError } from '../errors.ts';
import { showJson } from '../show-json.ts';
import type { VolumeSource } from './volume.ts';

/** Lets a volume pass. @throws {@link CryoetPicksError} `invalid-option` for anything else, with the call that was meant. */
export function requireSource(source: VolumeSource, call: string): void {
  const given: Partial<VolumeSource> | null | undefined = source;
  if (given?.grid && given.read) return;
  // What an object holds may be a whole volume: it is not shown.
  const found =
    given instanceof Promise
      ? 'a promise'
      : given instanceof Object
        ? 'an object without grid or read'
        : showJson(given);
  throw new CryoetPicksError(
    'invalid-option',
    `hand in a volume, such as \`await openTomogram(store)\`: ${call}; found ${found}`,
  );
}
