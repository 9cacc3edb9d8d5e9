import { describeValue } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { identity, product, type Rotation, rotationFromEuler, transposed } from '../picks/rotation.ts';

/**
 * A point group of rotations, with its axes as in RELION: `C5` and `D5` have their 5-fold axis along z, `D5` a 2-fold one along x;
 * `T` has a 3-fold axis along z and a 2-fold one along (0, √2, 1); `O` has its 4-fold axes along x, y and z; `I` has 2-fold axes along
 * x, y and z, and a 5-fold one along (1, 0, φ), φ = 1.618.
 */
export type SymmetryGroup = `C${number}` | `D${number}` | 'T' | 'O' | 'I';

/** Options of {@link evenRotations}. */
export interface EvenRotationsOptions {
  /** Maximum angle from any rotation to the nearest of the list, in degrees, above 0, at most 180. */
  readonly angleStep: number;
  /** Symmetry of what is turned: rotations that show it alike count as one. @defaultValue `'C1'` */
  readonly symmetry?: SymmetryGroup | undefined;
}

/**
 * Rotations that are spread evenly: any rotation is at most `angleStep` away from one of them, or from one that shows the same where
 * there is symmetry.
 *
 * There are about 8π² / (angleStep³ · order of the group) of them, angleStep in radians, as of a cubic lattice, and up to a quarter more
 * where there are few views. Each is a view, which
 * direction of the object points along z, and a turn about z. Views are one per orbit of the group, spread evenly on the sphere; turns
 * are even steps of the circle. Equal options give equal lists.
 *
 * @returns Rotations that take object space to tomogram space.
 */
export function evenRotations({ angleStep, symmetry = 'C1' }: EvenRotationsOptions): Rotation[] {
  const turns = Math.ceil(360 / angleStep);
  return evenViews((angleStep * Math.PI) / 180, symmetryRotations(symmetry)).flatMap(([x, y, z]) => {
    const [rot, tilt] = [Math.atan2(y, x), Math.atan2(Math.hypot(x, y), z)].map((angle) => (angle * 180) / Math.PI);
    return Array.from({ length: turns }, (_, i) => rotationFromEuler([rot!, tilt!, (360 * i) / turns], 'relion'));
  });
}

/** Options of {@link rotationsNear}. */
export interface RotationsNearOptions {
  /** How far from the centre, in degrees. */
  readonly halfAngle: number;
  /** Maximum angle from any rotation within `halfAngle` to the nearest of the list, in degrees. */
  readonly angleStep: number;
}

/**
 * Rotations around one: any rotation at most `halfAngle` away from `centre` is at most `angleStep` away from one of them. The first is
 * `centre` itself.
 */
export function rotationsNear(centre: Rotation, { halfAngle, angleStep }: RotationsNearOptions): Rotation[] {
  const reach = halfAngle + beyond * angleStep;
  const steps = Math.floor(reach / angleStep);
  const offsets: { readonly vector: Vector; readonly angle: number }[] = [];
  for (let k = -steps; k <= steps; k++) {
    for (let j = -steps; j <= steps; j++) {
      for (let i = -steps; i <= steps; i++) {
        const angle = angleStep * Math.hypot(i, j, k);
        if (angle <= Math.min(reach, 180)) offsets.push({ vector: [i, j, k], angle });
      }
    }
  }
  // Stable, so that equal angles keep their order.
  offsets.sort((a, b) => a.angle - b.angle);
  return offsets.map(({ vector, angle }) => product(rotationAbout(vector, angle), centre));
}

/** How far the lattice of {@link rotationsNear} goes beyond the cone, in steps, so that its rim is covered as well. */
const beyond = 0.5;

/**
 * The rotations of a group, the identity first.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for what is no group.
 */
export function symmetryRotations(symmetry: SymmetryGroup): Rotation[] {
  const generators = generatorsOf(symmetry);
  const found: Rotation[] = [identity];
  // Every product of an element and a generator is an element.
  for (const element of found) {
    for (const generator of generators) {
      const next = product(generator, element);
      if (!found.some((other) => angleBetween(other, next) < 1e-3)) found.push(next);
    }
  }
  return found;
}

/** The largest n of a group Cn or Dn: no particle has more, and each element costs time. */
const MAX_FOLD = 120;

function generatorsOf(symmetry: SymmetryGroup): Rotation[] {
  switch (symmetry) {
    case 'T':
      return [fold(3, [0, 0, 1]), fold(2, [0, Math.SQRT2, 1])];
    case 'O':
      return [fold(4, [0, 0, 1]), fold(3, [1, 1, 1])];
    case 'I':
      return [fold(2, [0, 0, 1]), fold(5, [1, 0, (1 + Math.sqrt(5)) / 2])];
  }
  const [, kind, digits] = /^([CD])([1-9]\d*)$/.exec(String(symmetry)) ?? [];
  const n = Number(digits);
  if (!(n <= MAX_FOLD)) {
    throw new CryoetPicksError(
      'invalid-option',
      `symmetry must be C1 … C${MAX_FOLD}, D1 … D${MAX_FOLD}, T, O or I, found ${describeValue(symmetry)}`,
      { option: 'symmetry' },
    );
  }
  return kind === 'C' ? [fold(n, [0, 0, 1])] : [fold(n, [0, 0, 1]), fold(2, [1, 0, 0])];
}

/** The angle of the rotation that leads from one to another, in degrees. */
export function angleBetween(a: Rotation, b: Rotation): number {
  // Of the matrix aᵀ·b, half its skew part is the sine times the axis, and (trace − 1) / 2 the cosine: exact near 0 and near 180.
  const [x, y, z] = product(transposed(a), b);
  const sine = Math.hypot(z[1] - y[2], x[2] - z[0], y[0] - x[1]) / 2;
  return (Math.atan2(sine, (x[0] + y[1] + z[2] - 1) / 2) * 180) / Math.PI;
}

type Vector = readonly [number, number, number];

/** The rotation that turns nothing. */
function fold(n: number, axis: Vector): Rotation {
  return rotationAbout(axis, 360 / n);
}

/** The rotation about an axis of any length, by an angle in degrees (Rodrigues' formula). */
export function rotationAbout(axis: Vector, angle: number): Rotation {
  const length = Math.hypot(...axis) || 1;
  const [x, y, z] = [axis[0] / length, axis[1] / length, axis[2] / length];
  const [c, s] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const t = 1 - c;
  return [
    [c + x * x * t, x * y * t - z * s, x * z * t + y * s],
    [y * x * t + z * s, c + y * y * t, y * z * t - x * s],
    [z * x * t - y * s, z * y * t + x * s, c + z * z * t],
  ];
}

/** A vector, turned. */
function turned([x, y, z]: Rotation, v: Vector): Vector {
  return [dot(x, v), dot(y, v), dot(z, v)];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// Views: evenly spread orbits of directions

/** Directions by which an orbit's cell is measured. */
const PROBES = 25;

/** Rounds of Lloyd's relaxation. */
const ROUNDS = 12;

/**
 * How far a direction may be from the nearest view, in steps. With turns half a step away at most, cos(ω/2) = cos(δ/2) · cos(ψ/2), so
 * that a rotation is at most (0.866² + 0.5²)^½ = 1 step from one of the list; a probe may miss the farthest point by 0.08.
 */
const farthest = 0.78;

/**
 * One direction per orbit, so that the orbits are spread evenly. Those of a golden spiral within a fundamental domain of the group are
 * moved by Lloyd's method to the centres of their cells, which mends the seams between the domain and its images. As many as a step
 * needs.
 */
function evenViews(step: number, group: readonly Rotation[]): Vector[] {
  for (let wanted = (4 * Math.PI) / step ** 2; ; wanted *= 1.04) {
    const views = spiral(Math.ceil(wanted)).filter((view) => isInDomain(view, group));
    if (group.length === 1) return views;
    const probes = spiral(Math.ceil(PROBES * wanted)).filter((probe) => isInDomain(probe, group));
    for (let round = 0; round < ROUNDS; round++) relax(views, probes, group);
    if (views.length > 0 && farthestProbe(views, probes, group) <= farthest * step) return views;
  }
}

/** Evenly spread points of the unit sphere: a golden spiral, with an irrational angle between points. */
function spiral(count: number): Vector[] {
  return Array.from({ length: count }, (_, i): Vector => {
    const z = 1 - (2 * i + 1) / count;
    const around = i * Math.PI * (3 - Math.sqrt(5));
    const r = Math.sqrt(1 - z * z);
    return [r * Math.cos(around), r * Math.sin(around), z];
  });
}

/** A direction on no axis and no mirror plane of any group. */
const inside: Vector = [0.265, 0.113, 0.958];

/** Whether a direction is the one of its orbit that is nearest to {@link inside}. */
function isInDomain(direction: Vector, group: readonly Rotation[]): boolean {
  const own = dot(direction, inside);
  return group.every((element, i) => i === 0 || dot(turned(element, direction), inside) < own);
}

/** Moves each view to the centre of the probes that are nearer to its orbit than to any other. */
function relax(views: Vector[], probes: readonly Vector[], group: readonly Rotation[]): void {
  const sums = views.map(() => [0, 0, 0] as [number, number, number]);
  for (const probe of probes) {
    const { view, element } = nearestImage(probe, views, group);
    const back = turned(transposed(element), probe);
    for (let axis = 0; axis < 3; axis++) sums[view][axis] += back[axis];
  }
  for (const [i, sum] of sums.entries()) {
    const length = Math.hypot(...sum);
    if (length > 0) views[i] = [sum[0] / length, sum[1] / length, sum[2] / length];
  }
}

/** The largest distance of a probe from the nearest view of any orbit, in radians. */
function farthestProbe(views: readonly Vector[], probes: readonly Vector[], group: readonly Rotation[]): number {
  const least = probes.reduce((least, probe) => Math.min(least, nearestImage(probe, views, group).cosine), 1);
  return Math.acos(Math.max(-1, least));
}

interface NearestImage {
  readonly view: number;
  /** The element that takes the view there. */
  readonly element: Rotation;
  readonly cosine: number;
}

function nearestImage(probe: Vector, views: readonly Vector[], group: readonly Rotation[]): NearestImage {
  let nearest: NearestImage = { view: 0, element: identity, cosine: -2 };
  for (const element of group) {
    const back = turned(transposed(element), probe);
    for (let view = 0; view < views.length; view++) {
      const cosine = dot(back, views[view]);
      if (cosine > nearest.cosine) nearest = { view, element, cosine };
    }
  }
  return nearest;
}
