/**
 * Compares simulated planes with real ones: prints the numbers of docs/simulation.md and writes its figure.
 *
 *     npx tsx scripts/simulate/compare.ts ../shared/data/real docs/simulation.png
 *
 * The real planes are nine orthogonal 128×128 planes of one 128³ cube of TS_100_3 (CryoET Data Portal dataset 10445, CC0;
 * taken from a figure of zarr-benchmarks-cryoet, BSD-3). The simulated cube is as crowded with ribosomes as that one.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { simulateTomogram } from '../../src/simulate/index.ts';
import type { Volume } from '../../src/volume/volume.ts';

const side = 128;
const figureScale = 2;
type Plane = Float64Array;

/** In the real file's order: three z planes [y][x], three y planes [z][x], three x planes [z][y]. */
function realPlanes(folder: string): Plane[] {
  const bytes = readFileSync(`${folder}/TS_100_3_9planes.u8`);
  return Array.from({ length: 9 }, (_, i) => Float64Array.from(bytes.subarray(i * side * side, (i + 1) * side * side)));
}

function simulatedPlanes({ data, stride }: Volume): Plane[] {
  const corner = 26 * stride[0] + 16 * stride[1] + 16;
  const plane =
    (across: number, [row, column]: readonly number[]) =>
    (at: number) =>
      Float64Array.from({ length: side * side }, (_, i) => {
        const offset = corner + at * across + Math.floor(i / side) * row! + (i % side) * column!;
        return data[offset]!;
      });
  const [z, y, x] = stride;
  return [plane(z, [y, x]), plane(y, [z, x]), plane(x, [z, y])].flatMap((of) => [32, 64, 96].map(of));
}

function moments(values: Plane): { mean: number; deviation: number; skew: number } {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  const skew = values.reduce((sum, v) => sum + (v - mean) ** 3, 0) / values.length / deviation ** 3;
  return { mean, deviation, skew };
}

function lagCorrelation(plane: Plane, axis: 'row' | 'column', lag: number): number {
  const { mean, deviation } = moments(plane);
  const [rows, columns] = axis === 'row' ? [side - lag, side] : [side, side - lag];
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = i * side + j;
      sum += (plane[at]! - mean) * (plane[at + (axis === 'row' ? lag * side : lag)]! - mean);
    }
  }
  return sum / (rows * columns) / deviation ** 2;
}

function describe(name: string, planes: readonly Plane[]): void {
  const all = Float64Array.from(planes.flatMap((plane) => [...plane]));
  const { mean, deviation, skew } = moments(all);
  const sorted = all.toSorted();
  const quantile = (share: number) =>
    ((sorted[Math.floor(share * (sorted.length - 1))]! - mean) / deviation).toFixed(2);
  console.log(name);
  console.log(
    `  skew ${skew.toFixed(2)}; quantiles in deviations`,
    [0.001, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999].map(quantile).join(' '),
  );
  const axes = [
    ['x', [0, 1, 2], 'column'],
    ['y', [0, 1, 2], 'row'],
    ['x', [3, 4, 5], 'column'],
    ['z', [3, 4, 5], 'row'],
    ['y', [6, 7, 8], 'column'],
    ['z', [6, 7, 8], 'row'],
  ] as const;
  for (const [axis, which, direction] of axes) {
    const at = (lag: number) => which.map((i) => lagCorrelation(planes[i]!, direction, lag));
    const mid = [1, 2, 4, 8].map((lag) => (at(lag).reduce((a, b) => a + b, 0) / 3).toFixed(2));
    const lag1 = at(1).map((value) => value.toFixed(2));
    console.log(
      `  planes ${which[0]}–${which[2]} along ${axis}: lag 1 ${lag1.join(' ')}; mean at lags 1, 2, 4, 8: ${mid.join(' ')}`,
    );
  }
}

/** Rows of planes as grey values: white lines between them, contrast by the background's spread. */
function drawFigure(rows: readonly (readonly Plane[])[]): Uint8Array {
  const gap = 4;
  const pitch = side * figureScale + gap;
  const [width, height] = [3 * pitch - gap, rows.length * pitch - gap];
  const data = new Uint8Array(width * height).fill(255);
  for (const [r, row] of rows.entries()) {
    const sorted = Float64Array.from(row.flatMap((plane) => [...plane])).toSorted();
    const [low, mid, high] = [0.25, 0.5, 0.75].map((share) => sorted[Math.floor(share * sorted.length)]!) as [
      number,
      number,
      number,
    ];
    const spread = (high - low) / 1.349;
    for (const [c, plane] of row.entries()) {
      for (let y = 0; y < side * figureScale; y++) {
        for (let x = 0; x < side * figureScale; x++) {
          const value = plane[Math.floor(y / figureScale) * side + Math.floor(x / figureScale)]!;
          const grey = (((value - mid) / spread + 5) / 8) * 255;
          data[(r * pitch + y) * width + c * pitch + x] = Math.min(255, Math.max(0, grey));
        }
      }
    }
  }
  return encode({ width, height, data, channels: 1, depth: 8 }, { zlib: { level: 9 } });
}

const [folder, figure] = process.argv.slice(2);
if (folder === undefined || figure === undefined)
  throw new Error('expected the folder of real planes and a PNG to write');
const counts = { ribosome: 16, 'virus-like-particle': 1, thyroglobulin: 3, 'beta-galactosidase': 2, 'apo-ferritin': 5 };
const real = realPlanes(folder);
describe('real', real);
const simulated: Plane[][] = [];
for (const seed of [1, 2, 3]) {
  const planes = simulatedPlanes((await simulateTomogram({ shape: [180, 160, 160], seed, counts })).volume);
  describe(`simulated, seed ${seed}`, planes);
  simulated.push(planes);
}
const middles = (planes: readonly Plane[]) => [planes[1]!, planes[4]!, planes[7]!];
writeFileSync(figure, drawFigure([middles(real), middles(simulated[0]!)]));
