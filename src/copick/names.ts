import { CryoetPicksError } from '../errors.ts';
import { showJson } from '../show-json.ts';

/**
 * What copick replaces in names: characters that file systems refuse, control characters, the underscore that separates
 * the parts of a file name, and white space as Python's `\s` has it (JavaScript's adds U+FEFF and lacks U+0085).
 */
const invalidCharacters =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  /[<>:"/\\|?*_\u0000-\u0020\u007f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g;

/**
 * Makes a name fit for copick's file names: each invalid character, underscore and white space included, becomes `-`,
 * then dashes at both ends go. Accents, dots and upper case stay.
 *
 * copick applies it to objects, users, sessions and tomogram types, but never to runs.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if nothing is left.
 * @example
 * ```ts
 * sanitizeName('my_user 1'); // 'my-user-1'
 * ```
 */
export function sanitizeName(name: string): string {
  const sanitized = fitName(name);
  if (sanitized === undefined) {
    throw new CryoetPicksError(
      'invalid-option',
      `name ${showJson(name)} has no character that copick's file names can hold`,
    );
  }
  return sanitized;
}

/** The same, undefined where nothing is left, or where plain JavaScript handed in no text. */
export function fitName(name: string): string | undefined {
  if (typeof name !== 'string') return undefined;
  return name.replace(invalidCharacters, '-').replace(/^-+|-+$/g, '') || undefined;
}

/** What a filter asks of a name: to be one of these, as given or as copick writes them. Absent, it asks nothing. */
export type NameFilter = string | readonly string[] | undefined;

/** True if a name is what a filter asks for. */
export function matchesName(wanted: NameFilter, name: string): boolean {
  if (wanted === undefined) return true;
  const names = typeof wanted === 'string' ? [wanted] : wanted;
  return names.some((one) => one === name || fitName(one) === name);
}

/**
 * The three-decimal label of a voxel spacing, in Å, as Python's `f'{spacing:.3f}'` writes it: `10` gives `10.000`.
 *
 * Differs from `toFixed(3)` where the number lies exactly between two labels: Python takes the even one, `toFixed` the
 * greater. 1.0625 is `1.062`.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the spacing is not a finite number above 0.
 */
export function formatSpacing(spacing: number): string {
  if (!(Number.isFinite(spacing) && spacing > 0)) {
    throw new CryoetPicksError('invalid-option', `voxel spacing ${showJson(spacing)} Å is not a finite length above 0`);
  }
  if (spacing >= 1e21) return `${BigInt(spacing)}.000`;
  const greater = spacing.toFixed(3);
  // Exact ties are the odd multiples of 1/16, which four decimals write exactly; multiplying by 16 rounds nothing.
  if (Math.abs(spacing * 16) % 2 !== 1) return greater;
  const lesser = spacing.toFixed(4).slice(0, -1);
  return Number(lesser.at(-1)) % 2 === 0 ? lesser : greater;
}
