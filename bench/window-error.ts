// Compares tiled scores with those of one pass over the whole volume, by window and overlap; prints the table in docs/design/tiling.md.
// Run: npx tsx bench/window-error.ts
import {
  contiguousVolume,
  functionModel,
  planTiles,
  type ScoreTile,
  scoreSlabs,
  sourceFromArray,
  type WindowName,
  type Zyx,
} from '../src/entry/index.ts';
import { voxelCount } from '../src/space/grid.ts';
import { WINDOW_NAMES } from '../src/tiles/window.ts';

const TILE: Zyx = [32, 64, 64];
const OVERLAPS = [8, 16, 24, 32];

/** Seeded noise, uniform in -1 … 1 (mulberry32). */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

/** Mean over 7 voxels along one axis, zeros outside, as convolutions pad. */
function smooth(voxels: Float32Array, length: number, step: number): Float32Array {
  const out = new Float32Array(voxels.length);
  for (let i = 0; i < voxels.length; i++) {
    const at = Math.floor(i / step) % length;
    let sum = 0;
    for (let k = Math.max(-3, -at); k <= Math.min(3, length - 1 - at); k++) sum += voxels[i + k * step];
    out[i] = sum / 7;
  }
  return out;
}

/** Three layers of smoothing, a bias and a rectifier: each score sees 9 voxels to every side, through zero padding. */
const withContext: ScoreTile = (voxels, [depth, height, width]) => {
  let features = voxels;
  for (const gain of [3, 2, 2]) {
    const smoothed = smooth(smooth(smooth(features, width, 1), height, width), depth, width * height);
    features = smoothed.map((value) => Math.max(0, gain * value + 0.05));
  }
  return features;
};

/** The same, but each tile is scaled by its own mean and deviation first, as instance normalisation does. */
const withTileStatistics: ScoreTile = (voxels, shape) => {
  const mean = voxels.reduce((a, b) => a + b, 0) / voxels.length;
  const deviation = Math.sqrt(voxels.reduce((a, b) => a + (b - mean) ** 2, 0) / voxels.length);
  return withContext(
    voxels.map((value) => (value - mean) / deviation),
    shape,
  );
};

/** Noise whose strength changes across the volume, so that tiles differ. */
function scene(shape: Zyx): Float32Array {
  const voxels = noise(voxelCount(shape), 1);
  return voxels.map((value, i) => value * (1 + Math.sin((i % shape[2]) / 20)) + 0.2 * Math.cos(i / 9000));
}

/** Root mean square and maximum of the difference, relative to the root mean square of the scores. */
async function measureError(scoreTile: ScoreTile, window: WindowName, overlap: number): Promise<[number, number]> {
  const edge = 64 + 2 * (64 - overlap); // three tiles that overlap by exactly this
  const shape: Zyx = [32, edge, edge];
  const voxels = scene(shape);
  const whole = await scoreTile(voxels.slice(), shape);
  const plan = planTiles(shape, { tile: TILE }, { overlap: [0, overlap, overlap], window });
  const model = functionModel(scoreTile, { classes: ['a'], tile: TILE });
  let squares = 0;
  let greatest = 0;
  for await (const { start, scores } of scoreSlabs(sourceFromArray(contiguousVolume(voxels, shape)), { plan, model })) {
    const [, depth, height, width] = scores.shape; // swept along y
    for (let z = 0; z < depth; z++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          const expected = whole[(z * edge + y + start) * edge + x];
          const off = Math.abs(scores.data[(z * height + y) * width + x] - expected);
          squares += off * off;
          greatest = Math.max(greatest, off);
        }
  }
  const scale = Math.sqrt(whole.reduce((a, b) => a + b * b, 0) / whole.length);
  return [Math.sqrt(squares / whole.length) / scale, greatest / scale];
}

for (const [name, scoreTile] of Object.entries({ withContext, withTileStatistics })) {
  for (const window of WINDOW_NAMES) {
    const cells: string[] = [];
    for (const overlap of OVERLAPS) {
      const [rms, greatest] = await measureError(scoreTile, window, overlap);
      cells.push(`${(100 * rms).toFixed(2)} / ${(100 * greatest).toFixed(0)}`);
    }
    console.log(`${name} | ${window} | ${cells.join(' | ')}`);
  }
}
