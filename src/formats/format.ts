import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { type RunPicks, runsOf } from '../picks/pick.ts';
import { rotationOf } from '../picks/rotation.ts';

/**
 * What of a pick a file may have no place for. `precision` means that numbers are rounded, `unknown` the keys of copick's points
 * that this library does not know.
 */
export type PickPart = 'run' | 'object' | 'score' | 'instance' | 'orientation' | 'precision' | 'unknown';

/** A part of picks that does not come back from a file as it went in. */
export interface Loss {
  readonly part: PickPart;
  /** What happens to it: `runs become numbers`. */
  readonly what: string;
}

/**
 * A format of picks: the seam between this library's picks and the files of other programs.
 *
 * What a format needs beside the file (a voxel size, a name for the only run) is an option of the function that makes it,
 * such as `csvFormat({ run: 'TS_5_4' })`. Positions are in Å on this side, whatever the file holds. Most formats are text;
 * those of bytes are a `PicksFormat<Uint8Array>`.
 */
export interface PicksFormat<Content extends string | Uint8Array = string> {
  /** For messages and lists: `CSV`. */
  readonly name: string;
  /** What a file of this format holds. */
  readonly content: Content extends string ? 'text' : 'bytes';
  /** What does not survive writing and reading; `describeLosses` tells which of it given picks have. */
  readonly losses: readonly Loss[];
  /** Whether `unknown` of picks survives too; only copick has a place for it. @defaultValue false */
  readonly keepsUnknown?: boolean | undefined;
  /** What a file holds that its picks do not, a line each; where absent, nothing. */
  leftOut?(content: Content, source: string): readonly string[];
  /** Reads picks run by run, in the order of the file; `source` names it in errors. */
  parse(content: Content, source: string): RunPicks[];
  /** Writes picks; parsing the result gives them back, but for the losses. */
  format(runs: Iterable<RunPicks>): Content;
}

export interface ParsePicksOptions<Content extends string | Uint8Array = string> {
  readonly format: PicksFormat<Content>;
  /**
   * Name of the file in messages.
   * @defaultValue `'picks'`
   */
  readonly source?: string | undefined;
}

/**
 * Reads picks from text, or bytes, of a given format.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` (submissions: `invalid-submission`) naming the source and the place in it;
 * `invalid-option` where the format needs to be told what the file does not hold, saying what.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: csvFormat(), source: 'picks.csv' });
 * ```
 */
export function parsePicks<Content extends string | Uint8Array>(
  content: NoInfer<Content>,
  { format, source = 'picks' }: ParsePicksOptions<Content>,
): RunPicks[] {
  requireFormat(format);
  return format.parse(content, source);
}

/**
 * Writes picks as text, or bytes, of a given format.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a pick that the format cannot hold; `invalid-option` where the format
 * needs to be told something first.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: csvFormat() });
 * ```
 */
export function formatPicks<Content extends string | Uint8Array>(
  runs: Iterable<RunPicks>,
  { format }: { readonly format: PicksFormat<Content> },
): Content {
  requireFormat(format);
  return format.format(runsOf(runs));
}

function requireFormat(format: unknown): void {
  if ((format as PicksFormat | undefined)?.parse) return;
  const found = `format is ${showJson(format)}, expected one of cryoet-picks/formats, such as csvFormat()`;
  throw new CryoetPicksError('invalid-option', found, { option: 'format' });
}

const unknownLoss: Loss = { part: 'unknown', what: 'keys of copick points that are not known here have no place' };

/**
 * Tells what of given picks a format has no place for, a line each; none if all of it survives.
 *
 * @example
 * ```ts
 * for (const line of describeLosses(runs, { format: cmmFormat() })) console.warn(line);
 * ```
 */
export function describeLosses(
  runs: Iterable<RunPicks>,
  { format }: { readonly format: { readonly losses: readonly Loss[]; readonly keepsUnknown?: boolean | undefined } },
): string[] {
  const given = [...runs];
  const picks = given.flatMap((run) => run.picks);
  const counts: Readonly<Record<PickPart, number>> = {
    run: given.filter(({ run }) => !/^[1-9]\d*$/.test(run)).reduce((sum, run) => sum + run.picks.length, 0),
    object: picks.length,
    score: picks.filter(({ score }) => score !== 1).length,
    instance: picks.filter(({ instanceId }) => instanceId !== undefined).length,
    orientation: picks.filter(({ transform }) => rotationOf(transform) !== undefined).length,
    precision: picks.length,
    unknown: picks.filter(({ unknown }) => unknown !== undefined).length,
  };
  const losses = format.keepsUnknown ? format.losses : [...format.losses, unknownLoss];
  return losses
    .filter(({ part }) => counts[part] > 0)
    .map(({ part, what }) => `${part}: ${what} (${counts[part]} of ${picks.length} picks)`);
}
