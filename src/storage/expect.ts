import { CryoetPicksError } from '../errors.ts';

const TOKEN = /^[^@]+@\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/**
 * Makes sure that a value is the expected one. A token is `stamp@time`: the stamp tells values apart, and the time is when
 * the value was written, for the message.
 *
 * @param where - Path of the value, for messages.
 * @param expect - A token, `null` for no value, undefined for whatever there is.
 * @param found - The token of the value as it is now; undefined where there is none.
 * @throws {@link CryoetPicksError} `conflict`, naming both times; `invalid-option` for what is no token.
 */
export function checkExpected(where: string, expect: string | null | undefined, found: string | undefined): void {
  if (expect === undefined || (expect ?? undefined) === found) return;
  if (expect !== null && !TOKEN.test(expect)) {
    throw new CryoetPicksError(
      'invalid-option',
      `${where} is not changed: expect is ${JSON.stringify(expect)}, which is no version; expected the \`version\` that it was read with, or null for no file`,
    );
  }
  if (stampOf(expect) === stampOf(found)) return;
  const told = (token: string | null | undefined) => (token ? `from ${token.replace(/.*@/, '')}` : 'absent');
  throw new CryoetPicksError(
    'conflict',
    `${where} has changed since it was read: it was ${told(expect)} then and is ${told(found)} now; read it again`,
  );
}

function stampOf(token: string | null | undefined): string {
  return token?.replace(/@.*/, '') ?? '';
}
