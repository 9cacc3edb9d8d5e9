import { encode } from 'fast-png';
import { type Crop, type CropPlane, side } from './crops.ts';
import { greyScale } from './measures.ts';

/** Screen pixels per voxel, and between planes. */
const zoom = 3;
const gap = 3;

/** Simulated particles beside each real one. */
const shown = 3;

/** From black to white, in deviations of the background from its median. */
const range = [-8, 4] as const;

/**
 * Draws planes across z and y: a row per object, the real particle in front, simulated ones behind it, on one grey scale: the
 * background's median and deviation.
 *
 * @returns A PNG.
 */
export function drawCrops(real: readonly Crop[], simulated: readonly Crop[]): Uint8Array {
  const objects = [
    ...new Set(real.length > 0 ? real.map(({ object }) => object) : simulated.map(({ object }) => object)),
  ];
  const rows = objects.map((object) => {
    const of = (crops: readonly Crop[]) => crops.filter((crop) => crop.object === object);
    return [...of(real).slice(0, 1), ...of(simulated).slice(0, shown)].flatMap((crop) => {
      const { median, deviation } = greyScale(crop);
      const plane = ({ values }: CropPlane) => values.map((value) => (value - median) / deviation);
      return [plane(crop.planes.z!), plane(crop.planes.y!)];
    });
  });
  const pitch = side * zoom + gap;
  const width = Math.max(...rows.map((row) => row.length)) * pitch - gap;
  const height = rows.length * pitch - gap;
  const data = new Uint8Array(width * height).fill(255);
  for (const [r, row] of rows.entries()) {
    for (const [c, plane] of row.entries()) {
      for (let y = 0; y < side * zoom; y++) {
        for (let x = 0; x < side * zoom; x++) {
          const value = plane[Math.floor(y / zoom) * side + Math.floor(x / zoom)]!;
          const grey = (255 * (value - range[0])) / (range[1] - range[0]);
          data[(r * pitch + y) * width + c * pitch + x] = Math.min(255, Math.max(0, grey));
        }
      }
    }
  }
  return encode({ width, height, data, channels: 1, depth: 8 }, { zlib: { level: 9 } });
}
