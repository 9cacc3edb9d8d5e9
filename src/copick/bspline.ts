import { addScaled, type Vector } from './polyline.ts';

/** A clamped B-spline in space. */
export interface BSpline {
  readonly controlPoints: readonly Vector[];
  readonly knots: readonly number[];
  readonly degree: number;
}

/** A place on a B-spline, and the derivative by the parameter there. */
export interface SplinePoint {
  readonly point: Vector;
  readonly derivative: Vector;
}

/** The knot span that holds a parameter; the last one that is not empty at the end of the domain. */
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

/** Tells why degree and knots make no B-spline over so many control points; nothing if they do. */
export function splineProblem(count: number, degree: number | undefined, knots: readonly number[] | undefined): string {
  if (degree === undefined || knots === undefined) return 'a bspline needs a degree and knots';
  if (!(Number.isInteger(degree) && degree >= 1 && degree <= 5)) return `degree ${degree} is not one of 1 to 5`;
  if (count < degree + 1) return `a bspline of degree ${degree} needs ${degree + 1} control points, found ${count}`;
  const expected = count + degree + 1;
  if (knots.length !== expected) return `${count} control points need ${expected} knots, found ${knots.length}`;
  if (knots.some((knot, i) => !Number.isFinite(knot) || (i > 0 && knot < knots[i - 1]!))) {
    return 'its knots are not finite numbers that never fall';
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
