import { CryoetPicksError } from '../core/errors.ts';
import type { VoxelPlacement } from '../space/grid.ts';
import type { Zyx } from '../space/zyx.ts';
import type { CheckedPick } from './pick-fields.ts';

/** A name that a file does not tell. @throws {@link CryoetPicksError} `invalid-option` without it. */
export function requireOption(
  given: string | undefined,
  { name, place }: { readonly name: 'run' | 'object'; readonly place: string },
): string {
  if (given !== undefined && given.trim() !== '') return given;
  throw new CryoetPicksError('invalid-option', `${place} does not name its ${name}; give the option ${name}`, {
    option: name,
  });
}

/** Names by the numbers that a file has for them: `{ 1: 'ribosome', 2: 'apo-ferritin' }`. */
export type NamesByNumber = Readonly<Record<number, string>>;

/** How the numbers of a file are called. */
export interface ObjectNames {
  /** Object of all rows, whatever their class, where `objects` is not given. */
  readonly object?: string | undefined;
  /** Objects by class number; writing without it numbers objects from 1 in order of first appearance. */
  readonly objects?: NamesByNumber | undefined;
}

/** How the numbers of a file are called. */
export interface RunNames {
  /** Run of all rows, for a file of one tomogram, where `runs` is not given. */
  readonly run?: string | undefined;
  /**
   * Runs by tomogram number. Reading without it, and without `run`, takes the number as name; writing without it keeps
   * names that are numbers, and else numbers runs from 1 in order of first appearance.
   */
  readonly runs?: NamesByNumber | undefined;
}

/** The object of a class number. @throws {@link CryoetPicksError} `invalid-option` where no option tells. */
export function objectOf(number: number, { object, objects }: ObjectNames, place: string): string {
  const name = objects === undefined ? object : objects[number];
  if (name !== undefined) return name;
  const needed =
    objects === undefined
      ? 'objects have numbers, not names; give the option object, or objects by class number'
      : `the option objects names no class ${number}; it has ${Object.keys(objects).join(', ') || 'none'}`;
  throw new CryoetPicksError('invalid-option', `${place}: ${needed}`, {
    option: objects === undefined ? 'object' : 'objects',
  });
}

/**
 * Names for the tomogram numbers of a file.
 *
 * @throws {@link CryoetPicksError} `invalid-option` where one name is given for several tomograms, or a number has none.
 */
export function runsOf(
  numbers: readonly number[],
  { run, runs }: RunNames,
  source: string,
): (number: number) => string {
  if (runs !== undefined) {
    return (number) => {
      const name = runs[number];
      if (name !== undefined) return name;
      throw new CryoetPicksError('invalid-option', `${source}: the option runs names no tomogram ${number}`, {
        option: 'runs',
      });
    };
  }
  const found = new Set(numbers);
  if (run !== undefined && found.size > 1) {
    throw new CryoetPicksError(
      'invalid-option',
      `${source} is of ${found.size} tomograms, and the option run names one; give runs by tomogram number`,
      { option: 'run' },
    );
  }
  return (number) => run ?? String(number);
}

/** Class numbers of the objects of picks. */
export function numberObjects(picks: readonly CheckedPick[], { objects }: ObjectNames): (pick: CheckedPick) => number {
  const numberOf = numbersFor(new Set(picks.map(({ pick }) => pick.object)), { names: objects, option: 'objects' });
  return ({ pick }) => numberOf(pick.object);
}

/** Tomogram numbers of the runs of picks. */
export function numberRuns(picks: readonly CheckedPick[], { runs }: RunNames): (pick: CheckedPick) => number {
  const numberOf = numbersFor(new Set(picks.map(({ run }) => run)), { names: runs, option: 'runs' });
  return ({ run }) => numberOf(run);
}

/** Numbers for names: the names themselves where all are whole numbers, else from 1 in their order. */
export function numbered(names: ReadonlySet<string>): NamesByNumber {
  const whole = [...names].every((name) => /^[1-9]\d{0,5}$/.test(name));
  return Object.fromEntries([...names].map((name, index) => [whole ? name : index + 1, name]));
}

function numbersFor(
  found: ReadonlySet<string>,
  { names, option }: { readonly names: NamesByNumber | undefined; readonly option: string },
): (name: string) => number {
  const numbers = new Map(Object.entries(names ?? numbered(found)).map(([number, name]) => [name, Number(number)]));
  return (name) => {
    const number = numbers.get(name);
    if (number !== undefined) return number;
    throw new CryoetPicksError('invalid-option', `the option ${option} has no number for ${JSON.stringify(name)}`, {
      option,
    });
  };
}

/** Edges of a voxel in Å: one number, or three along z, y, x. */
export type VoxelSize = number | Zyx;

/** Option of formats that count in voxels. */
export interface VoxelSizeOption {
  /** Edges of the voxel that the file counts in, in Å: one number, or three along z, y, x. */
  readonly voxelSize?: VoxelSize | undefined;
}

/** Option of formats that count from the centre of the tomogram, or tell its shape. */
export interface ShapeOption {
  /** Voxels of the tomogram along z, y, x. */
  readonly shape?: Zyx | undefined;
}

/** Option of formats that count from the centre and hold several tomograms. */
export interface RunShapesOption {
  /** Voxels along z, y, x of the tomograms, by run; `shape` is that of all others. */
  readonly shapes?: Readonly<Record<string, Zyx>> | undefined;
}

/** @throws {@link CryoetPicksError} `invalid-option` unless it is a length, or three. */
export function checkVoxelSize(voxelSize: VoxelSize | undefined): Zyx | undefined {
  if (voxelSize === undefined) return undefined;
  const sizes: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  if (sizes.length === 3 && sizes.every((size) => Number.isFinite(size) && size > 0)) return sizes;
  throw new CryoetPicksError('invalid-option', `voxelSize is ${JSON.stringify(voxelSize)}; expected a length in Å`, {
    option: 'voxelSize',
  });
}

/** @throws {@link CryoetPicksError} `invalid-option` unless it is three whole numbers. */
export function checkShape(shape: Zyx | undefined): Zyx | undefined {
  if (shape === undefined) return undefined;
  if (shape.length === 3 && shape.every((count) => Number.isSafeInteger(count) && count > 0)) return shape;
  throw new CryoetPicksError('invalid-option', `shape is ${JSON.stringify(shape)}; expected voxels along z, y, x`, {
    option: 'shape',
  });
}

/** The shape of the tomogram of each run. @throws {@link CryoetPicksError} `invalid-option` for one that is none. */
export function shapesByRun({ shape, shapes = {} }: ShapeOption & RunShapesOption): (run: string) => Zyx | undefined {
  const others = checkShape(shape);
  const named = new Map(Object.entries(shapes).map(([run, one]) => [run, checkShape(one)]));
  return (run) => named.get(run) ?? others;
}

/** The given voxel size, else the one found in the file. @throws {@link CryoetPicksError} `invalid-option` without either. */
export function needVoxelSize(
  given: Zyx | undefined,
  { found, place }: { readonly found?: number | undefined; readonly place: string },
): Zyx {
  const size = given ?? checkVoxelSize(found);
  if (size !== undefined) return size;
  throw new CryoetPicksError(
    'invalid-option',
    `${place} counts in voxels and nothing tells their size; give the option voxelSize, in Å`,
    { option: 'voxelSize' },
  );
}

/** A grid whose first voxel has the number `first` along each axis. */
export function gridFrom(voxelSize: Zyx, first = 0): VoxelPlacement {
  const [z, y, x] = voxelSize;
  return { voxelSize, origin: { x: 0 - first * x, y: 0 - first * y, z: 0 - first * z } };
}

/** A grid that counts in steps of `step` Å from a point of the tomogram, given in voxels of it. */
export function gridAround(
  centre: Zyx,
  { voxelSize, step }: { readonly voxelSize: Zyx; readonly step: Zyx },
): VoxelPlacement {
  const [z, y, x] = voxelSize;
  return { voxelSize: step, origin: { x: centre[2] * x, y: centre[1] * y, z: centre[0] * z } };
}
