// Bring your own function as a model: anything that turns tiles into scores will do, here a box filter.
import { detectParticles, type Model, type ScoreBatch, sourceFromArray, type TileBatch } from 'cryoet-picks';
import { simulateTomogram } from 'cryoet-picks/simulate';

// %% A card says what the function expects and gives: tile shape, voxel size, classes, thresholds.
const spec: Model['spec'] = {
  name: 'dark blobs',
  tile: [64, 64, 64],
  outputStride: 2,
  voxelSize: 10,
  classes: ['ribosome'],
  activation: 'none',
  normalization: 'z-score',
  thresholds: { ribosome: 0.5 },
  minDistances: { ribosome: 200 },
};

// %% The function: how dark the 14³ voxels around each output cell are, on average, in standard deviations.
const reach = 7;

function darkness({ data, shape: [n, depth, height, width] }: TileBatch): ScoreBatch {
  const [d, h, w] = [depth / 2, height / 2, width / 2];
  const scores = new Float32Array(n * d * h * w);
  for (let tile = 0; tile < n; tile++) {
    const sums = summedVolume(data.subarray(tile * depth * height * width), depth, height, width);
    let i = tile * d * h * w;
    for (let z = 0; z < d; z++) {
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) scores[i++] = -boxMean(sums, [2 * z + 1, 2 * y + 1, 2 * x + 1]);
    }
  }
  return { data: scores, shape: [n, 1, d, h, w] };
}

// %% A summed volume makes each box mean cost eight look-ups, whatever its size.
interface Sums {
  readonly data: Float64Array;
  readonly shape: readonly [number, number, number];
}

function summedVolume(voxels: Float32Array, depth: number, height: number, width: number): Sums {
  const [h, w] = [height + 1, width + 1];
  const data = new Float64Array((depth + 1) * h * w);
  for (let z = 1; z <= depth; z++) {
    for (let y = 1; y <= height; y++) {
      let row = 0;
      for (let x = 1; x <= width; x++) {
        row += voxels[((z - 1) * height + y - 1) * width + x - 1]!;
        const above = data[(z * h + y - 1) * w + x]!;
        const before = data[((z - 1) * h + y) * w + x]! - data[((z - 1) * h + y - 1) * w + x]!;
        data[(z * h + y) * w + x] = row + above + before;
      }
    }
  }
  return { data, shape: [depth, height, width] };
}

function boxMean({ data, shape: [depth, height, width] }: Sums, centre: readonly number[]): number {
  const low = centre.map((c) => Math.max(0, c - reach));
  const high = [depth, height, width].map((length, axis) => Math.min(length, centre[axis]! + reach));
  let sum = 0;
  for (const [z, sz] of [
    [high[0]!, 1],
    [low[0]!, -1],
  ] as const) {
    for (const [y, sy] of [
      [high[1]!, 1],
      [low[1]!, -1],
    ] as const) {
      const row = (z * (height + 1) + y) * (width + 1);
      sum += sz * sy * (data[row + high[2]!]! - data[row + low[2]!]!);
    }
  }
  return sum / high.reduce((volume, end, axis) => volume * (end - low[axis]!), 1);
}

// %% A model is the card and the function. Tiling, blending, peaks and picks are the library's, as for any network.
const model: Model = { spec, score: async (tiles) => darkness(tiles), dispose: async () => {} };

const { volume, grid, picks: truth } = await simulateTomogram({ shape: [64, 160, 160], seed: 2 });
const picks = await detectParticles(sourceFromArray(volume, grid), { model });
const ribosomes = truth.filter(({ object }) => object === 'ribosome').length;
console.log(`${picks.length} dark blobs; the tomogram holds ${ribosomes} ribosomes among ${truth.length} particles`);
for (const { position, score } of picks.slice(0, 3)) {
  console.log(
    `x ${position.x.toFixed(0)} y ${position.y.toFixed(0)} z ${position.z.toFixed(0)} Å, ${score.toFixed(2)} σ`,
  );
}
