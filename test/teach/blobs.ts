import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import {
  computeFeatures,
  type FeatureModel,
  type ModelSpec,
  onnxModel,
  type ParticlePick,
  type TomogramFeatures,
  toPhysical,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { blockOf } from '../../src/teach/feature-map.ts';
import { fakeSpec } from '../support/identity-model.ts';
import { sourceOf } from '../support/volumes.ts';

/** Of test/fixtures/make_onnx.py: six features of cells of 2³ voxels. */
export const network: Uint8Array = readFileSync(
  fileURLToPath(new URL('../fixtures/onnx/features.onnx', import.meta.url)),
);

/** Its card; what it calls its objects does not matter. */
export const card: ModelSpec = fakeSpec({
  name: 'six features',
  tile: [64, 64, 64],
  tileMultiple: 2,
  outputStride: 2,
  classes: ['known', 'other', null],
  activation: 'softmax',
  thresholds: { known: 0.6, other: 0.7 },
  minDistances: { known: 40, other: 50 },
});

/** A model of the network, with the SHA-256 that `loadModel` would give it. */
export async function openNetwork(): Promise<FeatureModel> {
  const model = await onnxModel(ort, network, { spec: card, threads: 1 });
  const digest = await crypto.subtle.digest('SHA-256', network as Uint8Array<ArrayBuffer>);
  return { ...model, featureCount: model.featureCount!, sha256: Buffer.from(digest).toString('hex') };
}

/** A tomogram with particles, which are bright, and what is none of them, which is dark or a little bright. */
export interface Blobs {
  readonly tomogram: VolumeSource;
  readonly particles: readonly ParticlePick[];
  /** Places of dim blobs, a fifth as bright. */
  readonly dim: readonly ParticlePick[];
  readonly dark: readonly ParticlePick[];
}

/** Radius of a blob, in Å. */
export const radius = 60;

const places = 4;
const pitch = 16;
const shape: Zyx = [places * pitch, places * pitch, places * pitch];

/** Sixty-four blobs on a jittered lattice in noise: a third are particles, a third are dim, a third are dark. */
export function blobs(seed: number): Blobs {
  const random = createRandom(seed, 18);
  const data = Float32Array.from({ length: shape[0] ** 3 }, () => 0.3 * random.normal());
  const grid = { voxelSize: [10, 10, 10] as Zyx, origin: { x: 0, y: 0, z: 0 } };
  const found: Record<'particle' | 'dim' | 'dark', ParticlePick[]> = { particle: [], dim: [], dark: [] };
  for (let i = 0; i < places ** 3; i++) {
    const kind = (['particle', 'dim', 'dark'] as const)[i % 3]!;
    const height = { particle: 5, dim: 1, dark: -5 }[kind];
    const centre = [Math.floor(i / places ** 2), Math.floor(i / places) % places, i % places].map(
      (index) => (index + 0.5) * pitch + Math.round(2 * random.normal()),
    ) as unknown as Zyx;
    for (let z = -6; z <= 6; z++) {
      for (let y = -6; y <= 6; y++) {
        for (let x = -6; x <= 6; x++) {
          const at = [centre[0] + z, centre[1] + y, centre[2] + x];
          if (at.some((index) => index < 0 || index >= shape[0])) continue;
          data[(at[0]! * shape[1] + at[1]!) * shape[2] + at[2]!]! += height * Math.exp(-(z * z + y * y + x * x) / 8);
        }
      }
    }
    found[kind].push({ object: 'blob', position: toPhysical(grid, centre), score: 1 });
  }
  return { tomogram: sourceOf(data, shape), particles: found.particle, dim: found.dim, dark: found.dark };
}

/** The features of a tomogram. */
export async function featuresOfBlobs(model: FeatureModel, { tomogram }: Blobs, run = 'a'): Promise<TomogramFeatures> {
  return computeFeatures(tomogram, { model, run });
}

/** Features of 125 places on a lattice in noise, and which of these are what. */
export interface Lattice {
  readonly map: TomogramFeatures;
  readonly places: Readonly<Record<'particle' | 'reject' | 'other', readonly ParticlePick[]>>;
}

/** Two features that are known, as no network gives them: at each kind of place as much as is said, with a deviation of 1. */
export async function latticeOf(
  values: Readonly<Record<keyof Lattice['places'], readonly number[]>>,
): Promise<Lattice> {
  const random = createRandom(5, 18);
  const [pitchCells, side] = [8, 5];
  const length = pitchCells * side;
  const size = length ** 3;
  const data = Float32Array.from({ length: 2 * size }, () => random.normal());
  const grid = {
    shape: [length, length, length] as const,
    voxelSize: [20, 20, 20] as const,
    origin: { x: 0, y: 0, z: 0 },
  };
  const found = { particle: [] as ParticlePick[], reject: [] as ParticlePick[], other: [] as ParticlePick[] };
  for (let i = 0; i < side ** 3; i++) {
    const kind = i % 8 === 0 ? 'particle' : i % 8 === 2 ? 'reject' : 'other';
    const centre = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side].map(
      (index) => (index + 0.5) * pitchCells,
    ) as unknown as Zyx;
    for (let n = 0; n < 27; n++) {
      const [z, y, x] = [Math.floor(n / 9), Math.floor(n / 3) % 3, n % 3].map((step, axis) => centre[axis]! + step - 1);
      const cell = (z! * length + y!) * length + x!;
      for (const [feature, value] of values[kind].entries()) data[feature * size + cell]! += value;
    }
    found[kind].push({ object: 'blob', position: toPhysical(grid, centre), score: 1 });
  }
  const scores = {
    data,
    shape: [2, length, length, length] as const,
    stride: [size, length ** 2, length, 1] as const,
    offset: 0,
  };
  const block = await blockOf({ grid, axis: 0, start: 0, classes: ['first', 'second'], scores });
  const map = { run: 'a', grid, voxelSize: [10, 10, 10] as const, spec: card, featureCount: 2, blocks: [block] };
  return { map, places: found };
}
