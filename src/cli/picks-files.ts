import { basename, join } from 'node:path';
import { listNames } from '../copick/problems.ts';
import { CryoetPicksError } from '../errors.ts';
import { type FormatOptions, formatNamed } from '../picks/formats/named.ts';
import type { FormatName } from '../picks/formats/names.ts';
import type { RunPicks } from '../picks/run-picks.ts';
import type { Zyx } from '../space/zyx.ts';
import { UsageError } from './failure.ts';
import { formatNeeds } from './format-needs.ts';
import { describeGrid, isSameVoxelSize, type RunGrid } from './run-grids.ts';

/** What {@link planFiles} makes files of. */
export interface FilesPlan {
  readonly runs: readonly RunPicks[];
  readonly to: FormatName;
  readonly output: string;
  /** True where `output` is a folder, which gets a file for each run. */
  readonly isFolder: boolean;
  /** What the format was told. */
  readonly options: FormatOptions;
  /** Tomograms by run, which tell what `options` do not. */
  readonly grids: ReadonlyMap<string, RunGrid>;
}

/** A file that is to be written. */
export interface PlannedFile {
  readonly path: string;
  readonly run?: string | undefined;
  /** Its content, as the format writes it. */
  format(): Uint8Array | string;
}

/**
 * Which files picks go into: one, or in a folder one for each run, and for each object where the format holds one.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for several runs or objects in a file of one, and for names that cannot be of
 *   files.
 */
export function planFiles(plan: FilesPlan): PlannedFile[] {
  const { runs, to, output, isFolder } = plan;
  if (!isFolder) {
    requireRoom(plan);
    return [{ path: output, format: () => formatPart(runs, plan) }];
  }
  const { extension, oneObject } = formatNeeds[to];
  const files = runs.flatMap((one): PlannedFile[] => {
    const { run } = one;
    const file = (name: string, part: RunPicks): PlannedFile => ({
      path: join(output, fileName(`${name}.${extension}`)),
      run,
      format: () => formatPart([part], plan),
    });
    if (oneObject !== true) return one.picks.length === 0 ? [] : [file(run, one)];
    return objectsOf([one]).map((object) =>
      file(`${run}_${object}`, { run, picks: one.picks.filter((pick) => pick.object === object) }),
    );
  });
  const twice = files.find(({ path }, index) => files.findIndex((other) => other.path === path) !== index);
  if (twice === undefined) return files;
  throw new CryoetPicksError(
    'invalid-picks',
    `two files would be called ${basename(twice.path)}; convert their runs or objects one by one`,
  );
}

/** The objects of picks, in order of first appearance. */
export function objectsOf(runs: readonly RunPicks[]): string[] {
  return [...new Set(runs.flatMap(({ picks }) => picks.map(({ object }) => object)))];
}

function requireRoom({ runs, to, output }: FilesPlan): void {
  const { oneRun, oneObject } = formatNeeds[to];
  const names = runs.filter(({ picks }) => picks.length > 0).map(({ run }) => run);
  const objects = objectsOf(runs);
  const refuse = (part: 'run' | 'object', found: readonly string[]) => {
    return new CryoetPicksError(
      'invalid-picks',
      `${formatNamed(to).name} holds one ${part} per file; found ${found.length}: ${listNames(found)}; ` +
        `name one by --${part}, or a folder to write several files to: ${output.replace(/\.[^./\\]+$/, '')}/`,
    );
  };
  if (oneRun && names.length > 1) throw refuse('run', names);
  if (oneObject && objects.length > 1) throw refuse('object', objects);
}

function fileName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL is what no file name may hold
  if (!/[/\\\u0000]/.test(name)) return name;
  throw new CryoetPicksError('invalid-picks', `no file can be called ${JSON.stringify(name)}`);
}

function formatPart(runs: readonly RunPicks[], { to, options, grids }: FilesPlan): Uint8Array | string {
  const found = runs.flatMap(({ run }) => grids.get(run) ?? []);
  const run = runs.length === 1 ? runs[0]!.run : options.run;
  const shapes = Object.fromEntries(runs.flatMap((one) => shapeOf(one.run, grids)));
  const voxelSize = options.voxelSize ?? onlyVoxelSize(found);
  // The shape of a file of one run; where a file holds several, that of each.
  const shape = options.shape ?? (found.length === 1 ? found[0]!.shape : undefined);
  const all = { ...options, run, voxelSize, shape, ...(options.shape === undefined && { shapes }) };
  const format = formatNamed(to, all);
  return format.format(runs);
}

function shapeOf(run: string, grids: ReadonlyMap<string, RunGrid>): [string, Zyx][] {
  const grid = grids.get(run);
  return grid === undefined ? [] : [[run, grid.shape]];
}

function onlyVoxelSize(grids: readonly RunGrid[]): Zyx | undefined {
  const [first] = grids;
  const other = grids.find(({ voxelSize }) => !isSameVoxelSize(voxelSize, first!.voxelSize));
  if (other === undefined) return first?.voxelSize;
  throw new UsageError(
    `runs have tomograms of different voxel sizes (${describeGrid(first!)}; ${describeGrid(other)}), and one file ` +
      'counts in one; name one by --tomogram, or a folder to write a file for each run to',
  );
}
