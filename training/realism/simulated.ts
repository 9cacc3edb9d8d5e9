import { difficulties, type SimulatedTomogram, simulateTomogram } from 'cryoet-picks/simulate';
import { type Crop, type Crops, type Cube, cube, side } from './crops.ts';

/** Particles in a tomogram of 184×256×256 voxels: enough of each kind to rank a real one among. */
const counts = {
  'apo-ferritin': 14,
  'beta-galactosidase': 12,
  ribosome: 12,
  thyroglobulin: 12,
  'virus-like-particle': 10,
  'beta-amylase': 6,
};

/** Simulates tomograms of the default difficulty, with more particles than usual, and cuts crops around all that have room. */
export async function simulateCrops(tomograms: number, seed: number): Promise<Crops> {
  const all: Crops[] = [];
  for (let i = 0; i < tomograms; i++) {
    const options = { ...difficulties.default, shape: [184, 256, 256], counts, seed: seed + i } as const;
    all.push(cropsOf(await simulateTomogram(options)));
  }
  return { crops: all.flatMap(({ crops }) => crops), cubes: all.flatMap(({ cubes }) => cubes) };
}

/** Planes and a cube around every particle of a tomogram, in memory, that has room on all sides. */
export function cropsOf({ volume, grid, picks }: SimulatedTomogram): Crops {
  const { shape, voxelSize } = grid;
  const half = side / 2;
  const at = (z: number, y: number, x: number) =>
    volume.data[volume.offset + z * volume.stride[0] + y * volume.stride[1] + x * volume.stride[2]]!;
  const crops: Crop[] = [];
  const cubes: Cube[] = [];
  for (const { object, position } of picks) {
    const [z, y, x] = [position.z / voxelSize[0], position.y / voxelSize[1], position.x / voxelSize[2]];
    const [cz, cy, cx] = [Math.floor(z), Math.floor(y), Math.floor(x)];
    if (![cz, cy, cx].every((c, axis) => c >= half && c + half <= shape[axis]!)) continue;
    const plane = (value: (row: number, column: number) => number) =>
      Float64Array.from({ length: side * side }, (_, i) => value(Math.floor(i / side) - half, (i % side) - half));
    crops.push({
      object,
      planes: {
        z: { values: plane((r, c) => at(cz, cy + r, cx + c)), centre: [y - cy + half, x - cx + half] },
        x: { values: plane((r, c) => at(cz + r, cy + c, cx)), centre: [z - cz + half, y - cy + half] },
        y: { values: plane((r, c) => at(cz + r, cy, cx + c)), centre: [z - cz + half, x - cx + half] },
      },
    });
    const [rz, ry, rx] = [Math.round(z), Math.round(y), Math.round(x)];
    const values = Float64Array.from({ length: cube.planes * cube.side ** 2 }, (_, i) => {
      const [k, rest] = [Math.floor(i / cube.side ** 2), i % cube.side ** 2];
      const [row, column] = [Math.floor(rest / cube.side), rest % cube.side];
      return at(rz + k - cube.centre, ry + row - cube.centre, rx + column - cube.centre);
    });
    cubes.push({ object, values });
  }
  return { crops, cubes };
}
