import Papa from 'papaparse';
import { CryoetPicksError } from '../core/errors.ts';
import { type CsvRow, parseNumber, readCsvTable } from '../picks/csv.ts';
import { groupByRun, type RunPicks } from '../picks/pick.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import { checkVoxelSize, gridFrom, needVoxelSize, requireOption, type VoxelSizeOption } from './file-context.ts';
import type { PicksFormat } from './format.ts';
import { checkedPicks, parseInstanceId, pickFrom } from './pick-fields.ts';

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

/**
 * CSV of a points layer of napari: `index, axis-0, axis-1, axis-2`, in the order z, y, x. The unit is that of the layer: voxels
 * for a layer over an image in voxels. For points in Å, give 1 as voxel size.
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
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }));
  return {
    name,
    content: 'text',
    losses: [{ part: 'orientation', what: 'points of napari have no orientation' }],
    parse(text, source) {
      const placement = grid();
      return groupByRun(
        readCsvTable(text, { required: axes, source, code }).map((row) => {
          const place = `${source}, line ${row.line}`;
          const [z, y, x] = axes.map((axis) => numberIn(row, axis, place)!);
          const found = {
            object: requireOption(row.cell('object') ?? options.object, { name: 'object', place }),
            position: toPhysical(placement, [z!, y!, x!]),
            score: numberIn(row, 'score', place),
            instance: instanceIn(row, place),
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
      const fields = ['index', ...axes, 'run', 'object', 'score', 'instance_id'];
      // Papaparse ends a table without rows in a line break, but not a table with rows.
      return `${Papa.unparse({ fields, data }, { newline: '\n' }).replace(/\n$/, '')}\n`;
    },
  };
}

function instanceIn(row: CsvRow, place: string): number | bigint | undefined {
  const cell = row.cell('instance_id');
  const value = cell === undefined ? undefined : parseInstanceId(cell);
  if (cell === undefined || value !== undefined) return value;
  throw new CryoetPicksError(code, `${place}: instance_id is ${JSON.stringify(cell)}; expected a whole number`);
}

function numberIn(row: CsvRow, column: string, place: string): number | undefined {
  const cell = row.cell(column);
  if (cell === undefined) return undefined;
  const value = parseNumber(cell);
  if (value !== undefined && Number.isFinite(value)) return value;
  throw new CryoetPicksError(code, `${place}: ${column} is ${JSON.stringify(cell)}; expected a finite number`);
}
