import { anything, optional, record, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type CsvRow, csvLine, csvSteps, unreadColumns } from '../picks/csv.ts';
import { picksByRun } from '../picks/pick.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridFrom,
  gridsByRun,
  needVoxelSize,
  type RunVoxelSizesOption,
  requireOption,
  type VoxelSizeOption,
} from './file-context.ts';
import { checkedFormat, fileWarner, type PicksFormat } from './format.ts';
import { instanceIn, linesOf, numberIn, pickFrom, picksToWrite, scoreIn } from './pick-fields.ts';

/** Options of {@link napariFormat}. */
export interface NapariFormatOptions extends VoxelSizeOption, RunVoxelSizesOption {
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
  requireOptions('napariFormat', options, {
    run: optional(text),
    object: optional(text),
    voxelSize: anything,
    voxelSizes: optional(record),
  });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }));
  return checkedFormat({
    name,
    content: 'text',
    losses: [{ part: 'orientation', what: 'points of napari have no orientation' }],
    leftOut: (content, source) => unreadColumns(content, { required: axes, source, code }, () => [...fields, ...axes]),
    *parse(content, source, reports) {
      const gridOf = gridsByRun(options, { place: name });
      const runs = picksByRun();
      yield* csvSteps(content, { required: axes, source, code }, (header) => {
        const { spatial, check } = layerAxes(header, { source, warn: fileWarner(source, reports) });
        return (row) => {
          const place = `${source}, line ${row.line}`;
          check(row);
          const [z, y, x] = spatial.map((axis) => numberIn(row.cell(axis), { what: axis, place }));
          const run = requireOption(row.cell('run') ?? options.run, { name: 'run', place });
          const found = {
            object: requireOption(row.cell('object') ?? options.object, { name: 'object', place }),
            position: toPhysical(gridOf(run), [z!, y!, x!]),
            score: scoreIn(row.cell('score'), { what: 'score', place }),
            instance: instanceIn(row.cell('instance_id'), { what: 'instance_id', place }),
          };
          runs.add(run, pickFrom(found, place));
        };
      });
      return runs.all();
    },
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const placement = grid();
      const [index, ...features] = fields;
      yield csvLine([index!, ...axes, ...features]);
      yield* linesOf(picks.each(), ({ run, pick }, number) => {
        const [z, y, x] = toVoxel(placement, pick.position);
        return csvLine([number, z, y, x, run, pick.object, pick.score, String(pick.instanceId ?? 0)]);
      });
    },
  });
}

interface AxesContext {
  readonly source: string;
  readonly warn: (code: string, message: string) => void;
}

/** The columns of z, y and x, the last three axes of the layer, and a check of each row. */
function layerAxes(
  header: readonly string[],
  { source, warn }: AxesContext,
): { readonly spatial: readonly string[]; check(row: CsvRow): void } {
  let count = axes.length;
  while (header.includes(`axis-${count}`)) count++;
  const all = Array.from({ length: count }, (_, axis) => `axis-${axis}`);
  const others = all.slice(0, -3);
  const at = (row: CsvRow) =>
    others.map((axis) => numberIn(row.cell(axis), { what: axis, place: `${source}, line ${row.line}` }));
  let first: readonly number[] | undefined;
  const begin = (row: CsvRow) => {
    if (header.includes('shape-type')) {
      throw new CryoetPicksError(
        code,
        `${source} is a shapes layer of napari, whose rows are corners; save a points layer`,
      );
    }
    if (others.length > 0) {
      warn(
        'axes-ignored',
        `${source} has points along ${count} axes: the last three are read as z, y, x, ${others.join(', ')} is ignored`,
      );
    }
    return at(row);
  };
  return {
    spatial: all.slice(-3),
    check(row) {
      first ??= begin(row);
      if (others.length === 0) return;
      const varying = others[at(row).findIndex((value, axis) => value !== first![axis])];
      if (varying === undefined) return;
      throw new CryoetPicksError(
        code,
        `${source} has points along ${count} axes, of which the last three are z, y, x, and ${varying} is not the same for all points; save one time or channel`,
      );
    },
  };
}
