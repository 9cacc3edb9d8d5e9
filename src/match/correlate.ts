import type { Steps } from '../core/concurrency.ts';
import { identity, type Rotation, transposed } from '../picks/rotation.ts';
import { type Box, boxShape, voxelCount, type Zyx } from '../space/grid.ts';
import { contiguousVolume, readPaddedInto, type Volume, type VolumeSource } from '../volume/volume.ts';
import { RealTransform, transformShape } from './fft.ts';
import { type MaskShape, turnedMask } from './mask.ts';
import type { Template } from './template.ts';
import { multiplyBy, type Transfer, transferTable } from './transfer.ts';
import { type Centred, emptyCube, middleOf, turnInto } from './turn.ts';

/** What is compared with a tomogram: plain data, so that it can be sent to a thread. */
export interface Comparison {
  readonly template: Template;
  readonly mask: MaskShape;
  /** Voxels from the centre to the faces of the cube that holds the mask. */
  readonly half: number;
  /** Å per voxel of the tomogram. */
  readonly voxelSize: number;
  /** How much the tomogram shows of each number of the template's spectrum; undefined for all of it. */
  readonly filter: Float32Array | undefined;
}

/** The shape of the template's spectrum, with room for what the filter spreads beyond the mask. */
function kernelShape(half: number): Zyx {
  const edge = 3 * half + 1;
  return transformShape([edge, edge, edge]);
}

/**
 * The filter of a {@link Comparison}.
 *
 * @param transferOf - What the tomogram shows of each frequency, by the thickness of a slice of Fourier space.
 */
export async function filterTable(
  { half, voxelSize }: Pick<Comparison, 'half' | 'voxelSize'>,
  transferOf: ((thickness: number) => Transfer) | undefined,
): Promise<Float32Array | undefined> {
  if (transferOf === undefined) return undefined;
  const transform = await RealTransform.of(kernelShape(half));
  // The thickest voxel of Fourier space.
  const thickness = 1 / (Math.min(...transform.shape) * voxelSize);
  return transferTable(transform, voxelSize, transferOf(thickness));
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
  const { template, half, voxelSize, filter } = comparison;
  const object: Centred = {
    volume: template.volume,
    voxelSize: template.grid.voxelSize,
    centre: middleOf(template.volume),
  };
  const [kernel, mask] = [emptyCube(half), emptyCube(half)];
  const weights = turnedMask(comparison.mask, template);
  if (weights.isRound) weights.turnInto(mask, identity, voxelSize);
  const transform = await RealTransform.of(kernelShape(half));
  const spectrum = transform.newSpectrum();
  return function* (rotation) {
    // A voxel of the cube shows the template at the place that the rotation takes there.
    turnInto(kernel, object, transposed(rotation), voxelSize);
    if (filter) {
      yield* transform.forward(kernel, spectrum);
      multiplyBy(spectrum, filter);
      yield* transform.inverse(spectrum, kernel);
    }
    if (!weights.isRound) weights.turnInto(mask, rotation, voxelSize);
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

/** A part of a tomogram with which templates are correlated: plain data, so that it can be shared with threads. */
export interface TomogramPart {
  /** Voxels of the part, without margins. */
  readonly shape: Zyx;
  /** Of the transforms. */
  readonly padded: Zyx;
  /** Planes of a spectrum that are worked on at once: as many as the part or the kernel has, whichever is deeper. */
  readonly planes: number;
  readonly whole: Float32Array;
  /** The spectrum of the squares, if the mask turns. */
  readonly squares?: Float32Array | undefined;
  /** The factor of each voxel, one over the deviation under the mask, if the mask does not turn; 0 where the tomogram is flat. */
  readonly deviation?: Float32Array | undefined;
  /** Along z, y and x: the factors of scores near the faces of the tomogram. */
  readonly faces: readonly [Float32Array, Float32Array, Float32Array];
}

/** Where a part lies. */
export interface PartPlace {
  /** Its first voxel; below 0 it lies outside. */
  readonly start: Zyx;
  /** Of the whole tomogram. */
  readonly shape: Zyx;
}

/**
 * The factors of scores along the axes of a part: from √½ at a face of the tomogram to 1 at half of the ball's radius from it. There
 * the voxels beyond the face are images of those before it, so that noise counts twice, and would have its best places.
 */
function faceFactors({ start, shape }: PartPlace, part: Zyx, half: number): TomogramPart['faces'] {
  const factor = (distance: number) => Math.sqrt(0.5 + 0.5 * Math.max(0, Math.min(1, (2 * distance) / half)));
  const along = (axis: 0 | 1 | 2) =>
    Float32Array.from({ length: part[axis] }, (_, i) => {
      const at = start[axis] + i;
      return factor(at) * factor(shape[axis] - 1 - at);
    });
  return [along(0), along(1), along(2)];
}

/** The variance under a mask, relative to that of the whole part, below which a place counts as flat: what is left is rounding. */
const FLAT = 1e-4;

/** Options of {@link preparePart}. */
export interface PreparePartOptions {
  readonly comparison: Comparison;
  readonly place: PartPlace;
  /** Factors of the spectrum of `padded`, by which all resolutions get the same amplitude. */
  readonly whitening?: Float32Array | undefined;
  /** Makes memory of so many numbers. @defaultValue that of this thread alone */
  readonly allocate?: ((length: number) => Float32Array) | undefined;
}

/**
 * Prepares a part of a tomogram.
 *
 * With the template T and the mask m around a voxel p, and V the tomogram, the score is Σ T(q) V(p + q) over the root of
 * Σ m(q) V(p + q)² − (Σ m(q) V(p + q))² / Σ m(q): T has mean 0 and norm 1 under m, so that it is the correlation of both under it. All
 * three sums are products of Fourier transforms. Near the faces of the tomogram it is multiplied by {@link faceFactors}.
 *
 * @param padded - The part with a margin of `comparison.half` voxels on all sides, used up.
 */
export function* preparePart(
  padded: Volume,
  transform: RealTransform,
  { comparison, place, whitening, allocate = (length) => new Float32Array(length) }: PreparePartOptions,
): Steps<TomogramPart> {
  const { half, template } = comparison;
  const shape = padded.shape.map((length) => length - 2 * half) as unknown as Zyx;
  const whole = transform.newSpectrum(allocate);
  standardise(padded.data);
  yield* transform.forward(padded, whole);
  if (whitening) {
    multiplyBy(whole, whitening);
    yield* transform.inverse(whole, padded);
    standardise(padded.data);
    yield* transform.forward(padded, whole);
  }
  for (let i = 0; i < padded.data.length; i++) padded.data[i] *= padded.data[i];
  const weights = turnedMask(comparison.mask, template);
  const squares = transform.newSpectrum(weights.isRound ? undefined : allocate);
  yield* transform.forward(padded, squares);
  const planes = Math.max(shape[0], 2 * half + 1);
  const faces = faceFactors(place, shape, half);
  const part = { shape, padded: transform.shape, planes, whole, faces };
  if (!weights.isRound) return { ...part, squares };
  const mask = emptyCube(half);
  weights.turnInto(mask, identity, comparison.voxelSize);
  const deviation = contiguousVolume(allocate(voxelCount(shape)), shape);
  yield* deviationInto(deviation, mask, { transform, whole, squares, faces, work: transform.newPlanes(planes) });
  return { ...part, deviation: deviation.data };
}

/** Spectra of a part, its faces, and planes to work in. */
interface Spectra extends Pick<TomogramPart, 'whole' | 'faces'> {
  readonly transform: RealTransform;
  readonly squares: Float32Array;
  readonly work: Float32Array;
}

/** The factor of a sum to be a score: one over the deviation under a mask; 0 where the tomogram is flat. */
function* deviationInto(
  to: Volume,
  mask: Volume,
  { transform, whole, squares, faces, work }: Spectra,
  second: Volume = contiguousVolume(new Float32Array(to.data.length), to.shape),
): Steps<void> {
  const weight = mask.data.reduce((sum, value) => sum + value, 0);
  yield* transform.correlate(mask, whole, work, to);
  yield* transform.correlate(mask, squares, work, second);
  const scale = 1 / transform.voxels;
  const [depth, height, width] = to.shape;
  for (let z = 0, i = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const factor = scale * faces[0][z] * faces[1][y];
      for (let x = 0; x < width; x++, i++) {
        const sum = to.data[i] * scale;
        const variance = second.data[i] * scale - (sum * sum) / weight;
        to.data[i] = variance > FLAT * weight ? (factor * faces[2][x]) / Math.sqrt(variance) : 0;
      }
    }
    yield;
  }
}

/** Makes a function that gives the scores of a turned template at each voxel of a part, written again by the next call. */
export function correlator(
  { shape, planes, whole, squares, faces, deviation: fixed }: TomogramPart,
  transform: RealTransform,
): (turned: TurnedTemplate) => Steps<Float32Array> {
  const work = transform.newPlanes(planes);
  const out = () => contiguousVolume(new Float32Array(voxelCount(shape)), shape);
  const scores = out();
  const turning = squares && { deviation: out(), spectra: { transform, whole, squares, faces, work } };
  return function* ({ kernel, mask }) {
    if (turning) yield* deviationInto(turning.deviation, mask, turning.spectra, scores);
    const deviation = turning?.deviation.data ?? fixed!;
    yield* transform.correlate(kernel, whole, work, scores);
    const { data } = scores;
    for (let i = 0; i < data.length; i++) {
      data[i] *= deviation[i];
      if (i % AT_ONCE === 0) yield;
    }
    return data;
  };
}

/** Numbers that are worked on in one piece: a few milliseconds. */
const AT_ONCE: number = 2 ** 20;

/** Reads a box with a margin on all sides, mirrored at the faces. */
export async function readWithMargin(
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
