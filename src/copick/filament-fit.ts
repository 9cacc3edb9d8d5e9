import { CryoetPicksError } from '../errors.ts';
import type { Point } from '../space/point.ts';
import {
  curveAnchors,
  curvePoints,
  curveProblem,
  type FilamentCurve,
  isKnownKind,
  leastDistance,
  toVector,
} from './filament-curve.ts';
import { distance, distanceToPolyline, type Vector } from './polyline.ts';

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
