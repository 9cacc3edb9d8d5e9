import Papa from 'papaparse';
import { anything, optional, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type CsvRow, readCsvTable, unreadColumns } from '../picks/csv.ts';
import { groupByRun, type RunPicks } from '../picks/pick.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import { checkVoxelSize, gridFrom, needVoxelSize, requireOption, type VoxelSizeOption } from './file-context.ts';
import { checkedFormat, fileWarner, type PicksFormat } from './format.ts';
import { checkedPicks, instanceIn, numberIn, pickFrom, scoreIn } from './pick-fields.ts';

/** Options of {@link napariFormat}. */
export interface NapariFormatOptions extends VoxelSizeOption {
  /** Run of all rows of a table without a column `run`. */
  readonly run?: string | undefined;
  /** Object of all rows of a table without a column `object`. */
  readonly object?: string | undefined;
}

const code = 'invalid-picks';
const name = 'napari points CSV';
const axes = ['axis-0', 'axis-1', 'axis-2'];
/** The other columns; all but the index are features of the points. */
const fields = ['index', 'run', 'object', 'score', 'instance_id'];

/**
 * CSV of a points layer of napari: `index, axis-0, axis-1, axis-2`, in the order z, y, x. The unit is that of the layer: voxels
 * for a layer over an image in voxels. For points in Å, give 1 as voxel size. In a layer of four axes or more, z, y, x are the last
 * three, and the others, such as time, must be the same for all points.
 *
 * Run, object, score and instance id are further columns, like the features of points that napari writes. Napari's own reader
 * ignores them; this one reads them.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: napariFormat({ run: 'TS_5_4', object: 'ribosome', voxelSize: 10 }) });
 * ```
 */
export function napariFormat(options: NapariFormatOptions = {}): PicksFormat {
  requireOptions('napariFormat', options, { run: optional(text), object: optional(text), voxelSize: anything });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }));
  return checkedFormat({
    name,
    content: 'text',
    losses: [{ part: 'orientation', what: 'points of napari have no orientation' }],
    leftOut: (text, source) => unreadColumns(text, { required: axes, source, code, read: [...fields, ...axes] }),
    parse(text, source, reports = {}) {
      const placement = grid();
      const rows = readCsvTable(text, { required: axes, source, code });
      const spatial = spatialAxes(rows, { source, warn: fileWarner(source, reports) });
      return groupByRun(
        rows.map((row) => {
          const place = `${source}, line ${row.line}`;
          const [z, y, x] = spatial.map((axis) => numberIn(row.cell(axis), { what: axis, place }));
          const found = {
            object: requireOption(row.cell('object') ?? options.object, { name: 'object', place }),
            position: toPhysical(placement, [z!, y!, x!]),
            score: scoreIn(row.cell('score'), { what: 'score', place }),
            instance: instanceIn(row.cell('instance_id'), { what: 'instance_id', place }),
          };
          return {
            run: requireOption(row.cell('run') ?? options.run, { name: 'run', place }),
            pick: pickFrom(found, place),
          };
        }),
      );
    },
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const placement = grid();
      const data = picks.map(({ run, pick }, index) => {
        const [z, y, x] = toVoxel(placement, pick.position);
        return [index, z, y, x, run, pick.object, pick.score, String(pick.instanceId ?? 0)];
      });
      const [index, ...features] = fields;
      // Papaparse ends a table without rows in a line break, but not a table with rows.
      return `${Papa.unparse({ fields: [index!, ...axes, ...features], data }, { newline: '\n' }).replace(/\n$/, '')}\n`;
    },
  });
}

interface AxesContext {
  readonly source: string;
  readonly warn: (code: string, message: string) => void;
}

/** The columns of z, y and x: the last three axes of the layer. */
function spatialAxes(rows: readonly CsvRow[], { source, warn }: AxesContext): readonly string[] {
  const [first] = rows;
  if (first === undefined) return axes;
  if (first.cell('shape-type') !== undefined) {
    throw new CryoetPicksError(
      code,
      `${source} is a shapes layer of napari, whose rows are corners; save a points layer`,
    );
  }
  let count = axes.length;
  while (first.cell(`axis-${count}`) !== undefined) count++;
  const all = Array.from({ length: count }, (_, axis) => `axis-${axis}`);
  const others = all.slice(0, -3);
  const at = (row: CsvRow, axis: string) =>
    numberIn(row.cell(axis), { what: axis, place: `${source}, line ${row.line}` });
  const varying = others.find((axis) => rows.some((row) => at(row, axis) !== at(first, axis)));
  if (varying !== undefined) {
    throw new CryoetPicksError(
      code,
      `${source} has points along ${count} axes, of which the last three are z, y, x, and ${varying} is not the same for all points; save one time or channel`,
    );
  }
  if (others.length > 0) {
    warn(
      'axes-ignored',
      `${source} has points along ${count} axes: the last three are read as z, y, x, ${others.join(', ')} is ignored`,
    );
  }
  return all.slice(-3);
}
