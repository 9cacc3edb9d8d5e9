import type { RunPicks } from '../run-picks.ts';

/**
 * A text format of picks: the seam between this library's picks and the files of other programs.
 *
 * What a format needs beside the text (a voxel size, a name for the only run) is an option of the function that makes it,
 * such as `csvFormat({ run: 'TS_5_4' })`. Positions are in Å on this side, whatever the file holds.
 */
export interface PicksFormat {
  /** For messages and lists: `CSV`. */
  readonly name: string;
  /** Reads picks run by run, in the order of the text; `source` names the text in errors. */
  parse(text: string, source: string): RunPicks[];
  /** Writes picks; parsing the result gives them back. */
  format(runs: Iterable<RunPicks>): string;
}

export interface ParsePicksOptions {
  readonly format: PicksFormat;
  /**
   * Name of the text in messages.
   * @defaultValue `'picks'`
   */
  readonly source?: string | undefined;
}

/**
 * Reads picks from text of a given format.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` (submissions: `invalid-submission`) naming the source and the line.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: csvFormat(), source: 'picks.csv' });
 * ```
 */
export function parsePicks(text: string, { format, source = 'picks' }: ParsePicksOptions): RunPicks[] {
  return format.parse(text, source);
}

/**
 * Writes picks as text of a given format.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a pick that the format cannot hold.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: csvFormat() });
 * ```
 */
export function formatPicks(runs: Iterable<RunPicks>, { format }: { readonly format: PicksFormat }): string {
  return format.format(runs);
}
