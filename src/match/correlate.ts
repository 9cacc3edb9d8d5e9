import { type Steps, withTurns } from '../core/concurrency.ts';
import { type Rotation, transposed } from '../picks/rotation.ts';
import { type Box, boxShape, voxelCount, type Zyx } from '../space/grid.ts';
import { contiguousVolume, readPaddedInto, type Volume, type VolumeSource } from '../volume/volume.ts';
import { RealTransform, transformShape } from './fft.ts';
import type { TurnedMask } from './mask.ts';
import type { Template } from './template.ts';
import { multiplyBy, type Transfer, transferTable } from './transfer.ts';
import { type Centred, emptyCube, middleOf, turnInto } from './turn.ts';

/** What is compared with a tomogram. */
export interface Comparison {
  readonly template: Template;
  readonly mask: TurnedMask;
  /** Voxels from the centre to the faces of the cube that holds the mask. */
  readonly half: number;
  /** Å per voxel of the tomogram. */
  readonly voxelSize: number;
  /** What the tomogram shows of each frequency, by the thickness of a slice of Fourier space; undefined for all of it. */
  readonly filterOf: ((thickness: number) => Transfer) | undefined;
}

/** A template in an orientation, as the tomogram would show it, C-order cubes. */
export interface TurnedTemplate {
  /** Weights 0 … 1. */
  readonly mask: Volume;
  /** The template times the mask, with mean 0 and norm 1 under the mask. */
  readonly kernel: Volume;
}

/** Makes a function that turns a template; the cubes that it gives are written again by the next call. */
export async function templateTurner(comparison: Comparison): Promise<(rotation: Rotation) => Steps<TurnedTemplate>> {
  const { template, half, voxelSize, filterOf } = comparison;
  const object: Centred = {
    volume: template.volume,
    voxelSize: template.grid.voxelSize,
    centre: middleOf(template.volume),
  };
  const [kernel, mask] = [emptyCube(half), emptyCube(half)];
  const transform = await RealTransform.of(transformShape(kernel.shape));
  const spectrum = transform.newSpectrum();
  // The thickest voxel of Fourier space.
  const thickness = 1 / (Math.min(...transform.shape) * voxelSize);
  const table = filterOf && transferTable(transform, voxelSize, filterOf(thickness));
  return function* (rotation) {
    // A voxel of the cube shows the template at the place that the rotation takes there.
    turnInto(kernel, object, transposed(rotation), voxelSize);
    if (table) {
      yield* transform.forward(kernel, spectrum);
      multiplyBy(spectrum, table);
      yield* transform.inverse(spectrum, kernel);
    }
    comparison.mask.turnInto(mask, rotation, voxelSize);
    normaliseUnder(mask.data, kernel.data);
    return { kernel, mask };
  };
}

/** Subtracts the weighted mean, multiplies by the weights, and divides by the weighted norm; a flat template becomes 0. */
function normaliseUnder(weights: Float32Array, values: Float32Array): void {
  let [weight, sum, largest] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    weight += weights[i];
    sum += weights[i] * values[i];
    if (weights[i] > 0) largest = Math.max(largest, Math.abs(values[i]));
  }
  const mean = weight > 0 ? sum / weight : 0;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += weights[i] * (values[i] - mean) ** 2;
  // Below this, what is left is rounding.
  const scale = squares > 1e-10 * weight * largest ** 2 ? 1 / Math.sqrt(squares) : 0;
  for (let i = 0; i < values.length; i++) values[i] = weights[i] * (values[i] - mean) * scale;
}

/** A part of a tomogram with which templates are correlated. */
export interface TomogramPart {
  /** Voxels of the part, without margins. */
  readonly shape: Zyx;
  /** The scores of a template at each voxel; written again by the next call. */
  correlate(turned: TurnedTemplate): Steps<Float32Array>;
}

/** Options of {@link tomogramPart}. */
export interface TomogramPartOptions {
  readonly half: number;
  readonly voxelSize: number;
  /** Whether one mask serves all orientations. */
  readonly isRound: boolean;
  readonly whitening: Transfer | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The variance under a mask, relative to that of the whole part, below which a place counts as flat: what is left is rounding. */
const FLAT = 1e-4;

/**
 * Prepares a part of a tomogram.
 *
 * With the template T and the mask m around a voxel p, and V the tomogram, the score is Σ T(q) V(p + q) over the root of
 * Σ m(q) V(p + q)² − (Σ m(q) V(p + q))² / Σ m(q): T has mean 0 and norm 1 under m, so that it is the correlation of both under it. All
 * three sums are products of Fourier transforms.
 */
export async function tomogramPart(
  source: VolumeSource,
  box: Box,
  options: TomogramPartOptions,
): Promise<TomogramPart> {
  const { half, voxelSize, isRound, whitening, signal } = options;
  const shape = boxShape(box);
  const padded = await readWithMargin(source, box, half, signal);
  const transform = await RealTransform.of(transformShape(padded.shape));
  const whole = transform.newSpectrum();
  await withTurns(transform.forward(padded, whole), signal);
  if (whitening) {
    multiplyBy(whole, transferTable(transform, voxelSize, whitening));
    await withTurns(transform.inverse(whole, padded), signal);
    standardise(padded.data);
    await withTurns(transform.forward(padded, whole), signal);
  }
  for (let i = 0; i < padded.data.length; i++) padded.data[i] *= padded.data[i];
  const squares = transform.newSpectrum();
  await withTurns(transform.forward(padded, squares), signal);

  const work = transform.newSpectrum();
  const out = () => contiguousVolume(new Float32Array(voxelCount(shape)), shape);
  const [sums, scores] = [out(), out()];
  function* correlationInto(kernel: Volume, spectrum: Float32Array, to: Volume): Steps<void> {
    yield* transform.forward(kernel, work);
    yield* multiplyConjugate(work, spectrum);
    // Of a kernel in the corner, the sum at voxel p of the part is that at p itself: its margin comes first.
    yield* transform.inverse(work, to);
  }
  /** One over the deviation under the mask; 0 where the tomogram is flat. */
  function* measureDeviation(mask: Volume): Steps<Float32Array> {
    const weight = mask.data.reduce((sum, value) => sum + value, 0);
    yield* correlationInto(mask, whole, sums);
    yield* correlationInto(mask, squares, scores);
    const scale = 1 / transform.voxels;
    for (let i = 0; i < sums.data.length; i++) {
      const sum = sums.data[i] * scale;
      const variance = scores.data[i] * scale - (sum * sum) / weight;
      sums.data[i] = variance > FLAT * weight ? scale / Math.sqrt(variance) : 0;
      if (i % AT_ONCE === 0) yield;
    }
    return sums.data;
  }
  let deviation: Float32Array | undefined;
  return {
    shape,
    *correlate({ kernel, mask }) {
      if (!isRound || !deviation) deviation = yield* measureDeviation(mask);
      yield* correlationInto(kernel, whole, scores);
      const { data } = scores;
      for (let i = 0; i < data.length; i++) {
        data[i] *= deviation[i];
        if (i % AT_ONCE === 0) yield;
      }
      return data;
    },
  };
}

/** Numbers that are worked on in one piece: a few milliseconds. */
const AT_ONCE: number = 2 ** 20;

/** Multiplies a spectrum, conjugated, by another, in place. */
function* multiplyConjugate(spectrum: Float32Array, by: Float32Array): Steps<void> {
  for (let i = 0; i < spectrum.length; i += 2) {
    const [re, im] = [spectrum[i], -spectrum[i + 1]];
    spectrum[i] = re * by[i] - im * by[i + 1];
    spectrum[i + 1] = re * by[i + 1] + im * by[i];
    if (i % AT_ONCE === 0) yield;
  }
}

/** Reads a box with a margin on all sides, mirrored at the faces, with mean 0 and standard deviation 1. */
async function readWithMargin(
  source: VolumeSource,
  { start, end }: Box,
  margin: number,
  signal: AbortSignal | undefined,
): Promise<Volume> {
  const box: Box = {
    start: [start[0] - margin, start[1] - margin, start[2] - margin],
    end: [end[0] + margin, end[1] + margin, end[2] + margin],
  };
  const volume = contiguousVolume(new Float32Array(voxelCount(boxShape(box))), boxShape(box));
  await readPaddedInto(source, box, volume.data, { signal });
  standardise(volume.data);
  return volume;
}

/** Mean 0 and standard deviation 1; what is not finite becomes the mean. */
function standardise(data: Float32Array): void {
  let [sum, count] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) continue;
    sum += data[i];
    count++;
  }
  const mean = count > 0 ? sum / count : 0;
  let squares = 0;
  for (let i = 0; i < data.length; i++) if (Number.isFinite(data[i])) squares += (data[i] - mean) ** 2;
  const scale = squares > 0 ? 1 / Math.sqrt(squares / count) : 0;
  for (let i = 0; i < data.length; i++) data[i] = Number.isFinite(data[i]) ? (data[i] - mean) * scale : 0;
}
