import { CryoetPicksError } from './errors.ts';

/** A number that may differ between objects: one for all of them, or one by the name of each. */
export type PerObject = number | Readonly<Record<string, number>>;

/** Which numbers an option takes, and how messages say so. */
export interface NumberRule {
  readonly expected: string;
  readonly isValid: (value: number) => boolean;
}

export const finiteScore: NumberRule = { expected: 'a finite score', isValid: Number.isFinite };

export const finiteLength: NumberRule = {
  expected: 'a finite length ≥ 0 Å',
  isValid: (value) => Number.isFinite(value) && value >= 0,
};

export const positiveLength: NumberRule = {
  expected: 'a positive length in Å',
  isValid: (value) => Number.isFinite(value) && value > 0,
};

/**
 * Resolves an option that has a number per object; every number given is checked at once.
 *
 * Only own properties of a record count: an object named "constructor" has no number unless the record gives one.
 *
 * @param option - Name of the option, for messages.
 * @returns The number of an object. It throws `invalid-option`, naming the object, if a record lacks it.
 * @throws {@link CryoetPicksError} `invalid-option` if a number does not follow the rule, or `value` is neither a number nor
 * a record.
 */
export function numberPerObject(option: string, value: PerObject, rule: NumberRule): (object: string) => number {
  if (typeof value === 'number') {
    checkNumber(value, rule, { option, what: option });
    return () => value;
  }
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) {
    const found =
      Object(value) === value ? `${kindOf(value)}; pass a number, or numbers by object name` : String(value);
    throw new CryoetPicksError('invalid-option', `${option} must be ${rule.expected}, found ${found}`, { option });
  }
  for (const [object, number] of Object.entries(value)) {
    checkNumber(number, rule, { option, what: `${option} of "${object}"` });
  }
  return (object) => {
    const number = ownNumber(value, object);
    if (number !== undefined) return number;
    throw new CryoetPicksError(
      'invalid-option',
      `${option} has no value for "${object}"; it has one for ${quotedNames(Object.keys(value))}`,
      { option },
    );
  };
}

/** The number of an object in a record; undefined for names that every record inherits, such as "constructor". */
export function ownNumber(numbers: Readonly<Record<string, number>> | undefined, object: string): number | undefined {
  return numbers && Object.hasOwn(numbers, object) ? numbers[object] : undefined;
}

/** Names in quotes, for messages. */
export function quotedNames(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `"${name}"`).join(', ');
}

function kindOf(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  return Array.isArray(value) ? 'an array' : `a ${(value as object).constructor.name}`;
}

interface CheckedNumber {
  readonly option: string;
  /** The number, for the message. */
  readonly what: string;
}

function checkNumber(value: number, { expected, isValid }: NumberRule, { option, what }: CheckedNumber): void {
  if (isValid(value)) return;
  throw new CryoetPicksError('invalid-option', `${what} must be ${expected}, found ${value}`, { option });
}
