import { functionModel, type Model, type ModelSpec, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { sourceOf } from './volumes.ts';

/** Anisotropic, and not at the origin. */
export const oracleGrid = { voxelSize: [10, 9.8, 10.3], origin: { x: -7, y: 11, z: 3 } } as const;

/** A volume whose voxels are their own C-order index. */
export function indexVolume(shape: Zyx): VolumeSource {
  const data = Float32Array.from({ length: voxelCount(shape) }, (_, i) => i);
  return sourceOf(data, shape, oracleGrid);
}

/** A particle of a class, centred between voxels. */
export interface Centre {
  readonly object: string;
  readonly at: Zyx;
}

/** How far from a centre a cell knows of it, in voxels; centres must be twice as far apart, and as far from every face. */
export const reach = 6;

/** Where scores peak: this far from a centre, in voxels. */
const beside: Zyx = [1.3, -0.9, 0.6];

/**
 * A network that knows where particles are, and of each tile, by its voxels of `indexVolume`, where it is and how mirrored;
 * tiles must not stick out.
 *
 * Its scores do not peak at the centres but some voxels beside them; its offsets point at them, along the axes as it sees
 * them. Class a, background, class b, then the offsets.
 */
export function offsetOracle(
  shape: Zyx,
  centres: readonly Centre[],
  { offsets = [3, 4, 5], ...fields }: Partial<ModelSpec> = {},
): Model {
  const classes = ['a', null, 'b', null, null, null];
  const { outputStride: stride = 1 } = fields;
  return functionModel(
    (voxels, tile) => {
      const { first, direction } = placeOf(voxels, tile, shape);
      const cells: Zyx = [tile[0] / stride, tile[1] / stride, tile[2] / stride];
      const size = voxelCount(cells);
      const scores = new Float32Array(classes.length * size).fill(-4, 0, 3 * size);
      for (const { object, at } of centres) {
        // As the tile sees it: voxels from the middle of its first cell.
        const seen = at.map(
          (value, axis) => direction[axis] * (value - first[axis]) - (stride - 1) / 2,
        ) as unknown as Zyx;
        for (const cell of cellsNear(seen, cells, stride)) {
          const to = seen.map((value, axis) => value - stride * cell[axis]);
          if (Math.hypot(...to) > reach) continue;
          const i = (cell[0] * cells[1] + cell[1]) * cells[2] + cell[2];
          const aside = Math.hypot(...to.map((value, axis) => value + direction[axis] * beside[axis]));
          scores[classes.indexOf(object) * size + i] = 4 - aside / 2;
          offsets.forEach((channel, axis) => {
            scores[channel * size + i] = to[axis];
          });
        }
      }
      return scores;
    },
    { classes, offsets, normalization: 'none', ...fields },
  );
}

/** Which voxel of the volume a tile's first one is, and along which axes the tile runs forwards, 1, or backwards, -1. */
function placeOf(voxels: Float32Array, [, height, width]: Zyx, shape: Zyx): { first: Zyx; direction: Zyx } {
  const step: Zyx = [height * width, width, 1];
  const [z, y] = [shape[1] * shape[2], shape[2]];
  const at = voxels[0];
  const direction: Zyx = [
    Math.sign(voxels[step[0]] - at),
    Math.sign(voxels[step[1]] - at),
    Math.sign(voxels[step[2]] - at),
  ];
  return { first: [Math.floor(at / z), Math.floor(at / y) % shape[1], at % y], direction };
}

/** The cells of a tile in a box around a place. */
function* cellsNear(place: Zyx, cells: Zyx, stride: number): Generator<Zyx> {
  const low = place.map((value) => Math.max(0, Math.floor((value - reach) / stride)));
  const high = place.map((value, axis) => Math.min(cells[axis] - 1, Math.ceil((value + reach) / stride)));
  for (let z = low[0]; z <= high[0]; z++)
    for (let y = low[1]; y <= high[1]; y++) for (let x = low[2]; x <= high[2]; x++) yield [z, y, x];
}
