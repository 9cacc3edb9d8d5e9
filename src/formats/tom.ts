import { oneOf, requireOptions } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
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
import { checkedFormat, type PicksFormat } from './format.ts';
import { type CheckedPick, checkedAngles, numberedInstance, pickFrom, picksToWrite } from './pick-fields.ts';

/** Options of {@link tomFormat}. */
export interface TomFormatOptions extends VoxelSizeOption, RunVoxelSizesOption, ObjectNames, RunNames {
  /**
   * The coordinate of the first voxel in rows 8–10; MATLAB counts from 1.
   * @defaultValue 1
   */
  readonly firstVoxel?: 0 | 1 | undefined;
}

const name = 'TOM motive list';
/** Rows of a motive list, from 0, as in AV3, ArtiaX and cryoCAT. */
const at = {
  ...{ score: 0, subtomogram: 3, tomogram: 4, instance: 5, x: 7, y: 8, z: 9, dx: 10, dy: 11, dz: 12 },
  ...{ phi: 16, psi: 17, theta: 18, class: 19 },
} as const;
const height = 20;
/** Rows 14 to 16: in AV3 shifts before the rotation, which it leaves 0; in cryoCAT fields for anything. */
const unused = [13, 14, 15];

/**
 * Motive list of TOM and AV3 (`.em`): 20 single-precision numbers per particle, with positions in voxels from 1 plus shifts, and
 * the angles phi, psi, theta.
 *
 * The object is the class (row 20), the instance id row 6 (0 means none), the run the tomogram number (row 5), the score row 1;
 * options give the names of the numbers.
 *
 * @example
 * ```ts
 * const runs = parsePicks(bytes, { format: tomFormat({ voxelSize: 10, object: 'ribosome', run: 'TS_5_4' }) });
 * ```
 */
export function tomFormat(options: TomFormatOptions = {}): PicksFormat<Uint8Array> {
  requireOptions('tomFormat', options, { ...tableRules, firstVoxel: oneOf(0, 1, undefined) });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const grid = () => gridFrom(needVoxelSize(voxelSize, { place: name }), options.firstVoxel ?? 1);
  return checkedFormat({
    name,
    content: 'bytes',
    losses: [
      { part: 'object', what: 'TOM has class numbers, not names' },
      { part: 'run', what: 'TOM has tomogram numbers, not names' },
      { part: 'precision', what: 'numbers keep about 7 digits' },
    ],
    *leftOut(bytes, source) {
      return yield* unreadShifts(yield* readEm(bytes, source));
    },
    *parse(bytes, source) {
      return yield* parse(yield* readEm(bytes, source), source, options);
    },
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      const placement = grid();
      if (picks.count === 0) throw new CryoetPicksError('invalid-picks', `${name} cannot be empty; found no picks`);
      const objectNumber = numberObjects(picks, options);
      const runNumber = numberRuns(picks, options);
      yield headerOf([height, picks.count, 1]);
      const rows = new Float64Array(height * ROWS);
      let index = 0;
      for (const checked of picks.each()) {
        const { position, score } = checked.pick;
        const [z, y, x] = toVoxel(placement, position);
        const [phi, theta, psi] = checkedAngles(checked, 'tom');
        const start = (index++ % ROWS) * height;
        const row = rows.subarray(start, start + height);
        row[at.score] = score;
        row[at.subtomogram] = index;
        row[at.tomogram] = runNumber(checked);
        row[at.instance] = exact(numberedInstance(checked, name), checked);
        [row[at.x], row[at.y], row[at.z]] = [x, y, z];
        [row[at.phi], row[at.psi], row[at.theta]] = [phi, psi, theta];
        row[at.class] = objectNumber(checked);
        if (index % ROWS === 0) yield inSinglePrecision(rows);
      }
      yield inSinglePrecision(rows.subarray(0, (index % ROWS) * height));
    },
  });
}

/** A whole number that single precision represents exactly. */
function exact(instanceId: number, { place }: CheckedPick): number {
  if (Math.fround(instanceId) === instanceId) return instanceId;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place} has instance id ${instanceId}, which single precision cannot represent`,
  );
}

/** Describes, in a line or none, the shifts that are not read. */
function* unreadShifts({ data, extent: [rows] }: EmArray): Steps<string[]> {
  let isUsed = false;
  for (let i = 0; i < data.length && rows === height && !isUsed; i++) {
    isUsed = data[i] !== 0 && unused.includes(i % height);
    if (i % NUMBERS === NUMBERS - 1) yield;
  }
  return isUsed ? ['shift: rows 14 to 16, in AV3 shifts before the rotation, are not 0 and are not read'] : [];
}

function* parse({ data, extent: [rows, y, z] }: EmArray, source: string, options: TomFormatOptions): Steps<RunPicks[]> {
  if (rows !== height) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${source} holds ${rows}×${y}×${z} numbers; a motive list has ${height} per particle`,
    );
  }
  const runs = numberedRuns(options, source);
  const gridOf = gridsByRun(options, { firstVoxel: options.firstVoxel ?? 1, place: name });
  for (let index = 0; index < y * z; index++) {
    const particle = data.subarray(index * height, (index + 1) * height);
    const place = `${source}, particle ${index + 1}`;
    if (!particle.every(Number.isFinite)) {
      throw new CryoetPicksError('invalid-picks', `${place}: expected finite numbers`);
    }
    const tomogram = particle[at.tomogram]!;
    runs.add(tomogram, readPick(particle, { ...options, place, grid: gridOf(runs.nameOf(tomogram)) }));
    if (index % 512 === 511) yield;
  }
  return runs.all();
}

interface ParticleReading extends ObjectNames {
  readonly place: string;
  readonly grid: VoxelPlacement;
}

function readPick(row: Float64Array, options: ParticleReading): RunPicks['picks'][number] {
  const along = (voxel: number, shift: number) => row[voxel]! + row[shift]!;
  const found = {
    object: objectOf(row[at.class]!, options, options.place),
    position: toPhysical(options.grid, [along(at.z, at.dz), along(at.y, at.dy), along(at.x, at.dx)]),
    score: row[at.score]!,
    instance: row[at.instance]!,
    rotation: rotationFromEuler([row[at.phi]!, row[at.theta]!, row[at.psi]!], 'tom'),
  };
  return pickFrom(found, options.place);
}

/** The numbers of an EM file, x fastest. */
interface EmArray {
  readonly data: Float64Array;
  /** Extent along x, y, z. */
  readonly extent: readonly [number, number, number];
}

const code = 'invalid-picks';
const headerBytes = 512;
const littleEndian = 6;
/** Machine codes of EM files: OS-9, SGI and Mac are big-endian, PC is little-endian. */
const machines: readonly number[] = [0, 3, 5, littleEndian];
type Reader = (view: DataView, at: number, little: boolean) => number;
const types: ReadonlyMap<number, readonly [bytes: number, read: Reader]> = new Map([
  [1, [1, (view, at) => view.getInt8(at)]],
  [2, [2, (view, at, little) => view.getInt16(at, little)]],
  [4, [4, (view, at, little) => view.getInt32(at, little)]],
  [5, [4, (view, at, little) => view.getFloat32(at, little)]],
  [9, [8, (view, at, little) => view.getFloat64(at, little)]],
]);

/**
 * Reads an EM file of TOM: 512 bytes of header, then the numbers.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for bytes that are not an EM file, or are truncated; `unsupported` for other
 * machines and complex numbers.
 */
function* readEm(bytes: Uint8Array, source: string): Steps<EmArray> {
  if (bytes.length < headerBytes) {
    throw new CryoetPicksError(code, `${source}: ${bytes.length} bytes; an EM file has a header of ${headerBytes}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = types.get(bytes[3]!);
  if (!machines.includes(bytes[0]!) || type === undefined) {
    throw new CryoetPicksError(
      'unsupported',
      `${source}: EM file of machine ${bytes[0]} and data type ${bytes[3]}; expected machine ${machines.join(', ')} and type ${[...types.keys()].join(', ')}`,
    );
  }
  const [size, read] = type;
  const sizesOf = (little: boolean) => [4, 8, 12].map((at) => view.getInt32(at, little)) as [number, number, number];
  const fits = ([x, y, z]: readonly [number, number, number]) =>
    x > 0 && y > 0 && z > 0 && headerBytes + x * y * z * size <= bytes.length;
  // Some programs write the sizes, or the numbers, in their own byte order whatever the machine.
  const stated = bytes[0] === littleEndian;
  const [x, y, z] = sizesOf(!fits(sizesOf(stated)) && fits(sizesOf(!stated)) ? !stated : stated);
  const count = x * y * z;
  if (!fits([x, y, z])) {
    throw new CryoetPicksError(
      code,
      `${source}: EM file of ${x}×${y}×${z} numbers in ${bytes.length} bytes; it is truncated`,
    );
  }
  function* numbersOf(little: boolean): Steps<{ readonly data: Float64Array; readonly isPlausible: boolean }> {
    const data = new Float64Array(count);
    // Of numbers in the wrong byte order some are tiny, huge or not finite.
    let isPlausible = true;
    for (let i = 0; i < count; i++) {
      const value = read(view, headerBytes + i * size, little);
      data[i] = value;
      isPlausible &&= value === 0 || (Math.abs(value) > 1e-12 && Math.abs(value) < 1e12);
      if (i % NUMBERS === NUMBERS - 1) yield;
    }
    return { data, isPlausible };
  }
  const first = yield* numbersOf(stated);
  const swapped = size === 1 || first.isPlausible ? undefined : yield* numbersOf(!stated);
  return { data: swapped?.isPlausible ? swapped.data : first.data, extent: [x, y, z] };
}

/** Picks that are written at once. */
const ROWS = 512;

/** Numbers that are converted between two pauses. */
const NUMBERS: number = 2 ** 16;

/** The header of an EM file in single precision, little-endian; extent along x, y, z. */
function headerOf(extent: readonly [number, number, number]): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = littleEndian;
  bytes[3] = 5;
  for (const [axis, count] of extent.entries()) view.setInt32(4 + axis * 4, count, true);
  return bytes;
}

/** Numbers as an EM file of {@link headerOf} holds them. */
function inSinglePrecision(numbers: Float64Array): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < numbers.length; i++) view.setFloat32(i * 4, numbers[i]!, true);
  return bytes;
}
