import type { ParticlePick } from '../entry/index.ts';
import { along, type Camera, type Plane, type Size, spotOf } from './planes.ts';

/** Where a plane cuts the sphere of a particle, on the screen. */
export interface Ring<P extends ParticlePick = ParticlePick> {
  readonly pick: P;
  readonly left: number;
  readonly top: number;
  /** In screen pixels. */
  readonly radius: number;
  /** Share of the particle's radius between its centre and the plane: 0 … 1. */
  readonly distance: number;
}

/** What is cut. */
export interface Cut {
  readonly plane: Plane;
  /** Position of the plane along its axis, in Å. */
  readonly position: number;
  readonly camera: Camera;
  readonly size: Size;
  /** In Å. */
  readonly radiusOf: (object: string) => number;
}

/** The rings of the picks whose spheres a plane cuts, those that lie in the panel. */
export function ringsOf<P extends ParticlePick>(
  picks: readonly P[],
  { plane, position, camera, size, radiusOf }: Cut,
): Ring<P>[] {
  const rings: Ring<P>[] = [];
  for (const pick of picks) {
    const sphere = radiusOf(pick.object);
    const away = Math.abs(along(pick.position, plane.across) - position);
    if (!(away < sphere)) continue;
    const radius = Math.sqrt(sphere * sphere - away * away) * camera.zoom;
    const { left, top } = spotOf(plane, camera, size, pick.position);
    const isOutside = left < -radius || top < -radius || left > size.width + radius || top > size.height + radius;
    if (!isOutside) rings.push({ pick, left, top, radius, distance: away / sphere });
  }
  return rings;
}

/** How a ring is drawn: a plain ring; dashed; with truth, a dot in it for a hit, a gap for a false one; a cross for one missed. */
export type RingStyle = 'plain' | 'dashed' | 'hit' | 'false' | 'missed';

/** Options of {@link drawRing}. */
export interface RingLook {
  readonly color: string;
  readonly style: RingStyle;
  readonly isSelected?: boolean | undefined;
}

/** A ring 1.5 pixels wide with a dark hairline on both sides, so that it shows on black and white; paler away from the plane. */
export function drawRing(context: CanvasRenderingContext2D, ring: Ring, { color, style, isSelected }: RingLook): void {
  const { left, top, radius, distance } = ring;
  context.save();
  context.globalAlpha = 1 - 0.65 * distance;
  const trace = (width: number, stroke: string) => {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.beginPath();
    if (style === 'missed') {
      const arm = Math.min(7, Math.max(3, radius / 2));
      context.moveTo(left - arm, top - arm);
      context.lineTo(left + arm, top + arm);
      context.moveTo(left + arm, top - arm);
      context.lineTo(left - arm, top + arm);
    } else {
      const gap = style === 'false' ? Math.PI / 5 : 0;
      context.arc(left, top, radius, gap - Math.PI / 2, 1.5 * Math.PI - gap);
    }
    context.stroke();
  };
  if (style === 'dashed') context.setLineDash([4, 4]);
  trace(3.5, 'rgb(10 12 16 / 0.75)');
  trace(1.5, color);
  if (style === 'hit') drawDot(context, ring, color);
  context.restore();
  if (!isSelected) return;
  context.save();
  context.lineWidth = 1.5;
  context.strokeStyle = '#fff';
  context.strokeRect(left - radius - 4, top - radius - 4, 2 * radius + 8, 2 * radius + 8);
  context.restore();
}

function drawDot(context: CanvasRenderingContext2D, { left, top }: Ring, color: string): void {
  context.beginPath();
  context.arc(left, top, 2, 0, 2 * Math.PI);
  context.fillStyle = color;
  context.fill();
}

/** The ring under a place of the panel, the one whose centre is nearest; undefined outside all of them. */
export function ringAt<P extends ParticlePick>(
  rings: readonly Ring<P>[],
  left: number,
  top: number,
): Ring<P> | undefined {
  let best: Ring<P> | undefined;
  let nearest = Number.POSITIVE_INFINITY;
  for (const ring of rings) {
    const away = Math.hypot(ring.left - left, ring.top - top);
    if (away > Math.max(6, ring.radius) || away >= nearest) continue;
    best = ring;
    nearest = away;
  }
  return best;
}
