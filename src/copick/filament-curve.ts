import {
  isFields,
  optional,
  optionalList,
  point,
  type Rule,
  requireArgument,
  someNumber,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { Point } from '../space/grid.ts';
import {
  addScaled,
  arcLengths,
  type BSpline,
  between,
  distance,
  distanceToPolyline,
  interpolator,
  splineAt,
  splineProblem,
  type Vector,
} from './spline.ts';

/**
 * The curve that a filament's centreline was drawn or fitted as; editors compute its points from it. `catmull-rom` and `linear`
 * curves pass through all control points, a `bspline` does not. Other kinds are kept unchanged and never evaluated.
 */
export interface FilamentCurve {
  readonly kind: string;
  /** In Å, in the direction of the filament's points; the coefficients of a `bspline`. */
  readonly controlPoints: readonly Point[];
  /** Maximum distance between the points computed from it, in Å along the curve. */
  readonly step: number;
  /** Parameterisation of `catmull-rom`, 0 to 1. @defaultValue 0.5, centripetal */
  readonly alpha?: number | undefined;
  /** Degree of a `bspline`, 1 to 5. */
  readonly degree?: number | undefined;
  /** Knots of a `bspline`, clamped. */
  readonly knots?: readonly number[] | undefined;
  /** The smoothness requested for a fit; descriptive only. */
  readonly smoothing?: number | undefined;
  /** Unknown keys. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

const pointList: Rule = { expected: 'a list of points { x, y, z } in Å', isValid: Array.isArray, items: point };
const curveRule: Rule = {
  expected: 'a curve { kind, controlPoints, step }',
  isValid: isFields,
  fields: {
    kind: text,
    controlPoints: pointList,
    step: someNumber,
    alpha: /* @__PURE__ */ optional(someNumber),
    degree: /* @__PURE__ */ optional(someNumber),
    knots: /* @__PURE__ */ optionalList('a list of numbers', someNumber),
    smoothing: /* @__PURE__ */ optional(someNumber),
  },
};
/** A filament, or what its curve is drawn through. */
export const lineRule: Rule = {
  expected: 'a filament { points }',
  isValid: isFields,
  fields: { points: pointList, curve: /* @__PURE__ */ optional(curveRule) },
};

/** Maximum number of points of one curve: about 300 MB. A step far too small would exhaust the memory. */
const MAX_SAMPLES = 5_000_000;
/** Minimum distance, in Å, between consecutive control points of a curve through them. */
const minSpacing = 1e-6;

/**
 * Computes the points of a curve from start to end, at most `step` apart. As in copick, each piece between control points, or
 * between knots, is divided evenly along its length, so that the curve's anchors are among the points.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a curve of an unknown kind, one that breaks the rules of its kind, or one
 *   that would make more than five million points.
 * @example
 * ```ts
 * const controlPoints = [{ x: 0, y: 0, z: 0 }, { x: 400, y: 50, z: 0 }, { x: 800, y: 0, z: 100 }];
 * const curve = { kind: 'catmull-rom', controlPoints, step: 10 } as const;
 * const filament = { instanceId: 1, points: evaluateCurve(curve), curve };
 * ```
 */
export function evaluateCurve(curve: FilamentCurve): Point[] {
  requireArgument('evaluateCurve', 'curve', curve, curveRule);
  return curvePoints(curve).map(([x, y, z]) => ({ x, y, z }));
}

/** Like {@link evaluateCurve}, but as triples and with a step of choice. */
export function curvePoints(curve: FilamentCurve, step: number = curve.step): Vector[] {
  const problem = curveProblem({ ...curve, step });
  if (problem !== undefined) throw new CryoetPicksError('invalid-option', `the curve cannot be evaluated: ${problem}`);
  const pieces = finePieces(curve, step);
  const points = pieces.flatMap((piece) => evenly(piece, step));
  if (points.length === 0) throw new CryoetPicksError('invalid-option', 'the curve has no length');
  return [...points, pieces.at(-1)!.at(-1)!];
}

/** Says why a curve cannot be evaluated; empty if it can. */
export function curveProblem({ kind, controlPoints, step, alpha, degree, knots }: FilamentCurve): string | undefined {
  if (!isKnownKind(kind)) return `its kind is "${kind}", expected catmull-rom, linear or bspline`;
  const points = controlPoints.map(toVector);
  if (!points.every((point) => point.every(Number.isFinite))) return 'a control point is not finite';
  if (!(step > 0 && Number.isFinite(step))) return `its step of ${step} Å is not a length above 0`;
  if (kind === 'bspline') return splineProblem(points.length, degree, knots) || undefined;
  if (points.length < 2) return `a ${kind} curve needs two control points, found ${points.length}`;
  const same = points.findIndex((point, i) => i > 0 && distance(points[i - 1]!, point) <= minSpacing);
  if (same > 0) return `control points ${same - 1} and ${same} are the same`;
  if (kind === 'catmull-rom' && alpha !== undefined && !(alpha >= 0 && alpha <= 1))
    return `alpha ${alpha} is not within 0 to 1`;
  return undefined;
}

/** Whether curves of this kind can be evaluated. */
function isKnownKind(kind: string): boolean {
  return kind === 'catmull-rom' || kind === 'linear' || kind === 'bspline';
}

/** The points that a valid curve passes through: its control points, or those of a `bspline` at its knots. */
export function curveAnchors(curve: FilamentCurve): Vector[] {
  if (curve.kind !== 'bspline') return curve.controlPoints.map(toVector);
  const spline = toSpline(curve);
  const { knots, degree, controlPoints } = spline;
  const inner = new Set(knots.slice(degree, controlPoints.length + 1));
  return [...inner].map((knot) => splineAt(spline, knot).point);
}

/** A `bspline` in the form of the kernels. */
export function toSpline({ controlPoints, degree = 0, knots = [] }: FilamentCurve): BSpline {
  return { controlPoints: controlPoints.map(toVector), degree, knots };
}

/** A point as a triple. */
function toVector({ x, y, z }: Point): Vector {
  return [x, y, z];
}

/** Each piece of the curve as a fine polyline, from one anchor to the next. */
function finePieces(curve: FilamentCurve, step: number): Vector[][] {
  const counter = sampleCounter(step);
  if (curve.kind === 'bspline') return splinePieces(toSpline(curve), counter);
  const points = curve.controlPoints.map(toVector);
  const extended = [beyond(points[1]!, points[0]!), ...points, beyond(points.at(-2)!, points.at(-1)!)];
  return points.slice(1).map((end, i) => {
    const start = points[i]!;
    const count = counter(distance(start, end));
    const near = extended.slice(i, i + 4);
    const at = curve.kind === 'linear' ? (f: number) => between(start, end, f) : catmullRom(near, curve.alpha ?? 0.5);
    return [start, ...Array.from({ length: count - 1 }, (_, k) => at((k + 1) / count)), end];
  });
}

/** The mirror image of the first point about the second. */
function beyond(first: Vector, second: Vector): Vector {
  return addScaled(second, addScaled(second, first, -1), 1);
}

/** The number of samples of a piece of a given length; throws once the curve needs too many. */
function sampleCounter(step: number): (length: number) => number {
  let total = 0;
  return (length) => {
    const count = Math.max(16, Math.ceil((16 * length) / step));
    total = checkSamples(total + count, step);
    return count;
  };
}

/** @throws {@link CryoetPicksError} `invalid-option` if a number of samples would exhaust the memory. */
export function checkSamples(count: number, step: number): number {
  if (count <= MAX_SAMPLES) return count;
  throw new CryoetPicksError(
    'invalid-option',
    `steps of ${step} Å cut the curve into more than ${MAX_SAMPLES} samples`,
  );
}

function splinePieces(spline: BSpline, counter: (length: number) => number): Vector[][] {
  const { controlPoints, knots, degree } = spline;
  const pieces: Vector[][] = [];
  for (let span = degree; span < controlPoints.length; span++) {
    const [start, end] = [knots[span]!, knots[span + 1]!];
    if (start === end) continue;
    const polygon = controlPoints.slice(span - degree, span + 1);
    const count = counter(polygon.slice(1).reduce((sum, point, i) => sum + distance(polygon[i]!, point), 0));
    const samples = Array.from(
      { length: count },
      (_, k) => splineAt(spline, start + ((end - start) * k) / count, span).point,
    );
    pieces.push([...samples, splineAt(spline, end).point]);
  }
  return pieces;
}

/** The curve from the second to the third of four points, as a function of the fraction, by the pyramid of Barry and Goldman. */
function catmullRom(points: readonly Vector[], alpha: number): (fraction: number) => Vector {
  const times = [0];
  for (let i = 1; i < 4; i++) times.push(times[i - 1]! + distance(points[i - 1]!, points[i]!) ** alpha);
  const [t0, t1, t2, t3] = times as [number, number, number, number];
  return (fraction) => {
    const t = t1 + (t2 - t1) * fraction;
    const mix = (a: Vector, b: Vector, from: number, to: number) => between(a, b, (t - from) / (to - from));
    const a = [
      mix(points[0]!, points[1]!, t0, t1),
      mix(points[1]!, points[2]!, t1, t2),
      mix(points[2]!, points[3]!, t2, t3),
    ];
    return mix(mix(a[0]!, a[1]!, t0, t2), mix(a[1]!, a[2]!, t1, t3), t1, t2);
  };
}

/** Points at equal distances of at most `step` along a polyline, without its end; none for a polyline without length. */
function evenly(line: readonly Vector[], step: number): Vector[] {
  const fine = line.filter((point, i) => i === 0 || distance(line[i - 1]!, point) > 0);
  const along = arcLengths(fine);
  const length = along.at(-1)!;
  if (length <= 0) return [];
  const count = Math.max(1, Math.ceil(length / step - 1e-9));
  const at = interpolator(along, fine);
  return Array.from({ length: count }, (_, k) => (k === 0 ? fine[0]! : at((k * length) / count)));
}

/** A centreline, and the curve that it was computed from, if any. */
export interface CurvedLine {
  readonly points: readonly Point[];
  readonly curve?: FilamentCurve | undefined;
}

/**
 * Whether the curve of a filament still describes its points: the ends of the curve lie within a hundredth of `step` of the
 * ends of the filament, and all its anchors within that distance of the line through the points. False for a filament
 * without a curve and for a curve of an unknown kind.
 */
export function hasCurrentCurve(filament: CurvedLine): boolean {
  requireArgument('hasCurrentCurve', 'filament', filament, lineRule);
  const { points, curve } = filament;
  if (curve === undefined || points.length < 2 || curveProblem(curve) !== undefined) return false;
  const line = points.map(toVector);
  const anchors = curveAnchors(curve);
  const tolerance = 0.01 * curve.step;
  // Negated, so that NaN counts as not current.
  const isNear = (d: number) => d <= tolerance;
  return (
    isNear(distance(line[0]!, anchors[0]!)) &&
    isNear(distance(line.at(-1)!, anchors.at(-1)!)) &&
    anchors.every((anchor) => isNear(distanceToPolyline(anchor, line)))
  );
}

/** Whether a curve should not be written: this library can evaluate its kind, and it no longer matches the points. */
export function hasStaleCurve(filament: CurvedLine): boolean {
  return filament.curve !== undefined && isKnownKind(filament.curve.kind) && !hasCurrentCurve(filament);
}

/**
 * The curve to edit or sample a filament by: its own curve if that is current, otherwise a `catmull-rom` curve through as few of
 * its points as keep the curve within half a step of all of them. The step is the median distance between the points.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if all points of the filament coincide, or it ends where it starts.
 * @example
 * ```ts
 * const curve = curveOf(filament);
 * ```
 */
export function curveOf(filament: CurvedLine): FilamentCurve {
  requireArgument('curveOf', 'filament', filament, lineRule);
  if (filament.curve !== undefined && hasCurrentCurve(filament)) return filament.curve;
  const line = filament.points.map(toVector);
  const step = medianDistance(line);
  if (!(step > 0)) throw new CryoetPicksError('invalid-option', 'at least half of the points of the filament coincide');
  return { kind: 'catmull-rom', alpha: 0.5, step, controlPoints: controlPointsOf(line, step / 2) };
}

function medianDistance(line: readonly Vector[]): number {
  const gaps = line
    .slice(1)
    .map((point, i) => distance(line[i]!, point))
    .sort((a, b) => a - b);
  const middle = gaps.length >> 1;
  return gaps.length % 2 === 1 ? gaps[middle]! : (gaps[middle - 1]! + gaps[middle]!) / 2;
}

/** Starts from the ends and repeatedly adds the point furthest from the curve, until all lie within the tolerance. */
function controlPointsOf(points: readonly Vector[], tolerance: number): Point[] {
  const line = points.filter((point, i) => i === 0 || distance(points[i - 1]!, point) > minSpacing);
  if (line.length < 2 || distance(line[0]!, line.at(-1)!) <= minSpacing) {
    throw new CryoetPicksError(
      'invalid-option',
      'the filament ends where it starts; closed filaments are not supported',
    );
  }
  const chosen = new Set([0, line.length - 1]);
  for (;;) {
    const controlPoints = [...chosen].sort((a, b) => a - b).map((i) => toPoint(line[i]!));
    const curve = curvePoints({ kind: 'catmull-rom', controlPoints, step: tolerance });
    const off = line.map((point) => distanceToPolyline(point, curve));
    const furthest = off.reduce((best, value, i) => (value > off[best]! ? i : best), 0);
    if (off[furthest]! <= tolerance || chosen.has(furthest)) return controlPoints;
    chosen.add(furthest);
  }
}

function toPoint([x, y, z]: Vector): Point {
  return { x, y, z };
}
