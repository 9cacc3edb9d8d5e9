import type { Transform } from '../space/grid.ts';

/** A rotation that maps object space to tomogram space: three rows in the order x, y, z, acting on columns. */
export type Rotation = readonly [Row, Row, Row];
type Row = readonly [number, number, number];

/** Three angles in degrees, in the order in which a convention names them. */
export type EulerAngles = readonly [number, number, number];

/**
 * How a program writes a rotation as three angles. With Rx, Ry, Rz the right-handed rotations about the fixed axes, object
 * space goes to tomogram space by
 *
 * - `relion` (rot, tilt, psi): the inverse of Rz(rot) · Ry(tilt) · Rz(psi);
 * - `dynamo` (tdrot, tilt, narot): the inverse of Rz(narot) · Rx(tilt) · Rz(tdrot);
 * - `tom` (phi, theta, psi), of TOM, AV3 and STOPGAP: Rz(psi) · Rx(theta) · Rz(phi).
 *
 * So read copick, eulerangles (`relion`, `dynamo`) and the data portal (`relion`, `tom`).
 */
export type EulerConvention = 'relion' | 'dynamo' | 'tom';

const degree = Math.PI / 180;

/**
 * The rotation that three angles mean.
 *
 * @example
 * ```ts
 * const rotation = rotationFromEuler([90, 45, 180], 'relion');
 * ```
 */
export function rotationFromEuler([first, second, third]: EulerAngles, convention: EulerConvention): Rotation {
  switch (convention) {
    case 'relion':
      return transposed(zyz(first, second, third));
    case 'dynamo':
      return transposed(zxz(third, second, first));
    case 'tom':
      return zxz(third, second, first);
  }
}

/**
 * Converts a rotation to three angles: the second within 0 … 180, the others within −180 … 180. Where the second is 0 or 180,
 * only the sum or the difference of the others counts, and one of them is 0.
 */
export function eulerFromRotation(rotation: Rotation, convention: EulerConvention): EulerAngles {
  if (convention === 'relion') return anglesOfZyz(transposed(rotation));
  const [a, b, c] = anglesOfZxz(convention === 'dynamo' ? transposed(rotation) : rotation);
  return [c, b, a];
}

/** The rotation of a transform; undefined without one or for the identity, which formats with angles cannot tell apart. */
export function rotationOf(transform: Transform | undefined): Rotation | undefined {
  if (transform === undefined) return undefined;
  const [x, y, z] = transform.map((row) => [row[0], row[1], row[2]] as unknown as Row);
  const rotation: Rotation = [x!, y!, z!];
  return isIdentity(rotation) ? undefined : rotation;
}

/** The transform of a rotation, without translation. */
export function transformOf([x, y, z]: Rotation): Transform {
  return [
    [...x, 0],
    [...y, 0],
    [...z, 0],
    [0, 0, 0, 1],
  ];
}

/** The rotation that turns nothing. */
export const identity: Rotation = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/** True for the identity, to the last bit. */
export function isIdentity(rotation: Rotation): boolean {
  return rotation.every((row, i) => row.every((value, j) => value === (i === j ? 1 : 0)));
}

/** How far a matrix is from a rotation: the largest deviation of a product of its rows, infinite for a mirror image. */
export function deviationFromRotation([x, y, z]: Rotation): number {
  const cross: Row = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
  if (!(dot(cross, z) > 0)) return Number.POSITIVE_INFINITY;
  return Math.max(
    ...[dot(x, x) - 1, dot(y, y) - 1, dot(z, z) - 1, dot(x, y), dot(y, z), dot(z, x)].map((value) => Math.abs(value)),
  );
}

function dot(a: Row, b: Row): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/** The inverse of a rotation. */
export function transposed([x, y, z]: Rotation): Rotation {
  return [
    [x[0], y[0], z[0]],
    [x[1], y[1], z[1]],
    [x[2], y[2], z[2]],
  ];
}

/** The matrix product: first `b`, then `a`. */
export function product(a: Rotation, b: Rotation): Rotation {
  const row = ([x, y, z]: Row): Row => [
    x * b[0][0] + y * b[1][0] + z * b[2][0],
    x * b[0][1] + y * b[1][1] + z * b[2][1],
    x * b[0][2] + y * b[1][2] + z * b[2][2],
  ];
  return [row(a[0]), row(a[1]), row(a[2])];
}

function cosine(angle: number): number {
  return Math.abs(angle % 180) === 90 ? 0 : Math.cos((angle % 360) * degree);
}

/** Exact where the angle is a multiple of 90°, so that angles of 0 give the identity and quarter turns whole numbers. */
function sine(angle: number): number {
  return angle % 180 === 0 ? 0 : Math.sin((angle % 360) * degree);
}

/** Rz(a) · Ry(b) · Rz(c). */
function zyz(a: number, b: number, c: number): Rotation {
  const [ca, sa, cb, sb, cc, sc] = [cosine(a), sine(a), cosine(b), sine(b), cosine(c), sine(c)];
  return [
    [ca * cb * cc - sa * sc, -ca * cb * sc - sa * cc, ca * sb],
    [sa * cb * cc + ca * sc, -sa * cb * sc + ca * cc, sa * sb],
    [-sb * cc, sb * sc, cb],
  ].map(withoutNegativeZero) as unknown as Rotation;
}

/** Rz(a) · Rx(b) · Rz(c). */
function zxz(a: number, b: number, c: number): Rotation {
  const [ca, sa, cb, sb, cc, sc] = [cosine(a), sine(a), cosine(b), sine(b), cosine(c), sine(c)];
  return [
    [ca * cc - sa * cb * sc, -ca * sc - sa * cb * cc, sa * sb],
    [sa * cc + ca * cb * sc, -sa * sc + ca * cb * cc, -ca * sb],
    [sb * sc, sb * cc, cb],
  ].map(withoutNegativeZero) as unknown as Rotation;
}

function withoutNegativeZero(row: readonly number[]): number[] {
  return row.map((value) => value + 0);
}

/** Below this, the second angle is taken as 0 or 180; the third is measured with the first undone, so nothing jumps there. */
const tiny = 1e-12;

function anglesOfZyz([x, y, z]: Rotation): EulerAngles {
  const sin = Math.hypot(x[2], y[2]);
  const a = sin < tiny ? 0 : Math.atan2(y[2], x[2]);
  const [ca, sa] = [Math.cos(a), Math.sin(a)];
  const c = Math.atan2(ca * y[0] - sa * x[0], ca * y[1] - sa * x[1]);
  return [inDegrees(a), inDegrees(Math.atan2(sin < tiny ? 0 : sin, z[2])), inDegrees(c)];
}

function anglesOfZxz([x, y, z]: Rotation): EulerAngles {
  const sin = Math.hypot(x[2], y[2]);
  const a = sin < tiny ? 0 : Math.atan2(x[2], -y[2]);
  const [ca, sa] = [Math.cos(a), Math.sin(a)];
  const c = Math.atan2(-(ca * x[1] + sa * y[1]), ca * x[0] + sa * y[0]);
  return [inDegrees(a), inDegrees(Math.atan2(sin < tiny ? 0 : sin, z[2])), inDegrees(c)];
}

function inDegrees(radians: number): number {
  return radians / degree + 0;
}
