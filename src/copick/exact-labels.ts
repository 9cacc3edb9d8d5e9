import { CryoetPicksError } from '../errors.ts';
import type { Tomogram } from '../ome-zarr/tomogram.ts';
import { voxelCount } from '../space/zyx.ts';
import { contiguousVolume, copyVolumeInto, type NumericData, type Volume } from '../volume/volume.ts';

/**
 * A volume of labels whose `read` never rounds: a whole number that float32 cannot tell from its neighbour is refused. Types
 * that float32 holds are read as before.
 */
export function exactLabels<T extends Tomogram>(labels: T, path: string): T {
  const dtype = labels.levels.find(({ index }) => index === labels.level)?.dtype;
  if (dtype === undefined || !/^u?int(32|64)$/.test(dtype)) return labels;
  return {
    ...labels,
    async read(box, options) {
      const exact = await labels.readExact(box, options);
      const rounded = contiguousVolume(new Float32Array(voxelCount(exact.shape)), exact.shape);
      copyVolumeInto(exact, rounded, [0, 0, 0]);
      refuseRounded(exact, rounded.data, path);
      return rounded;
    },
  };
}

function refuseRounded(exact: Volume<NumericData>, rounded: Float32Array, path: string): void {
  const [depth, height, width] = exact.shape;
  const [sz, sy, sx] = exact.stride;
  let r = 0;
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let e = exact.offset + z * sz + y * sy;
      for (let x = 0; x < width; x++, e += sx, r++) {
        if (rounded[r] === exact.data[e]) continue;
        throw new CryoetPicksError(
          'unsupported',
          `label ${exact.data[e]} of "${path}" does not survive float32, which \`read\` gives: use \`readExact\``,
        );
      }
    }
  }
}
