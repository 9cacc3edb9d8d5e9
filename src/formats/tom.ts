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
import { checkedFormat, type PicksFormat } from './format.ts';
import { checkedAngles, checkedPicks, numberedInstance, pickFrom } from './pick-fields.ts';

/** Options of {@link tomFormat}. */
export interface TomFormatOptions extends VoxelSizeOption, ObjectNames, RunNames {
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
    leftOut: (bytes, source) => unreadShifts(readEm(bytes, source)),
    parse: (bytes, source) => parse(readEm(bytes, source), source, { ...options, grid: grid() }),
    format(runs: Iterable<RunPicks>) {
      const picks = checkedPicks(runs);
      const placement = grid();
      if (picks.length === 0) throw new CryoetPicksError('invalid-picks', `${name} cannot be empty; found no picks`);
      const objectNumber = numberObjects(picks, options);
      const runNumber = numberRuns(picks, options);
      const data = new Float64Array(picks.length * height);
      for (const [index, checked] of picks.entries()) {
        const { position, score } = checked.pick;
        const [z, y, x] = toVoxel(placement, position);
        const [phi, theta, psi] = checkedAngles(checked, 'tom');
        const numbers = {
          subtomogram: index + 1,
          tomogram: runNumber(checked),
          instance: exact(numberedInstance(checked, name), checked.place),
        };
        const row = { ...numbers, score, x, y, z, phi, theta, psi, class: objectNumber(checked) };
        for (const [key, value] of Object.entries(row)) data[index * height + at[key as keyof typeof at]] = value;
      }
      return writeEm({ data, extent: [height, picks.length, 1] });
    },
  });
}

/** A whole number that single precision represents exactly. */
function exact(instanceId: number, place: string): number {
  if (Math.fround(instanceId) === instanceId) return instanceId;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place} has instance id ${instanceId}, which single precision cannot represent`,
  );
}

/** Describes, in a line or none, the shifts that are not read. */
function unreadShifts({ data, extent: [rows] }: EmArray): string[] {
  const isUsed = rows === height && data.some((value, index) => value !== 0 && unused.includes(index % height));
  return isUsed ? ['shift: rows 14 to 16, in AV3 shifts before the rotation, are not 0 and are not read'] : [];
}

type Reading = TomFormatOptions & { readonly grid: ReturnType<typeof gridFrom> };

function parse({ data, extent: [rows, y, z] }: EmArray, source: string, options: Reading): RunPicks[] {
  if (rows !== height) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${source} holds ${rows}×${y}×${z} numbers; a motive list has ${height} per particle`,
    );
  }
  const particles = Array.from({ length: y * z }, (_, index) => data.subarray(index * height, (index + 1) * height));
  const bad = particles.findIndex((particle) => !particle.every(Number.isFinite));
  if (bad >= 0) throw new CryoetPicksError('invalid-picks', `${source}, particle ${bad + 1}: expected finite numbers`);
  const numbers = particles.map((particle) => particle[at.tomogram]!);
  const runName = runsOf(numbers, options, source);
  return groupByRun(
    particles.map((particle, index) => ({
      run: runName(numbers[index]!),
      pick: readPick(particle, { ...options, place: `${source}, particle ${index + 1}` }),
    })),
  );
}

function readPick(row: Float64Array, options: Reading & { readonly place: string }): RunPicks['picks'][number] {
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
function readEm(bytes: Uint8Array, source: string): EmArray {
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
  const numbersOf = (little: boolean) => {
    const numbers = new Float64Array(count);
    for (let i = 0; i < count; i++) numbers[i] = read(view, headerBytes + i * size, little);
    return numbers;
  };
  const data = numbersOf(stated);
  const swapped = size === 1 || isPlausible(data) ? undefined : numbersOf(!stated);
  return { data: swapped !== undefined && isPlausible(swapped) ? swapped : data, extent: [x, y, z] };
}

/** False for numbers in the wrong byte order, of which some are tiny, huge or not finite. */
function isPlausible(data: Float64Array): boolean {
  return data.every((value) => value === 0 || (Math.abs(value) > 1e-12 && Math.abs(value) < 1e12));
}

/** Writes an EM file in single precision, little-endian. */
function writeEm({ data, extent }: EmArray): Uint8Array {
  const bytes = new Uint8Array(headerBytes + data.length * 4);
  const view = new DataView(bytes.buffer);
  bytes[0] = littleEndian;
  bytes[3] = 5;
  for (const [axis, count] of extent.entries()) view.setInt32(4 + axis * 4, count, true);
  for (const [i, value] of data.entries()) view.setFloat32(headerBytes + i * 4, value, true);
  return bytes;
}
