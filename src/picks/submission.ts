import {
  count as countRule,
  describeValue,
  flag,
  optional,
  type RulesFor,
  requireArgument,
  requireOptions,
  text as textRule,
} from '../core/arguments.ts';
import { atOnce, type Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson, writeNested } from '../core/json.ts';
import type { TextContent } from '../core/text-pieces.ts';
import { columnFor } from './column-names.ts';
import { type CsvRow, csvLine, csvSteps, parseNumber } from './csv.ts';
import { notPick, type ParticlePick, pickCopy, picksByRun, type RunPicks, runsOf } from './pick.ts';

/** One row of a submission, or of a truth table in the same columns. */
export interface SubmissionRow {
  /** The competition calls it experiment. */
  readonly run: string;
  readonly pick: ParticlePick;
  /** Line of the file, counted from 1. */
  readonly line: number;
}

export interface ParseSubmissionOptions {
  /**
   * Name of the table in messages.
   * @defaultValue `'submission'`
   */
  readonly source?: string | undefined;
}

export interface FormatSubmissionOptions {
  /**
   * Adds a column `score`, which thresholds can be swept over; the competition's own files have none.
   * @defaultValue false
   */
  readonly score?: boolean | undefined;
  /**
   * The `id` of the first row, for a table that is written in parts.
   * @defaultValue 0
   */
  readonly firstId?: number | undefined;
}

/** What the options of a submission must be. */
export const submissionRules: RulesFor<FormatSubmissionOptions> = {
  score: /* @__PURE__ */ optional(flag),
  firstId: /* @__PURE__ */ optional(countRule),
};

const required = ['experiment', 'particle_type', 'x', 'y', 'z'];

/**
 * Reads a submission CSV, or a truth table in the same columns, run by run in order of first appearance.
 *
 * Columns `experiment`, `particle_type`, `x`, `y`, `z` (Å) in any order; `id` and unknown columns are ignored. A column
 * `score`, otherwise the first of another known name such as `conf` or `confidence`, becomes the score, which is 1 without such a
 * column. A coordinate may be `nan` or `inf`: the official
 * metric counts such a row, or throws when scoring.
 *
 * @throws {@link CryoetPicksError} `invalid-submission` for an empty file, missing columns, or a bad row, naming its line.
 *
 * @example
 * ```ts
 * const [first] = parseSubmission('experiment,particle_type,x,y,z\nTS_5_4,ribosome,100,200,300\n');
 * ```
 */
export function parseSubmission(text: string, options: ParseSubmissionOptions = {}): RunPicks[] {
  const runs = picksByRun();
  const { source } = checked('parseSubmission', text, options);
  atOnce(submissionSteps(text, source, ({ run, pick }) => runs.add(run, pick)));
  return runs.all();
}

/** {@link parseSubmission} without grouping: the rows in the order of the file, as `scoreTables` takes them. */
export function parseSubmissionRows(text: string, options: ParseSubmissionOptions = {}): SubmissionRow[] {
  const rows: SubmissionRow[] = [];
  const { source } = checked('parseSubmissionRows', text, options);
  atOnce(submissionSteps(text, source, (row) => rows.push(row)));
  return rows;
}

function checked(call: string, text: string, options: ParseSubmissionOptions): { readonly source: string } {
  requireArgument(call, 'text', text, textRule);
  const { source = 'submission' } = requireOptions(call, options, { source: optional(textRule) });
  return { source };
}

/**
 * Reads a submission in pieces, and visits its rows in their order.
 *
 * @throws {@link CryoetPicksError} As {@link parseSubmission} does.
 */
export function submissionSteps(
  content: TextContent,
  source: string,
  visit: (row: SubmissionRow) => void,
): Steps<void> {
  return csvSteps(content, { required, source, code: 'invalid-submission' }, (header) => {
    const score = columnFor(header, { own: 'score', role: 'score' }) ?? 'score';
    return (row) => visit(readRow(row, source, score));
  });
}

function readRow(row: CsvRow, source: string, score: string): SubmissionRow {
  return {
    run: readName(row, 'experiment', source),
    pick: {
      object: readName(row, 'particle_type', source),
      position: { x: readNumber(row, 'x', source), y: readNumber(row, 'y', source), z: readNumber(row, 'z', source) },
      score: readScore(row, source, score),
    },
    line: row.line,
  };
}

function readName(row: CsvRow, column: string, source: string): string {
  const name = row.cell(column)!;
  if (name.trim() !== '') return name;
  throw new CryoetPicksError('invalid-submission', `${source}, line ${row.line}: ${column} is empty; expected a name`);
}

function readNumber(row: CsvRow, column: string, source: string): number {
  const cell = row.cell(column)!;
  const value = parseNumber(cell);
  if (value !== undefined) return value;
  throw new CryoetPicksError(
    'invalid-submission',
    `${source}, line ${row.line}: ${column} is ${showJson(cell)}; expected a number`,
  );
}

function readScore(row: CsvRow, source: string, column: string): number {
  if (row.cell(column) === undefined) return 1;
  const score = readNumber(row, column, source);
  if (!Number.isNaN(score)) return score;
  throw new CryoetPicksError(
    'invalid-submission',
    `${source}, line ${row.line}: ${column} is NaN; expected a number that can be ordered`,
  );
}

/**
 * Writes picks as a submission CSV: `id,experiment,particle_type,x,y,z`, ids from 0 or `firstId`, positions in Å, lines end in `\n`.
 *
 * Runs and picks keep their order. Numbers are written with the fewest digits that read back as the same double.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a coordinate (or score, if written) that is not finite, or an empty
 * name of a run or object.
 *
 * @example
 * ```ts
 * const csv = formatSubmission([{ run: 'TS_5_4', picks }]);
 * ```
 */
export function formatSubmission(runs: Iterable<RunPicks>, options: FormatSubmissionOptions = {}): string {
  const pieces = [
    ...submissionPieces(runsOf(runs, 'formatSubmission'), requireOptions('formatSubmission', options, submissionRules)),
  ];
  return writeNested(() => pieces.join(''), 'the submission', 'invalid-picks');
}

/** Rows that are written in one piece. */
const ROWS = 512;

/** The text of {@link formatSubmission}, piece by piece; nothing is written before all picks are checked. */
export function* submissionPieces(
  runs: readonly RunPicks[],
  { score: withScore = false, firstId = 0 }: FormatSubmissionOptions,
): Generator<string | undefined, void, undefined> {
  let count = 0;
  for (const _ of checkedPicks(runs, withScore)) if (++count % ROWS === 0) yield undefined;
  const fields = ['id', ...required, ...(withScore ? ['score'] : [])];
  let text = csvLine(fields);
  let id = firstId;
  for (const { run, pick } of checkedPicks(runs, withScore)) {
    const { object, position, score } = pick;
    const cells = [id++, run, object, position.x, position.y, position.z];
    text += csvLine(withScore ? [...cells, score] : cells);
    if (id % ROWS !== 0) continue;
    yield text;
    text = '';
  }
  yield text;
}

function* checkedPicks(
  runs: readonly RunPicks[],
  withScore: boolean,
): Generator<{ readonly run: string; readonly pick: ParticlePick }> {
  for (const { run, picks } of runs) {
    if (run.trim() === '') throw new CryoetPicksError('invalid-picks', `run name is ${JSON.stringify(run)}`);
    for (let index = 0; index < picks.length; index++) {
      yield { run, pick: checkedPick(picks[index]!, () => `pick ${index} of run ${JSON.stringify(run)}`, withScore) };
    }
  }
}

/** A checked copy, so that nothing is read from the caller's object again. */
function checkedPick(given: ParticlePick, name: () => string, withScore: boolean): ParticlePick {
  const pick = pickCopy(given);
  if (pick === undefined) throw notPick(given, name());
  const { object, position, score } = pick;
  const { x, y, z } = position;
  if (object.trim() === '') throw new CryoetPicksError('invalid-picks', `${name()} has no object name`);
  if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z)) {
    throw new CryoetPicksError('invalid-picks', `${name()} is at (${x}, ${y}, ${z}) Å; expected finite coordinates`);
  }
  if (withScore && !Number.isFinite(score)) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${name()} has score ${describeValue(score)}; expected a finite number`,
    );
  }
  return pick;
}
