import { oneOf, requireOptions } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { groupByRun, type RunPicks } from '../picks/pick.ts';
import { rotationFromEuler } from '../picks/rotation.ts';
import { toPhysical, toVoxel } from '../space/grid.ts';
import {
  checkVoxelSize,
  gridFrom,
  needVoxelSize,
  numberObjects,
  numberRuns,
  type ObjectNames,
  objectOf,
  type RunNames,
  runsOf,
  tableRules,
  type VoxelSizeOption,
} from './file-context.ts';
import { checkedFormat, fileWarner, type ParseReports, type PicksFormat } from './format.ts';
import { checkedAngles, checkedPicks, numberedInstance, pickFrom } from './pick-fields.ts';
import { formatStar, onlyTable, parseStar, type StarRow, type StarTable, unreadLabels } from './star.ts';

/** Options of {@link stopgapFormat}. */
export interface StopgapFormatOptions extends VoxelSizeOption, ObjectNames, RunNames {
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
    leftOut: (text, source) => unreadLabels(motiveListOf(parseStar(text, { source }), source), readLabels),
    parse: (text, source, reports = {}) => parse(text, source, { ...options, reports, grid: grid() }),
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const placement = grid();
      const objectNumber = numberObjects(picks, options);
      const runNumber = numberRuns(picks, options);
      const rows = picks.map((checked, index) => {
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
      });
      return formatStar([{ name: 'stopgap_motivelist', labels, rows }]);
    },
  });
}

type Reading = StopgapFormatOptions & { readonly grid: ReturnType<typeof gridFrom>; readonly reports: ParseReports };

function motiveListOf(tables: readonly StarTable[], source: string): StarTable | undefined {
  const isWanted = ({ name: block }: StarTable) => block === 'stopgap_motivelist';
  return onlyTable(tables, { source, isWanted, what: 'particles' });
}

function parse(text: string, source: string, options: Reading): RunPicks[] {
  const tables = parseStar(text, { source, warn: fileWarner(source, options.reports) });
  const table = motiveListOf(tables, source);
  if (table === undefined) {
    const found = tables.map((candidate) => `data_${candidate.name}`).join(', ') || 'no block';
    throw new CryoetPicksError('invalid-picks', `${source}: expected data_stopgap_motivelist; found ${found}`);
  }
  const numbers = table.rows.map((row) => need(row, 'tomo_num'));
  const runName = runsOf(numbers, options, source);
  return groupByRun(table.rows.map((row, index) => ({ run: runName(numbers[index]!), pick: readPick(row, options) })));
}

function readPick(row: StarRow, options: Reading): RunPicks['picks'][number] {
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
