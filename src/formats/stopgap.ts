import { oneOf, requireOptions } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { TextContent } from '../core/text-pieces.ts';
import type { RunPicks } from '../picks/pick.ts';
import { rotationFromEuler } from '../picks/rotation.ts';
import { toPhysical, toVoxel, type VoxelPlacement } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridFrom,
  gridsByRun,
  needVoxelSize,
  numberedRuns,
  numberObjects,
  numberRuns,
  type ObjectNames,
  objectOf,
  type RunNames,
  type RunVoxelSizesOption,
  tableRules,
  type VoxelSizeOption,
} from './file-context.ts';
import { checkedFormat, fileWarner, type ParseReports, type PicksFormat } from './format.ts';
import {
  type CheckedPick,
  checkedAngles,
  eachInPieces,
  mapped,
  numberedInstance,
  pickFrom,
  picksToWrite,
} from './pick-fields.ts';
import { onlyTable, type StarRow, type StarTable, starPieces, starSteps, unreadLabels } from './star.ts';

/** Options of {@link stopgapFormat}. */
export interface StopgapFormatOptions extends VoxelSizeOption, RunVoxelSizesOption, ObjectNames, RunNames {
  /**
   * The coordinate of the first voxel in `orig_x` …: 1 in STOPGAP itself, as in MATLAB; 0 in files of the data portal.
   * @defaultValue 1
   */
  readonly firstVoxel?: 0 | 1 | undefined;
}

const name = 'STOPGAP motive list';
const labels = [
  ...['motl_idx', 'tomo_num', 'object', 'subtomo_num', 'halfset', 'orig_x', 'orig_y', 'orig_z', 'score'],
  ...['x_shift', 'y_shift', 'z_shift', 'phi', 'psi', 'the', 'class'],
];

/** The labels that are read; `motl_idx`, `subtomo_num` and `halfset` number the rows of a refinement. */
const readLabels: ReadonlySet<string> = new Set(labels);

/**
 * Motive list of STOPGAP, a STAR file: `orig_x` … in voxels plus shifts, and the angles phi, psi, the, as in TOM.
 *
 * The object is `class`, the instance id `object` (0 means none), the run `tomo_num`; options give the names of the numbers.
 *
 * @example
 * ```ts
 * const format = stopgapFormat({ voxelSize: 10, objects: { 1: 'ribosome' }, runs: { 3: 'TS_003' } });
 * ```
 */
export function stopgapFormat(options: StopgapFormatOptions = {}): PicksFormat {
  requireOptions('stopgapFormat', options, { ...tableRules, firstVoxel: oneOf(0, 1, undefined) });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const { firstVoxel = 1 } = options;
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }), firstVoxel);
  return checkedFormat({
    name,
    content: 'text',
    losses: [
      { part: 'object', what: 'STOPGAP has class numbers, not names' },
      { part: 'run', what: 'STOPGAP has tomogram numbers, not names' },
    ],
    *leftOut(content, source) {
      return unreadLabels(motiveListOf(yield* starSteps(content, { source }), source), readLabels);
    },
    parse: (content, source, reports) =>
      parse(content, source, { ...options, reports, gridOf: gridsByRun(options, { firstVoxel, place: name }) }),
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const placement = grid();
      const objectNumber = numberObjects(picks, options);
      const runNumber = numberRuns(picks, options);
      const rowOf = (checked: CheckedPick, index: number) => {
        const { position, score } = checked.pick;
        const [z, y, x] = toVoxel(placement, position);
        const [phi, theta, psi] = checkedAngles(checked, 'tom');
        const lead = [
          index + 1,
          runNumber(checked),
          numberedInstance(checked, name),
          index + 1,
          index % 2 === 0 ? 'A' : 'B',
        ];
        return [...lead, x, y, z, score, 0, 0, 0, phi, psi, theta, objectNumber(checked)];
      };
      yield* starPieces([{ name: 'stopgap_motivelist', labels, rows: mapped(picks.each(), rowOf) }]);
    },
  });
}

type Reading = StopgapFormatOptions & {
  readonly gridOf: ReturnType<typeof gridsByRun>;
  readonly reports: ParseReports;
};

function motiveListOf(tables: readonly StarTable[], source: string): StarTable | undefined {
  const isWanted = ({ name: block }: StarTable) => block === 'stopgap_motivelist';
  return onlyTable(tables, { source, isWanted, what: 'particles' });
}

function* parse(content: TextContent, source: string, options: Reading): Steps<RunPicks[]> {
  const tables = yield* starSteps(content, { source, warn: fileWarner(source, options.reports) });
  const table = motiveListOf(tables, source);
  if (table === undefined) {
    const found = tables.map((candidate) => `data_${candidate.name}`).join(', ') || 'no block';
    throw new CryoetPicksError('invalid-picks', `${source}: expected data_stopgap_motivelist; found ${found}`);
  }
  const runs = numberedRuns(options, source);
  yield* eachInPieces(table.rows(), (row) => {
    const number = need(row, 'tomo_num');
    runs.add(number, readPick(row, { ...options, grid: options.gridOf(runs.nameOf(number)) }));
  });
  return runs.all();
}

function readPick(row: StarRow, options: ObjectNames & { readonly grid: VoxelPlacement }): RunPicks['picks'][number] {
  const along = (axis: string) => need(row, `orig_${axis}`) + (row.number(`${axis}_shift`) ?? 0);
  const [phi, theta, psi] = [row.number('phi') ?? 0, row.number('the') ?? 0, row.number('psi') ?? 0];
  const found = {
    object: objectOf(row.number('class') ?? 1, options, row.place),
    position: toPhysical(options.grid, [along('z'), along('y'), along('x')]),
    score: row.number('score'),
    instance: row.number('object'),
    rotation: rotationFromEuler([phi, theta, psi], 'tom'),
  };
  return pickFrom(found, row.place);
}

function need(row: StarRow, label: string): number {
  const value = row.number(label);
  if (value !== undefined) return value;
  throw new CryoetPicksError('invalid-picks', `${row.place}: no label _${label}`);
}
