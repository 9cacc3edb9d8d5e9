import type { Zyx } from '../../src/entry/index.ts';
import type { Random } from '../../src/entry/simulate.ts';
import { voxelCount } from '../../src/space/grid.ts';

/** Single bright voxels at random places, one per 4³ voxels of a random half of them, so that no two touch. */
export interface Planted {
  readonly data: Float32Array;
  readonly places: readonly Zyx[];
}

/** Plants bright voxels in an empty C-order volume; every fourth cell may hold one anywhere but on its last planes. */
export function plantVoxels(shape: Zyx, random: Random): Planted {
  const data = new Float32Array(voxelCount(shape));
  const places: Zyx[] = [];
  const cell = 4;
  for (let z = 0; z < shape[0]; z += cell) {
    for (let y = 0; y < shape[1]; y += cell) {
      for (let x = 0; x < shape[2]; x += cell) {
        if (random.uniform() < 0.7) continue;
        const at = [z, y, x].map((start, axis) => {
          const room = Math.min(2, shape[axis] - start);
          return start + Math.floor(random.uniform() * room);
        }) as unknown as Zyx;
        places.push(at);
        data[(at[0] * shape[1] + at[1]) * shape[2] + at[2]] = 1 + random.uniform();
      }
    }
  }
  return { data, places };
}
