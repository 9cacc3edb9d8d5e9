import { listOf, oneOf, positiveLength, requireArgument, requireOptions, text } from '../core/arguments.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { checkSamples, curveOf, curvePoints, type FilamentCurve, lineRule, toSpline } from './filament-curve.ts';
import type { Filament } from './filaments-file.ts';
import {
  addScaled,
  arcLengths,
  cross,
  distance,
  dot,
  firstFrom,
  interpolator,
  splineAt,
  unit,
  type Vector,
} from './spline.ts';

/** Options of {@link picksAlongFilaments}. */
export interface FilamentPicksOptions {
  /** Object of the picks. */
  readonly object: string;
  /** Distance between picks along a filament, in Å. There is no default: no spacing fits every filament. */
  readonly spacing: number;
  /**
   * Where the first pick lies: at the `start` of the filament, or such that both ends keep the same distance (`center`).
   *
   * @defaultValue 'center'
   */
  readonly anchor?: 'center' | 'start' | undefined;
}

/**
 * Places picks along filaments at equal distances, measured along their curves, filament by filament and in order along each.
 *
 * A filament's own curve is used if it is current, otherwise one through its points (see {@link curveOf}). The z axis of a pick
 * points along the filament, in the order of its points. The frames rotate as little as possible about it, starting from the
 * coordinate axis least aligned with the filament's start. Instance id and score are the filament's. A filament shorter than
 * the spacing gets one pick, in its middle. Positions and frames equal those of copick-utils' `fil2picks`.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a spacing that is not a length above 0 or would need millions of
 *   samples, and for a filament without a curve: all its points coincide, or it ends where it starts.
 * @example
 * ```ts
 * const [entry] = await run.filaments({ object: 'actin' });
 * const { filaments } = await entry!.read();
 * await run.writePicks(picksAlongFilaments(filaments, { object: 'actin', spacing: 55 }), { userId: 'me', sessionId: '1' });
 * ```
 */
export function picksAlongFilaments(filaments: readonly Filament[], options: FilamentPicksOptions): ParticlePick[] {
  const call = 'picksAlongFilaments';
  requireArgument(call, 'filaments', filaments, listOf('filaments', lineRule));
  const {
    object,
    spacing,
    anchor = 'center',
  } = requireOptions(call, options, {
    object: text,
    spacing: positiveLength,
    anchor: oneOf('center', 'start', undefined),
  });
  return filaments.flatMap(({ instanceId, score = 1, ...line }) =>
    framesAlong(curveOf(line), { spacing, anchor }).map(({ place: [x, y, z], frame: [i, j, k] }) => ({
      object,
      position: { x, y, z },
      score,
      instanceId,
      transform: [
        [i[0], j[0], k[0], 0],
        [i[1], j[1], k[1], 0],
        [i[2], j[2], k[2], 0],
        [0, 0, 0, 1],
      ],
    })),
  );
}

interface Frame {
  readonly place: Vector;
  /** The axes x, y and z. */
  readonly frame: readonly [Vector, Vector, Vector];
}

function framesAlong(
  curve: FilamentCurve,
  { spacing, anchor }: { readonly spacing: number; readonly anchor: 'center' | 'start' },
): Frame[] {
  const { places, tangents } = traced(curve, Math.min(spacing, curve.step) / 4);
  const along = arcLengths(places);
  const length = along.at(-1)!;
  const [placeAt, tangentAt] = [interpolator(along, places), interpolator(along, tangents)];
  const normals = leastTurning(places, tangents);
  return lengthsOf(length, spacing, anchor).map((at) => {
    const z = unit(tangentAt(at));
    // The first traced point that is not before this one.
    const normal = normals[Math.min(firstFrom(along, at), normals.length - 1)]!;
    const x = perpendicular(normal, z);
    return { place: placeAt(at), frame: [x, cross(z, x), z] };
  });
}

function lengthsOf(length: number, spacing: number, anchor: 'center' | 'start'): number[] {
  if (length < spacing) return [length / 2];
  const steps = Math.floor(length / spacing + 1e-9);
  const margin = anchor === 'center' ? (length - steps * spacing) / 2 : 0;
  return Array.from({ length: steps + 1 }, (_, i) => margin + spacing * i);
}

interface Traced {
  readonly places: readonly Vector[];
  readonly tangents: readonly Vector[];
}

/** A curve as closely spaced points with their directions. */
function traced(curve: FilamentCurve, step: number): Traced {
  if (curve.kind === 'bspline') return tracedSpline(curve, step);
  const places = curvePoints(curve, step);
  const last = places.length - 1;
  const tangents = places.map((_, i) =>
    unit(addScaled(places[Math.min(i + 1, last)]!, places[Math.max(i - 1, 0)]!, -1)),
  );
  return { places, tangents };
}

/** A B-spline at even steps of its parameter, with its own derivative. */
function tracedSpline(curve: FilamentCurve, step: number): Traced {
  const spline = toSpline(curve);
  const { knots, degree } = spline;
  const [start, end] = [knots[degree]!, knots.at(-degree - 1)!];
  const evenly = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      splineAt(spline, i === count - 1 ? end : start + (i * (end - start)) / (count - 1)),
    );
  const rough = arcLengths(evenly(64).map(({ point }) => point)).at(-1)!;
  const fine = evenly(checkSamples(Math.max(16, Math.ceil((4 * rough) / step) + 1), step));
  return { places: fine.map(({ point }) => point), tangents: fine.map(({ derivative }) => unit(derivative)) };
}

/** The x axes of frames that rotate as little as possible along a line. Source: double reflection, Wang et al. 2008. */
function leastTurning(places: readonly Vector[], tangents: readonly Vector[]): Vector[] {
  let x = leastAligned(tangents[0]!);
  return tangents.map((tangent, i) => {
    const before = i === 0 ? 0 : i - 1;
    if (i > 0 && distance(places[before]!, places[i]!) ** 2 > 1e-18) {
      const across = addScaled(places[i]!, places[before]!, -1);
      const turned = reflected(tangents[before]!, across);
      x = reflected(reflected(x, across), addScaled(tangent, turned, -1));
    }
    const flat = addScaled(x, tangent, -dot(x, tangent));
    x = Math.sqrt(dot(flat, flat)) > 1e-12 ? unit(flat) : leastAligned(tangent);
    return x;
  });
}

/** A vector reflected in the plane normal to another; the vector itself if the other has length 0. */
function reflected(a: Vector, across: Vector): Vector {
  const square = dot(across, across);
  return square > 1e-18 ? addScaled(a, across, (-2 * dot(across, a)) / square) : a;
}

/** A direction normal to a tangent, derived from the coordinate axis least aligned with it. */
function leastAligned(tangent: Vector): Vector {
  const sizes = tangent.map(Math.abs);
  const least = sizes.indexOf(Math.min(...sizes));
  return perpendicular([least === 0 ? 1 : 0, least === 1 ? 1 : 0, least === 2 ? 1 : 0], tangent);
}

/** The component of a vector normal to a unit axis, normalised to length 1. */
function perpendicular(a: Vector, axis: Vector): Vector {
  return unit(addScaled(a, axis, -dot(a, axis)));
}
