import { withTurns } from '../core/concurrency.ts';
import { voxelCount, type Zyx } from '../space/grid.ts';
import { contiguousVolume, readInto, type Volume, type VolumeSource } from '../volume/volume.ts';
import { RealTransform, transformShape } from './fft.ts';
import { frequencyAt, type Transfer } from './transfer.ts';

/** Edge of the boxes in which the spectrum is measured, in voxels, and their number along each axis. */
const EDGE = 64;
const BOXES = 3;

/** The least power that counts, relative to the most: of what a denoiser has left nothing, noise must not be made. */
const FLOOR = 1e-4;

/**
 * What makes the amplitudes of a volume the same at all resolutions: one over the root of its radial power spectrum, the mean of up to
 * 27 boxes spread over the volume. Voxels that are not finite count as the mean.
 *
 * @param voxelSize - In Å.
 */
export async function whiteningOf(source: VolumeSource, voxelSize: number, signal?: AbortSignal): Promise<Transfer> {
  const edges = source.grid.shape.map((length) => Math.min(EDGE, length)) as unknown as Zyx;
  const transform = await RealTransform.of(transformShape(edges));
  const spectrum = transform.newSpectrum();
  const step = 1 / (EDGE * voxelSize);
  const power = new Float64Array(Math.ceil((Math.sqrt(3) * EDGE) / 2) + 2);
  const counts = new Float64Array(power.length);
  for await (const volume of fadedBoxes(source, { edges, boxes: BOXES, signal })) {
    await withTurns(transform.forward(volume, spectrum), signal);
    addPower(spectrum, transform, { voxelSize, step, power, counts });
  }
  for (let i = 0; i < power.length; i++) power[i] = counts[i] > 0 ? power[i] / counts[i] : 0;
  const most = power.reduce((a, b) => Math.max(a, b));
  // A flat volume is left as it is.
  const factors = power.map((value) => (most > 0 ? 1 / Math.sqrt(Math.max(value, FLOOR * most) / most) : 1));
  return (z, y, x) => {
    const at = Math.min(factors.length - 1.001, Math.hypot(z, y, x) / step);
    const below = Math.floor(at);
    return factors[below] + (at - below) * (factors[below + 1] - factors[below]);
  };
}

/** Options of {@link fadedBoxes}. */
interface FadedBoxesOptions {
  /** Of the boxes. */
  readonly edges: Zyx;
  /** Maximum number of boxes along each axis. */
  readonly boxes: number;
  readonly signal: AbortSignal | undefined;
}

/** Boxes spread over a volume, with mean 0 and fading to their faces, one at a time. */
export async function* fadedBoxes(
  source: VolumeSource,
  { edges, boxes, signal }: FadedBoxesOptions,
): AsyncGenerator<Volume, void, undefined> {
  const starts = edges.map((edge, axis) => startsOf(source.grid.shape[axis]!, edge, boxes));
  for (const z of starts[0]!) {
    for (const y of starts[1]!) {
      for (const x of starts[2]!) {
        const box = { start: [z, y, x], end: [z + edges[0], y + edges[1], x + edges[2]] } as const;
        const volume = contiguousVolume(new Float32Array(voxelCount(edges)), edges);
        await readInto(source, box, volume.data, { signal });
        centreAndFade(volume.data, edges);
        yield volume;
      }
    }
  }
}

/** Where boxes begin along an axis. */
function startsOf(length: number, edge: number, boxes: number): number[] {
  const room = length - edge;
  const count = Math.min(boxes, 1 + Math.floor(room / edge));
  return Array.from({ length: count }, (_, i) => Math.round((room * (i + 1)) / (count + 1)));
}

/** Subtracts the mean, and fades to the faces (Hann's window), so that these have no spectrum of their own. */
function centreAndFade(data: Float32Array, [depth, height, width]: Zyx): void {
  let [sum, count] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) continue;
    sum += data[i];
    count++;
  }
  const mean = count > 0 ? sum / count : 0;
  const fade = (length: number) =>
    Float64Array.from({ length }, (_, i) => Math.sin((Math.PI * (i + 0.5)) / length) ** 2);
  const [alongZ, alongY, alongX] = [fade(depth), fade(height), fade(width)];
  for (let z = 0, at = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const weight = alongZ[z] * alongY[y];
      for (let x = 0; x < width; x++, at++) {
        data[at] = Number.isFinite(data[at]) ? (data[at] - mean) * weight * alongX[x] : 0;
      }
    }
  }
}

interface Power {
  readonly voxelSize: number;
  /** Width of a bin, in Å⁻¹. */
  readonly step: number;
  readonly power: Float64Array;
  readonly counts: Float64Array;
}

function addPower(spectrum: Float32Array, transform: RealTransform, { voxelSize, step, power, counts }: Power): void {
  const [nz, ny, nx] = transform.shape;
  let at = 0;
  for (let k = 0; k < nz; k++) {
    const z = frequencyAt(k, nz, voxelSize);
    for (let j = 0; j < ny; j++) {
      const y = frequencyAt(j, ny, voxelSize);
      for (let i = 0; i < transform.width; i++, at += 2) {
        const bin = Math.round(Math.hypot(z, y, i / (nx * voxelSize)) / step);
        power[bin] += spectrum[at] ** 2 + spectrum[at + 1] ** 2;
        counts[bin]++;
      }
    }
  }
}
