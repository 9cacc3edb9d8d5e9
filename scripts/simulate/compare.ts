/**
 * Compares real planes with simulated ones: prints a table for docs/design/simulation.md, draws its figures.
 *
 *     npx tsx scripts/simulate/compare.ts ../shared/data/real/TS_100_3_9planes.u8 docs/images/simulation.png docs/images/simulation-match.svg
 */
import { writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { realPlanes, simulatedPlanes } from './cube.ts';
import { drawCurves } from './curves.ts';
import {
  directions,
  type NinePlanes,
  type Plane,
  type PlaneStatistics,
  planeStatistics,
  quantileShares,
  side,
} from './statistics.ts';

const figureScale = 2;

/** Rows of the table: a name, and the function that computes its numbers from a set of planes. */
const rows: readonly (readonly [name: string, of: (statistics: PlaneStatistics) => readonly number[]])[] = [
  ['skew of the grey values', ({ skew }) => [skew]],
  ...quantileShares.map(
    (share, i) => [`${100 * share} % quantile, in deviations`, (s: PlaneStatistics) => [s.quantiles[i]!]] as const,
  ),
  ...directions.map((direction) => {
    const [across, along] = direction.split(' ');
    const lag = (at: number) => (s: PlaneStatistics) => s.correlation[direction].map((plane) => plane[at]!);
    return [`${across} planes along ${along}, lag 1`, lag(0)] as const;
  }),
  ['y planes along z, lag 8', (s) => s.correlation['y z'].map((plane) => plane[5]!)],
  ['x planes along z, lag 8', (s) => s.correlation['x z'].map((plane) => plane[5]!)],
];

function range(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2).replace('-', '−'));
  return low === high ? low! : `${low} … ${high}`;
}

/** Rows of planes as grey values: white lines between them, contrast by the background's spread. */
function drawFigure(pictures: readonly (readonly Plane[])[]): Uint8Array {
  const gap = 4;
  const pitch = side * figureScale + gap;
  const [width, height] = [3 * pitch - gap, pictures.length * pitch - gap];
  const data = new Uint8Array(width * height).fill(255);
  for (const [r, row] of pictures.entries()) {
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
          const grey = (((value - mid) / spread + 6) / 9.5) * 255;
          data[(r * pitch + y) * width + c * pitch + x] = Math.min(255, Math.max(0, grey));
        }
      }
    }
  }
  return encode({ width, height, data, channels: 1, depth: 8 }, { zlib: { level: 9 } });
}

const [file, picture, curves] = process.argv.slice(2);
if (file === undefined || picture === undefined || curves === undefined) {
  throw new Error('expected the file of real planes, a PNG and an SVG to write');
}
const real = realPlanes(file);
const simulated: NinePlanes[] = [];
for (const seed of [1, 2, 3]) simulated.push(await simulatedPlanes(seed));
const statistics = [real, ...simulated].map(planeStatistics);
console.log('| | real | simulated |\n|---|---|---|');
for (const [name, of] of rows) {
  console.log(`| ${name} | ${range(of(statistics[0]!))} | ${range(statistics.slice(1).flatMap(of))} |`);
}
const middles = (planes: NinePlanes) => [planes[1]!, planes[4]!, planes[7]!];
writeFileSync(picture, drawFigure([middles(real), middles(simulated[1]!)]));
writeFileSync(curves, drawCurves(statistics[0]!, statistics.slice(1)));
