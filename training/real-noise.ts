/**
 * Looks for particles in two kinds of real data without a denoiser: half of a tomogram of lysosomes, which holds none of the five, and
 * 20 noisy ribosomes side by side; prints how many picks there are, and how many of the ribosomes they find.
 *
 *     npx tsx --tsconfig bench/tsconfig.json training/real-noise.ts [../shared/data/real] [--model OUT/default.onnx]
 *
 * Neither is part of this repository: where a file is missing, the script says so and goes on. The package must be built. Each box of a
 * ribosome is scaled to mean 0 and deviation 1 and turned dark; boxes lie side by side, once as they are and once smoothed by a
 * Gaussian of 1.5 voxels. A pick finds a ribosome within half the radius of the CZII competition, 75 Å, of the centre of its box.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  cziiRules,
  detectParticles,
  type Model,
  matchPicks,
  type ParticlePick,
  type Point,
  resampled,
  sourceFromArray,
  type VolumeSource,
} from 'cryoet-picks';
import { loadModel, openMrcFile } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';

/** Voxel size of the boxes, in Å. */
const boxVoxelSize = 12;
/** Boxes, and voxels along each edge of one. */
const boxes = 20;
const edge = 32;
/** Boxes along y and x: 5 × 4. */
const rows = 5;
const columns = boxes / rows;
/** Voxels of empty ice, 0, below and above the boxes, so that they are as deep in the ice as particles of a tomogram. */
const margin = 16;

function countByObject(picks: readonly ParticlePick[]): string {
  const counts = new Map<string, number>();
  for (const { object } of picks) counts.set(object, (counts.get(object) ?? 0) + 1);
  return [...counts].map(([object, count]) => `${object} ${count}`).join(', ') || 'none';
}

/** Numbers of a NumPy file of half floats in C order. */
async function readHalfFloats(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  if (!header.includes("'<f2'") || !header.includes('False')) throw new Error(`${path}: expected float16 in C order`);
  const words = new Uint16Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.byteLength));
  return Float32Array.from(words, (word) => {
    const sign = word & 0x8000 ? -1 : 1;
    const exponent = (word >> 10) & 31;
    const fraction = word & 0x3ff;
    if (exponent === 31) return Number.NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}

/** A Gaussian of a standard deviation in voxels, along each axis of a cube; edges continue with their last value. */
function smoothed(box: Float32Array, sigma: number): Float32Array {
  const reach = Math.ceil(4 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const total = kernel.reduce((sum, value) => sum + value, 0);
  let from = box;
  for (const stride of [1, edge, edge * edge]) {
    const to = new Float32Array(from.length);
    for (let i = 0; i < from.length; i++) {
      const at = Math.floor(i / stride) % edge;
      let sum = 0;
      for (let k = -reach; k <= reach; k++) {
        const near = Math.min(edge - 1, Math.max(0, at + k));
        sum += kernel[k + reach]! * from[i + (near - at) * stride]!;
      }
      to[i] = sum / total;
    }
    from = to;
  }
  return from;
}

/** The boxes side by side, protein dark, and the centres of their ribosomes in Å. */
function sideBySide(numbers: Float32Array, sigma: number): { source: VolumeSource; truth: Point[] } {
  const shape = [edge + 2 * margin, rows * edge, columns * edge] as const;
  const voxels = new Float32Array(shape[0] * shape[1] * shape[2]);
  const truth: Point[] = [];
  for (let b = 0; b < boxes; b++) {
    const raw = numbers.subarray(b * edge ** 3, (b + 1) * edge ** 3);
    const box = sigma > 0 ? smoothed(raw, sigma) : raw;
    const mean = box.reduce((sum, value) => sum + value, 0) / box.length;
    const deviation = Math.sqrt(box.reduce((sum, value) => sum + (value - mean) ** 2, 0) / box.length);
    const [y0, x0] = [Math.floor(b / columns) * edge, (b % columns) * edge];
    for (let z = 0; z < edge; z++) {
      for (let y = 0; y < edge; y++) {
        for (let x = 0; x < edge; x++) {
          const value = (mean - box[(z * edge + y) * edge + x]!) / deviation;
          voxels[((z + margin) * shape[1] + y0 + y) * shape[2] + x0 + x] = value;
        }
      }
    }
    const centre = edge / 2;
    truth.push({
      x: (x0 + centre) * boxVoxelSize,
      y: (y0 + centre) * boxVoxelSize,
      z: (margin + centre) * boxVoxelSize,
    });
  }
  return {
    source: sourceFromArray({ data: voxels, shape }, { voxelSize: [boxVoxelSize, boxVoxelSize, boxVoxelSize] }),
    truth,
  };
}

async function lysosomes(path: string, model: Model): Promise<void> {
  // Its voxel size is an assumption, so once with the voxels as they are.
  for (const [how, tomogram] of [
    ['resampled', resampled(await openMrcFile(path), model.spec.voxelSize)],
    ['voxel by voxel', await openMrcFile(path, { voxelSize: model.spec.voxelSize })],
  ] as const) {
    console.log(`lysosomes, ${how}, picks: ${countByObject(await detectParticles(tomogram, { model }))}`);
  }
}

async function ribosomes(path: string, model: Model): Promise<void> {
  const numbers = await readHalfFloats(path);
  for (const sigma of [0, 1.5]) {
    const { source, truth } = sideBySide(numbers, sigma);
    const picks = await detectParticles(resampled(source, model.spec.voxelSize), { model });
    const points = picks
      .filter(({ object }) => object === 'ribosome')
      .map(({ position, score }) => ({ ...position, score }));
    const { tp } = matchPicks(truth, points, { radius: cziiRules.objects.ribosome.radius / 2, matching: 'hungarian' });
    const others = countByObject(picks.filter(({ object }) => object !== 'ribosome'));
    const smoothing = sigma > 0 ? `smoothed by ${sigma} voxels` : 'as they are';
    console.log(
      `${boxes} ribosomes ${smoothing}: ${tp} found among ${points.length} picks of ribosomes; others: ${others}`,
    );
  }
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { model: { type: 'string' } } });
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/data/real', import.meta.url));
const model = await loadModel(ort, values.model);
try {
  for (const [file, look] of [
    ['czii_lysosome_left.mrc', lysosomes],
    ['empiar10499_ribosomes_20x32_12A.npy', ribosomes],
  ] as const) {
    const path = join(folder, file);
    if (existsSync(path)) await look(path, model);
    else console.log(`skipped: ${path} is missing; it is not part of this repository`);
  }
} finally {
  await model.dispose();
}
