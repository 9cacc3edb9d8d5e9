import { formatSpacing } from '../copick/layout.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { isUnknownVoxelSize } from '../detect/voxel-size.ts';
import { formatRequirements, type PicksFormatName } from '../formats/by-name.ts';
import { isSameVoxelSize } from '../formats/file-context.ts';
import type { Tomogram } from '../ome-zarr/tomogram.ts';
import { counted } from '../page/counted.ts';
import { formatZyx, type Point, sizesAgree, type Zyx } from '../space/grid.ts';
import type { TomogramName } from './command.ts';
import { UsageError } from './terminal.ts';

/** The tomogram of a run, with its voxel size in Å and its shape. */
export interface RunGrid {
  /** `denoised@10.000` */
  readonly tomogram: string;
  readonly voxelSize: Zyx;
  readonly shape: Zyx;
  /** The centre of voxel 0, in Å. */
  readonly origin: Point;
}

/** Options of {@link gridOfRun}. */
export interface RunGridOptions {
  /** Which tomogram. @defaultValue any of the finest voxel spacing */
  readonly tomogram?: TomogramName | undefined;
  readonly signal: AbortSignal;
}

/**
 * The grid of a tomogram of a run.
 *
 * @throws {@link CryoetPicksError} `not-found` if there is no such tomogram; `invalid-option` if those of the finest spacing differ;
 *   what opening throws if none can be opened.
 */
export async function gridOfRun(run: Run, { tomogram: wanted, signal }: RunGridOptions): Promise<RunGrid> {
  const all = await run.tomograms({ ...wanted, signal });
  const [finest] = all;
  if (finest === undefined) throw await missing(run, { tomogram: wanted, signal });
  const candidates = all.filter(({ voxelSpacing }) => voxelSpacing === finest.voxelSpacing);
  const grids: RunGrid[] = [];
  let firstError: unknown;
  for (const { type, voxelSpacing, open } of candidates) {
    try {
      grids.push(gridOf(`${type}@${formatSpacing(voxelSpacing)}`, await open({ signal })));
    } catch (error) {
      signal.throwIfAborted();
      firstError ??= error;
    }
  }
  const [first] = grids;
  if (first === undefined) throw firstError;
  const other = grids.find((grid) => !isSameGrid(grid, first));
  if (other === undefined) return first;
  throw new CryoetPicksError(
    'invalid-option',
    `run "${run.name}" has ${describeGrid(first)} and ${describeGrid(other)}; select one by --tomogram`,
  );
}

function gridOf(tomogram: string, { grid: { voxelSize, shape, origin } }: Tomogram): RunGrid {
  return { tomogram, voxelSize, shape, origin };
}

/**
 * The voxel size of a tomogram.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for 1 Å, which programs write if they do not know it.
 */
export function knownVoxelSize(grid: RunGrid, run: string): Zyx {
  if (!isUnknownVoxelSize(grid)) return grid.voxelSize;
  throw new CryoetPicksError(
    'invalid-option',
    `the voxel size of ${grid.tomogram} of run "${run}" is exactly 1 Å, which programs write if they do not know it; give it`,
    { option: 'voxelSize' },
  );
}

async function missing(run: Run, { tomogram, signal }: RunGridOptions): Promise<CryoetPicksError> {
  const all = (await run.tomograms({ signal })).map((one) => `${one.type}@${formatSpacing(one.voxelSpacing)}`);
  const at = tomogram?.voxelSpacing === undefined ? '' : `@${tomogram.voxelSpacing}`;
  const what = tomogram === undefined ? 'no tomogram' : `no tomogram ${tomogram.type}${at}`;
  return new CryoetPicksError(
    'not-found',
    `run "${run.name}" has ${what} to take voxel size and shape from; available: ${listNames(all)}`,
    { available: all },
  );
}

function isSameGrid(a: RunGrid, b: RunGrid): boolean {
  return isSameVoxelSize(a.voxelSize, b.voxelSize) && a.shape.every((count, axis) => count === b.shape[axis]);
}

/** `denoised@10.012 of 184×630×630 voxels of 10.012 Å`. */
export function describeGrid({ tomogram, shape, voxelSize }: RunGrid): string {
  const sizes = [...new Set(voxelSize.map((length) => String(Number(length.toFixed(4)))))].join('×');
  return `${tomogram} of ${formatZyx(shape)} voxels of ${sizes} Å`;
}

/** Voxel size and shape given by options. */
export interface GivenGrid {
  readonly voxelSize?: number | undefined;
  readonly shape?: Zyx | undefined;
}

/**
 * Throws unless a given voxel size, or shape, agrees with the tomogram that the other is taken from.
 *
 * @throws {@link UsageError}.
 */
export function checkGiven(grid: RunGrid, { voxelSize, shape }: GivenGrid): void {
  const isSize = voxelSize === undefined || sizesAgree(grid.voxelSize, voxelSize);
  const isShape = shape === undefined || shape.every((count, axis) => count === grid.shape[axis]);
  if (isSize && isShape) return;
  const [given, other] = isSize ? ['--shape', '--voxel-size'] : ['--voxel-size', '--shape'];
  throw new UsageError(
    `${given} does not agree with ${describeGrid(grid)}; select another tomogram by --tomogram, or give ${other} too`,
  );
}

/** The tomograms that voxel size and shape were taken from, one line for all that are alike. */
export function gridLines(grids: ReadonlyMap<string, RunGrid>): string[] {
  const runs = new Map<string, number>();
  for (const grid of grids.values()) runs.set(describeGrid(grid), (runs.get(describeGrid(grid)) ?? 0) + 1);
  return [...runs].map(([what, count]) => `voxels as in ${what} (${counted(count, 'run')})`);
}

/** What is known of the voxels of a file, and its format. */
export interface NeededGridOptions extends GivenGrid, RunGridOptions {
  readonly to: PicksFormatName;
}

/**
 * The grid of a run for a file of a format; undefined if the format needs none, or options give it.
 *
 * @throws {@link CryoetPicksError} As {@link gridOfRun} and {@link knownVoxelSize}; {@link UsageError} as {@link checkGiven}.
 */
export async function neededGrid(
  run: Run,
  { to, voxelSize, shape, tomogram, signal }: NeededGridOptions,
): Promise<RunGrid | undefined> {
  const { tomogram: need } = formatRequirements[to];
  const isNeeded = voxelSize === undefined || (need === 'voxelSizeAndShape' && shape === undefined);
  if (need === undefined || !isNeeded) return undefined;
  const grid = await gridOfRun(run, { tomogram, signal });
  checkGiven(grid, { voxelSize, shape });
  if (voxelSize === undefined) knownVoxelSize(grid, run.name);
  return grid;
}
