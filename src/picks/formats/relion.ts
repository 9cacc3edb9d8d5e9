import { CryoetPicksError } from '../../errors.ts';
import { toVoxel, type VoxelPlacement } from '../../space/grid.ts';
import type { Zyx } from '../../space/zyx.ts';
import type { RunPicks } from '../run-picks.ts';
import { type CheckedPick, checkedAngles, checkedPicks } from './checked.ts';
import {
  checkVoxelSize,
  gridAround,
  gridFrom,
  needVoxelSize,
  type RunShapesOption,
  type ShapeOption,
  shapesByRun,
  type VoxelSizeOption,
} from './file-grid.ts';
import type { Loss, PicksFormat } from './format.ts';
import { numberedInstance } from './instance-id.ts';
import { numberObjects, type ObjectNames } from './numbered-names.ts';
import { parseRelion } from './relion-rows.ts';
import { formatStar, type StarBlock } from './star.ts';

/** Options of {@link relion3Format} and {@link relion4Format}. */
export interface RelionFormatOptions extends VoxelSizeOption, ObjectNames {
  /** Run of all rows where the table has neither `rlnTomoName` nor `rlnMicrographName`. */
  readonly run?: string | undefined;
}

/** Options of {@link relion5Format}. */
export interface Relion5FormatOptions extends RelionFormatOptions, ShapeOption, RunShapesOption {
  /**
   * Where RELION 5 has its origin: `half` is at voxel `size / 2`, as its extraction has it (`TomogramSet::loadTomogram`);
   * `half-less-one` at voxel `size / 2 − 1`, as its own picking tools write (3dem/relion#1137).
   * @defaultValue `'half'`
   */
  readonly centre?: 'half' | 'half-less-one' | undefined;
}

const objectLoss: Loss = { part: 'object', what: 'RELION has class numbers, not names' };

/**
 * STAR of RELION 3, as Warp and M write it: `rlnCoordinateX` … in voxels, origins in voxels, `rlnMicrographName`.
 *
 * Reading takes any table of RELION 3, 4 or 5 (the last needs `relion5Format`, which knows the centre). The score is
 * `rlnAutopickFigureOfMerit`, the instance id `rlnHelicalTubeID`, the object `rlnClassNumber`, named by the options.
 *
 * @example
 * ```ts
 * const runs = parsePicks(text, { format: relion3Format({ voxelSize: 10, object: 'ribosome' }) });
 * ```
 */
export function relion3Format(options: RelionFormatOptions = {}): PicksFormat {
  return relionFormat('RELION 3 STAR', options, (picks, columns) => {
    const grid = gridFrom(columns.voxelSize);
    return [
      tableOf(picks, {
        ...columns,
        block: '',
        labels: ['rlnMicrographName', 'rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'],
        lead: (pick) => [pick.run, ...coordinates(grid, pick)],
        // One pixel at a magnification of 10,000 takes as many µm on the detector as it has Å.
        more: { rlnMagnification: 10000, rlnDetectorPixelSize: columns.voxelSize[2] },
      }),
    ];
  });
}

/**
 * STAR of RELION 4: `rlnTomoName`, and `rlnCoordinateX` … in pixels of the tilt series, whose size is in the optics table.
 *
 * `voxelSize` is the size of those pixels, not of the binned tomogram that was picked in. See {@link relion3Format}.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: relion4Format({ voxelSize: 1.54 }) });
 * ```
 */
export function relion4Format(options: RelionFormatOptions = {}): PicksFormat {
  return relionFormat('RELION 4 STAR', options, (picks, columns) => {
    const grid = gridFrom(columns.voxelSize);
    return [
      {
        name: 'optics',
        labels: ['rlnOpticsGroup', 'rlnOpticsGroupName', 'rlnTomoTiltSeriesPixelSize'],
        rows: [[1, 'opticsGroup1', columns.voxelSize[2]]],
      },
      tableOf(picks, {
        ...columns,
        block: 'particles',
        labels: ['rlnTomoName', 'rlnCoordinateX', 'rlnCoordinateY', 'rlnCoordinateZ'],
        lead: (pick) => [pick.run, ...coordinates(grid, pick)],
        more: { rlnOpticsGroup: 1 },
      }),
    ];
  });
}

/**
 * STAR of RELION 5: `rlnCenteredCoordinateXAngst` …, in Å from the centre of the tomogram.
 *
 * Needs the shape and voxel size of a tomogram to know the centre; any binning does. Where tomograms have several shapes,
 * `shapes` has them by run. See {@link relion3Format}.
 *
 * @example
 * ```ts
 * const format = relion5Format({ shape: [184, 630, 630], voxelSize: 10.012, object: 'ribosome' });
 * ```
 */
export function relion5Format(options: Relion5FormatOptions = {}): PicksFormat {
  const shapeOf = shapesByRun(options);
  const less = options.centre === 'half-less-one' ? 1 : 0;
  const centreOf = (run: string) => shapeOf(run)?.map((count) => count / 2 - less) as unknown as Zyx | undefined;
  return relionFormat('RELION 5 STAR', { ...options, centreOf }, (picks, columns) => {
    const gridOf = (run: string) => {
      const centre = centreOf(run);
      if (centre !== undefined) return gridAround(centre, { voxelSize: columns.voxelSize, step: [1, 1, 1] });
      throw new CryoetPicksError(
        'invalid-option',
        'RELION 5 counts from the centre of the tomogram; give the options shape, in voxels, and voxelSize, in Å',
      );
    };
    const grids = new Map([...new Set(picks.map(({ run }) => run))].map((run) => [run, gridOf(run)]));
    const labels = ['X', 'Y', 'Z'].map((axis) => `rlnCenteredCoordinate${axis}Angst`);
    return [
      tableOf(picks, {
        ...columns,
        block: 'particles',
        labels: ['rlnTomoName', ...labels],
        lead: (pick) => [pick.run, ...coordinates(grids.get(pick.run)!, pick)],
        more: {},
      }),
    ];
  });
}

interface Columns {
  readonly voxelSize: Zyx;
  readonly numberOf: (pick: CheckedPick) => number;
}

type BlocksOf = (picks: readonly CheckedPick[], columns: Columns) => StarBlock[];

function relionFormat(
  name: string,
  options: RelionFormatOptions & { readonly centreOf?: ((run: string) => Zyx | undefined) | undefined },
  blocksOf: BlocksOf,
): PicksFormat {
  const { centreOf = () => undefined, run, object, objects } = options;
  const voxelSize = checkVoxelSize(options.voxelSize);
  return {
    name,
    content: 'text',
    losses: [objectLoss],
    parse: (text, source) => parseRelion(text, source, { voxelSize, centreOf, run, object, objects }),
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const numberOf = numberObjects(picks, { objects });
      return formatStar(blocksOf(picks, { voxelSize: needVoxelSize(voxelSize, { place: name }), numberOf }));
    },
  };
}

interface TableOptions extends Columns {
  readonly block: string;
  readonly labels: readonly string[];
  readonly lead: (pick: CheckedPick) => readonly (string | number)[];
  /** Columns with the same number in every row. */
  readonly more: Readonly<Record<string, number>>;
}

function tableOf(picks: readonly CheckedPick[], { block, labels, lead, more, numberOf }: TableOptions): StarBlock {
  const withInstance = picks.some(({ pick }) => pick.instanceId !== undefined);
  return {
    name: block,
    labels: [
      ...labels,
      ...['rlnAngleRot', 'rlnAngleTilt', 'rlnAnglePsi', 'rlnClassNumber', 'rlnAutopickFigureOfMerit'],
      ...(withInstance ? ['rlnHelicalTubeID'] : []),
      ...Object.keys(more),
    ],
    rows: picks.map((checked) => [
      ...lead(checked),
      ...checkedAngles(checked, 'relion'),
      numberOf(checked),
      checked.pick.score,
      ...(withInstance ? [numberedInstance(checked, 'RELION')] : []),
      ...Object.values(more),
    ]),
  };
}

function coordinates(grid: VoxelPlacement, { pick }: CheckedPick): [number, number, number] {
  const [z, y, x] = toVoxel(grid, pick.position);
  return [x, y, z];
}
