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
 * What a filament's centreline was drawn or fitted as, from which its points are made again when it is edited. Kinds other than
 * `catmull-rom` and `linear` (through all control points) and `bspline` are kept as they are and never evaluated.
 */
export interface FilamentCurve {
  readonly kind: string;
  /** In Å, in the direction of the filament's points; the coefficients of a `bspline`. */
  readonly controlPoints: readonly Point[];
  /** Largest distance between the points made of it, in Å along the curve. */
  readonly step: number;
  /** Parameterisation of `catmull-rom`, 0 to 1. @defaultValue 0.5, centripetal */
  readonly alpha?: number | undefined;
  /** Degree of a `bspline`, 1 to 5. */
  readonly degree?: number | undefined;
  /** Knots of a `bspline`, clamped. */
  readonly knots?: readonly number[] | undefined;
  /** How smooth a fit was asked for; descriptive only. */
  readonly smoothing?: number | undefined;
  /** Keys this library does not know. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** As many points as one curve may be made into: some 300 MB. A step far too small would ask for more than memory holds. */
const MOST_SAMPLES = 5_000_000;
/** Control points of a curve through them are further apart than this, in Å. */
const leastDistance = 1e-6;

/**
 * The points of a curve from start to end, at most `step` apart: each piece between control points, or between knots, is cut
 * evenly along its length, as copick does, so that the curve's anchors are among the points.
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
  return curvePoints(curve).map(([x, y, z]) => ({ x, y, z }));
}

/** The same as triples, for a step that may be another than the curve's own. */
export function curvePoints(curve: FilamentCurve, step: number = curve.step): Vector[] {
  const problem = curveProblem({ ...curve, step });
  if (problem !== undefined) throw new CryoetPicksError('invalid-option', `the curve cannot be evaluated: ${problem}`);
  const pieces = finePieces(curve, step);
  const points = pieces.flatMap((piece) => evenly(piece, step));
  if (points.length === 0) throw new CryoetPicksError('invalid-option', 'the curve has no length');
  return [...points, pieces.at(-1)!.at(-1)!];
}

/** Tells why a curve cannot be evaluated; nothing if it can. */
export function curveProblem({ kind, controlPoints, step, alpha, degree, knots }: FilamentCurve): string | undefined {
  if (!isKnownKind(kind)) return `"${kind}" is none of the kinds catmull-rom, linear and bspline`;
  const points = controlPoints.map(toVector);
  if (!points.every((point) => point.every(Number.isFinite))) return 'a control point is not finite';
  if (!(step > 0 && Number.isFinite(step))) return `its step of ${step} Å is not a length above 0`;
  if (kind === 'bspline') return splineProblem(points.length, degree, knots) || undefined;
  if (points.length < 2) return `a ${kind} curve needs two control points, found ${points.length}`;
  const same = points.findIndex((point, i) => i > 0 && distance(points[i - 1]!, point) <= leastDistance);
  if (same > 0) return `control points ${same - 1} and ${same} are the same`;
  if (kind === 'catmull-rom' && alpha !== undefined && !(alpha >= 0 && alpha <= 1))
    return `alpha ${alpha} is not within 0 to 1`;
  return undefined;
}

/** True for the kinds of curve that are evaluated. */
function isKnownKind(kind: string): boolean {
  return kind === 'catmull-rom' || kind === 'linear' || kind === 'bspline';
}

/** The points that a sound curve passes through: its control points, or a `bspline` at its knots. */
export function curveAnchors(curve: FilamentCurve): Vector[] {
  if (curve.kind !== 'bspline') return curve.controlPoints.map(toVector);
  const spline = toSpline(curve);
  const { knots, degree, controlPoints } = spline;
  const inner = new Set(knots.slice(degree, controlPoints.length + 1));
  return [...inner].map((knot) => splineAt(spline, knot).point);
}

/** A `bspline` as the kernels take it. */
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

/** The point as far beyond a second one as a first one lies before it. */
function beyond(first: Vector, second: Vector): Vector {
  return addScaled(second, addScaled(second, first, -1), 1);
}

/** Tells into how many samples a piece of a length is cut, and refuses once the curve asks for too many. */
function sampleCounter(step: number): (length: number) => number {
  let total = 0;
  return (length) => {
    const count = Math.max(16, Math.ceil((16 * length) / step));
    total = checkSamples(total + count, step);
    return count;
  };
}

/** Lets a number of samples pass. @throws {@link CryoetPicksError} `invalid-option` if they are too many for the memory. */
export function checkSamples(count: number, step: number): number {
  if (count <= MOST_SAMPLES) return count;
  throw new CryoetPicksError(
    'invalid-option',
    `steps of ${step} Å cut the curve into more than ${MOST_SAMPLES} samples`,
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

/** The curve from the second of four points to the third, by the pyramid of Barry and Goldman; takes fractions of it. */
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

/** Points at even distances of at most `step` along a polyline, its end left out; none for one without length. */
function evenly(line: readonly Vector[], step: number): Vector[] {
  const fine = line.filter((point, i) => i === 0 || distance(line[i - 1]!, point) > 0);
  const along = arcLengths(fine);
  const length = along.at(-1)!;
  if (length <= 0) return [];
  const count = Math.max(1, Math.ceil(length / step - 1e-9));
  const at = interpolator(along, fine);
  return Array.from({ length: count }, (_, k) => (k === 0 ? fine[0]! : at((k * length) / count)));
}

/** A centreline, and the curve that it may have been made from. */
export interface CurvedLine {
  readonly points: readonly Point[];
  readonly curve?: FilamentCurve | undefined;
}

/**
 * Tells whether the curve of a filament still describes its points: its ends lie within a hundredth of `step` of theirs, and
 * all its anchors within that of the line through them. A filament without a curve, or with one of an unknown kind, has none
 * that does.
 */
export function hasCurrentCurve({ points, curve }: CurvedLine): boolean {
  if (curve === undefined || points.length < 2 || curveProblem(curve) !== undefined) return false;
  const line = points.map(toVector);
  const anchors = curveAnchors(curve);
  const tolerance = 0.01 * curve.step;
  // Negated, so that what is not a number is not current.
  const isNear = (d: number) => d <= tolerance;
  return (
    isNear(distance(line[0]!, anchors[0]!)) &&
    isNear(distance(line.at(-1)!, anchors.at(-1)!)) &&
    anchors.every((anchor) => isNear(distanceToPolyline(anchor, line)))
  );
}

/** True where a curve should not be written: this library can evaluate its kind, and it is not that of the points. */
export function hasStaleCurve(filament: CurvedLine): boolean {
  return filament.curve !== undefined && isKnownKind(filament.curve.kind) && !hasCurrentCurve(filament);
}

/**
 * The curve to edit a filament by, or to sample it along: its own where that is current, else a `catmull-rom` curve through as
 * few of its points as keep it within half a step of all of them. Its step is the median distance of the points.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a filament whose points all lie in one place, or that ends where it starts.
 * @example
 * ```ts
 * const curve = curveOf(filament);
 * ```
 */
export function curveOf(filament: CurvedLine): FilamentCurve {
  if (filament.curve !== undefined && hasCurrentCurve(filament)) return filament.curve;
  const line = filament.points.map(toVector);
  const step = medianDistance(line);
  if (!(step > 0))
    throw new CryoetPicksError('invalid-option', 'half of the points of the filament or more are the same');
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

/** Takes the ends, then always the point that is furthest off the curve so far, until none is further than the tolerance. */
function controlPointsOf(points: readonly Vector[], tolerance: number): Point[] {
  const line = points.filter((point, i) => i === 0 || distance(points[i - 1]!, point) > leastDistance);
  if (line.length < 2 || distance(line[0]!, line.at(-1)!) <= leastDistance) {
    throw new CryoetPicksError('invalid-option', 'the filament ends where it starts; closed filaments have no curve');
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
