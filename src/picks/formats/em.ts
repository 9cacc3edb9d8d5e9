import { CryoetPicksError } from '../../errors.ts';

/** Numbers of an EM file, x fastest. */
export interface EmArray {
  readonly data: Float64Array;
  /** Extent along x, y, z. */
  readonly extent: readonly [number, number, number];
}

const code = 'invalid-picks';
const headerBytes = 512;
const littleEndian = 6;
/** Machines that wrote the numbers of a file: OS-9, SGI and Mac with the largest byte first, PC with the smallest. */
const machines: ReadonlyMap<number, boolean> = new Map([
  [0, false],
  [3, false],
  [5, false],
  [littleEndian, true],
]);
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
 * @throws {@link CryoetPicksError} `invalid-picks` for what is no EM file, or is cut off; `unsupported` for other machines
 * and complex numbers.
 */
export function readEm(bytes: Uint8Array, source: string): EmArray {
  if (bytes.length < headerBytes) {
    throw new CryoetPicksError(code, `${source}: ${bytes.length} bytes; an EM file begins with ${headerBytes}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = machines.get(bytes[0]!);
  const type = types.get(bytes[3]!);
  if (little === undefined || type === undefined) {
    throw new CryoetPicksError(
      'unsupported',
      `${source}: EM file of machine ${bytes[0]} and data type ${bytes[3]}; expected machine ${[...machines.keys()].join(', ')} and type ${[...types.keys()].join(', ')}`,
    );
  }
  const [x, y, z] = [4, 8, 12].map((at) => view.getInt32(at, little)) as [number, number, number];
  const [size, read] = type;
  const count = x * y * z;
  const fits = x > 0 && y > 0 && z > 0 && headerBytes + count * size <= bytes.length;
  if (!fits) {
    throw new CryoetPicksError(
      code,
      `${source}: EM file of ${x}×${y}×${z} numbers in ${bytes.length} bytes; it is cut off`,
    );
  }
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) data[i] = read(view, headerBytes + i * size, little);
  return { data, extent: [x, y, z] };
}

/** Writes an EM file of single precision, smallest byte first. */
export function writeEm({ data, extent }: EmArray): Uint8Array {
  const bytes = new Uint8Array(headerBytes + data.length * 4);
  const view = new DataView(bytes.buffer);
  bytes[0] = littleEndian;
  bytes[3] = 5;
  for (const [axis, count] of extent.entries()) view.setInt32(4 + axis * 4, count, true);
  for (const [i, value] of data.entries()) view.setFloat32(headerBytes + i * 4, value, true);
  return bytes;
}
