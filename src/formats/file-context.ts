import {
  anything,
  describeValue,
  isFields,
  optional,
  type Rule,
  type RulesFor,
  record,
  requireArgument,
  requireOptions,
  shapeRule,
  text,
  voxelSizeRule,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type ParticlePick, picksByRun, type RunPicks } from '../picks/pick.ts';
import { sizesAgree, type VoxelPlacement, type Zyx } from '../space/grid.ts';
import { type CheckedPick, type PicksToWrite, type Place, placeName } from './pick-fields.ts';

/** Returns a name that a file lacks. @throws {@link CryoetPicksError} `invalid-option` if no option gives it. */
export function requireOption(
  given: string | undefined,
  { name, place }: { readonly name: 'run' | 'object'; readonly place: string },
): string {
  if (given !== undefined && given.trim() !== '') return given;
  throw new CryoetPicksError('invalid-option', `${place} does not name its ${name}; give the option ${name}`, {
    option: name,
  });
}

/** Names by number, for files that number their objects or runs: `{ 1: 'ribosome', 2: 'apo-ferritin' }`. */
export type NamesByNumber = Readonly<Record<number, string>>;

/** The objects of a file that numbers them. */
export interface ObjectNames {
  /** Object of all rows, whatever their class; ignored if `objects` is given. */
  readonly object?: string | undefined;
  /** Objects by class number. If absent, objects are numbered from 1 on writing, in order of first appearance. */
  readonly objects?: NamesByNumber | undefined;
}

/** The runs of a file that numbers its tomograms. */
export interface RunNames {
  /** Run of all rows, for a file of one tomogram; ignored if `runs` is given. */
  readonly run?: string | undefined;
  /**
   * Runs by tomogram number. If `runs` and `run` are absent, the number is the name on reading. On writing without `runs`, names
   * that are all numbers are kept; otherwise runs are numbered from 1 in order of first appearance.
   */
  readonly runs?: NamesByNumber | undefined;
}

const names: Rule = {
  expected: 'names by number, { 1: name }',
  isValid: (value) =>
    value === undefined || (isFields(value) && Object.values(value).every((name) => typeof name === 'string')),
};

/** What the options of tables with class and tomogram numbers must be; {@link checkVoxelSize} checks the voxel size. */
export const tableRules: RulesFor<ObjectNames & RunNames & VoxelSizeOption & RunVoxelSizesOption> = {
  object: /* @__PURE__ */ optional(text),
  objects: names,
  run: /* @__PURE__ */ optional(text),
  runs: names,
  voxelSize: anything,
  voxelSizes: /* @__PURE__ */ optional(record),
};

/** The object of a class number. @throws {@link CryoetPicksError} `invalid-option` if no option names it. */
export function objectOf(number: number, { object, objects }: ObjectNames, place: Place): string {
  const name = objects === undefined ? object : objects[number];
  if (name !== undefined) return name;
  const needed =
    objects === undefined
      ? 'objects have numbers, not names; give the option object, or objects by class number'
      : `the option objects has no class ${number}; it has ${Object.keys(objects).join(', ') || 'none'}`;
  throw new CryoetPicksError('invalid-option', `${placeName(place)}: ${needed}`, {
    option: objects === undefined ? 'object' : 'objects',
  });
}

/** Picks that come one by one, of tomograms that have numbers. */
export interface NumberedRuns {
  /** @throws {@link CryoetPicksError} `invalid-option` if the options name runs by number, but not this one. */
  add(number: number, pick: ParticlePick): void;
  /** The name of a tomogram. @throws As `add`. */
  nameOf(number: number): string;
  /** @throws {@link CryoetPicksError} `invalid-option` if one name is given for several tomograms. */
  all(): RunPicks[];
}

/** Collects the picks of a file that numbers its tomograms, under the names that the options give. */
export function numberedRuns({ run, runs }: RunNames, source: string): NumberedRuns {
  const picks = picksByRun();
  const numbers = new Set<number>();
  const nameOf = (number: number): string => {
    const name = runs === undefined ? (run ?? String(number)) : runs[number];
    if (name !== undefined) return name;
    throw new CryoetPicksError('invalid-option', `${source}: the option runs has no tomogram ${number}`, {
      option: 'runs',
    });
  };
  return {
    nameOf,
    add(number, pick) {
      numbers.add(number);
      picks.add(nameOf(number), pick);
    },
    all() {
      if (runs !== undefined || run === undefined || numbers.size <= 1) return picks.all();
      throw new CryoetPicksError(
        'invalid-option',
        `${source} holds ${numbers.size} tomograms, but the option run names one; give runs by tomogram number`,
        { option: 'run' },
      );
    },
  };
}

/** The class numbers of the objects of picks. */
export function numberObjects(picks: PicksToWrite, { objects }: ObjectNames): (pick: CheckedPick) => number {
  const numberOf = numbersFor(picks.objects, { names: objects, option: 'objects' });
  return ({ pick }) => numberOf(pick.object);
}

/** The tomogram numbers of the runs of picks. */
export function numberRuns(picks: PicksToWrite, { runs }: RunNames): (pick: CheckedPick) => number {
  const numberOf = numbersFor(picks.runs, { names: runs, option: 'runs' });
  return ({ run }) => numberOf(run);
}

/** Numbers for names: the names themselves if all are whole numbers, otherwise from 1 in their order. */
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

/** Option of formats with positions in voxels. */
export interface VoxelSizeOption {
  /** Edges of the file's voxels, in Å: one number, or three along z, y, x. */
  readonly voxelSize?: VoxelSize | undefined;
}

/** Option of formats with positions relative to the centre of the tomogram, or that state its shape. */
export interface ShapeOption {
  /** Shape of the tomogram: voxels along z, y, x. */
  readonly shape?: Zyx | undefined;
}

/** Option of formats with positions relative to the centre of one of several tomograms. */
export interface RunShapesOption {
  /** Shapes of the tomograms by run: voxels along z, y, x. `shape` is that of all others. */
  readonly shapes?: Readonly<Record<string, Zyx>> | undefined;
}

/** Option of formats with positions in the voxels of one of several tomograms. */
export interface RunVoxelSizesOption {
  /** Edges of the voxels by run, for reading a file of tomograms that differ in it. `voxelSize` is that of all others. */
  readonly voxelSizes?: Readonly<Record<string, VoxelSize>> | undefined;
}

/** Checks a voxel size. @throws {@link CryoetPicksError} `invalid-option` unless it is one length above 0, or three. */
export function checkVoxelSize(voxelSize: VoxelSize | undefined): Zyx | undefined {
  if (voxelSize === undefined) return undefined;
  const sizes: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  if (voxelSizeRule.isValid(sizes)) return sizes;
  throw new CryoetPicksError('invalid-option', `voxelSize is ${describeValue(voxelSize)}; expected a length in Å`, {
    option: 'voxelSize',
  });
}

/** Checks a shape. @throws {@link CryoetPicksError} `invalid-option` unless it is three whole numbers. */
export function checkShape(shape: Zyx | undefined): Zyx | undefined {
  if (shape === undefined) return undefined;
  if (shapeRule.isValid(shape) && !shape.includes(0)) return shape;
  throw new CryoetPicksError('invalid-option', `shape is ${describeValue(shape)}; expected voxels along z, y, x`, {
    option: 'shape',
  });
}

/** The shape of the tomogram of each run. @throws {@link CryoetPicksError} `invalid-option` for a shape that is not valid. */
export function shapesByRun({ shape, shapes = {} }: ShapeOption & RunShapesOption): (run: string) => Zyx | undefined {
  const others = checkShape(shape);
  const named = new Map(Object.entries(shapes).map(([run, one]) => [run, checkShape(one)]));
  return (run) => named.get(run) ?? others;
}

/** The voxel size of each run. @throws {@link CryoetPicksError} `invalid-option` for one that is not valid. */
export function voxelSizesByRun(options: VoxelSizeOption & RunVoxelSizesOption): (run: string) => Zyx | undefined {
  const others = checkVoxelSize(options.voxelSize);
  const named = new Map(Object.entries(options.voxelSizes ?? {}).map(([run, one]) => [run, checkVoxelSize(one)]));
  return (run) => named.get(run) ?? others;
}

/** True if voxel sizes differ only by rounding. */
export function isSameVoxelSize(a: Zyx, b: Zyx): boolean {
  return a.every((length, axis) => Math.abs(length - b[axis]!) <= 1e-6 * length);
}

/**
 * The voxel size of the tomograms of some runs, if all have the same: a file that counts in voxels has only one. Undefined without runs.
 *
 * @param sizes - Edges of the voxels along z, y, x in Å, by run.
 * @throws {@link CryoetPicksError} `invalid-option`, with the remedy, for voxel sizes that differ by more than rounding.
 * @example
 * ```ts
 * const voxelSize = requireOneVoxelSize({ TS_1: [10, 10, 10], TS_2: [10, 10, 10] });
 * ```
 */
export function requireOneVoxelSize(
  sizes: Readonly<Record<string, Zyx>>,
  options: { readonly remedy?: string | undefined } = {},
): Zyx | undefined {
  requireArgument('requireOneVoxelSize', 'sizes', sizes, sizesByRun);
  const { remedy = 'write a file for each run' } = requireOptions('requireOneVoxelSize', options, {
    remedy: optional(text),
  });
  const [first, ...others] = Object.entries(sizes);
  const other = others.find(([, size]) => !isSameVoxelSize(size, first![1]));
  if (first === undefined || other === undefined) return first?.[1];
  const described = [first, other].map(([run, size]) => `${shown(size)} Å in ${run}`).join(', ');
  throw new CryoetPicksError(
    'invalid-option',
    `the runs have tomograms of different voxel sizes (${described}), and one file has one voxel size; ${remedy}`,
    { option: 'voxelSize' },
  );
}

const sizesByRun: Rule = {
  expected: 'voxel sizes by run, { TS_1: [10, 10, 10] }',
  isValid: (value) => isFields(value) && Object.values(value).every(voxelSizeRule.isValid),
};

/** A voxel size that a file states, in Å, and where it states it: `_rlnPixelSize`. */
export interface StatedSize {
  readonly size: number | undefined;
  readonly where: string;
}

/** Options of {@link needVoxelSize}. */
export interface NeedVoxelSizeOptions {
  /** What the file states, in order of precedence. Lengths that are not above 0, such as NaN, count as absent. */
  readonly stated?: readonly StatedSize[] | undefined;
  readonly place: string;
  /** Called where two voxel sizes differ by more than 1 %. */
  readonly warn?: ((code: string, message: string) => void) | undefined;
}

/**
 * The given voxel size, otherwise that of the file. Sizes that contradict it are reported.
 *
 * @throws {@link CryoetPicksError} `invalid-option` without either.
 */
export function needVoxelSize(given: Zyx | undefined, { stated = [], place, warn }: NeedVoxelSizeOptions): Zyx {
  const [first, ...others] = stated.flatMap(({ size, where }) =>
    size !== undefined && size > 0 && Number.isFinite(size) ? [{ size, where }] : [],
  );
  if (given === undefined && first === undefined) {
    throw new CryoetPicksError(
      'invalid-option',
      `${place} has positions in voxels of unknown size; give the option voxelSize, in Å`,
      { option: 'voxelSize' },
    );
  }
  const used = given === undefined ? first! : { size: given, where: 'the option voxelSize' };
  for (const other of given === undefined || first === undefined ? others : [first, ...others]) {
    if (sizesAgree(used.size, other.size)) continue;
    const advice = given === undefined ? '; give the option voxelSize if that is wrong' : '';
    warn?.(
      'voxel-size-differs',
      `${used.where} is ${shown(used.size)} Å, ${other.where} ${shown(other.size)} Å; ${shown(used.size)} Å is used${advice}`,
    );
  }
  return given ?? [first!.size, first!.size, first!.size];
}

/** A voxel size for messages: one number, or three of voxels that are not cubes. */
function shown(size: number | Zyx): string {
  const lengths = (typeof size === 'number' ? [size] : size).map((length) => Number(length.toPrecision(7)));
  return [...new Set(lengths)].length === 1 ? `${lengths[0]}` : lengths.join('×');
}

/** A grid whose first voxel has the coordinate `first` along each axis. */
export function gridFrom(voxelSize: Zyx, first = 0): VoxelPlacement {
  const [z, y, x] = voxelSize;
  return { voxelSize, origin: { x: 0 - first * x, y: 0 - first * y, z: 0 - first * z } };
}

/** Options of {@link gridsByRun}. */
export interface GridsByRunOptions {
  /** The coordinate of the first voxel. @defaultValue 0 */
  readonly firstVoxel?: number | undefined;
  readonly place: string;
}

/**
 * The grid of each run.
 *
 * @throws {@link CryoetPicksError} `invalid-option`, at once, without a voxel size for any run, and when it is asked for a run without one.
 */
export function gridsByRun(
  options: VoxelSizeOption & RunVoxelSizesOption,
  { firstVoxel, place }: GridsByRunOptions,
): (run: string) => VoxelPlacement {
  const sizeOf = voxelSizesByRun(options);
  if (options.voxelSizes === undefined) needVoxelSize(checkVoxelSize(options.voxelSize), { place });
  const grids = new Map<string, VoxelPlacement>();
  return (run) => {
    const grid = grids.get(run) ?? gridFrom(needVoxelSize(sizeOf(run), { place }), firstVoxel);
    grids.set(run, grid);
    return grid;
  };
}

/** A grid of steps of `step` Å from a point of the tomogram, which is given in voxels. */
export function gridAround(
  centre: Zyx,
  { voxelSize, step }: { readonly voxelSize: Zyx; readonly step: Zyx },
): VoxelPlacement {
  const [z, y, x] = voxelSize;
  return { voxelSize: step, origin: { x: centre[2] * x, y: centre[1] * y, z: centre[0] * z } };
}
