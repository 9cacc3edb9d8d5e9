import { CryoetPicksError } from '../../errors.ts';

/** A name that a file does not tell. @throws {@link CryoetPicksError} `invalid-option` without it. */
export function needName(
  given: string | undefined,
  { name, place }: { readonly name: 'run' | 'object'; readonly place: string },
): string {
  if (given !== undefined && given.trim() !== '') return given;
  throw new CryoetPicksError('invalid-option', `${place} does not name its ${name}; give the option ${name}`);
}
