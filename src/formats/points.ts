import Papa from 'papaparse';
import { anything, describeValue, oneOf, optional, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { parseNumber } from '../picks/csv.ts';
import { groupByRun, type ParticlePick, type RunPicks } from '../picks/pick.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridFrom,
  needVoxelSize,
  requireOption,
  type StatedSize,
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
import { checkedPicks, instanceIn, numberIn, onlyObject, onlyRun, pickFrom } from './pick-fields.ts';

/** Options of {@link pointsFormat}. */
export interface PointsFormatOptions extends VoxelSizeOption {
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
    leftOut: (text, source) => unreadColumns(readTable(text, source, options).columns),
    parse: (text, source, reports = {}) => parse(text, source, { ...options, reports }),
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const placement = gridFrom(needVoxelSize(voxelSize, { place: name }));
      onlyRun(picks, name);
      onlyObject(picks, name);
      const lines = picks.map(({ pick }) => {
        const [z, y, x] = toVoxel(placement, pick.position);
        return `${[x + 0, y + 0, z + 0].join(options.delimiter ?? ',')}\n`;
      });
      return lines.join('');
    },
  });
}

function parse(
  text: string,
  source: string,
  { reports, ...options }: PointsFormatOptions & { readonly reports: ParseReports },
): RunPicks[] {
  const { columns, rows } = readTable(text, source, options);
  const has = (as: PointsColumn) => columns.some((column) => column.as === as);
  const size = needVoxelSize(checkVoxelSize(options.voxelSize), {
    stated: unitOf(columns),
    place: source,
    warn: fileWarner(source, reports),
  });
  if (!has('run')) requireOption(options.run, { name: 'run', place: source });
  if (!has('object')) requireOption(options.object, { name: 'object', place: source });
  if (columns.length > 0) reports.onColumns?.(columns);
  const grid = gridFrom(size);
  const at = Object.fromEntries(columns.map(({ as }, index) => [as, index])) as Partial<Record<PointsColumn, number>>;
  const cellOf = (cells: readonly string[], as: PointsColumn) => (at[as] === undefined ? undefined : cells[at[as]]);
  return groupByRun(
    rows.map(({ cells, place }): { run: string; pick: ParticlePick } => {
      const [x, y, z] = axes.map((axis) => numberIn(cellOf(cells, axis), { what: axis, place }));
      const score = cellOf(cells, 'score');
      const found = {
        object: requireOption(cellOf(cells, 'object') ?? options.object, { name: 'object', place }),
        position: toPhysical(grid, [z!, y!, x!]),
        score: score === undefined ? undefined : numberIn(score, { what: 'score', place }),
        instance: instanceIn(cellOf(cells, 'instance'), { what: 'the instance id', place }),
      };
      const run = requireOption(cellOf(cells, 'run') ?? options.run, { name: 'run', place });
      return { run, pick: pickFrom(found, place) };
    }),
  );
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
  readonly rows: readonly Row[];
}

/**
 * The rows of a table, and what its columns are.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the table does not say what its columns are; `invalid-picks` for a row with
 * another number of cells.
 */
function readTable(text: string, source: string, { delimiter, columns: given }: PointsFormatOptions): Table {
  const { comments, rows: all } = linesOf(text, source, delimiter);
  const [first] = all;
  if (first === undefined) return { columns: [], rows: [] };
  const isHeader = first.cells.every((cell) => parseNumber(cell) === undefined);
  const rows = isHeader ? all.slice(1) : all;
  const width = (rows[0] ?? first).cells.length;
  const header = isHeader ? first.cells : commentedHeader(comments, { width, delimiter });
  const columns = given === undefined ? columnsOf(header, rows[0] ?? first) : givenColumns(given, { header, first });
  const odd = rows.find(({ cells }) => cells.length !== columns.length);
  if (odd === undefined) return { columns, rows };
  throw new CryoetPicksError(
    code,
    `${odd.place}: ${odd.cells.length} cells; expected ${columns.length}, as in the first row`,
  );
}

/** The lines of a table: comments, without their mark, and rows. */
function linesOf(
  text: string,
  source: string,
  delimiter: string | undefined,
): { readonly comments: readonly string[]; readonly rows: readonly Row[] } {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n?|\n/);
  const comment = /^\s*(?:#|%|\/\/)/;
  const isRow = (line: string) => line.trim() !== '' && !comment.test(line);
  const start = lines.findIndex(isRow);
  const between = delimiter ?? delimiterOf(lines[start] ?? '');
  const comments = lines.slice(0, Math.max(0, start)).filter((line) => comment.test(line));
  const rows: Row[] = [];
  for (const [index, line] of lines.entries()) {
    if (isRow(line)) rows.push({ cells: cellsOf(line, between), place: `${source}, line ${index + 1}` });
  }
  const isEnded = rows.every(({ cells }) => cells.length > 1 && cells.at(-1) === '');
  return {
    comments: comments.map((line) => line.replace(/^\s*(?:[#%]+|\/\/+)\s*/, '')),
    // Some programs end each row in a delimiter.
    rows: isEnded ? rows.map(({ cells, place }) => ({ cells: cells.slice(0, -1), place })) : rows,
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

/** The last comment above the rows that names x, y and z; undefined if there is none. */
function commentedHeader(
  comments: readonly string[],
  { width, delimiter }: { readonly width: number; readonly delimiter: string | undefined },
): readonly string[] | undefined {
  for (const comment of [...comments].reverse()) {
    for (const between of delimiter === undefined ? delimiters : [delimiter, ' ']) {
      const cells = cellsOf(comment, between);
      // A line that names some axes is a header too, which is refused.
      if (cells.length === width && cells.some((cell) => axisOf(wordsOf(cell)) !== undefined)) return cells;
    }
  }
  return undefined;
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
    throw unknownColumns(row, `${cells.length} columns without names: ${shown(cells)}`);
  }
  const roles = rolesOf(header);
  if (axes.every((axis) => roles.includes(axis))) return roles.map((as, index) => columnAt(index, as, header));
  throw unknownColumns(row, `the columns ${shown(header)}, of which not one each is known as x, y and z`);
}

function shown(cells: readonly string[]): string {
  const some = cells.slice(0, 12).map((cell) => showJson(cell));
  return `${some.join(', ')}${cells.length > some.length ? ', …' : ''}`;
}

function unknownColumns({ cells, place }: Row, found: string): CryoetPicksError {
  const commas = cells.filter((cell) => /^[+-]?\d+,\d+$|^\d+[\s;]+[+-]?\d+$/.test(cell)).length;
  if (commas > 0) {
    return new CryoetPicksError(
      code,
      `${place}: found ${shown(cells)}, which look like numbers with decimal commas; write decimal points`,
    );
  }
  const all = guessOf(cells);
  const guess = all.length > 30 ? [...all.slice(0, 30), '…'] : all;
  return new CryoetPicksError(
    'invalid-option',
    `${place}: the table has ${found}; say what each column is, such as --columns ${guess.join(',')} on the command line, or ` +
      `columns: ${JSON.stringify(guess)}; the names are x, y, z, score, object, run, instance, and - for a column to skip`,
    { option: 'columns' },
  );
}

/** What the columns of a row may be, for a hint. */
function guessOf(cells: readonly string[]): PointsColumn[] {
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

/** Names of other columns, as lower-case words joined by `_`. */
const known: Readonly<Record<Exclude<PointsColumn, Axis | '-'>, ReadonlySet<string>>> = {
  score: new Set(
    (
      'score scores cc ccc ncc lcc lccmax lcc_max fom figure_of_merit autopick_figure_of_merit ' +
      'conf confidence prob probability correlation cross_correlation'
    ).split(' '),
  ),
  object: new Set(
    'object object_name pickable_object pickable_object_name particle_type class_name species protein'.split(' '),
  ),
  run: new Set(
    (
      'run run_name experiment tomo tomo_name tomogram tomogram_name micrograph micrograph_name ' +
      'tilt_series tilt_series_name ts ts_name'
    ).split(' '),
  ),
  instance: new Set('id ids instance instance_id filament_id helical_tube_id'.split(' ')),
};

/** The words of a name, in lower case: `rlnCoordinateX`, `Center X`, `x_coord` and `coordx` have two or three. */
function wordsOf(column: string): string[] {
  return column
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)
    .flatMap(
      (word) => /^(coord|pos|center|centre)([xyz])$|^([xyz])(coord|pos|center|centre)$/.exec(word)?.slice(1) ?? word,
    )
    .filter(Boolean);
}

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
    const keys = [
      some.filter((word) => word !== 'rln').join('_'),
      header[index]!.toLowerCase().replace(/^_?rln_?/, ''),
    ];
    const other = Object.entries(known).find(([, names]) => keys.some((key) => names.has(key)))?.[0];
    return axisOf(some) ?? (other as PointsColumn | undefined) ?? '-';
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
    // Two names of the same coordinate do not say which of them it is.
    if (same.length === 1 || bare.length === 1) chosen.add(same.length === 1 ? same[0]! : bare[0]!);
    else if (!isAxis) chosen.add(same[0]!);
  }
  return roles.map((as, index) => (chosen.has(index) ? as : '-'));
}

/** The unit that the names of x, y and z state, as the size of a voxel. */
function unitOf(columns: readonly TableColumn[]): StatedSize[] {
  const stated = axes.map((axis) => {
    const words = wordsOf(columns.find(({ as }) => as === axis)?.name ?? '');
    return units[words.find((word) => Object.hasOwn(units, word)) ?? ''];
  });
  const [size] = stated;
  if (size === undefined || stated.some((one) => one !== size)) return [];
  return [
    {
      size,
      where: `the unit of the columns ${axes.map((axis) => columns.find(({ as }) => as === axis)!.name).join(', ')}`,
    },
  ];
}

/** Describes, in a line or none, the columns that are not read. */
function unreadColumns(columns: readonly TableColumn[]): string[] {
  const unread = columns.filter(({ as }) => as === '-');
  const shownOf = ({ column, name: title }: TableColumn) => (title ? showJson(title) : `column ${column}`);
  return unread.length === 0 ? [] : [`column: not read: ${unread.slice(0, 20).map(shownOf).join(', ')}`];
}
