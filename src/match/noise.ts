import { withTurns } from '../core/concurrency.ts';
import type { Rotation } from '../picks/rotation.ts';
import { voxelCount, type Zyx } from '../space/grid.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { type Comparison, correlator, preparePart, readWithMargin, templateTurner } from './correlate.ts';
import { RealTransform, transformShape } from './fft.ts';
import { type Transfer, transferTable } from './transfer.ts';

/**
 * How the scores of a search are distributed where the template is not: their Fisher transforms, atanh(score), as a Gaussian around 0,
 * since a correlation of few independent numbers has shorter tails than a Gaussian.
 */
export interface ScoreNoise {
  /** The standard deviation of the transforms at random places, in random orientations. */
  readonly deviation: number;
  /** Places times orientations that are searched. */
  readonly tries: number;
}

/** Edge of the boxes in which scores are measured, in voxels; their number; and in how many orientations each. */
const EDGE = 16;
const BOXES = 24;
const ORIENTATIONS = 8;

/** Options of {@link measureNoise}. */
export interface MeasureNoiseOptions {
  readonly comparison: Comparison;
  readonly whitening: Transfer | undefined;
  /** All orientations that are searched. */
  readonly rotations: readonly Rotation[];
  readonly signal?: AbortSignal | undefined;
}

/** Measures the scores in boxes spread over a tomogram, in orientations spread over those that are searched. */
export async function measureNoise(
  source: VolumeSource,
  { comparison, whitening, rotations, signal }: MeasureNoiseOptions,
): Promise<ScoreNoise> {
  const { half, voxelSize } = comparison;
  const { shape } = source.grid;
  const edges = shape.map((length) => Math.min(EDGE, length)) as unknown as Zyx;
  const transform = await RealTransform.of(transformShape(edges.map((length) => length + 2 * half) as unknown as Zyx));
  const table = whitening && transferTable(transform, voxelSize, whitening);
  const turn = await templateTurner(comparison);
  let [sum, counted, all, next] = [0, 0, 0, 0];
  for (let i = 0; i < BOXES; i++) {
    const start = shape.map((length, axis) => Math.floor((length - edges[axis]!) * spread(i, axis))) as unknown as Zyx;
    const end = start.map((from, axis) => from + edges[axis]!) as unknown as Zyx;
    const padded = await readWithMargin(source, { start, end }, half, signal);
    const part = await withTurns(preparePart(padded, transform, { comparison, whitening: table }), signal);
    const correlate = correlator(part, transform);
    for (let j = 0; j < ORIENTATIONS; j++, next++) {
      const rotation = rotations[Math.floor(rotations.length * spread(next, 0))]!;
      const scores = await withTurns(correlate(await withTurns(turn(rotation), signal)), signal);
      for (const score of scores) {
        all++;
        // Where the tomogram is flat nothing can be found.
        if (score === 0) continue;
        counted++;
        sum += transformed(score) ** 2;
      }
    }
  }
  const deviation = counted > 0 ? Math.sqrt(sum / counted) : 0;
  return { deviation, tries: voxelCount(shape) * rotations.length * (all > 0 ? counted / all : 0) };
}

/** Numbers from 0 to 1 that fill a cube evenly (Roberts' sequence R₃). */
function spread(index: number, axis: number): number {
  const ratio = 1.2207440846057596;
  return (0.5 + (index + 1) / ratio ** (axis + 1)) % 1;
}

/**
 * The number of places and orientations without the particle that are expected to reach a score: the upper tail of the Gaussian times
 * the tries, which counts neighbours apart although their scores go together.
 *
 * Method: J. P. Rickgauer, N. Grigorieff, W. Denk, eLife 6, e25648, 2017; in tomograms as pytom-match-pick (M. L. Chaillet and others,
 * Int. J. Mol. Sci. 24, 13375, 2023).
 */
export function expectedFalse({ deviation, tries }: ScoreNoise, score: number): number {
  if (!(deviation > 0)) return 0;
  return (tries / 2) * complementaryError(transformed(score) / (deviation * Math.SQRT2));
}

/** Fisher's transform; a score is rounded, and may be a little more than 1. */
function transformed(score: number): number {
  return Math.atanh(Math.max(-HIGHEST, Math.min(HIGHEST, score)));
}

const HIGHEST = 1 - 1e-9;

/** The score that so many are expected to reach. */
export function scoreOfExpected(noise: ScoreNoise, expected: number): number {
  let [low, high] = [0, 20];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (expectedFalse(noise, Math.tanh(middle)) > expected) low = middle;
    else high = middle;
  }
  return Math.tanh(high);
}

/** erfc, to 1.2e-7 of its value (W. H. Press and others, Numerical Recipes, 6.2). */
function complementaryError(x: number): number {
  const t = 1 / (1 + Math.abs(x) / 2);
  const polynomial = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
  ].reduce((sum, coefficient) => sum * t + coefficient);
  const value = t * Math.exp(-x * x + polynomial);
  return x >= 0 ? value : 2 - value;
}
