import { describeValue, isFields, type Rule } from './arguments.ts';
import { CryoetPicksError } from './errors.ts';

/** A number that may differ between objects: one for all of them, or one by the name of each. */
export type PerObject = number | Readonly<Record<string, number>>;

/**
 * Resolves an option that has a number per object; every number given is checked at once.
 *
 * Only own properties of a record count: an object named "constructor" has no number unless the record gives one.
 *
 * @param option - Name of the option, for messages.
 * @param call - Name of the function whose option it is, for messages.
 * @returns The number of an object. It throws `invalid-option`, naming the object, if a record lacks it.
 * @throws {@link CryoetPicksError} `invalid-option` if a number does not follow the rule, or `value` is neither a number nor
 * a record.
 */
export function numberPerObject(
  option: string,
  value: PerObject,
  rule: Rule,
  call?: string,
): (object: string) => number {
  const place = call === undefined ? '' : `${call}: `;
  if (typeof value === 'number') {
    checkNumber(value, rule, { option, what: `${place}${option}` });
    return () => value;
  }
  if (!isFields(value)) {
    const hint = Object(value) === value ? '; pass a number, or numbers by object name' : '';
    const message = `${place}${option} must be ${rule.expected}, found ${describeValue(value)}${hint}`;
    throw new CryoetPicksError('invalid-option', message, { option });
  }
  for (const [object, number] of Object.entries(value)) {
    checkNumber(number, rule, { option, what: `${place}${option} of "${object}"` });
  }
  return (object) => {
    const number = ownNumber(value, object);
    if (number !== undefined) return number;
    throw new CryoetPicksError(
      'invalid-option',
      `${place}${option} has no value for "${object}"; it has one for ${quotedNames(Object.keys(value))}`,
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

interface CheckedNumber {
  readonly option: string;
  /** The number, for the message. */
  readonly what: string;
}

function checkNumber(value: unknown, { expected, isValid }: Rule, { option, what }: CheckedNumber): void {
  if (isValid(value)) return;
  throw new CryoetPicksError('invalid-option', `${what} must be ${expected}, found ${describeValue(value)}`, {
    option,
  });
}
