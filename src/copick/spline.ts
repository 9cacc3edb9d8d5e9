/** A clamped B-spline in space. */
export interface BSpline {
  readonly controlPoints: readonly Vector[];
  readonly knots: readonly number[];
  readonly degree: number;
}

/** A point of a B-spline, and the derivative with respect to the parameter there. */
export interface SplinePoint {
  readonly point: Vector;
  readonly derivative: Vector;
}

/** The knot span that contains a parameter; at the end of the domain, the last span that is not empty. */
export function spanAt({ controlPoints, knots, degree }: BSpline, u: number): number {
  const count = controlPoints.length;
  if (u >= knots[count]!) {
    let span = count - 1;
    while (knots[span]! >= knots[span + 1]!) span--;
    return span;
  }
  let [low, high] = [degree, count - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (knots[middle]! <= u) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Evaluates a B-spline at a parameter within a knot span, by de Boor's algorithm. */
export function splineAt(spline: BSpline, u: number, span: number = spanAt(spline, u)): SplinePoint {
  const { controlPoints, knots, degree } = spline;
  const points = controlPoints.slice(span - degree, span + 1).map((point): [number, number, number] => [...point]);
  let derivative: Vector = [0, 0, 0];
  for (let round = 1; round <= degree; round++) {
    if (round === degree)
      derivative = difference(points[degree - 1]!, points[degree]!, degree / (knots[span + 1]! - knots[span]!));
    for (let i = degree; i >= round; i--) {
      const low = knots[span - degree + i]!;
      const share = (u - low) / (knots[span + 1 + i - round]! - low);
      const [point, before] = [points[i]!, points[i - 1]!];
      for (let axis = 0; axis < 3; axis++) point[axis] = (1 - share) * before[axis]! + share * point[axis]!;
    }
  }
  return { point: points[degree]!, derivative };
}

function difference(a: Vector, b: Vector, factor: number): Vector {
  const [x, y, z] = addScaled(b, a, -1);
  return [x * factor, y * factor, z * factor];
}

/** Says why degree and knots do not define a B-spline over a number of control points; empty if they do. */
export function splineProblem(count: number, degree: number | undefined, knots: readonly number[] | undefined): string {
  if (degree === undefined || knots === undefined) return 'a bspline needs a degree and knots';
  if (!(Number.isInteger(degree) && degree >= 1 && degree <= 5)) return `degree ${degree} is not one of 1 to 5`;
  if (count < degree + 1) return `a bspline of degree ${degree} needs ${degree + 1} control points, found ${count}`;
  const expected = count + degree + 1;
  if (knots.length !== expected) return `${count} control points need ${expected} knots, found ${knots.length}`;
  if (knots.some((knot, i) => !Number.isFinite(knot) || (i > 0 && knot < knots[i - 1]!))) {
    return 'its knots are not finite numbers in ascending order';
  }
  const [first, last] = [knots[0]!, knots.at(-1)!];
  const repeats = (value: number) => knots.filter((knot) => knot === value).length;
  if (first === last || repeats(first) !== degree + 1 || repeats(last) !== degree + 1) {
    return `its first knot and its last are not repeated ${degree + 1} times each`;
  }
  const inner = knots.slice(degree + 1, count);
  const crowded = inner.some((knot, i) => i >= degree && inner[i - degree] === knot);
  return crowded ? `a knot within it is repeated more than ${degree} times` : '';
}

/** A vector or a point as a triple `[x, y, z]`, in Å: what the kernels of filaments work on. */
export type Vector = readonly [number, number, number];

/** The distance between two points. */
export function distance(a: Vector, b: Vector): number {
  return Math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2);
}

/** The point at a fraction of the way from one point to another. */
export function between(a: Vector, b: Vector, fraction: number): Vector {
  const rest = 1 - fraction;
  return [rest * a[0] + fraction * b[0], rest * a[1] + fraction * b[1], rest * a[2] + fraction * b[2]];
}

/** The sum of two vectors, the second one multiplied by a factor. */
export function addScaled(a: Vector, b: Vector, factor: number): Vector {
  return [a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2]];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** A vector of length 1 in the same direction; the zero vector stays. */
export function unit(a: Vector): Vector {
  const factor = 1 / Math.max(Math.sqrt(dot(a, a)), 1e-12);
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

/** The length along a polyline up to each of its points. */
export function arcLengths(line: readonly Vector[]): number[] {
  const along = [0];
  for (let i = 1; i < line.length; i++) along.push(along[i - 1]! + distance(line[i - 1]!, line[i]!));
  return along;
}

/** Interpolates values linearly at lengths along a polyline. */
export function interpolator(along: readonly number[], values: readonly Vector[]): (length: number) => Vector {
  const last = along.length - 1;
  return (length) => {
    if (length >= along[last]!) return values[last]!;
    const i = Math.max(1, firstFrom(along, length));
    const [from, to] = [along[i - 1]!, along[i]!];
    return addScaled(values[i - 1]!, addScaled(values[i]!, values[i - 1]!, -1), (length - from) / (to - from));
  };
}

/** The index of the first of ascending values that is not below a value; their number if all are below. */
export function firstFrom(rising: readonly number[], value: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The distance from a point to a polyline. */
export function distanceToPolyline([x, y, z]: Vector, line: readonly Vector[]): number {
  let smallest = Number.POSITIVE_INFINITY;
  let [ax, ay, az] = line[0]!;
  for (const [bx, by, bz] of line) {
    const [dx, dy, dz] = [bx - ax, by - ay, bz - az];
    const length = Math.max(dx * dx + dy * dy + dz * dz, 1e-30);
    const share = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy + (z - az) * dz) / length));
    smallest = Math.min(smallest, (x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2 + (z - az - share * dz) ** 2);
    [ax, ay, az] = [bx, by, bz];
  }
  return Math.sqrt(smallest);
}
