import { type Box, longestAxis, voxelCount, type Zyx } from '../space/zyx.ts';

/** An edge that chunks of common sizes (32, 64, 128) divide. */
const CHUNK_EDGE = 128;

/** Shape of a block of at most so many voxels: chunk-sized boxes, halved if they must, then grown along x, y, z. */
export function blockShape(shape: Zyx, mostVoxels: number): Zyx {
  const edges = shape.map((length) => Math.min(length, CHUNK_EDGE));
  const voxels = () => edges[0] * edges[1] * edges[2];
  for (const axis of [0, 1, 2]) {
    while (voxels() > mostVoxels && edges[axis] > 1) edges[axis] = Math.ceil(edges[axis] / 2);
  }
  for (const axis of [2, 1, 0]) {
    if (edges[axis] < CHUNK_EDGE) continue;
    const most = Math.floor(mostVoxels / (voxels() / edges[axis]));
    edges[axis] = most >= shape[axis] ? shape[axis] : Math.max(CHUNK_EDGE, most - (most % CHUNK_EDGE));
  }
  return [edges[0], edges[1], edges[2]];
}

/** Number of boxes that {@link cutIntoBoxes} yields. */
export function countBoxes(shape: Zyx, block: Zyx): number {
  return voxelCount([Math.ceil(shape[0] / block[0]), Math.ceil(shape[1] / block[1]), Math.ceil(shape[2] / block[2])]);
}

/**
 * The boxes of this shape, cut at the end, that make up a volume; z-slowest. One at a time: a header can claim a volume of more
 * boxes than memory holds.
 */
export function* cutIntoBoxes(shape: Zyx, block: Zyx): Generator<Box> {
  for (let z = 0; z < shape[0]; z += block[0]) {
    for (let y = 0; y < shape[1]; y += block[1]) {
      for (let x = 0; x < shape[2]; x += block[2]) {
        const end = [
          Math.min(z + block[0], shape[0]),
          Math.min(y + block[1], shape[1]),
          Math.min(x + block[2], shape[2]),
        ];
        yield { start: [z, y, x], end: [end[0], end[1], end[2]] };
      }
    }
  }
}

/**
 * The boxes that {@link cutIntoBoxes} yields, from the far end of the longest axis to its beginning, which is where tiles are
 * read first.
 */
export function* backwards(shape: Zyx, block: Zyx): Generator<Box> {
  const axis = longestAxis(shape);
  const edge = block[axis];
  for (let first = (Math.ceil(shape[axis] / edge) - 1) * edge; first >= 0; first -= edge) {
    const move = (corner: Zyx, by: number) => corner.map((at, i) => (i === axis ? at + by : at)) as unknown as Zyx;
    const beyond = Math.max(0, shape[axis] - first - edge);
    const layer = move(shape, -first - beyond);
    for (const { start, end } of cutIntoBoxes(layer, block)) yield { start: move(start, first), end: move(end, first) };
  }
}
