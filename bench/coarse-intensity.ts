// Compares the intensity of coarser levels with that of the full level; prints the table in docs/design/performance.md.
// Run: npx tsx bench/coarse-intensity.ts [TIFF stack …]; a simulated tomogram of 184×320×320 voxels is always included.

import {
  contiguousVolume,
  type Intensity,
  measureIntensity,
  quantile,
  sourceFromArray,
  type VolumeSource,
} from '../src/entry/index.ts';
import { openTiffStackFile } from '../src/entry/node.ts';
import { simulateTomogram } from '../src/entry/simulate.ts';

const { volume, grid } = await simulateTomogram({ seed: 1, shape: [184, 320, 320] });
const volumes: [string, VolumeSource][] = [['simulated', sourceFromArray(volume, grid)]];
for (const path of process.argv.slice(2)) volumes.push([path.split('/').pop()!, await openTiffStackFile(path)]);

for (const [name, source] of volumes) {
  const fine = await measureIntensity(source);
  for (const factor of [2, 4]) {
    const coarse = await measureIntensity(await meansOf(source, factor));
    const part = (of: (intensity: Intensity) => number) =>
      ((of(coarse) - of(fine)) / fine.standardDeviation).toFixed(3);
    const deviation = (coarse.standardDeviation / fine.standardDeviation).toFixed(3);
    const ends = [0.01, 0.99].map((p) => part((intensity) => quantile(intensity, p)));
    console.log(`${name} | ${factor} | ${part(({ mean }) => mean)} | ${deviation} | ${ends.join(' | ')}`);
  }
}

/** Averages cells of `factor`³ voxels, as writers of pyramids do; incomplete cells at the end are dropped. */
async function meansOf(source: VolumeSource, factor: number): Promise<VolumeSource> {
  const { data, shape, stride, offset } = await source.read({ start: [0, 0, 0], end: source.grid.shape });
  const coarse = [0, 1, 2].map((axis) => Math.floor(shape[axis]! / factor)) as [number, number, number];
  const means = new Float32Array(coarse[0] * coarse[1] * coarse[2]);
  for (let z = 0; z < coarse[0] * factor; z++) {
    for (let y = 0; y < coarse[1] * factor; y++) {
      for (let x = 0; x < coarse[2] * factor; x++) {
        const cell = [z, y, x].map((at) => Math.floor(at / factor));
        const value = data[offset + z * stride[0] + y * stride[1] + x * stride[2]]!;
        means[(cell[0]! * coarse[1] + cell[1]!) * coarse[2] + cell[2]!]! += value / factor ** 3;
      }
    }
  }
  return sourceFromArray(contiguousVolume(means, coarse));
}
