import { halvesToNumbers, numberToHalf } from '../codecs/number-type.ts';
import { CryoetPicksError } from '../core/errors.ts';

/** The modes of an MRC file that hold one real number per voxel: 8 and 16 bits, float32, uint16, float16. */
export type MrcMode = 0 | 1 | 2 | 6 | 12;

/** How the voxels of a file are stored. */
export interface MrcEncoding {
  readonly mode: MrcMode;
  readonly littleEndian: boolean;
  /** In mode 0, true if bytes run from −128 to 127 instead of 0 to 255. */
  readonly signedBytes: boolean;
}

/** Bytes of one voxel. */
export const MODE_BYTES: Readonly<Record<MrcMode, number>> = { 0: 1, 1: 2, 2: 4, 6: 2, 12: 2 };

const UNSUPPORTED: Readonly<Record<number, string>> = {
  3: 'complex numbers of 16-bit integers: a Fourier transform, not voxels',
  4: 'complex numbers of float32: a Fourier transform, not voxels',
  16: 'RGB colours: a picture, not voxels',
  101: '4-bit integers, two in a byte: raw frames of a camera',
};

/** @throws {@link CryoetPicksError} `unsupported`, saying what the mode is, unless the mode can be read. */
export function requireMode(mode: number, where: string): MrcMode {
  if (mode in MODE_BYTES) return mode as MrcMode;
  const reason = UNSUPPORTED[mode] ?? 'which MRC2014 does not define';
  throw new CryoetPicksError(
    'unsupported',
    `${where} has mode ${mode}, ${reason}; supported are 0, 1, 2, 6 and 12: integers of 8 and 16 bits, float32, float16`,
  );
}

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Decodes voxels to float32; `bytes` holds at least as many as `out` has elements. */
export function decodeVoxels(bytes: Uint8Array, encoding: MrcEncoding, out: Float32Array): void {
  const { mode, signedBytes } = encoding;
  if (mode === 0) {
    out.set(signedBytes ? new Int8Array(bytes.buffer, bytes.byteOffset, out.length) : bytes.subarray(0, out.length));
    return;
  }
  const buffer = alignedBytes(bytes, out.length * MODE_BYTES[mode], encoding);
  const [at, length] = [buffer.byteOffset, out.length];
  if (mode === 2) out.set(new Float32Array(buffer.buffer, at, length));
  else if (mode === 1) out.set(new Int16Array(buffer.buffer, at, length));
  else if (mode === 6) out.set(new Uint16Array(buffer.buffer, at, length));
  else halvesToNumbers(new Uint16Array(buffer.buffer, at, length), out);
}

/** The first `length` bytes, in this machine's byte order and aligned for a typed array; copied only if necessary. */
function alignedBytes(bytes: Uint8Array, length: number, { mode, littleEndian }: MrcEncoding): Uint8Array {
  const width = MODE_BYTES[mode];
  const mustSwap = littleEndian !== hostIsLittleEndian;
  const part = bytes.subarray(0, length);
  if (!mustSwap && part.byteOffset % width === 0) return part;
  const copy = new Uint8Array(part);
  if (mustSwap) swapBytes(copy, width);
  return copy;
}

/** Reverses the bytes of every number of 2 or 4 bytes, in place. */
function swapBytes(bytes: Uint8Array, width: number): void {
  for (let first = 0; first + width <= bytes.length; first += width) {
    for (let a = first, b = first + width - 1; a < b; a++, b--) {
      const byte = bytes[a];
      bytes[a] = bytes[b];
      bytes[b] = byte;
    }
  }
}

const RANGES: Readonly<Record<Exclude<MrcMode, 2>, readonly [minimum: number, maximum: number]>> = {
  0: [-128, 127],
  1: [-32768, 32767],
  6: [0, 65535],
  12: [-65504, 65504],
};

/**
 * Encodes voxels in a mode, little-endian; bytes are signed.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a value that the mode cannot hold: a fraction or NaN as an integer, or
 * one out of range. Float16 rounds to the nearest, ties to even.
 */
export function encodeVoxels(values: Float32Array, mode: MrcMode): Uint8Array {
  const out = new Uint8Array(values.length * MODE_BYTES[mode]);
  if (mode === 2) new Float32Array(out.buffer).set(values);
  else if (mode === 12) encodeHalves(values, new Uint16Array(out.buffer));
  else {
    const [minimum, maximum] = RANGES[mode];
    for (const value of values)
      if (!(value >= minimum && value <= maximum && Number.isInteger(value))) throwOutOfRange(value, mode);
    new (mode === 0 ? Int8Array : mode === 1 ? Int16Array : Uint16Array)(out.buffer).set(values);
  }
  if (!hostIsLittleEndian) swapBytes(out, MODE_BYTES[mode]);
  return out;
}

function encodeHalves(values: Float32Array, out: Uint16Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Math.abs(value) >= 65520 && Number.isFinite(value)) throwOutOfRange(value, 12);
    out[i] = numberToHalf(value);
  }
}

function throwOutOfRange(value: number, mode: Exclude<MrcMode, 2>): never {
  const [minimum, maximum] = RANGES[mode];
  const kind = mode === 12 ? 'numbers' : 'whole numbers';
  throw new CryoetPicksError(
    'invalid-option',
    `a voxel is ${value}; mode ${mode} of MRC holds ${kind} from ${minimum} to ${maximum}: write mode 2 instead`,
  );
}

/** A half-open box in the order of the file: sections, rows, columns. */
export interface FileBox {
  readonly start: readonly [section: number, row: number, column: number];
  readonly end: readonly [section: number, row: number, column: number];
}

/** A run of voxels in the file that is read at once. */
export interface FileSpan {
  /** Index in the file of its first voxel. */
  readonly first: number;
  /** Voxels of the run, from the first to the last one of the box. */
  readonly voxels: number;
  readonly rows: number;
  /** Voxels from the start of one row to the start of the next. */
  readonly rowStep: number;
  /** Index of its first voxel among those of the box. */
  readonly to: number;
}

/** Options of {@link fileSpans}. */
export interface FileSpansOptions {
  /** Columns, rows, sections of the file. */
  readonly counts: readonly [number, number, number];
  readonly bytesPerVoxel: number;
}

/** Maximum bytes that are read at once, unless a single row is longer. */
const SPAN_BYTES = 2 ** 22;
/** Maximum gap between rows that is read rather than skipped. */
const GAP_BYTES = 2 ** 13;

/**
 * Lists the runs of voxels to read for a box. Rows that lie close together are read with the voxels between them; whole sections are
 * read as one.
 */
export function fileSpans(
  { start, end }: FileBox,
  { counts: [columns, rows], bytesPerVoxel }: FileSpansOptions,
): FileSpan[] {
  const width = end[2] - start[2];
  const height = end[1] - start[1];
  const isWholeSection = width === columns && height === rows;
  // Whole sections have no gaps between them, so they count as one section with many rows.
  const sections = isWholeSection ? 1 : end[0] - start[0];
  const rowsPerSection = isWholeSection ? height * (end[0] - start[0]) : height;
  const gap = (columns - width) * bytesPerVoxel;
  const maxRows = gap > GAP_BYTES ? 1 : Math.max(1, Math.floor(SPAN_BYTES / (columns * bytesPerVoxel)));
  const spans: FileSpan[] = [];
  for (let section = 0; section < sections; section++) {
    for (let row = 0; row < rowsPerSection; row += maxRows) {
      const count = Math.min(maxRows, rowsPerSection - row);
      spans.push({
        first: ((start[0] + section) * rows + start[1] + row) * columns + start[2],
        voxels: (count - 1) * columns + width,
        rows: count,
        rowStep: columns,
        to: (section * rowsPerSection + row) * width,
      });
    }
  }
  return spans;
}
