import { withTurns } from '../core/concurrency.ts';
import type { Rotation } from '../picks/rotation.ts';
import { voxelCount } from '../space/grid.ts';
import { type Comparison, correlator, type TomogramPart, templateTurner } from './correlate.ts';
import { RealTransform } from './fft.ts';

/** The search of a part of a tomogram in some orientations, which threads share: each takes the next one that is left. */
export interface RotationTask {
  readonly kind: 'rotations';
  readonly comparison: Comparison;
  readonly part: TomogramPart;
  /** Template coordinates to the tomogram. */
  readonly rotations: readonly Rotation[];
  /** Index of the next orientation, and how many are done; in shared memory if threads share the task. */
  readonly counters: Int32Array;
}

/** Of each voxel of a part, the best score of the orientations that one thread has taken, and the index of the orientation. */
export interface BestScores {
  readonly scores: Float32Array;
  readonly indices: Uint16Array | Uint32Array;
}

/** Memory for the indices of so many orientations. */
export function indicesFor(rotations: readonly Rotation[], voxels: number): BestScores['indices'] {
  return rotations.length <= 2 ** 16 ? new Uint16Array(voxels) : new Uint32Array(voxels);
}

/** Takes orientations until none is left. */
export async function searchRotations(
  { comparison, part, rotations, counters }: RotationTask,
  { signal, onRotation }: { readonly signal?: AbortSignal | undefined; readonly onRotation?: () => void } = {},
): Promise<BestScores> {
  const turn = await templateTurner(comparison);
  const correlate = correlator(part, await RealTransform.of(part.padded));
  const voxels = voxelCount(part.shape);
  const best: BestScores = {
    scores: new Float32Array(voxels).fill(Number.NEGATIVE_INFINITY),
    indices: indicesFor(rotations, voxels),
  };
  for (let index = nextOf(counters); index < rotations.length; index = nextOf(counters)) {
    const turned = await withTurns(turn(rotations[index]), signal);
    const scores = await withTurns(correlate(turned), signal);
    for (let i = 0; i < voxels; i++) {
      if (scores[i] <= best.scores[i]) continue;
      best.scores[i] = scores[i];
      best.indices[i] = index;
    }
    Atomics.add(counters, 1, 1);
    onRotation?.();
  }
  return best;
}

function nextOf(counters: Int32Array): number {
  return Atomics.add(counters, 0, 1);
}

/** Leaves no orientation, so that all threads stop after the one that they are at. */
export function stopRotations({ counters, rotations }: Pick<RotationTask, 'counters' | 'rotations'>): void {
  Atomics.store(counters, 0, rotations.length);
}

/** Adds what another thread has found. Of equal scores the first orientation counts, whichever thread had it. */
export function mergeBest(best: BestScores, other: BestScores): void {
  for (let i = 0; i < best.scores.length; i++) {
    const isBetter = other.scores[i] > best.scores[i];
    if (!isBetter && !(other.scores[i] === best.scores[i] && other.indices[i] < best.indices[i])) continue;
    best.scores[i] = other.scores[i];
    best.indices[i] = other.indices[i];
  }
}
