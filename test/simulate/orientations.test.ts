import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parsePicksFile } from '../../src/entry/copick.ts';
import { dynamoFormat, relion5Format, stopgapFormat } from '../../src/entry/formats.ts';
import {
  contiguousVolume,
  formatPicks,
  memoryStore,
  openTomogram,
  type ParticlePick,
  type Point,
  subStore,
  toPhysical,
  toVoxel,
  type Volume,
  type VoxelGrid,
  type Zyx,
} from '../../src/entry/index.ts';
import { drawMolecule, simulateProject, simulateScene, speciesNamed } from '../../src/entry/simulate.ts';
import { type Rotation, rotationOf } from '../../src/picks/rotation.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { wholeBox } from '../support/volumes.ts';

const shape: Zyx = [48, 64, 96];
const positions = [
  { object: 'ribosome', position: { x: 260, y: 310, z: 240 } },
  { object: 'ribosome', position: { x: 640, y: 330.5, z: 233 } },
];
const options = { shape, seed: 4, surroundings: {}, decoys: 0 };

/** The molecule in its own coordinates, sampled at voxels of 8 Å around its centre of mass. */
const half = 26;
const box: VoxelGrid = {
  shape: [2 * half + 1, 2 * half + 1, 2 * half + 1],
  voxelSize: [8, 8, 8],
  origin: { x: -8 * half, y: -8 * half, z: -8 * half },
};
const template = contiguousVolume(new Float32Array(voxelCount(box.shape)), box.shape);
drawMolecule(template, {
  grid: box,
  molecule: {
    species: speciesNamed('ribosome'),
    position: { x: 0, y: 0, z: 0 },
    rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  },
});

/** Linear interpolation; 0 outside. */
function valueAt({ data, shape: [depth, height, width] }: Volume, [z, y, x]: Zyx): number {
  const [z0, y0, x0] = [Math.floor(z), Math.floor(y), Math.floor(x)];
  let sum = 0;
  for (const [k, wz] of [
    [z0, z0 + 1 - z],
    [z0 + 1, z - z0],
  ] as const) {
    for (const [j, wy] of [
      [y0, y0 + 1 - y],
      [y0 + 1, y - y0],
    ] as const) {
      for (const [i, wx] of [
        [x0, x0 + 1 - x],
        [x0 + 1, x - x0],
      ] as const) {
        const isInside = k >= 0 && j >= 0 && i >= 0 && k < depth && j < height && i < width;
        if (isInside) sum += wz * wy * wx * data[(k * height + j) * width + i]!;
      }
    }
  }
  return sum;
}

/**
 * The correlation of a volume with the template, turned and put at a position, over a ball of 160 Å.
 *
 * A point p of the tomogram shows the template at R⁻¹ (p − position).
 */
function correlation(
  volume: Volume,
  grid: VoxelGrid,
  { position, rotation: r, mirrored = false }: { position: Point; rotation: Rotation; mirrored?: boolean },
): number {
  const [seen, expected]: [number[], number[]] = [[], []];
  const middle = toVoxel(grid, position).map(Math.round);
  for (let z = middle[0]! - 17; z <= middle[0]! + 17; z++) {
    for (let y = middle[1]! - 17; y <= middle[1]! + 17; y++) {
      for (let x = middle[2]! - 17; x <= middle[2]! + 17; x++) {
        const p = toPhysical(grid, [z, y, x]);
        const d = [p.x - position.x, p.y - position.y, p.z - position.z] as const;
        if (Math.hypot(...d) > 160) continue;
        const along = (axis: 0 | 1 | 2) => r[0][axis] * d[0] + r[1][axis] * d[1] + r[2][axis] * d[2];
        const inside = { x: mirrored ? -along(0) : along(0), y: along(1), z: along(2) };
        seen.push(volume.data[volume.offset + z * volume.stride[0] + y * volume.stride[1] + x * volume.stride[2]]!);
        expected.push(valueAt(template, toVoxel(box, inside)));
      }
    }
  }
  return pearson(seen, expected);
}

function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, value] of a.entries()) {
    ab += (value - ma) * (b[i]! - mb);
    aa += (value - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

const inverse = ([x, y, z]: Rotation): Rotation => [
  [x[0], y[0], z[0]],
  [x[1], y[1], z[1]],
  [x[2], y[2], z[2]],
];

describe('the orientations of simulated picks', () => {
  let picks: readonly ParticlePick[];
  let image: { readonly volume: Volume; readonly grid: VoxelGrid };

  beforeAll(async () => {
    const store = memoryStore();
    const project = { runs: 1, ...options, positions: [{ run: 'TS_1', picks: positions }] };
    // Without a missing wedge and without errors, the image is a filtered density.
    const clean = { noise: 0, tiltRange: [-90, 90], alignmentError: 0, dose: 0 } as const;
    await simulateProject(store, { ...project, ...clean });
    const file = await store.get('/overlay/ExperimentRuns/TS_1/Picks/ribosome.json');
    picks = parsePicksFile(new TextDecoder().decode(file), { source: 'ribosome.json' }).picks;
    const tomogram = await openTomogram(
      subStore(store, '/static/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr'),
    );
    image = { volume: await tomogram.read(wholeBox(shape)), grid: tomogram.grid };
  });

  it('a simulated pick renders its particle by its transform; its inverse and its mirror image do not', () => {
    const { grid, molecules, picks: truth } = simulateScene({ ...options, positions });
    const density = contiguousVolume(new Float32Array(voxelCount(shape)), shape);
    for (const molecule of molecules) drawMolecule(density, { grid, molecule });
    for (const { position, transform } of truth) {
      const rotation = rotationOf(transform)!;
      expect(correlation(density, grid, { position, rotation })).toBeGreaterThan(0.95);
      expect(correlation(density, grid, { position, rotation: inverse(rotation) })).toBeLessThan(0.9);
      expect(correlation(density, grid, { position, rotation, mirrored: true })).toBeLessThan(0.9);
    }
  });

  it('a picks file of a simulated project has the rotation that its tomogram shows', () => {
    expect(picks.map(({ position }) => position)).toEqual(positions.map(({ position }) => position));
    for (const { position, transform } of picks) {
      const rotation = rotationOf(transform)!;
      const { volume, grid } = image;
      // Protein is dark.
      const shown = -correlation(volume, grid, { position, rotation });
      expect(shown).toBeGreaterThan(0.8);
      expect(-correlation(volume, grid, { position, rotation: inverse(rotation) })).toBeLessThan(shown - 0.25);
      expect(-correlation(volume, grid, { position, rotation, mirrored: true })).toBeLessThan(shown - 0.25);
    }
  });

  it.skipIf(pythonMissing('picks-readers'))(
    'exports of simulated picks to RELION 5, Dynamo and STOPGAP mean their rotations (needs CRYOET_PICKS_PYTHON)',
    { timeout: 60_000 },
    async () => {
      const { picks: truth } = simulateScene({ shape, seed: 4 });
      const runs = [{ run: 'TS_1', picks: truth }];
      const given = { voxelSize: 10, shape };
      const formats = [relion5Format(given), dynamoFormat(given), stopgapFormat(given)];
      const read = await withTempDir(async (folder) => {
        const files = ['relion5.star', 'dynamo.tbl', 'stopgap.star'].map((name) => join(folder, name));
        for (const [index, format] of formats.entries()) await writeFile(files[index]!, formatPicks(runs, { format }));
        const script = fileURLToPath(new URL('read_rotations.py', import.meta.url));
        return JSON.parse(runPython('picks-readers', script, ...files)) as Record<string, Rotation[]>;
      });
      expect(Object.keys(read)).toEqual(['relion5', 'dynamo', 'stopgap']);
      for (const rotations of Object.values(read)) {
        expect(rotations).toHaveLength(truth.length);
        for (const [index, { transform }] of truth.entries()) {
          const wanted = rotationOf(transform)!.flat();
          for (const [cell, value] of rotations[index]!.flat().entries()) expect(value).toBeCloseTo(wanted[cell]!, 6);
        }
      }
    },
  );
});
