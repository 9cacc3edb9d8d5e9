// Real tomograms: two microtubules, from TIFF to OME-Zarr, tiled, scored by a function, peaks, picks and a picture.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  detectParticles,
  functionModel,
  openTomogram,
  type ParticlePick,
  sourceFromArray,
  toFloat32,
  type Volume,
  writeTomogram,
  type Zyx,
} from 'cryoet-picks';
import { renderFigure } from 'cryoet-picks/figure';
import { directoryStore } from 'cryoet-picks/node';
import { decode } from 'tiff';

// %% The volumes are crops of a real tomogram (cylindra, BSD-3) that are not part of this package.
const data = fileURLToPath(new URL('../../shared/data/real/', import.meta.url));
const names = ['13pf_MT', '14pf_MT'];
const present = names.filter((name) => existsSync(join(data, `${name}.tif`)));
if (present.length === 0)
  console.log(`skipped: no ${names.join('.tif, ')}.tif in the reference data beside the project`);

// %% An ImageJ stack has one page per z; its voxels are 10.52 Å, which ImageJ says in nm and rounds.
async function readStack(path: string): Promise<Volume> {
  const pages = decode(await readFile(path));
  const { width, height } = pages[0]!;
  const voxels = new Uint8Array(pages.length * height * width);
  pages.forEach((page, z) => {
    voxels.set(page.data as Uint8Array, z * height * width);
  });
  const shape: Zyx = [pages.length, height, width];
  return toFloat32({ data: voxels, shape, stride: [height * width, width, 1], offset: 0 });
}

// %% A microtubule is a hollow tube: bright walls some 100 Å to the left and right of a dark core. Walls above and below are
// smeared away by the missing wedge, so the function looks in the plane only: how much brighter than core and mean is the
// fainter of the two walls, for the best of twelve directions?
const [wallDistance, halfLength, halfHeight] = [9.5, 12, 4];
const reach = Math.ceil(Math.hypot(wallDistance + 1, halfLength));
const directions = Array.from({ length: 12 }, (_, i) => (i * Math.PI) / 12);
const strips = directions.map((angle) => [-wallDistance, 0, wallDistance].map((across) => stripAt(across, angle)));

/** A strip of 3 voxels width along a direction, `across` voxels beside the centre, as offsets (y, x). */
function stripAt(across: number, angle: number): (readonly [number, number])[] {
  const [dy, dx] = [Math.cos(angle), Math.sin(angle)];
  const offsets: (readonly [number, number])[] = [];
  for (let step = -halfLength; step <= halfLength; step += 2) {
    for (const side of [across - 1, across, across + 1]) {
      offsets.push([Math.round(step * dy - side * dx), Math.round(step * dx + side * dy)]);
    }
  }
  return offsets;
}

function tubeness(voxels: Float32Array, [depth, height, width]: Zyx): Float32Array {
  const slab = meanOverZ(voxels, [depth, height, width]);
  const scores = new Float32Array(voxels.length).fill(-1);
  const steps = strips.map((three) => three.map((strip) => Int32Array.from(strip, ([dy, dx]) => dy * width + dx)));
  for (let z = 0; z < depth; z++) {
    for (let y = reach; y < height - reach; y++) {
      for (let x = reach; x < width - reach; x++) {
        const at = (z * height + y) * width + x;
        for (const [left, core, right] of steps) {
          const walls = Math.min(meanAt(slab, at, left!), meanAt(slab, at, right!));
          scores[at] = Math.max(scores[at]!, walls - Math.max(0, meanAt(slab, at, core!)));
        }
      }
    }
  }
  return scores;
}

function meanAt(slab: Float32Array, at: number, steps: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < steps.length; i++) sum += slab[at + steps[i]!]!;
  return sum / steps.length;
}

function meanOverZ(voxels: Float32Array, [depth, height, width]: Zyx): Float32Array {
  const plane = height * width;
  const means = new Float32Array(voxels.length);
  for (let z = 0; z < depth; z++) {
    const [from, to] = [Math.max(0, z - halfHeight), Math.min(depth - 1, z + halfHeight)];
    for (let i = 0; i < plane; i++) {
      let sum = 0;
      for (let k = from; k <= to; k++) sum += voxels[k * plane + i]!;
      means[z * plane + i] = sum / (to - from + 1);
    }
  }
  return means;
}

// %% The function knows nothing near the edge of a tile, so tiles overlap by twice its reach, and then some.
const model = functionModel(tubeness, {
  name: 'tubeness',
  classes: ['microtubule'],
  tile: [48, 96, 96],
  voxelSize: 10.52,
  thresholds: { microtubule: 0.45 },
  minDistances: { microtubule: 120 },
});

// %% Write as OME-Zarr, open, detect, draw. Whatever the program, the picture has the last word.
for (const name of present) {
  const folder = join('microtubules', `${name}.zarr`);
  const stack = sourceFromArray(await readStack(join(data, `${name}.tif`)), { voxelSize: [10.52, 10.52, 10.52] });
  await writeTomogram(directoryStore(folder), stack, { overwrite: true });
  const tomogram = await openTomogram(directoryStore(folder));
  const picks = await detectParticles(tomogram, { model, overlap: [16, 48, 48] });
  console.log(
    `${name}: ${tomogram.grid.shape.join('×')} voxels, ${picks.length} picks along the tube, ${straightness(picks)}`,
  );

  await mkdir('microtubules', { recursive: true });
  const objects = [{ name: 'microtubule', color: [230, 159, 0], radius: 105 }];
  await writeFile(
    join('microtubules', `${name}.png`),
    await renderFigure(tomogram, { picks, objects, title: name, slices: 3 }),
  );
}

// %% If the picks follow the axis they lie on a line in the plane, so their distance from the best line says how well.
function straightness(picks: readonly ParticlePick[]): string {
  if (picks.length < 3) return 'too few for a line';
  const mean = (of: (pick: ParticlePick) => number): number =>
    picks.reduce((sum, pick) => sum + of(pick), 0) / picks.length;
  const [cx, cy] = [mean(({ position }) => position.x), mean(({ position }) => position.y)];
  const slope = mean(({ position: { x, y } }) => (x - cx) * (y - cy)) / mean(({ position: { y } }) => (y - cy) ** 2);
  const rms = Math.sqrt(mean(({ position: { x, y } }) => (x - cx - slope * (y - cy)) ** 2 / (1 + slope ** 2)));
  return `${rms.toFixed(0)} Å from a straight line (RMS), tilted ${((Math.atan(slope) * 180) / Math.PI).toFixed(0)}° from y`;
}
