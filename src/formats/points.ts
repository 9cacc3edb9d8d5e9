import Papa from 'papaparse';
import { CryoetPicksError } from '../core/errors.ts';
import { parseNumber } from '../picks/csv.ts';
import type { ParticlePick, RunPicks } from '../picks/pick.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import { checkVoxelSize, gridFrom, needVoxelSize, requireOption, type VoxelSizeOption } from './file-context.ts';
import type { PicksFormat } from './format.ts';
import { checkedPicks, onlyObject, onlyRun, pickFrom } from './pick-fields.ts';

/** Options of {@link pointsFormat}. */
export interface PointsFormatOptions extends VoxelSizeOption {
  /** Run of the file, which holds the points of one tomogram. */
  readonly run?: string | undefined;
  /** Object of the file. */
  readonly object?: string | undefined;
  /**
   * The text between two numbers. If absent, it is detected on reading: comma, tab, semicolon, bar or space.
   * @defaultValue `','` on writing
   */
  readonly delimiter?: ',' | '\t' | ';' | '|' | ' ' | undefined;
}

const code = 'invalid-picks';
const name = 'points table';
const delimiters = [',', '\t', ';', '|', ' '];

/**
 * A plain table of points: x, y, z in voxels, with or without a header.
 *
 * Without a header, the first three columns are x, y, z. With a header, they are the columns whose names start with the word x, y
 * or z, such as `X [A]` of TARDIS; a column `id` or `ids` is the instance id. For points in Å, give 1 as voxel size.
 *
 * @example
 * ```ts
 * const runs = parsePicks('1 2 3\n', { format: pointsFormat({ run: 'TS_5_4', object: 'ribosome', voxelSize: 10 }) });
 * ```
 */
export function pointsFormat(options: PointsFormatOptions = {}): PicksFormat {
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }));
  return {
    name,
    content: 'text',
    losses: [
      { part: 'score', what: 'the table holds x, y, z only' },
      { part: 'instance', what: 'the table holds x, y, z only' },
      { part: 'orientation', what: 'the table holds x, y, z only' },
      { part: 'run', what: 'the table holds x, y, z only' },
      { part: 'object', what: 'the table holds x, y, z only' },
    ],
    parse(text, source) {
      const placement = grid();
      const run = requireOption(options.run, { name: 'run', place: source });
      const object = requireOption(options.object, { name: 'object', place: source });
      const rows = rowsOf(text, source, options.delimiter);
      const columns = columnsOf(rows[0]?.cells ?? []);
      const picks = (columns.header ? rows.slice(1) : rows).map(({ cells, place }): ParticlePick => {
        const [x, y, z] = columns.axes.map((index) => numberIn(cells[index], place));
        const instance = columns.instance === undefined ? undefined : numberIn(cells[columns.instance], place);
        return pickFrom({ object, position: toPhysical(placement, [z!, y!, x!]), instance }, place);
      });
      return picks.length === 0 ? [] : [{ run, picks }];
    },
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const placement = grid();
      onlyRun(picks, name);
      onlyObject(picks, name);
      const lines = picks.map(({ pick }) => {
        const [z, y, x] = toVoxel(placement, pick.position);
        return `${[x + 0, y + 0, z + 0].join(options.delimiter ?? ',')}\n`;
      });
      return lines.join('');
    },
  };
}

interface Row {
  readonly cells: readonly string[];
  readonly place: string;
}

function rowsOf(text: string, source: string, delimiter: string | undefined): Row[] {
  const plain = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const first = plain.split('\n').find((line) => line.trim() !== '') ?? '';
  const between = delimiter ?? delimiters.find((candidate) => first.trim().includes(candidate)) ?? ',';
  const rows: Row[] = [];
  for (const [index, line] of plain.split('\n').entries()) {
    if (line.trim() === '') continue;
    const cells =
      between === ' ' ? line.trim().split(/\s+/) : Papa.parse<string[]>(line, { delimiter: between }).data[0]!;
    rows.push({ cells: cells.map((cell) => cell.trim()), place: `${source}, line ${index + 1}` });
  }
  return rows;
}

interface Columns {
  readonly header: boolean;
  readonly axes: readonly number[];
  readonly instance?: number | undefined;
}

function columnsOf(first: readonly string[]): Columns {
  if (first.every((cell) => parseNumber(cell) !== undefined)) return { header: false, axes: [0, 1, 2] };
  const axes = ['x', 'y', 'z'].map((axis) =>
    first.findIndex((cell) => new RegExp(`^${axis}(?![a-z])`, 'i').test(cell)),
  );
  const instance = first.findIndex((cell) => /^ids?$/i.test(cell));
  return {
    header: true,
    axes: axes.includes(-1) ? [0, 1, 2] : axes,
    instance: instance < 0 || axes.includes(-1) ? undefined : instance,
  };
}

function numberIn(cell: string | undefined, place: string): number {
  const value = cell === undefined ? undefined : parseNumber(cell);
  if (value !== undefined && Number.isFinite(value)) return value;
  const found = cell === undefined ? 'fewer than three columns' : JSON.stringify(cell);
  throw new CryoetPicksError(code, `${place}: found ${found}; expected finite numbers for x, y, z`);
}
