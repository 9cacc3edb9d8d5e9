import { optional, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { columnFor } from '../picks/column-names.ts';
import { type CsvRow, csvLine, csvSteps, unreadColumns } from '../picks/csv.ts';
import { isReviewMark, type PicksByRun, picksByRun, type RunPicks, reviewMarkOf } from '../picks/pick.ts';
import {
  type FormatSubmissionOptions,
  submissionPieces,
  submissionRules,
  submissionSteps,
} from '../picks/submission.ts';
import type { Point, Transform } from '../space/grid.ts';
import { checkedFormat, type ParseReports, type PicksFormat, type PointsColumn } from './format.ts';
import { instanceIn, linesOf, numberIn, picksToWrite, scoreIn } from './pick-fields.ts';

export interface CsvFormatOptions {
  /** Run of all rows of a table without a column `run_name`. */
  readonly run?: string | undefined;
  /** Object of all rows of a table without a column `object_name`. */
  readonly object?: string | undefined;
}

const code = 'invalid-picks';
const indices = [0, 1, 2, 3];
const matrixColumns = indices.map((i) => indices.map((j) => `transform_${i}${j}`));

const axes = ['x', 'y', 'z'];

/** The names that a table has for what may have other names. */
interface Names {
  readonly run: string;
  readonly object: string;
  readonly score: string;
}

/** The names of copick's columns, or, where a table has none of that name, another that is known for it. */
function namesIn(header: readonly string[]): Names {
  return {
    run: columnFor(header, { own: 'run_name', role: 'run' }) ?? 'run_name',
    object: columnFor(header, { own: 'object_name', role: 'object' }) ?? 'object_name',
    score: columnFor(header, { own: 'score', role: 'score' }) ?? 'score',
  };
}

/**
 * CSV in copick's columns: `run_name, object_name, x, y, z, score, instance_id, transform_00 … transform_33`, in Å.
 *
 * Only `x, y, z` are required if options give run and object; a missing or empty score is 1. Run, object and score may have another known
 * name (`tomo_name`, `particle_type`, `confidence`), which `onColumns` reports. As in copick, the translation of a matrix is
 * added to the position on reading. On writing, the position is the full position and translations are 0; the columns
 * `instance_id` and `transform_…` are written if any pick has them, and `reviewed` (`accepted`, `edited`, `added`) if a person has
 * looked at any in the page of `view`: one that was added has the score 1 that copick takes for a missing one.
 *
 * @example
 * ```ts
 * const runs = parsePicks('x,y,z\n10,20,30\n', { format: csvFormat({ run: 'TS_5_4', object: 'ribosome' }) });
 * ```
 */
export function csvFormat(options: CsvFormatOptions = {}): PicksFormat {
  requireOptions('csvFormat', options, { run: optional(text), object: optional(text) });
  return checkedFormat({
    name: 'CSV',
    content: 'text',
    losses: [],
    keepsUnknown: ['reviewed'],
    leftOut: (content, source) =>
      unreadColumns(content, { required: axes, source, code }, (header) => {
        return [...axes, ...Object.values(namesIn(header)), 'instance_id', ...matrixColumns.flat(), 'reviewed'];
      }),
    *parse(content, source, reports) {
      const runs = picksByRun();
      yield* csvSteps(content, { required: axes, source, code }, (header) => {
        const names = namesIn(header);
        reportNames(header, names, reports);
        const hasTransforms = matrixColumns.flat().some((column) => header.includes(column));
        const reading = { ...options, source, names, hasTransforms, shared: new Map<string, string>() };
        return (row) => addRow(runs, row, reading);
      });
      return runs.all();
    },
    format: formatCsv,
  });
}

/** Reports what the columns of a table are read as, if some have other names than copick's. */
function reportNames(header: readonly string[], names: Names, { onColumns }: ParseReports): void {
  const roles = new Map<string, PointsColumn>([
    ...axes.map((axis): [string, PointsColumn] => [axis, axis as PointsColumn]),
    [names.run, 'run'],
    [names.object, 'object'],
    [names.score, 'score'],
    ['instance_id', 'instance'],
  ]);
  const isOwn = names.run === 'run_name' && names.object === 'object_name' && names.score === 'score';
  const isMatrix = (name: string) => matrixColumns.flat().includes(name);
  if (isOwn) return;
  onColumns?.(
    header.flatMap((name, index) =>
      isMatrix(name) ? [] : [{ column: index + 1, name, as: roles.get(name) ?? ('-' as const) }],
    ),
  );
}

interface Reading extends CsvFormatOptions {
  readonly source: string;
  readonly names: Names;
  readonly hasTransforms: boolean;
  /** The names of objects so far: cells keep the text that they were cut from. */
  readonly shared: Map<string, string>;
}

function addRow(runs: PicksByRun, row: CsvRow, reading: Reading): void {
  const { names, hasTransforms, shared } = reading;
  const place = `${reading.source}, line ${row.line}`;
  const [x, y, z] = [at(row, 'x', place), at(row, 'y', place), at(row, 'z', place)];
  const transform = hasTransforms ? readTransform(row, place) : undefined;
  const instanceId = instanceIn(row.cell('instance_id'), { what: 'instance_id', place });
  const name = readName(row, 'object', reading, place);
  const object = shared.get(name) ?? name;
  if (object === name) shared.set(name, name);
  const score = scoreIn(row.cell(names.score), { what: names.score, place }) ?? 1;
  const position = transform === undefined ? { x, y, z } : shifted({ x, y, z }, transform);
  const reviewed = row.cell('reviewed');
  runs.add(readName(row, 'run', reading, place), {
    object,
    position,
    score,
    ...(instanceId === undefined ? undefined : { instanceId }),
    ...(transform === undefined ? undefined : { transform }),
    ...(isReviewMark(reviewed) ? { unknown: { reviewed } } : undefined),
  });
}

function shifted({ x, y, z }: Point, [rowX, rowY, rowZ]: Transform): Point {
  return { x: x + rowX![3]!, y: y + rowY![3]!, z: z + rowZ![3]! };
}

function readName(row: CsvRow, part: 'run' | 'object', options: Reading, place: string): string {
  const column = options.names[part];
  const name = row.cell(column) ?? options[part];
  if (name === undefined) {
    const message = `${options.source}: no column "${column}", and the option ${part}, for all rows, is not given`;
    throw new CryoetPicksError(code, message, { option: part });
  }
  if (name.trim() !== '') return name;
  throw new CryoetPicksError(code, `${place}: ${column} is empty; expected a name`);
}

function at(row: CsvRow, column: string, place: string): number {
  return numberIn(row.cell(column), { what: column, place });
}

/** The matrix of a row; none if all its cells are absent or empty. */
function readTransform(row: CsvRow, place: string): Transform | undefined {
  if (matrixColumns.flat().every((column) => (row.cell(column) ?? '').trim() === '')) return undefined;
  const matrix = matrixColumns.map((columns) => columns.map((column) => at(row, column, place)));
  if (matrix[3]!.every((value, j) => value === (j === 3 ? 1 : 0))) return matrix;
  throw new CryoetPicksError(
    code,
    `${place}: the last row of the transform is ${matrix[3]!.join(', ')}; expected 0, 0, 0, 1`,
  );
}

function* formatCsv(runs: readonly RunPicks[]): Generator<string | undefined, void> {
  const picks = yield* picksToWrite(runs);
  const { hasInstances, hasTransforms, hasMarks } = picks;
  const fields = ['run_name', 'object_name', 'x', 'y', 'z', 'score'];
  if (hasInstances) fields.push('instance_id');
  if (hasTransforms) fields.push(...matrixColumns.flat());
  if (hasMarks) fields.push('reviewed');
  yield csvLine(fields);
  yield* linesOf(picks.each(), ({ run, pick }) => {
    const { object, position, score, instanceId = '', transform } = pick;
    const { x, y, z } = position;
    const cells: (string | number)[] = [run, object, x, y, z, score];
    if (hasInstances) cells.push(String(instanceId));
    if (hasTransforms) cells.push(...matrixCells(transform));
    if (hasMarks) cells.push(reviewMarkOf(pick) ?? '');
    return csvLine(cells);
  });
}

function matrixCells(transform: Transform | undefined): (string | number)[] {
  if (transform === undefined) return Array<string>(16).fill('');
  return indices.flatMap((i) => indices.map((j) => (i < 3 && j === 3 ? 0 : (transform[i]?.[j] ?? 0))));
}

/** Options of {@link submissionFormat}; those of `formatSubmission`. */
export interface SubmissionFormatOptions extends FormatSubmissionOptions {}

/**
 * CSV of the CZII competition: `id, experiment, particle_type, x, y, z`, in Å. Does the same as `parseSubmission` and
 * `formatSubmission`. A missing score is 1.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: submissionFormat(), source: 'submission.csv' });
 * ```
 */
export function submissionFormat(options: SubmissionFormatOptions = {}): PicksFormat {
  const { score = false, firstId } = requireOptions('submissionFormat', options, submissionRules);
  return checkedFormat({
    name: 'competition CSV',
    content: 'text',
    losses: [
      ...(score ? [] : [{ part: 'score', what: 'the competition asks for no score' } as const]),
      { part: 'instance', what: 'the competition asks for no instance id' },
      { part: 'orientation', what: 'the competition asks for no orientation' },
    ],
    leftOut: (content, source) =>
      unreadColumns(content, { required: axes, source, code: 'invalid-submission' }, (header) => {
        const known = columnFor(header, { own: 'score', role: 'score' }) ?? 'score';
        return ['id', 'experiment', 'particle_type', ...axes, known];
      }),
    *parse(content, source) {
      const runs = picksByRun();
      yield* submissionSteps(content, source, ({ run, pick }) => runs.add(run, pick));
      return runs.all();
    },
    format: (runs) => submissionPieces(runs, { score, firstId }),
  });
}
