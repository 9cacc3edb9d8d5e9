import {
  bytesRule,
  isPoint,
  oneOf,
  optional,
  type Rule,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Axis, asVoxelSize, type Point, sizesAgree, type VoxelGrid, type Zyx } from '../space/grid.ts';
import { MODE_BYTES, type MrcEncoding, requireMode } from './voxels.ts';

/** Bytes of the header; extended header and voxels follow. */
export const HEADER_BYTES = 1024;

/** The header of an MRC file. Triples of counts are in the order of the file: columns, rows, sections. */
export interface MrcHeader extends MrcEncoding {
  /** NX, NY, NZ: columns, rows, sections; columns are stored fastest. */
  readonly counts: readonly [columns: number, rows: number, sections: number];
  /** MAPC, MAPR, MAPS: which axis columns, rows and sections run along. */
  readonly axes: readonly [columns: MrcAxis, rows: MrcAxis, sections: MrcAxis];
  /** NXSTART …: index of the first column, row and section. */
  readonly start: readonly [number, number, number];
  /** MX, MY, MZ: intervals of the cell along x, y, z. */
  readonly intervals: Point;
  /** CELLA: edges of the cell along x, y, z, in Å. */
  readonly cell: Point;
  /** CELLB: angles of the cell in degrees. */
  readonly angles: readonly [number, number, number];
  /** ORIGIN, in Å, with the sign of MRC2014. What it means differs between programs. */
  readonly origin: Point;
  /** ISPG: 0 for images, 1 for a volume, 401 and more for several volumes. */
  readonly spaceGroup: number;
  /** NSYMBT: bytes between the header and the voxels. */
  readonly extendedBytes: number;
  /** EXTTYP: type of the extended header, such as `FEI1`, `SERI`; empty if not given. */
  readonly extendedType: string;
  /** DMIN, DMAX, DMEAN, RMS as written; often wrong or unset. */
  readonly statistics: {
    readonly minimum: number;
    readonly maximum: number;
    readonly mean: number;
    readonly deviation: number;
  };
  /** LABEL: texts that programs wrote. */
  readonly labels: readonly string[];
}

/** An axis of an MRC file. */
export type MrcAxis = 'x' | 'y' | 'z';

/** Options of {@link parseMrcHeader}. */
export interface ParseMrcHeaderOptions {
  /** Names the file in messages. @defaultValue 'the MRC header' */
  readonly source?: string | undefined;
  /** Whether the bytes of mode 0 are signed, whatever the header says. */
  readonly bytes?: 'signed' | 'unsigned' | undefined;
}

/**
 * Parses the header of an MRC, CCP4, `.rec` or `.map` file: its first 1024 bytes.
 *
 * The byte order is that of the machine stamp, unless the numbers only make sense in the other order. The bytes of mode 0 are signed,
 * unless IMOD's stamp says unsigned, or there is no stamp and the maximum in the header exceeds that of signed bytes.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the bytes are not an MRC header; `unsupported` for other modes, and for several
 * volumes in one file.
 */
export function parseMrcHeader(bytes: Uint8Array, options: ParseMrcHeaderOptions = {}): MrcHeader {
  requireArgument('parseMrcHeader', 'bytes', bytes, bytesRule);
  const { source = 'the MRC header' } = requireOptions('parseMrcHeader', options, {
    source: optional(text),
    bytes: signedness,
  });
  if (bytes.length < HEADER_BYTES) {
    fail(`${source} is not an MRC file: it has ${bytes.length} bytes, the header alone takes ${HEADER_BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const littleEndian = byteOrder(view, source);
  const int = (offset: number) => view.getInt32(offset, littleEndian);
  const float = (offset: number) => view.getFloat32(offset, littleEndian);
  const point = (offset: number): Point => ({ x: float(offset), y: float(offset + 4), z: float(offset + 8) });
  const statistics = { minimum: float(76), maximum: float(80), mean: float(84), deviation: float(216) };
  const mode = requireMode(int(12), source);
  const imodFlags = int(152) === IMOD_STAMP ? int(156) : 0;
  if (mode === 0 && (imodFlags & IMOD_FLAG.packed) !== 0) {
    throw new CryoetPicksError(
      'unsupported',
      `${source} has two voxels of 4 bits in a byte (IMOD's flag 16): raw frames of a camera`,
    );
  }
  const origin = point(196);
  const isInverted = (imodFlags & IMOD_FLAG.invertedOrigin) !== 0;
  const header: MrcHeader = {
    mode,
    littleEndian,
    signedBytes: mode === 0 && areBytesSigned(statistics, { stamp: int(152), flags: imodFlags, given: options.bytes }),
    counts: [int(0), int(4), int(8)],
    axes: axesOf([int(64), int(68), int(72)]),
    start: [int(16), int(20), int(24)],
    intervals: { x: int(28), y: int(32), z: int(36) },
    cell: point(40),
    angles: [float(52), float(56), float(60)],
    origin: isInverted ? { x: 0 - origin.x, y: 0 - origin.y, z: 0 - origin.z } : origin,
    spaceGroup: int(88),
    extendedBytes: int(92),
    extendedType: textAt(bytes, 104, 4),
    statistics,
    labels: labelsOf(bytes, int(220)),
  };
  requireOneVolume(header, source);
  return header;
}

/** Whether bytes are signed. */
export const signedness: Rule = /* @__PURE__ */ oneOf('signed', 'unsigned', undefined);

/** The position of the first voxel, given or of the header. */
export const originRule: Rule = {
  expected: 'a point { x, y, z } in Å, or "header"',
  isValid: (value) =>
    value === undefined ||
    value === 'header' ||
    (isPoint(value) && Object.values(value as object).every(Number.isFinite)),
};

/** Offset of the voxels in the file, in bytes. */
export function dataStart({ extendedBytes }: MrcHeader): number {
  return HEADER_BYTES + extendedBytes;
}

/** Bytes of all voxels; approximate beyond 2⁵³. */
export function dataBytes({ counts, mode }: MrcHeader): number {
  return counts[0] * counts[1] * counts[2] * MODE_BYTES[mode];
}

/** True for little-endian. */
function byteOrder(view: DataView, source: string): boolean {
  const stamp = view.getUint8(212);
  const stamped = stamp !== 0x11;
  if (isPlausible(view, stamped)) return stamped;
  if (isPlausible(view, !stamped)) return !stamped;
  const counts = [0, 4, 8].map((offset) => view.getInt32(offset, stamped)).join('×');
  fail(
    `${source} is not an MRC file: its header says ${counts} voxels, mode ${view.getInt32(12, stamped)}, ` +
      `${view.getInt32(92, stamped)} bytes of extended header and axes ` +
      `${[64, 68, 72].map((offset) => view.getInt32(offset, stamped)).join(', ')}, which makes sense in neither byte order`,
  );
}

function isPlausible(view: DataView, littleEndian: boolean): boolean {
  const int = (offset: number) => view.getInt32(offset, littleEndian);
  const axes = [int(64), int(68), int(72)].sort().join();
  return (
    [int(0), int(4), int(8)].every((count) => count > 0) &&
    int(12) >= 0 &&
    int(12) < 1024 &&
    int(92) >= 0 &&
    (axes === '1,2,3' || axes === '0,0,0')
  );
}

function axesOf(numbers: readonly number[]): MrcHeader['axes'] {
  const [c, r, s] = numbers.map((number) => (['x', 'y', 'z'] as const)[number - 1]);
  // Old files leave these fields 0.
  return c === undefined || r === undefined || s === undefined ? ['x', 'y', 'z'] : [c, r, s];
}

const IMOD_STAMP = 1146047817;
/** Bits of IMODFLAGS that change what the header or the voxels mean. */
const IMOD_FLAG = { signedBytes: 1, invertedOrigin: 4, packed: 16 } as const;

interface ByteMarks {
  readonly stamp: number;
  readonly flags: number;
  readonly given: 'signed' | 'unsigned' | undefined;
}

function areBytesSigned({ minimum, maximum }: MrcHeader['statistics'], { stamp, flags, given }: ByteMarks): boolean {
  if (given !== undefined) return given === 'signed';
  if (stamp === IMOD_STAMP) return (flags & IMOD_FLAG.signedBytes) !== 0;
  // A maximum below the minimum means that the statistics were not measured.
  return !(maximum >= 128 && maximum <= 255 && maximum >= minimum);
}

function requireOneVolume({ spaceGroup, intervals: { z }, counts: [, , sections] }: MrcHeader, source: string): void {
  if (spaceGroup < 401 || spaceGroup > 630 || z < 1 || sections === z) return;
  throw new CryoetPicksError(
    'unsupported',
    `${source} holds several volumes (space group ${spaceGroup}, ${sections} sections of ${z} each); expected one`,
  );
}

function labelsOf(bytes: Uint8Array, count: number): string[] {
  const labels: string[] = [];
  for (let i = 0; i < Math.min(10, count); i++) labels.push(textAt(bytes, 224 + 80 * i, 80));
  return labels.filter((label) => label !== '');
}

/** Printable ASCII up to the first NUL. */
function textAt(bytes: Uint8Array, offset: number, length: number): string {
  const codes = [...bytes.subarray(offset, offset + length)];
  const end = codes.indexOf(0);
  return codes
    .slice(0, end < 0 ? length : end)
    .map((code) => (code >= 32 && code < 127 ? String.fromCharCode(code) : '?'))
    .join('')
    .trim();
}

function fail(message: string): never {
  throw new CryoetPicksError('corrupt-data', message);
}

/** The geometry options of {@link openMrc}. */
export interface MrcGeometryOptions {
  /** In Å, instead of that of the header; one number for all axes, or along z, y, x. */
  readonly voxelSize?: number | Zyx | undefined;
  /** Position of the centre of the first voxel in Å, or `header` for ORIGIN or else NXSTART … of the file. @defaultValue (0, 0, 0) */
  readonly origin?: Point | 'header' | undefined;
}

/** The grid of a file, and warnings about unusual headers. */
export interface MrcGeometry {
  readonly grid: VoxelGrid;
  readonly warnings: readonly Warning[];
}

/** The index of an axis in z, y, x. */
export function axisIndex(axis: MrcAxis): Axis {
  return axis === 'z' ? 0 : axis === 'y' ? 1 : 2;
}

/** Returns the grid that a header describes, in z, y, x whatever the order of the file. */
export function gridOf(
  header: MrcHeader,
  { voxelSize: given, origin = { x: 0, y: 0, z: 0 } }: MrcGeometryOptions = {},
): MrcGeometry {
  const { counts, axes, angles } = header;
  const shape: [number, number, number] = [0, 0, 0];
  for (const [i, axis] of axes.entries()) shape[axisIndex(axis)] = counts[i]!;
  const warnings: Warning[] = [];
  const stated = statedVoxelSize(header);
  const voxelSize = given === undefined ? stated.voxelSize : asVoxelSize(given);
  if (given === undefined) warnings.push(...stated.warnings);
  else if (stated.isKnown && !sizesAgree(stated.voxelSize, voxelSize)) {
    const message = `the option voxelSize is ${inFull(voxelSize)} Å, the header says ${inFull(stated.voxelSize)} Å (z×y×x); the option is used`;
    warnings.push({ code: 'voxel-size-differs', message });
  }
  if (angles.some((angle) => angle !== 0 && Math.abs(angle - 90) > 0.01)) {
    const message = `the header gives the cell angles ${angles.join(', ')}°; they are treated as right angles`;
    warnings.push({ code: 'angles-ignored', message });
  }
  return {
    grid: { shape, voxelSize, origin: origin === 'header' ? statedOrigin(header, voxelSize) : origin },
    warnings,
  };
}

interface StatedVoxelSize {
  readonly voxelSize: Zyx;
  /** False where the header has no length, or the 1 Å that programs write if they do not know it. */
  readonly isKnown: boolean;
  readonly warnings: readonly Warning[];
}

function statedVoxelSize(header: MrcHeader): StatedVoxelSize {
  const { cell, intervals } = header;
  const unknown = (voxelSize: Zyx, warning: Warning): StatedVoxelSize => {
    return { voxelSize, isKnown: false, warnings: [warning] };
  };
  const along = (axis: MrcAxis) => shortest(cell[axis]) / intervals[axis];
  const voxelSize: Zyx = [along('z'), along('y'), along('x')];
  if (!voxelSize.every((length) => Number.isFinite(length) && length > 0)) {
    const found =
      `the header gives no voxel size (cell ${cell.x}×${cell.y}×${cell.z} Å of ` +
      `${intervals.x}×${intervals.y}×${intervals.z} intervals, x×y×z)`;
    const message = `${found}; 1 Å is assumed, give the option voxelSize`;
    return unknown([1, 1, 1], { code: 'voxel-size-assumed', message });
  }
  const ofCounts = voxelSizeOfCounts(header, voxelSize);
  if (ofCounts !== undefined) {
    const message =
      `the header gives ${inFull(voxelSize)} Å (z×y×x), a cell of ${intervals.x}×${intervals.y}×${intervals.z} intervals (x×y×z) that is as ` +
      `long as all ${header.counts.join('×')} voxels; ${inFull(ofCounts)} Å is read, give the option voxelSize if that is wrong`;
    return { voxelSize: ofCounts, isKnown: true, warnings: [{ code: 'voxel-size-doubtful', message }] };
  }
  if (voxelSize.every((length) => Math.abs(length - 1) < 1e-6)) {
    const message =
      'the header gives a voxel size of exactly 1 Å, which programs write if they do not know it; give the option voxelSize';
    return unknown(voxelSize, { code: 'voxel-size-unknown', message });
  }
  return { voxelSize, isKnown: true, warnings: [] };
}

/**
 * The voxel size if the cell is that of all voxels, whatever the intervals: programs that write a stack of images leave MZ at 1, but
 * give the cell of the whole. Undefined unless that makes the voxels cubes, and the header's intervals do not, or give over 100 Å.
 */
function voxelSizeOfCounts({ axes, counts, cell, intervals }: MrcHeader, stated: Zyx): Zyx | undefined {
  const isCube = (size: Zyx) => sizesAgree(size, size[2]);
  const along = (axis: MrcAxis) => {
    const count = counts[axes.indexOf(axis)]!;
    return intervals[axis] === 1 && count > 1 ? shortest(cell[axis]) / count : shortest(cell[axis]) / intervals[axis];
  };
  const voxelSize: Zyx = [along('z'), along('y'), along('x')];
  // No tomogram has voxels of 100 Å.
  return (!isCube(stated) || stated[2] > 100) && isCube(voxelSize) && !sizesAgree(voxelSize[0], stated[0])
    ? voxelSize
    : undefined;
}

/** `10.012×10.012×10.012`. */
function inFull(voxelSize: Zyx): string {
  return voxelSize.map((length) => Number(length.toPrecision(7))).join('×');
}

/** The shortest decimal number that rounds to this float32: 6307.56 for 6307.56005859375. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}

/** ORIGIN if it is set, otherwise the start indices, as map viewers interpret them. */
function statedOrigin({ origin, start, axes }: MrcHeader, voxelSize: Zyx): Point {
  if ([origin.x, origin.y, origin.z].some((length) => length !== 0 && Number.isFinite(length))) {
    const orZero = (length: number) => (Number.isFinite(length) ? shortest(length) : 0);
    return { x: orZero(origin.x), y: orZero(origin.y), z: orZero(origin.z) };
  }
  const along = (axis: MrcAxis) => start[axes.indexOf(axis)]! * voxelSize[axisIndex(axis)];
  return { x: along('x'), y: along('y'), z: along('z') };
}
