import {
  bytesRule,
  callback,
  isFields,
  optional,
  type Rule,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { checkPicks, type RunPicks, runsOf } from '../picks/pick.ts';
import { rotationOf } from '../picks/rotation.ts';

/**
 * The parts of a pick that a format may be unable to store. `precision` means that numbers are rounded; `unknown` are the unknown
 * keys of copick's points.
 */
export type PickPart = 'run' | 'object' | 'score' | 'instance' | 'orientation' | 'precision' | 'unknown';

/** A part of picks that changes when picks are written and read again. */
export interface Loss {
  readonly part: PickPart;
  /** What happens to it: `runs become numbers`. */
  readonly what: string;
}

/**
 * What a column of a table is: a coordinate, the score, the name of the object or of the run, the instance id; `-` is a column
 * that is not read.
 */
export type PointsColumn = 'x' | 'y' | 'z' | 'score' | 'object' | 'run' | 'instance' | '-';

/** A column of a table that was read, and what it was taken for. */
export interface TableColumn {
  /** Its place in the table, from 1. */
  readonly column: number;
  /** Its name, if the table has a header. */
  readonly name?: string | undefined;
  readonly as: PointsColumn;
}

/** What a format reports about a file while it reads it. */
export interface ParseReports {
  /** Called for what looks wrong in a file that is read nevertheless; the same message comes once. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
  /** Called for a plain table, with what each of its columns was taken for. */
  readonly onColumns?: ((columns: readonly TableColumn[]) => void) | undefined;
}

/** Warns about a file: the same message once, not for each row. */
export function fileWarner(source: string, { onWarning }: ParseReports): (code: string, message: string) => void {
  const told = new Set<string>();
  return (code, message) => {
    if (told.has(message)) return;
    told.add(message);
    onWarning?.({ code, message, path: source });
  };
}

/**
 * A format of picks: converts between this library's picks and the files of other programs.
 *
 * Whatever a format needs beside the file (a voxel size, the name of the only run) is an option of the function that makes it,
 * such as `csvFormat({ run: 'TS_5_4' })`. Positions of picks are in Å, whatever the unit of the file. Most formats are text;
 * binary formats are a `PicksFormat<Uint8Array>`.
 */
export interface PicksFormat<Content extends string | Uint8Array = string> {
  /** For messages and lists: `CSV`. */
  readonly name: string;
  /** Whether files of this format are text or bytes. */
  readonly content: Content extends string ? 'text' : 'bytes';
  /** The parts of picks that writing loses; `describeLosses` lists those that matter for given picks. */
  readonly losses: readonly Loss[];
  /** Whether `unknown` of picks is stored; only copick's formats do. @defaultValue false */
  readonly keepsUnknown?: boolean | undefined;
  /** Describes the content of a file that its picks lack, a line each. If absent, there is none. */
  leftOut?(content: Content, source: string): readonly string[];
  /** Reads picks run by run, in the order of the file; `source` is the name of the file in errors. */
  parse(content: Content, source: string, reports?: ParseReports): RunPicks[];
  /** Writes picks; parsing the result gives the same picks, except for the losses. */
  format(runs: Iterable<RunPicks>): Content;
}

export interface ParsePicksOptions<Content extends string | Uint8Array = string> extends ParseReports {
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
 * `invalid-option` if the format needs an option because the file lacks a value.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: csvFormat(), source: 'picks.csv' });
 * ```
 */
export function parsePicks<Content extends string | Uint8Array>(
  content: NoInfer<Content>,
  options: ParsePicksOptions<Content>,
): RunPicks[] {
  const rules = {
    format: formatRule,
    source: optional(text),
    onWarning: optional(callback),
    onColumns: optional(callback),
  };
  const { format, source = 'picks', onWarning, onColumns } = requireOptions('parsePicks', options, rules);
  return format.parse(content, source, { onWarning, onColumns });
}

/**
 * Formats picks as text, or bytes, of a given format.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a pick that the format cannot store; `invalid-option` if the format needs
 * an option that was not given.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: csvFormat() });
 * ```
 */
export function formatPicks<Content extends string | Uint8Array>(
  runs: Iterable<RunPicks>,
  options: { readonly format: PicksFormat<Content> },
): Content {
  const { format } = requireOptions('formatPicks', options, { format: formatRule });
  return format.format(runsOf(runs, 'formatPicks'));
}

const formatRule: Rule = {
  expected: 'a format of cryoet-picks/formats, such as csvFormat()',
  isValid: isFields,
  fields: { parse: callback, format: callback },
};

/** A format whose methods check their arguments. */
export function checkedFormat<Content extends string | Uint8Array>(format: PicksFormat<Content>): PicksFormat<Content> {
  const { leftOut } = format;
  const content = format.content === 'bytes' ? bytesRule : text;
  const call = (method: string) => `${format.name} ${method}`;
  const check = (method: string, given: Content, source: string) => {
    requireArgument(call(method), 'content', given, content);
    requireArgument(call(method), 'source', source, text);
  };
  return {
    ...format,
    ...(leftOut && {
      leftOut: (given, source) => {
        check('leftOut', given, source);
        return leftOut(given, source);
      },
    }),
    parse(given, source, reports = {}) {
      check('parse', given, source);
      const rules = { onWarning: optional(callback), onColumns: optional(callback) };
      return format.parse(given, source, requireOptions<ParseReports>(call('parse'), reports, rules));
    },
    format: (runs) => format.format(runsOf(runs, call('format'))),
  };
}

const lossesRule: Rule = {
  expected: formatRule.expected,
  isValid: isFields,
  fields: {
    losses: {
      expected: 'a list',
      isValid: Array.isArray,
      items: { expected: 'a loss { part, what }', isValid: isFields },
    },
  },
};
const unknownLoss: Loss = { part: 'unknown', what: 'unknown keys of copick points are not stored' };

/**
 * Describes which parts of given picks a format cannot store, a line each; no lines if it stores everything.
 *
 * @example
 * ```ts
 * for (const line of describeLosses(runs, { format: cmmFormat() })) console.warn(line);
 * ```
 */
export function describeLosses(
  runs: Iterable<RunPicks>,
  options: { readonly format: { readonly losses: readonly Loss[]; readonly keepsUnknown?: boolean | undefined } },
): string[] {
  const { format } = requireOptions('describeLosses', options, { format: lossesRule });
  const given = runsOf(runs, 'describeLosses');
  for (const { picks, run } of given) checkPicks(picks, run);
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
