import Papa from 'papaparse';
import { anything, describeValue, oneOf, optional, record, requireOptions, text } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { KeptLines, lineSteps, type TextContent } from '../core/text-pieces.ts';
import { roleOf, wordsOf } from '../picks/column-names.ts';
import { parseNumber } from '../picks/csv.ts';
import { picksByRun, type RunPicks } from '../picks/pick.ts';
import { formatZyx, sizesAgree, toPhysical, toVoxel } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridFrom,
  gridsByRun,
  needVoxelSize,
  type RunVoxelSizesOption,
  requireOption,
  type VoxelSizeOption,
} from './file-context.ts';
import {
  checkedFormat,
  fileWarner,
  type ParseReports,
  type PicksFormat,
  type PointsColumn,
  type TableColumn,
} from './format.ts';
import {
  eachInPieces,
  instanceIn,
  linesOf,
  numberIn,
  onlyObject,
  onlyRun,
  pickFrom,
  picksToWrite,
  scoreIn,
} from './pick-fields.ts';

/** Options of {@link pointsFormat}. */
export interface PointsFormatOptions extends VoxelSizeOption, RunVoxelSizesOption {
  /** Run of all rows of a table without a column of runs. */
  readonly run?: string | undefined;
  /** Object of all rows of a table without a column of objects. */
  readonly object?: string | undefined;
  /**
   * What each column is, in their order, `-` for one that is not read. If absent, the header says it; without a header, a table of
   * three columns of numbers holds x, y, z, and any other is refused.
   */
  readonly columns?: readonly PointsColumn[] | undefined;
  /**
   * The text between two numbers. If absent, it is detected on reading: comma, tab, semicolon, bar or space.
   * @defaultValue `','` on writing
   */
  readonly delimiter?: ',' | '\t' | ';' | '|' | ' ' | undefined;
}

const code = 'invalid-picks';
const name = 'points table';
const delimiters = [',', '\t', ';', '|', ' '];
const axes = ['x', 'y', 'z'] as const;
type Axis = (typeof axes)[number];

/**
 * A plain table of points, with or without a header: x, y, z in voxels, and where it has them score, object, run and instance id.
 *
 * A table is read only if it says what its columns are: by the option `columns`; by a header, commented or not, whose names are
 * known (`x`, `coord_x`, `Center X`, `X [A]`; `score`, `lccmax`; `object`, `particle_type`; `run`, `tomo_name`; `id`); or by having
 * exactly three columns of numbers. `onColumns` reports what was taken for what. Lines that start with `#`, `%` or `//` are
 * comments. A unit in the names of x, y, z (`[A]`, `nm`) serves as voxel size if none is given; for other points in Å, give 1.
 *
 * @example
 * ```ts
 * const runs = parsePicks('1 2 3\n', { format: pointsFormat({ run: 'TS_5_4', object: 'ribosome', voxelSize: 10 }) });
 * ```
 */
export function pointsFormat(options: PointsFormatOptions = {}): PicksFormat {
  requireOptions('pointsFormat', options, {
    run: optional(text),
    object: optional(text),
    voxelSize: anything,
    voxelSizes: optional(record),
    columns: anything,
    delimiter: oneOf(...delimiters, undefined),
  });
  const voxelSize = checkVoxelSize(options.voxelSize);
  checkColumns(options.columns);
  return checkedFormat({
    name,
    content: 'text',
    losses: [
      { part: 'score', what: 'the table holds x, y, z only' },
      { part: 'instance', what: 'the table holds x, y, z only' },
      { part: 'orientation', what: 'the table holds x, y, z only' },
      { part: 'run', what: 'the table holds x, y, z only' },
      { part: 'object', what: 'the table holds x, y, z only' },
    ],
    *leftOut(content, source) {
      const { columns } = yield* readTable(content, source, options);
      return unreadColumns(columns);
    },
    parse: (content, source, reports) => parse(content, source, { ...options, reports }),
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const placement = gridFrom(needVoxelSize(voxelSize, { place: name }));
      onlyRun(picks, name);
      onlyObject(picks, name);
      yield* linesOf(picks.each(), ({ pick }) => {
        const [z, y, x] = toVoxel(placement, pick.position);
        return `${[x + 0, y + 0, z + 0].join(options.delimiter ?? ',')}\n`;
      });
    },
  });
}

function* parse(
  content: TextContent,
  source: string,
  { reports, ...options }: PointsFormatOptions & { readonly reports: ParseReports },
): Steps<RunPicks[]> {
  const { columns, rows } = yield* readTable(content, source, options);
  const has = (as: PointsColumn) => columns.some((column) => column.as === as);
  const given = checkVoxelSize(options.voxelSize);
  const unit = unitOf(columns, source);
  const gridOf = gridsByRun(unit === undefined ? options : { voxelSize: unit }, { place: source });
  if (given !== undefined && unit !== undefined && !sizesAgree(given, unit)) {
    const unused = `${source}: the columns ${axisNames(columns)} state their unit; the option voxelSize, ${formatZyx(given)} Å`;
    fileWarner(source, reports)('voxel-size-unused', `${unused} (z×y×x), is not used to read them`);
  }
  if (!has('run')) requireOption(options.run, { name: 'run', place: source });
  if (!has('object')) requireOption(options.object, { name: 'object', place: source });
  if (columns.length > 0) reports.onColumns?.(columns);
  const at = Object.fromEntries(columns.map(({ as }, index) => [as, index])) as Partial<Record<PointsColumn, number>>;
  const cellOf = (cells: readonly string[], as: PointsColumn) => (at[as] === undefined ? undefined : cells[at[as]]);
  const runs = picksByRun();
  yield* eachInPieces(rows(), ({ cells, place }) => {
    const [x, y, z] = axes.map((axis) => numberIn(cellOf(cells, axis), { what: axis, place }));
    const run = requireOption(cellOf(cells, 'run') ?? options.run, { name: 'run', place });
    const found = {
      object: requireOption(cellOf(cells, 'object') ?? options.object, { name: 'object', place }),
      position: toPhysical(gridOf(run), [z!, y!, x!]),
      score: scoreIn(cellOf(cells, 'score'), { what: 'score', place }),
      instance: instanceIn(cellOf(cells, 'instance'), { what: 'the instance id', place }),
    };
    runs.add(run, pickFrom(found, place));
  });
  return runs.all();
}

/** @throws {@link CryoetPicksError} `invalid-option` unless x, y and z are named once, and no other twice. */
function checkColumns(columns: readonly PointsColumn[] | undefined): void {
  if (columns === undefined) return;
  const known: readonly string[] = [...axes, 'score', 'object', 'run', 'instance', '-'];
  const isKnown = Array.isArray(columns) && columns.every((column) => known.includes(column));
  const counts = (column: string) => columns.filter((one) => one === column).length;
  if (isKnown && axes.every((axis) => counts(axis) === 1) && known.slice(3, -1).every((one) => counts(one) <= 1))
    return;
  throw new CryoetPicksError(
    'invalid-option',
    `columns is ${describeValue(columns)}; expected x, y and z once each, and of score, object, run, instance each at most once; - skips a column`,
    { option: 'columns', available: known },
  );
}

interface Row {
  readonly cells: readonly string[];
  readonly place: string;
}

interface Table {
  /** Empty if the table has no rows. */
  readonly columns: readonly TableColumn[];
  /** Its rows, each made when it is asked for. */
  rows(): Iterable<Row>;
}

/**
 * The rows of a table, and what its columns are.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the table does not say what its columns are; `invalid-picks` for a row with
 * another number of cells.
 */
function* readTable(
  content: TextContent,
  source: string,
  { delimiter, columns: given }: PointsFormatOptions,
): Steps<Table> {
  const { comments, count, row: rowAt } = yield* tableLines(content, source, delimiter);
  if (count === 0) return { columns: [], rows: () => [] };
  const first = rowAt(0);
  const start = isHeaderRow(first, given) ? 1 : 0;
  const row = count > start ? rowAt(start) : first;
  const columns =
    given === undefined
      ? columnsOf(start === 1 ? first.cells : commentedHeader(comments, { row, delimiter }), row)
      : givenColumns(given, { header: start === 1 ? first.cells : undefined, first });
  return {
    columns,
    *rows() {
      for (let index = start; index < count; index++) {
        const found = rowAt(index);
        if (found.cells.length !== columns.length) {
          throw new CryoetPicksError(
            code,
            `${found.place}: ${found.cells.length} cells; expected ${columns.length}, as in the first row`,
          );
        }
        yield found;
      }
    },
  };
}

interface TableLines {
  /** Without their mark; those above the rows. */
  readonly comments: readonly string[];
  readonly count: number;
  /** A row by its index, made from its line. */
  row(index: number): Row;
}

/** The lines of a table. */
function* tableLines(content: TextContent, source: string, delimiter: string | undefined): Steps<TableLines> {
  const comment = /^\s*(?:#|%|\/\/)/;
  const comments: string[] = [];
  const lines = new KeptLines();
  let between = delimiter;
  let isEnded = true;
  yield* lineSteps(content, { source, code }, (line, number) => {
    if (line.trim() === '') return;
    if (comment.test(line)) {
      if (lines.length === 0) comments.push(line.replace(/^\s*(?:[#%]+|\/\/+)\s*/, ''));
      return;
    }
    between ??= delimiterOf(line);
    if (isEnded) {
      const cells = cellsOf(line, between);
      isEnded = cells.length > 1 && cells.at(-1) === '';
    }
    lines.add(line, number);
  });
  return {
    comments,
    count: lines.length,
    row(index) {
      const { line, number } = lines.at(index);
      const cells = cellsOf(line, between!);
      // Some programs end each row in a delimiter.
      return { cells: isEnded ? cells.slice(0, -1) : cells, place: `${source}, line ${number}` };
    },
  };
}

function delimiterOf(line: string): string {
  return delimiters.find((candidate) => line.trim().includes(candidate)) ?? ',';
}

function cellsOf(line: string, between: string): string[] {
  const cells =
    between === ' '
      ? line.trim().split(/\s+/)
      : line.includes('"')
        ? Papa.parse<string[]>(line, { delimiter: between }).data[0]!
        : line.split(between);
  return cells.map((cell) => cell.trim());
}

/**
 * True for a row without a number. If the columns are given, no name is asked for, so that a damaged row could pass for a header: names
 * of coordinates have no digits then.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a row whose coordinates look like damaged numbers.
 */
function isHeaderRow({ cells, place }: Row, given: readonly PointsColumn[] | undefined): boolean {
  if (cells.some((cell) => parseNumber(cell) !== undefined)) return false;
  const odd = axes.find((axis) => /\d/.test(cells[given?.indexOf(axis) ?? -1] ?? ''));
  if (odd === undefined) return true;
  const found = `${odd} is ${showJson(cells[given!.indexOf(odd)])}`;
  throw new CryoetPicksError(code, `${place}: ${found}; expected a number; if the row is a header, put # before it`);
}

/**
 * The last comment above the rows that names their columns, after words such as `columns:`; undefined if there is no such comment.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for comments that name axes, but not a column each.
 */
function commentedHeader(
  comments: readonly string[],
  { row, delimiter }: { readonly row: Row; readonly delimiter: string | undefined },
): readonly string[] | undefined {
  const width = row.cells.length;
  for (const comment of [...comments].reverse()) {
    for (const text of [comment, comment.replace(/^[^:]*:/, '')]) {
      for (const between of delimiter === undefined ? delimiters : [delimiter, ' ']) {
        const cells = cellsOf(text, between);
        // A line that names some axes is a header too, which is refused.
        if (cells.length === width && cells.some((cell) => axisOf(wordsOf(cell)) !== undefined)) return cells;
      }
    }
  }
  const about = comments.findLast((comment) => axesIn(comment) > 1);
  if (about === undefined) return undefined;
  throw unknownColumns(row, `${width} columns, below the comment ${showJson(about)}, which does not name each of them`);
}

/** How many axes a text names, also as `zyx`. */
function axesIn(text: string): number {
  const words = wordsOf(text).flatMap((word) => (/^[xyz]{2,3}$/.test(word) ? [...word] : word));
  return axes.filter((axis) => words.includes(axis)).length;
}

function givenColumns(
  given: readonly PointsColumn[],
  { header, first }: { readonly header: readonly string[] | undefined; readonly first: Row },
): TableColumn[] {
  if (given.length === first.cells.length) return given.map((as, index) => columnAt(index, as, header));
  throw new CryoetPicksError(
    'invalid-option',
    `${first.place}: the table has ${first.cells.length} columns, but the option columns names ${given.length} (${given.join(',')}); name each, - for one to skip`,
    { option: 'columns' },
  );
}

function columnAt(index: number, as: PointsColumn, header: readonly string[] | undefined): TableColumn {
  return { column: index + 1, ...(header === undefined ? {} : { name: header[index] }), as };
}

/** What the columns of a table are, by its header, or because it has three columns of numbers. */
function columnsOf(header: readonly string[] | undefined, row: Row): TableColumn[] {
  const { cells, place } = row;
  if (cells.length < 3) {
    throw new CryoetPicksError(code, `${place}: found fewer than three columns: ${shown(cells)}; expected x, y, z`);
  }
  if (header === undefined) {
    if (cells.every((cell) => parseNumber(cell) !== undefined) && cells.length === 3) {
      return axes.map((axis, index) => columnAt(index, axis, undefined));
    }
    throw unknownColumns(row, `${cells.length} columns without names: ${shown(cells)}`, guessOf(cells));
  }
  const roles = rolesOf(header);
  if (axes.every((axis) => roles.includes(axis))) return roles.map((as, index) => columnAt(index, as, header));
  throw unknownColumns(row, `the columns ${shown(header)}, of which not one each is known as x, y and z`);
}

function shown(cells: readonly string[]): string {
  const some = cells.slice(0, 12).map((cell) => showJson(cell));
  return `${some.join(', ')}${cells.length > some.length ? ', …' : ''}`;
}

function unknownColumns({ cells, place }: Row, found: string, guess?: readonly PointsColumn[]): CryoetPicksError {
  const commas = cells.filter((cell) => /^[+-]?\d+,\d+$|^\d+[\s;]+[+-]?\d+$/.test(cell)).length;
  if (commas > 0) {
    return new CryoetPicksError(
      code,
      `${place}: found ${shown(cells)}, which look like numbers with decimal commas; write decimal points`,
    );
  }
  const how =
    guess === undefined
      ? 'by the option columns, one name for each'
      : `such as --columns ${guess.join(',')} on the command line, or columns: ${JSON.stringify(guess)}`;
  return new CryoetPicksError(
    'invalid-option',
    `${place}: the table has ${found}; say what each column is, ${how}; the names are x, y, z, score, object, run, instance, ` +
      'and - for a column to skip',
    { option: 'columns' },
  );
}

/** What the columns of a row without names may be, for a hint; none for very many, and for cells that look like damaged numbers. */
function guessOf(cells: readonly string[]): PointsColumn[] | undefined {
  const isDamaged = (cell: string) => /^[+-]?\.?\d/.test(cell) && parseNumber(cell) === undefined;
  if (cells.length > 30 || cells.some(isDamaged)) return undefined;
  const isWhole = (cell: string | undefined) => /^\d+$/.test(cell ?? '');
  const numbers = cells.flatMap((cell, index) => (parseNumber(cell) === undefined ? [] : [index]));
  // As IMOD's model2point writes them: object, contour, x, y, z.
  const skipped = numbers.length === 5 && isWhole(cells[numbers[0]!]) && isWhole(cells[numbers[1]!]) ? 2 : 0;
  const due: PointsColumn[] = numbers.length === 4 ? [...axes, 'score'] : [...axes];
  const guess = cells.map((): PointsColumn => '-');
  for (const index of numbers.slice(skipped, skipped + due.length)) guess[index] = due.shift()!;
  const words = cells.flatMap((cell, index) => (parseNumber(cell) !== undefined || cell === '' ? [] : [index]));
  const run = words.find((index) => /\d$/.test(cells[index]!));
  const object = words.find((index) => index !== run);
  if (run !== undefined) guess[run] = 'run';
  if (object !== undefined) guess[object] = 'object';
  return guess;
}

/** Words that stand beside x, y or z in the name of a coordinate, and change nothing. */
const fillers = new Set(
  (
    'coord coords coordinate coordinates pos position positions loc location center centre centroid point particle ' +
    'tomo tomogram rln voxel voxels vox pixel pixels px abs absolute in'
  ).split(' '),
);
/** Å per unit, for units in the names of coordinates. */
const units: Readonly<Record<string, number>> = { a: 1, å: 1, ang: 1, angst: 1, angstrom: 1, angstroms: 1, nm: 10 };

function axisOf(words: readonly string[]): Axis | undefined {
  const found = axes.filter((axis) => words.includes(axis));
  const isPlain = words.every(
    (word) => found.includes(word as Axis) || fillers.has(word) || Object.hasOwn(units, word),
  );
  return found.length === 1 && isPlain ? found[0] : undefined;
}

/** What the names of columns stand for. Where several are the same axis, the one that is just its letter counts. */
function rolesOf(header: readonly string[]): PointsColumn[] {
  const words = header.map(wordsOf);
  const roles = words.map((some, index): PointsColumn => {
    return axisOf(some) ?? roleOf(header[index]!) ?? '-';
  });
  const places = new Map<PointsColumn, number[]>();
  for (const [index, as] of roles.entries()) {
    const same = places.get(as);
    if (same === undefined) places.set(as, [index]);
    else same.push(index);
  }
  const chosen = new Set<number>();
  for (const [as, same] of places) {
    const bare = same.filter((at) => words[at]!.length === 1);
    const isAxis = axes.some((axis) => axis === as);
    // Two names of the same coordinate do not say which of them it is, even less if one has a unit.
    const isBare = bare.length === 1 && !(isAxis && same.some((at) => unitIn(header[at]) !== undefined));
    if (same.length === 1 || isBare) chosen.add(same.length === 1 ? same[0]! : bare[0]!);
    else if (!isAxis) chosen.add(same[0]!);
  }
  return roles.map((as, index) => (chosen.has(index) ? as : '-'));
}

/** The unit in the name of a coordinate, in Å; undefined for names without one, and of other columns. */
export function unitIn(column: string | undefined): number | undefined {
  const words = wordsOf(column ?? '');
  return axisOf(words) && units[words.find((word) => Object.hasOwn(units, word)) ?? ''];
}

/** The names of the columns x, y and z, for messages. */
function axisNames(columns: readonly TableColumn[]): string {
  return axes.map((axis) => showJson(columns.find(({ as }) => as === axis)?.name)).join(', ');
}

/**
 * The unit that the names of x, y and z state, in Å; undefined if they state none.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if their units differ.
 */
function unitOf(columns: readonly TableColumn[], source: string): number | undefined {
  const [size, ...others] = axes.map((axis) => unitIn(columns.find(({ as }) => as === axis)?.name));
  if (others.every((other) => other === size)) return size;
  throw new CryoetPicksError(
    code,
    `${source}: the columns ${axisNames(columns)} are not in one unit; give all three the same unit, and its name`,
  );
}

/** Describes, in a line or none, the columns that are not read. */
function unreadColumns(columns: readonly TableColumn[]): string[] {
  const unread = columns.filter(({ as }) => as === '-');
  const shownOf = ({ column, name: title }: TableColumn) => (title ? showJson(title) : `column ${column}`);
  return unread.length === 0 ? [] : [`column: not read: ${unread.slice(0, 20).map(shownOf).join(', ')}`];
}
