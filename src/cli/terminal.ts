import { hostname } from 'node:os';
import { inspect } from 'node:util';
import type { Problem } from '../copick/tree.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { describeSystemError } from '../node/system-error.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { type Bar, LiveBars, type Screen } from './live-bars.ts';

/** Where text goes: `process.stdout`, `process.stderr`, or a fake. */
export interface TextStream extends Screen {
  readonly isTTY?: boolean | undefined;
}

/** What a command needs from outside: outputs, and a signal to stop. */
export interface Terminal {
  /** Aborts on Ctrl-C and other signals that end the program. */
  readonly signal: AbortSignal;
  /** Writes lines for people to stdout, or to stderr where stdout takes a file; nothing with `--json`. */
  print(...lines: readonly string[]): void;
  /** Writes a file to stdout as it is. @throws {@link CryoetPicksError} `write-failed`. */
  write(data: Uint8Array | string): Promise<void>;
  /** Writes a line to stderr, also with `--json`; options of the library are named as on the command line. */
  warn(line: string): void;
  /** Writes a line of JSON to stdout, where `--json` prints lines. */
  event(event: TerminalEvent): void;
  /** Starts a progress bar on stderr; it is drawn only on a terminal, and never with `--json`. */
  startBar(label: string): Bar;
}

/** Something that happened, for programs that read the lines of `--json`. */
export interface TerminalEvent {
  /** `started` */
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Prints warnings of the library: `directoryStore(path, { onWarning: warningsTo(terminal) })`. */
export function warningsTo(terminal: Terminal): (warning: Warning) => void {
  return ({ message }) => terminal.warn(`cryoet-picks: ${message}`);
}

/** Options of {@link openTerminal}. */
export interface TerminalOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly json: boolean;
  /** True if `--json` prints a line for each event. @defaultValue false */
  readonly jsonLines?: boolean | undefined;
  /** True if stdout takes a file, so that nothing else may go there. @defaultValue false */
  readonly filesToStdout?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** A terminal over two streams. Characters of names that could hide or change what is shown are escaped. */
export function openTerminal(options: TerminalOptions): Terminal {
  const { stdout, stderr, json, jsonLines = false, filesToStdout = false, signal } = options;
  const bars = stderr.isTTY === true && !json ? new LiveBars(stderr) : undefined;
  const writeText = (stream: TextStream, text: string) => {
    if (bars !== undefined && stream.isTTY) bars.above(() => stream.write(text));
    else stream.write(text);
  };
  return {
    signal,
    print(...lines) {
      const stream = filesToStdout ? stderr : stdout;
      if (!json) writeText(stream, lines.map((line) => `${visible(line)}\n`).join(''));
    },
    write(data) {
      return new Promise((resolve, reject) => {
        stdout.write(data, (cause) => {
          if (!cause) return resolve();
          const reason = describeSystemError(cause);
          reject(new CryoetPicksError('write-failed', `cannot write to standard output: ${reason}`, { cause }));
        });
      });
    },
    event(event) {
      if (json && jsonLines) stdout.write(eventLine(event));
    },
    warn(line) {
      writeText(stderr, `${visible(inFlags(line))}\n`);
    },
    startBar(label) {
      return bars?.start(visible(label)) ?? { update() {}, stop() {} };
    },
  };
}

/** Control characters, and those that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
const hidden = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A line with control characters escaped as in JSON: they could move the cursor, or hide what is printed. */
export function visible(line: string): string {
  return line.replace(
    hidden,
    (character) => shortEscapes[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * A value as JSON whose strings are safe to show in a terminal; reading it gives the same value, with options of the library named
 * as on the command line in each `message` and `reason`.
 */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value, worded, 2)
    .split('\n')
    .map((line) => visible(line))
    .join('\n');
}

/**
 * An event, with its time and the process that reports it, as a line of JSON: any number of processes may write to one log. Strings are as
 * those of {@link visibleJson}.
 */
export function eventLine({ event, ...fields }: TerminalEvent): string {
  const from = { time: new Date().toISOString(), host: hostname(), pid: process.pid };
  return `${visible(JSON.stringify({ event, ...from, ...fields }, worded))}\n`;
}

function worded(key: string, field: unknown): unknown {
  return (key === 'message' || key === 'reason') && typeof field === 'string' ? inFlags(field) : field;
}

/** Options of {@link formatTable}. */
export interface TableOptions {
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Totals, below a rule. */
  readonly footer?: readonly (readonly (string | number)[])[] | undefined;
}

/**
 * Lines of a table with aligned columns: numbers to the right, words to the left. A column is numeric if every cell of its rows
 * is a number or stands for a missing one (`''`, `–`).
 */
export function formatTable({ header, rows, footer = [] }: TableOptions): string[] {
  const all = [header, ...rows, ...footer];
  const textOf = (cell: string | number | undefined) => visible(String(cell ?? ''));
  const widths = header.map((_, column) => all.reduce((width, row) => Math.max(width, textOf(row[column]).length), 0));
  const numeric = header.map((_, column) => rows.every((row) => isNumeric(row[column] ?? '')));
  const line = (row: readonly (string | number)[]) => {
    const cells = widths.map((width, column) => {
      const cell = textOf(row[column]);
      return numeric[column] ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join('  ').trimEnd();
  };
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  const below = footer.length === 0 ? [] : [rule, ...footer.map(line)];
  return [line(header), rule, ...rows.map(line), ...below];
}

function isNumeric(cell: string | number): boolean {
  return cell === '' || cell === '–' || Number.isFinite(Number(cell));
}

/** Number of picks of each object; 0 of objects that were looked for in vain. */
export function countByObject(picks: readonly ParticlePick[], objects: readonly string[] = []): Record<string, number> {
  const counts = new Map<string, number>(objects.map((object) => [object, 0]));
  for (const { object } of picks) counts.set(object, (counts.get(object) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** Counts per object of a run. */
export interface RunCounts {
  readonly run: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** A table of counts: a line per object, a column per run; only the sum if there are many runs. */
export function countTable(title: string, { runs }: { readonly runs: readonly RunCounts[] }): string[] {
  const objects = [...new Set(runs.flatMap(({ counts }) => Object.keys(counts)))].sort();
  const shown = runs.length <= 4 ? runs : [];
  const cells = (countOf: (run: RunCounts) => number) => [
    ...shown.map(countOf),
    runs.reduce((sum, run) => sum + countOf(run), 0),
  ];
  return formatTable({
    header: [title, ...shown.map(({ run }) => run), 'all'],
    rows: objects.map((object) => [
      object,
      ...cells(({ counts }) => (Object.hasOwn(counts, object) ? counts[object]! : 0)),
    ]),
    footer: [['all', ...cells(({ counts }) => sumOf(counts))]],
  });
}

/** The sum of counts. */
export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Wrong usage that only shows once the work has begun, such as an option with an unknown object; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An error in the output of `--json`. */
export interface Failure {
  /** Code of a `CryoetPicksError`, code of the operating system (`EACCES`), `usage` or `unexpected`. */
  readonly code: string;
  /** One line. */
  readonly message: string;
}

/** The options of the command line that stand for options of the library. */
const flags: Readonly<Record<string, string>> = {
  voxelSize: '--voxel-size',
  trueVoxelSize: '--voxel-size',
  fallbackVoxelSize: '--voxel-size',
  shape: '--shape',
  run: '--run',
  runs: '--run',
  object: '--object',
  objects: '--object',
  overwrite: '--overwrite',
  resume: '--resume',
  claim: '--claim',
  retries: '--retries',
  overlay: 'detect --overlay',
  tomogram: '--tomogram',
  voxelSpacing: '--tomogram',
  columns: '--columns',
  coordinates: '--coordinates',
  allowMissingChunks: '--allow-missing-chunks',
  thresholds: '--threshold',
  from: '--from-picks',
  max: '--max',
  acrossObjects: '--across-objects',
  threads: '--threads',
  memory: '--memory',
  port: '--port',
  userId: '--user-id',
  sessionId: '--session-id',
};

const flagOf = (option: string): string | undefined => (Object.hasOwn(flags, option) ? flags[option] : undefined);

/** A message of the library, which says "the option voxelSize", in the words of the command line: "--voxel-size". */
export function inFlags(message: string): string {
  return message.replace(/\bthe option (["`]?)(\w+)\1/g, (words, _, option: string) => flagOf(option) ?? words);
}

/** Describes an error in one line; for an option that is missing or wrong, also its name on the command line. */
export function describeFailure(error: unknown): Failure {
  if (isCryoetPicksError(error)) {
    const { code, option } = error;
    const message = inFlags(error.message);
    const flag = option === undefined ? undefined : flagOf(option);
    return { code, message: `${oneLine(message)}${!flag || message.includes(flag) ? '' : ` (option ${flag})`}` };
  }
  if (error instanceof UsageError) return { code: 'usage', message: oneLine(error.message) };
  if (!(error instanceof Error)) return { code: 'unexpected', message: oneLine(String(error)) };
  if ('syscall' in error && 'code' in error && typeof error.code === 'string') {
    const path = 'path' in error && typeof error.path === 'string' ? ` ${error.path}` : '';
    return { code: error.code, message: `cannot access${path}: ${oneLine(describeSystemError(error))}` };
  }
  const message = `unexpected ${error.name}: ${oneLine(error.message)} (--verbose shows where)`;
  return { code: 'unexpected', message };
}

/** A command of this program that a shell takes as it is printed, from its words: `detect`, `copick.json` … */
export function commandLine(words: readonly string[]): string {
  const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
  return ['npx', 'cryoet-picks', ...words].map(quoted).join(' ');
}

/** Describes a problem of a project and its place in one line. */
export function describeProblem({ path, message }: Problem): string {
  return oneLine(message.includes(path) ? message : `${path}: ${message}`);
}

/** Why a run failed, in the words of the command line, and without the name of the run, which stands before it. */
export function failureOf(run: string, message: string): string {
  return oneLine(inFlags(message)).replace(` in run "${run}"`, '');
}

/** The line for a run that failed, once or several times. */
export function failedRun(run: string, message: string, attempts = 1): string {
  return `cryoet-picks: run "${run}" failed${attempts > 1 ? ` ${attempts} times` : ''}: ${failureOf(run, message)}`;
}

/** Stack, fields and causes of an error, for `--verbose`. */
export function detailsOf(error: unknown): string {
  return inspect(error, { depth: 6 })
    .split('\n')
    .map((line) => visible(line))
    .join('\n');
}

function oneLine(message: string): string {
  return message.trim().replace(/\s*\n\s*/g, ' ');
}
