import type { Model, ModelSpec, ScoreBatch, TileBatch, Zyx } from '../../src/entry/index.ts';

/** A card with sensible values for whatever a test does not care about. */
export function fakeSpec(fields: Partial<ModelSpec> = {}): ModelSpec {
  return {
    name: 'fake',
    tile: [8, 8, 8],
    outputStride: 1,
    voxelSize: 10,
    classes: ['object'],
    activation: 'none',
    normalization: 'none',
    thresholds: {},
    minDistances: {},
    ...fields,
  };
}

/** Scores of one tile: `[class, z, y, x]` of its voxels `[z, y, x]`. */
export type ScoreTile = (voxels: Float32Array, shape: Zyx) => Float32Array;

/** A model that scores tile by tile with a function. */
export function fakeModel(spec: ModelSpec, scoreTile: ScoreTile): Model & { calls: number; disposed: number } {
  const stride = spec.outputStride;
  return {
    spec,
    calls: 0,
    disposed: 0,
    async score({ data, shape: [n, z, y, x] }: TileBatch): Promise<ScoreBatch> {
      this.calls++;
      const size = z * y * x;
      const scores = new Float32Array((n * spec.classes.length * size) / stride ** 3);
      for (let i = 0; i < n; i++) {
        const tile = scoreTile(data.slice(i * size, (i + 1) * size), [z, y, x]);
        scores.set(tile, i * tile.length);
      }
      return { data: scores, shape: [n, spec.classes.length, z / stride, y / stride, x / stride] };
    },
    async dispose() {
      this.disposed++;
    },
  };
}

/** Class k scores (k + 1) × the first voxel of each cell of `outputStride`³; the identity for stride 1 and one class. */
export function identityModel(fields: Partial<ModelSpec> = {}): ReturnType<typeof fakeModel> {
  const spec = fakeSpec(fields);
  return fakeModel(spec, (voxels, shape) => {
    const one = subsample(voxels, shape, spec.outputStride);
    const scores = new Float32Array(one.length * spec.classes.length);
    for (let k = 0; k < spec.classes.length; k++) {
      for (let i = 0; i < one.length; i++) scores[k * one.length + i] = (k + 1) * one[i];
    }
    return scores;
  });
}

/** The voxels at multiples of the stride. */
export function subsample(voxels: ArrayLike<number>, [depth, height, width]: Zyx, stride: number): Float32Array {
  const kept: number[] = [];
  for (let z = 0; z < depth; z += stride) {
    for (let y = 0; y < height; y += stride) {
      for (let x = 0; x < width; x += stride) kept.push(voxels[(z * height + y) * width + x]);
    }
  }
  return Float32Array.from(kept);
}

/** A model whose card tells how many of its ribosomes are false, where they are 25 Å apart. */
export function calibrated<M extends Pick<Model, 'spec'>>(model: M): M {
  const ribosome = {
    ...{ floor: 0.1, minDistance: 25, sure: 0.88, doubtful: 0.5, concentration: 20 },
    weights: { constant: 0, score: 0.5, sureScore: 0, sureDensity: 0, doubtfulDensity: 0 },
  };
  return { ...model, spec: { ...model.spec, calibration: { ribosome } } };
}
