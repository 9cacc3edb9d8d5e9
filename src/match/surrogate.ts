import { withTurns } from '../core/concurrency.ts';
import { voxelCount, type Zyx } from '../space/grid.ts';
import { contiguousVolume, sourceFromArray, type VolumeSource } from '../volume/volume.ts';
import { RealTransform, transformShape } from './fft.ts';
import { multiplyBy } from './transfer.ts';
import { fadedBoxes } from './whitening.ts';

/** Maximum edge of the noise, in voxels, and how many boxes of a tomogram its spectrum is measured in along each axis. */
const EDGE = 128;
const BOXES = 2;

/** Noise as a tomogram's, without its structure. */
export interface Surrogate {
  /** Repeats without a seam after `shape`: beyond its faces lies a margin of what follows. */
  readonly source: VolumeSource;
  /** Voxels of the noise, which begin after the margin. */
  readonly shape: Zyx;
  /** The part of the tomogram that is not flat, from 0 to 1. */
  readonly share: number;
}

/** Options of {@link surrogatesOf}. */
export interface SurrogateOptions {
  /** In voxels. */
  readonly margin: number;
  /** How many there are. */
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Noise with the power spectrum of a tomogram, of all directions, and random phases: the mean of up to eight boxes, each of which counts
 * the same. Equal tomograms give equal noise. A flat tomogram has no noise to copy.
 *
 * Method: J. Theiler and others, Physica D 58, 77, 1992.
 */
export async function* surrogatesOf(
  tomogram: VolumeSource,
  { margin, count, signal }: SurrogateOptions,
): AsyncGenerator<Surrogate, void, undefined> {
  const edges = tomogram.grid.shape.map((length) => Math.min(EDGE, length)) as unknown as Zyx;
  const transform = await RealTransform.of(transformShape(edges));
  const spectrum = transform.newSpectrum();
  const power = new Float32Array(spectrum.length / 2);
  let [boxes, flat] = [0, 0];
  for await (const box of fadedBoxes(tomogram, { edges, boxes: BOXES, signal })) {
    boxes++;
    const total = box.data.reduce((sum, value) => sum + value * value, 0);
    if (!(total > 0)) {
      flat++;
      continue;
    }
    await withTurns(transform.forward(box, spectrum), signal);
    for (let i = 0; i < power.length; i++) {
      power[i] += (spectrum[2 * i] ** 2 + spectrum[2 * i + 1] ** 2) / total;
    }
  }
  if (flat === boxes) return;
  const amplitudes = power.map((value) => Math.sqrt(value));
  const { voxelSize } = tomogram.grid;
  const normal = whiteNoise();
  for (let i = 0; i < count; i++) {
    const noise = contiguousVolume(Float32Array.from({ length: transform.voxels }, normal), transform.shape);
    await withTurns(transform.forward(noise, spectrum), signal);
    multiplyBy(spectrum, amplitudes);
    await withTurns(transform.inverse(spectrum, noise), signal);
    const source = sourceFromArray(repeated(noise.data, transform.shape, margin), { voxelSize });
    yield { source, shape: transform.shape, share: (boxes - flat) / boxes };
  }
}

/** Independent numbers with mean 0, about normal: sums of four uniform ones of Marsaglia's xorshift32. */
function whiteNoise(): () => number {
  let state = 0x9e3779b9;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
  return () => uniform() + uniform() + uniform() + uniform();
}

function repeated(data: Float32Array, shape: Zyx, margin: number) {
  const outer = shape.map((length) => length + 2 * margin) as unknown as Zyx;
  const [, height, width] = shape;
  const out = new Float32Array(voxelCount(outer));
  const within = (at: number, axis: 0 | 1 | 2) => (((at - margin) % shape[axis]) + shape[axis]) % shape[axis];
  let to = 0;
  for (let z = 0; z < outer[0]; z++) {
    for (let y = 0; y < outer[1]; y++) {
      const row = (within(z, 0) * height + within(y, 1)) * width;
      for (let x = 0; x < outer[2]; x++) out[to++] = data[row + within(x, 2)];
    }
  }
  return { data: out, shape: outer };
}
