import { withTurns } from '../core/concurrency.ts';
import { quadraticFit } from '../peaks/refine.ts';
import type { Rotation } from '../picks/rotation.ts';
import type { Zyx } from '../space/grid.ts';
import { contiguousVolume } from '../volume/volume.ts';
import { type Comparison, correlator, type PartPlace, preparePart, templateTurner } from './correlate.ts';
import { RealTransform, transformShape } from './fft.ts';
import { rotationsNear } from './rotations.ts';

/** Voxels around a peak in which its place is looked for, along each axis. */
export const REACH = 3;

/** Edge of the cube in which a place is looked for. */
const EDGE: number = 2 * REACH + 1;

/** A peak of a coarse search, with the voxels around it. */
export interface PeakBox {
  /** C-order, a cube: {@link REACH} and the half of the comparison on each side of the middle voxel. */
  readonly voxels: Float32Array;
  readonly rotation: Rotation;
  /** Where the places lie that are tried. */
  readonly place: PartPlace;
}

/** Peaks to refine. */
export interface RefineTask {
  readonly kind: 'refine';
  readonly comparison: Comparison;
  /** Factors of the spectrum of a box, if all resolutions shall count alike. */
  readonly whitening: Float32Array | undefined;
  /** The angles between the orientations that are tried, in degrees, falling. */
  readonly steps: readonly number[];
  readonly boxes: readonly PeakBox[];
}

/** A peak, refined. */
export interface RefinedPeak {
  readonly score: number;
  readonly rotation: Rotation;
  /** From the middle of the box, in voxels. */
  readonly offset: Zyx;
}

/** The shape of the spectrum of a box. */
export function boxTransformShape(half: number): Zyx {
  const edge = EDGE + 2 * half;
  return transformShape([edge, edge, edge]);
}

/**
 * Improves the orientation, place and score of peaks: of the orientations around the best one so far, each at all places of the box,
 * the best; then again with a smaller step.
 */
export async function refineBoxes(
  { comparison, whitening, steps, boxes }: RefineTask,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RefinedPeak[]> {
  const turn = await templateTurner(comparison);
  const transform = await RealTransform.of(boxTransformShape(comparison.half));
  const edge = EDGE + 2 * comparison.half;
  const refined: RefinedPeak[] = [];
  for (const { voxels, place, rotation: coarse } of boxes) {
    const padded = contiguousVolume(voxels.slice(), [edge, edge, edge]);
    const part = await withTurns(preparePart(padded, transform, { comparison, place, whitening }), signal);
    const correlate = correlator(part, transform);
    const best = { score: Number.NEGATIVE_INFINITY, rotation: coarse, at: 0, scores: new Float32Array(EDGE ** 3) };
    const consider = async (rotation: Rotation) => {
      const scores = await withTurns(correlate(await withTurns(turn(rotation), signal)), signal);
      const at = indexOfHighest(scores);
      if (!(scores[at] > best.score)) return;
      Object.assign(best, { score: scores[at], rotation, at });
      best.scores.set(scores);
    };
    await consider(coarse);
    for (const step of steps) {
      // The first is the centre itself, which was tried.
      const [, ...around] = rotationsNear(best.rotation, { halfAngle: step, angleStep: step });
      for (const rotation of around) await consider(rotation);
    }
    refined.push({ score: best.score, rotation: best.rotation, offset: offsetOf(best.scores, best.at) });
  }
  return refined;
}

function indexOfHighest(scores: Float32Array): number {
  let highest = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[highest]) highest = i;
  return highest;
}

/** The place of a peak between voxels, from the middle of the box. */
function offsetOf(scores: Float32Array, at: number): Zyx {
  const [z, y, x] = [Math.floor(at / EDGE ** 2), Math.floor(at / EDGE) % EDGE, at % EDGE];
  const around = Float64Array.from({ length: 27 }, (_, i) => {
    const place = [z + Math.floor(i / 9) - 1, y + (Math.floor(i / 3) % 3) - 1, x + (i % 3) - 1] as const;
    const isInside = place.every((index) => index >= 0 && index < EDGE);
    return isInside ? scores[(place[0] * EDGE + place[1]) * EDGE + place[2]] : Number.NaN;
  });
  const [dz, dy, dx] = quadraticFit(around);
  return [z + dz - REACH, y + dy - REACH, x + dx - REACH];
}
