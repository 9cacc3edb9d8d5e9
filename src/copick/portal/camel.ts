/** What the portal says of how a tomogram was made. */
export interface TomogramOrigin {
  /** `WBP`, `SIRT`, `Fourier_Space`, … */
  readonly reconstructionMethod: string;
  /** `raw`, `denoised`, `filtered`, … */
  readonly processing: string;
  /** `cryoCARE`, `DenoisET`, … */
  readonly processingSoftware?: string | null | undefined;
  readonly ctfCorrected?: boolean | null | undefined;
}

/**
 * The type that copick gives to a tomogram of the portal: how it was reconstructed and processed, by which software and
 * whether its CTF was corrected, such as `wbp-denoised-denoiset-ctfdeconv`.
 *
 * @example
 * ```ts
 * portalTomogramType({ reconstructionMethod: 'WBP', processing: 'filtered_even', ctfCorrected: true }); // 'wbp-filteredEven-ctfdeconv'
 * ```
 */
export function portalTomogramType(origin: TomogramOrigin): string {
  const { reconstructionMethod, processing, processingSoftware, ctfCorrected } = origin;
  const tool = processingSoftware ? camelCase(processingSoftware) : '';
  const parts = [camelCase(reconstructionMethod), camelCase(processing)];
  if (tool !== '') parts.push(tool);
  if (ctfCorrected) parts.push('ctfdeconv');
  return parts.join('-');
}

/**
 * Camel case as copick makes it with Python's `str.title()`: underscores and dashes part words, and so does whatever is no
 * letter, so that `cryo3d` becomes `cryo3D`; all other letters turn lower case.
 */
export function camelCase(text: string): string {
  const [first = '', ...rest] = titleCase(text.replace(/[_-]+/g, ' ')).replaceAll(' ', '');
  return first.toLowerCase() + rest.join('');
}

function titleCase(text: string): string {
  let result = '';
  let inWord = false;
  for (const character of text) {
    const [first = '', ...rest] = inWord ? character.toLowerCase() : character.toUpperCase();
    // A ligature becomes two letters, of which only the first is a capital.
    result += first + rest.join('').toLowerCase();
    inWord = /\p{Cased}/u.test(character);
  }
  return result;
}
