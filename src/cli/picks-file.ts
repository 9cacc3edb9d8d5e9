import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import {
  detectPicksFormat,
  type FormatOptions,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
  picksFormatOfPath,
} from '../formats/by-name.ts';
import type { NamesByNumber } from '../formats/file-context.ts';
import { decodePicks, leftOutOf, type PointsColumn, type TableColumn } from '../formats/format.ts';
import type { RunPicks } from '../picks/pick.ts';
import type { Zyx } from '../space/grid.ts';
import { beginningOf } from './files.ts';
import { UsageError } from './terminal.ts';

/** The arguments of commands that read a picks file. */
export interface PicksFileInput {
  /** Its path. */
  readonly input: string;
  readonly from?: PicksFormatName | undefined;
  /** What the columns of a plain table are. */
  readonly columns?: readonly PointsColumn[] | undefined;
  readonly voxelSize?: number | undefined;
  readonly shape?: Zyx | undefined;
  /** What coordinates of RELION are. */
  readonly coordinates?: FormatOptions['coordinates'];
  /** One is the object of all picks, or of all class numbers; several are the names of classes 1, 2, … */
  readonly object?: readonly string[] | undefined;
}

/** A picks file whose format is known. */
export interface PicksFile {
  readonly from: PicksFormatName;
  /** The objects by class number, if several are given. */
  readonly objects: NamesByNumber | undefined;
  /**
   * Reads it. Runs are named as the file names them, which may be by number.
   *
   * @param more - What the file lacks and the arguments do not give, such as the grid of a tomogram.
   * @throws {@link CryoetPicksError} As the format does.
   */
  read(more?: FormatOptions): Promise<PicksRead>;
  /** What the file contains that picks cannot hold, or that is not read: a line each. */
  leftOut(): Promise<readonly string[]>;
}

/** What a picks file holds, and what was seen while it was read. */
export interface PicksRead {
  readonly runs: readonly RunPicks[];
  readonly warnings: readonly Warning[];
  /** What the columns of a table were taken for; empty where their names leave no doubt, and for other files. */
  readonly columns: readonly TableColumn[];
}

/** Options of {@link openPicksFile}. */
export interface PicksFileContent {
  readonly bytes: Uint8Array;
  readonly signal: AbortSignal;
  /** The run of all picks, if the file names none. */
  readonly run?: string | undefined;
}

/**
 * Finds the format of a picks file.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for an empty file; {@link UsageError} for an extension that no format has, and for
 *   `--columns` of a file that is not a plain table.
 */
export function openPicksFile(input: PicksFileInput, { bytes, run, signal }: PicksFileContent): PicksFile {
  const { input: path, columns, voxelSize, shape, coordinates, object = [] } = input;
  if (bytes.length === 0) throw new CryoetPicksError('invalid-picks', `picks file ${path} is empty`, { path });
  const detected = () => (columns === undefined ? detectPicksFormat(path, beginningOf(bytes)) : 'points');
  const from = input.from ?? orNamedBy('--from', detected);
  if (columns !== undefined && from !== 'points') {
    throw new UsageError(`--columns applies to plain tables (--from points), but the format is ${from}`);
  }
  const objects = object.length > 1 ? Object.fromEntries(object.map((name, index) => [index + 1, name])) : undefined;
  const options: FormatOptions = {
    ...{ voxelSize, shape, columns, coordinates, objects },
    object: object.length === 1 ? object[0] : undefined,
    // Numbers are the names of such runs, so that none is needed.
    run: formatRequirements[from].numbersRuns ? undefined : run,
  };
  return {
    from,
    objects,
    leftOut: () => leftOutOf(bytes, { format: picksFormat(from, options), source: path, signal }),
    async read(more = {}) {
      const warnings: Warning[] = [];
      const read: TableColumn[] = [];
      const runs = await decodePicks(bytes, {
        format: picksFormat(from, { ...options, ...more }),
        source: path,
        signal,
        onWarning: (warning) => void warnings.push(warning),
        onColumns: (columns) => void read.push(...columns),
      });
      return { runs, warnings, columns: read };
    },
  };
}

/**
 * The format of a picks file to write: that of `--to`, or else the one of the file's extension.
 *
 * @throws {@link UsageError} if several formats have the extension, or none.
 */
export function formatToWrite(path: string, to: PicksFormatName | undefined): PicksFormatName {
  return to ?? orNamedBy('--to', () => picksFormatOfPath(path));
}

/** The format that is found; where none is, the error names the option that gives it. */
function orNamedBy(flag: '--from' | '--to', find: () => PicksFormatName): PicksFormatName {
  try {
    return find();
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    throw new UsageError(`${error.message} (option ${flag})`, { cause: error });
  }
}

/** The formats that count in Å, whatever the voxel size. */
const inAngstrom: readonly PicksFormatName[] = ['csv', 'submission', 'copick', 'cmm'];

/** The warning for a voxel size that is given, but not used, because both formats count in Å; none otherwise. */
export function unusedVoxelSize(
  { input, voxelSize }: PicksFileInput,
  { from, to }: { readonly from: PicksFormatName; readonly to: PicksFormatName },
): Warning[] {
  if (voxelSize === undefined || !inAngstrom.includes(from) || !inAngstrom.includes(to)) return [];
  const advice = 'if its numbers are voxels, name it by --from points';
  const message = `${input} (${from}) counts in Å, and so does ${to}: --voxel-size is not used; ${advice}`;
  return [{ code: 'voxel-size-unused', message, path: input }];
}

/** `columns: 1 "particle" not read, 2 "coord_x" is x`. */
export function describeColumns(columns: readonly TableColumn[]): string {
  const described = columns.map(({ column, name, as }) => {
    return `${column}${name === undefined ? '' : ` ${JSON.stringify(name)}`} ${as === '-' ? 'not read' : `is ${as}`}`;
  });
  return `columns: ${described.join(', ')}`;
}
