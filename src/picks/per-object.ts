import { CryoetPicksError } from '../errors.ts';

/** A length in Å, the same for all objects or by the name of the object. */
export type LengthPerObject = number | ((object: string) => number);

/**
 * Resolves a length per object, asking once per object.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if a length is negative or not finite.
 */
export function lengthPerObject(length: LengthPerObject, optionName: string): (object: string) => number {
  if (typeof length === 'number') {
    const checked = checkLength(length, optionName);
    return () => checked;
  }
  const known = new Map<string, number>();
  return (object) => {
    const value = known.get(object) ?? checkLength(length(object), `${optionName} of "${object}"`);
    known.set(object, value);
    return value;
  };
}

function checkLength(length: number, name: string): number {
  if (length >= 0 && length < Number.POSITIVE_INFINITY) return length;
  throw new CryoetPicksError('invalid-option', `${name} must be a finite length ≥ 0 Å, found ${length}`);
}
