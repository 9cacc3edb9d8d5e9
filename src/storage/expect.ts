import { CryoetPicksError } from '../errors.ts';

/**
 * Makes sure that a value is the expected one. A token is `stamp@time`: the stamp tells values apart, and the time is when
 * the value was written, for the message.
 *
 * @param where - Path of the value, for messages.
 * @param expect - A token, `null` for no value, undefined for whatever there is.
 * @param found - The token of the value as it is now; undefined where there is none.
 * @throws {@link CryoetPicksError} `conflict`, naming both times.
 */
export function checkExpected(where: string, expect: string | null | undefined, found: string | undefined): void {
  if (expect === undefined || stampOf(expect) === stampOf(found)) return;
  const told = (token: string | null | undefined) => (token ? `from ${token.replace(/.*@/, '')}` : 'absent');
  throw new CryoetPicksError(
    'conflict',
    `${where} has changed since it was read: it was ${told(expect)} then and is ${told(found)} now; read it again`,
  );
}

function stampOf(token: string | null | undefined): string {
  return token?.replace(/@.*/, '') ?? '';
}
