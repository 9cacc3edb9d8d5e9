import {
  abortSignal,
  bytesRule,
  callback,
  isFields,
  optional,
  type Rule,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { atOnce, type Steps, type Warning, withTurns } from '../core/concurrency.ts';
import { decodeText, showJson, writeNested } from '../core/json.ts';
import { encodedSteps } from '../core/text-pieces.ts';
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
  /** Whether `unknown` of picks is stored, or which of its keys; only copick's formats store all. @defaultValue false */
  readonly keepsUnknown?: boolean | readonly string[] | undefined;
  /** Describes the content of a file that its picks lack, a line each. If absent, picks have all of it. */
  leftOut?(content: Content, source: string): readonly string[];
  /** Reads picks run by run, in the order of the file; `source` is the name of the file in errors. */
  parse(content: Content, source: string, reports?: ParseReports): RunPicks[];
  /** Writes picks; parsing the result gives the same picks, except for the losses. */
  format(runs: Iterable<RunPicks>): Content;
  /** The same work in pieces of a few milliseconds, for `decodePicks` and `encodePicks`. If absent, it is done in one piece. */
  readonly inPieces?: PicksFormatInPieces<Content> | undefined;
}

/**
 * What a format does, as generators that pause after some milliseconds of work each. Text may come as its bytes in UTF-8, which may
 * be more than one string holds.
 */
export interface PicksFormatInPieces<Content extends string | Uint8Array = string> {
  leftOut?(content: Content | Uint8Array, source: string): Generator<unknown, readonly string[], undefined>;
  /** What it yields says nothing. */
  parse(
    content: Content | Uint8Array,
    source: string,
    reports?: ParseReports,
  ): Generator<unknown, RunPicks[], undefined>;
  /** Yields the parts of the file in their order, and undefined where it only pauses. */
  format(runs: Iterable<RunPicks>): Generator<Content | undefined, void, undefined>;
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

/** Options of {@link decodePicks}. */
export interface DecodePicksOptions extends ParseReports {
  readonly format: PicksFormat<string> | PicksFormat<Uint8Array>;
  /**
   * Name of the file in messages.
   * @defaultValue `'picks'`
   */
  readonly source?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads picks from the bytes of a file as {@link parsePicks} does, in pieces of a few milliseconds between which the event loop runs:
 * a page stays alive, a server answers. The text of a large file never exists as a whole, and may be longer than a string can be.
 *
 * ChimeraX markers, which are XML and 64 MiB at most, and formats without `inPieces` are read in one piece.
 *
 * @param content - The bytes of the file; of a text format also its text.
 * @throws {@link CryoetPicksError} As {@link parsePicks} does, and `invalid-picks` for a text that is not UTF-8, or has a line of more
 *   than 2²² characters; the abort reason of `signal`.
 *
 * @example
 * ```ts
 * const bytes = new Uint8Array(await (await fetch('picks.csv')).arrayBuffer());
 * const runs = await decodePicks(bytes, { format: csvFormat(), source: 'picks.csv' });
 * ```
 */
export async function decodePicks(content: string | Uint8Array, options: DecodePicksOptions): Promise<RunPicks[]> {
  const { format, source = 'picks', signal, ...reports } = requireDecoding('decodePicks', content, options);
  signal?.throwIfAborted();
  if (format.inPieces) return withTurns(format.inPieces.parse(content, source, reports), signal);
  return format.parse(wholeContent(content, source, format), source, reports);
}

/**
 * What the content of a file has that picks lack, in pieces as {@link decodePicks}.
 *
 * @throws {@link CryoetPicksError} As {@link decodePicks} does.
 */
export async function leftOutOf(content: string | Uint8Array, options: DecodePicksOptions): Promise<readonly string[]> {
  const { format, source = 'picks', signal } = requireDecoding('leftOutOf', content, options);
  signal?.throwIfAborted();
  if (format.inPieces) return withTurns(format.inPieces.leftOut?.(content, source) ?? noSteps([]), signal);
  return format.leftOut?.(wholeContent(content, source, format), source) ?? [];
}

/** Checked options for a content that the format takes, be it text or bytes. */
function requireDecoding(
  call: string,
  content: string | Uint8Array,
  options: DecodePicksOptions,
): DecodePicksOptions & { readonly format: PicksFormat<string> } {
  const rules = {
    format: formatRule,
    source: optional(text),
    onWarning: optional(callback),
    onColumns: optional(callback),
    signal: optional(abortSignal),
  };
  const checked = requireOptions(call, options, rules);
  requireArgument(call, 'content', content, checked.format.content === 'bytes' ? bytesRule : textOrBytes);
  return checked as typeof checked & { readonly format: PicksFormat<string> };
}

/** Options of {@link encodePicks}. */
export interface EncodePicksOptions {
  readonly format: PicksFormat<string> | PicksFormat<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Formats picks as {@link formatPicks} does, in pieces of a few milliseconds between which the event loop runs, as the bytes of a
 * file, text in UTF-8. They may be more than a string can hold.
 *
 * @throws {@link CryoetPicksError} As {@link formatPicks} does; the abort reason of `signal`.
 *
 * @example
 * ```ts
 * const bytes = await encodePicks([{ run: 'TS_5_4', picks }], { format: csvFormat() });
 * ```
 */
export async function encodePicks(runs: Iterable<RunPicks>, options: EncodePicksOptions): Promise<Uint8Array> {
  const rules = { format: formatRule, signal: optional(abortSignal) };
  const { format, signal } = requireOptions('encodePicks', options, rules);
  const given = runsOf(runs, 'encodePicks');
  signal?.throwIfAborted();
  return withTurns(encodedSteps(format.inPieces?.format(given) ?? [format.format(given)]), signal);
}

/** The content of a file in one piece. */
function wholeContent(
  content: string | Uint8Array,
  source: string,
  { content: kind }: Pick<PicksFormat, 'content'>,
): string {
  // Bytes of a format of bytes pass as they are.
  if (typeof content === 'string' || (kind as string) === 'bytes') return content as string;
  return decodeText(content, { what: source, code: 'invalid-picks', path: source });
}

/** Steps that are done at once. */
// biome-ignore lint/correctness/useYield: work without a pause
export function* noSteps<T>(value: T): Steps<T> {
  return value;
}

const textOrBytes: Rule = {
  expected: 'text, or its bytes',
  isValid: (value) => typeof value === 'string' || value instanceof Uint8Array,
};

const formatRule: Rule = {
  expected: 'a format of cryoet-picks/formats, such as csvFormat()',
  isValid: isFields,
  fields: { parse: callback, format: callback },
};

/** What a format is made of: its work in pieces. */
export type FormatParts<Content extends string | Uint8Array> = Omit<
  PicksFormat<Content>,
  keyof PicksFormatInPieces | 'inPieces'
> & {
  leftOut?(content: Content | Uint8Array, source: string): Steps<readonly string[]>;
  parse(content: Content | Uint8Array, source: string, reports: ParseReports): Steps<RunPicks[]>;
  format(runs: readonly RunPicks[]): Generator<Content | undefined, void, undefined>;
};

/** A format that does the same in pieces and in one, and checks the arguments of its methods. */
export function checkedFormat<Content extends string | Uint8Array>(parts: FormatParts<Content>): PicksFormat<Content> {
  const { leftOut: leftOutOf, parse, format, ...known } = parts;
  const call = (method: string) => `${known.name} ${method}`;
  const check = (method: string, given: unknown, content: Rule, source: string) => {
    requireArgument(call(method), 'content', given, content);
    requireArgument(call(method), 'source', source, text);
  };
  const checked = (content: Rule): PicksFormatInPieces<Content> => ({
    ...(leftOutOf && {
      leftOut(given, source) {
        check('leftOut', given, content, source);
        return leftOutOf(given, source);
      },
    }),
    parse(given, source, reports = {}) {
      check('parse', given, content, source);
      const rules = { onWarning: optional(callback), onColumns: optional(callback) };
      return parse(given, source, requireOptions<ParseReports>(call('parse'), reports, rules));
    },
    format: (runs) => format(runsOf(runs, call('format'))),
  });
  const inOne = checked(known.content === 'bytes' ? bytesRule : text);
  return {
    ...known,
    ...(inOne.leftOut && { leftOut: (given, source) => atOnce(inOne.leftOut!(given, source)) }),
    parse: (given, source, reports) => atOnce(inOne.parse(given, source, reports)),
    format: (runs) => joined([...inOne.format(runs)], known.content) as Content,
    inPieces: checked(known.content === 'bytes' ? bytesRule : textOrBytes),
  };
}

function joined(pieces: readonly (string | Uint8Array | undefined)[], content: 'text' | 'bytes'): string | Uint8Array {
  if (content === 'bytes') return atOnce(encodedSteps(pieces));
  return writeNested(() => pieces.join(''), 'the text of the picks', 'invalid-picks');
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
/** Fields that a message names. */
const SHOWN_FIELDS = 5;

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
  options: {
    readonly format: { readonly losses: readonly Loss[]; readonly keepsUnknown?: PicksFormat['keepsUnknown'] };
  },
): string[] {
  return atOnce(lossSteps(runs, options));
}

/**
 * Describes losses as {@link describeLosses} does, in pieces of a few milliseconds between which the event loop runs.
 *
 * @throws {@link CryoetPicksError} As {@link describeLosses} does; the abort reason of `signal`.
 */
export async function lossesOf(
  runs: Iterable<RunPicks>,
  { signal, ...options }: Parameters<typeof describeLosses>[1] & { readonly signal?: AbortSignal | undefined },
): Promise<string[]> {
  signal?.throwIfAborted();
  return withTurns(lossSteps(runs, options), signal);
}

/** What is lost with the fields that a review in the page of `view` gives to picks. */
const reviewLosses: Readonly<Record<string, string>> = {
  reviewed: 'only files of copick and CSV say which picks a person accepted, moved or added',
  movedFrom: 'only files of copick say where picks lay, or which object they were, before a person changed them',
};

/** Picks that are looked at in one piece. */
const PIECE = 4096;

function* lossSteps(runs: Iterable<RunPicks>, options: Parameters<typeof describeLosses>[1]): Steps<string[]> {
  const { format } = requireOptions('describeLosses', options, { format: lossesRule });
  const stored = Array.isArray(format.keepsUnknown) ? (format.keepsUnknown as readonly string[]) : [];
  const isLost = (key: string) => format.keepsUnknown !== true && !stored.includes(key);
  const lost = new Set<string>();
  const marks: Record<string, number> = Object.fromEntries(Object.keys(reviewLosses).map((field) => [field, 0]));
  const counts: Record<PickPart, number> = {
    run: 0,
    object: 0,
    score: 0,
    instance: 0,
    orientation: 0,
    precision: 0,
    unknown: 0,
  };
  for (const { run, picks } of runsOf(runs, 'describeLosses')) {
    const isNumbered = /^[1-9]\d*$/.test(run);
    for (let from = 0; from < picks.length; from += PIECE) {
      checkPicks(picks, run, { from, to: from + PIECE });
      for (const { score, instanceId, transform, unknown } of picks.slice(from, from + PIECE)) {
        if (!isNumbered) counts.run++;
        if (score !== 1) counts.score++;
        if (instanceId !== undefined) counts.instance++;
        if (rotationOf(transform) !== undefined) counts.orientation++;
        const fields = isFields(unknown) ? Object.keys(unknown).filter(isLost) : [];
        const others = fields.filter((field) => !Object.hasOwn(reviewLosses, field));
        for (const field of fields) if (Object.hasOwn(marks, field)) marks[field]!++;
        if (others.length > 0) counts.unknown++;
        for (const field of others) if (lost.size <= SHOWN_FIELDS) lost.add(field);
      }
      yield;
    }
    counts.object += picks.length;
    counts.precision += picks.length;
  }
  const names = [...lost].slice(0, SHOWN_FIELDS).map((field) => showJson(field));
  const named = `${names.join(', ')}${lost.size > SHOWN_FIELDS ? ', …' : ''}`;
  return [
    ...format.losses.map(({ part, what }) => [`${part}: ${what}`, counts[part]] as const),
    ...Object.entries(reviewLosses).map(([field, what]) => [`review: ${what}`, marks[field]!] as const),
    [`other fields: only files of copick hold ${named}`, counts.unknown] as const,
  ].flatMap(([line, count]) => (count > 0 ? [`${line} (${count} of ${counts.object} picks)`] : []));
}
