import Papa from 'papaparse';
import { describeValue, flag, optional, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { columnFor } from '../picks/column-names.ts';
import { type CsvRow, headerOf, readCsvTable, unreadColumns } from '../picks/csv.ts';
import { groupByRun, isPlaced, notPick, type ParticlePick, type RunPicks, type Transform } from '../picks/pick.ts';
import { formatSubmission, parseSubmission } from '../picks/submission.ts';
import { checkedFormat, type ParseReports, type PicksFormat, type PointsColumn } from './format.ts';
import { instanceIn, numberIn, scoreIn } from './pick-fields.ts';

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
 * `instance_id` and `transform_…` are written if any pick has them.
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
    leftOut: (text, source) => {
      const names = Object.values(namesIn(headerOf(text)));
      return unreadColumns(text, {
        ...{ required: axes, source, code },
        read: [...axes, ...names, 'instance_id', ...matrixColumns.flat()],
      });
    },
    parse: (text, source, reports = {}) => {
      const header = headerOf(text);
      const names = namesIn(header);
      const rows = readCsvTable(text, { required: axes, source, code });
      reportNames(header, names, reports);
      return groupByRun(rows.map((row) => readRow(row, source, { ...options, names })));
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

type Reading = CsvFormatOptions & { readonly names: Names };

function readRow(row: CsvRow, source: string, options: Reading): { run: string; pick: ParticlePick } {
  const { names } = options;
  const at = (column: string) => readNumber(row, column, source);
  const transform = readTransform(row, source);
  const [dx, dy, dz] = transform === undefined ? [0, 0, 0] : transform.slice(0, 3).map((cells) => cells[3]!);
  const instance = instanceIn(row.cell('instance_id'), {
    what: 'instance_id',
    place: `${source}, line ${row.line}`,
  });
  const pick = {
    object: readName(row, names.object, options.object, source),
    position: { x: at('x') + dx!, y: at('y') + dy!, z: at('z') + dz! },
    score: scoreIn(row.cell(names.score), { what: names.score, place: `${source}, line ${row.line}` }) ?? 1,
    ...(instance === undefined ? {} : { instanceId: instance }),
    ...(transform === undefined ? {} : { transform }),
  };
  return { run: readName(row, names.run, options.run, source), pick };
}

function readName(row: CsvRow, column: string, fallback: string | undefined, source: string): string {
  const name = row.cell(column) ?? fallback;
  if (name === undefined) {
    const option = column === 'run_name' ? 'run' : 'object';
    const message = `${source}: no column "${column}", and the option ${option}, for all rows, is not given`;
    throw new CryoetPicksError(code, message, { option });
  }
  if (name.trim() !== '') return name;
  throw new CryoetPicksError(code, `${source}, line ${row.line}: ${column} is empty; expected a name`);
}

function readNumber(row: CsvRow, column: string, source: string): number {
  return numberIn(row.cell(column), { what: column, place: `${source}, line ${row.line}` });
}

/** The matrix of a row; none if all its cells are absent or empty. */
function readTransform(row: CsvRow, source: string): Transform | undefined {
  if (matrixColumns.flat().every((column) => (row.cell(column) ?? '').trim() === '')) return undefined;
  const matrix = matrixColumns.map((columns) => columns.map((column) => readNumber(row, column, source)));
  if (matrix[3]!.every((value, j) => value === (j === 3 ? 1 : 0))) return matrix;
  throw new CryoetPicksError(
    code,
    `${source}, line ${row.line}: the last row of the transform is ${matrix[3]!.join(', ')}; expected 0, 0, 0, 1`,
  );
}

function formatCsv(runs: Iterable<RunPicks>): string {
  const given = [...runs];
  const all = given.flatMap(({ picks }) => picks);
  const withInstance = all.some((pick) => pick?.instanceId !== undefined);
  const withTransform = all.some((pick) => pick?.transform !== undefined);
  const fields = ['run_name', 'object_name', 'x', 'y', 'z', 'score'];
  if (withInstance) fields.push('instance_id');
  if (withTransform) fields.push(...matrixColumns.flat());
  const data = given.flatMap(({ run, picks }) =>
    picks.map((pick, index) => {
      const cells = cellsOf(run, pick, `pick ${index} of run ${JSON.stringify(run)}`);
      if (withInstance) cells.push(String(pick.instanceId ?? ''));
      if (withTransform) cells.push(...matrixCells(pick.transform));
      return cells;
    }),
  );
  // Papaparse ends a table without rows in a line break, but not a table with rows.
  return `${Papa.unparse({ fields, data }, { newline: '\n' }).replace(/\n$/, '')}\n`;
}

function cellsOf(run: string, pick: ParticlePick, name: string): (string | number)[] {
  if (!isPlaced(pick)) throw notPick(pick, name);
  const { object, position, score } = pick;
  const { x, y, z } = position;
  if (run.trim() === '' || object.trim() === '') {
    throw new CryoetPicksError(
      code,
      `${name} needs the names of run and object; run is ${JSON.stringify(run)}, object is "${object}"`,
    );
  }
  if (![x, y, z, score].every(Number.isFinite)) {
    throw new CryoetPicksError(
      code,
      `${name} is at (${x}, ${y}, ${z}) Å with score ${describeValue(score)}; expected finite numbers`,
    );
  }
  return [run, object, x, y, z, score];
}

function matrixCells(transform: Transform | undefined): (string | number)[] {
  if (transform === undefined) return Array<string>(16).fill('');
  return indices.flatMap((i) => indices.map((j) => (i < 3 && j === 3 ? 0 : (transform[i]?.[j] ?? 0))));
}

/** Options of {@link submissionFormat}. */
export interface SubmissionFormatOptions {
  /**
   * Writes a column `score`, which the competition's own files lack.
   * @defaultValue false
   */
  readonly score?: boolean | undefined;
}

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
  const { score = false } = requireOptions('submissionFormat', options, { score: optional(flag) });
  return checkedFormat({
    name: 'competition CSV',
    content: 'text',
    losses: [
      ...(score ? [] : [{ part: 'score', what: 'the competition asks for no score' } as const]),
      { part: 'instance', what: 'the competition asks for no instance id' },
      { part: 'orientation', what: 'the competition asks for no orientation' },
    ],
    leftOut: (text, source) =>
      unreadColumns(text, {
        ...{ required: axes, source, code: 'invalid-submission' },
        read: [
          'id',
          'experiment',
          'particle_type',
          ...axes,
          columnFor(headerOf(text), { own: 'score', role: 'score' }) ?? 'score',
        ],
      }),
    parse: (text, source) => parseSubmission(text, { source }),
    format: (runs: Iterable<RunPicks>) => formatSubmission(runs, { score }),
  });
}
