import { encodeBlosc } from '../codecs/blosc-encode.ts';
import { MAX_CHUNK_BYTES } from '../codecs/registry.ts';
import { CryoetPicksError } from '../errors.ts';
import { coarseGrid, type VoxelGrid } from '../space/grid.ts';
import { type Box, formatZyx, voxelCount, type Zyx } from '../space/zyx.ts';
import { joinKey, type Store } from '../storage/store.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { placeImage } from './place-image.ts';
import { type Pyramid, type PyramidChunk, pyramidChunks } from './pyramid.ts';
import type { WriteTomogramOptions } from './write.ts';
import { metadataOf, type WrittenType } from './write-metadata.ts';

const ITEM_BYTES: Readonly<Record<WrittenType, number>> = { float32: 4, uint8: 1, uint16: 2 };

/** The work of `writeTomogram`. */
export async function writeImage(store: Store, source: VolumeSource, options: WriteTomogramOptions): Promise<void> {
  const { dtype = 'float32', levels = dtype === 'float32' ? 3 : 1, chunkShape = [128, 128, 128] } = options;
  const { name = '/', overwrite = false, signal, onProgress } = options;
  checkOptions(source, { dtype, levels, chunkShape });
  const pyramid = planPyramid(source.grid, { levels, chunkShape, isMean: dtype === 'float32' });
  checkPyramid(pyramid, dtype);
  signal?.throwIfAborted();
  const total = pyramid.levels.reduce((sum, { chunks }) => sum + voxelCount(chunks), 0);
  await placeImage(store, { overwrite, signal }, async (place) => {
    let done = 0;
    for await (const chunk of pyramidChunks(source, pyramid, { signal })) {
      const bytes = encodeBlosc(packVoxels(chunk, pyramid, dtype), { typeSize: ITEM_BYTES[dtype] });
      await place.set(joinKey(String(chunk.level), ...chunk.at.map(String)), bytes, { signal });
      onProgress?.({ stage: 'write', done: ++done, total });
    }
    for (const [key, bytes] of metadataOf(pyramid, { dtype, name })) await place.set(key, bytes, { signal });
  });
}

function checkOptions(
  { grid }: VolumeSource,
  { dtype, levels, chunkShape }: { readonly dtype: WrittenType; readonly levels: number; readonly chunkShape: Zyx },
): void {
  if (!Object.hasOwn(ITEM_BYTES, dtype)) {
    const known = Object.keys(ITEM_BYTES).join(', ');
    throw new CryoetPicksError('invalid-option', `dtype is ${JSON.stringify(dtype)}, expected one of ${known}`);
  }
  const isCount = (n: number) => Number.isSafeInteger(n) && n >= 1;
  if (!isCount(levels) || levels > 20) {
    throw new CryoetPicksError('invalid-option', `levels is ${levels}, expected a whole number from 1 to 20`);
  }
  for (const [what, shape] of [
    ['chunkShape', chunkShape],
    ['shape of the volume', grid.shape],
  ] as const) {
    if (shape.length === 3 && shape.every(isCount)) continue;
    throw new CryoetPicksError(
      'invalid-option',
      `${what} is ${formatZyx(shape)}, expected three whole numbers above 0`,
    );
  }
}

/** Refuses what could be written and not be read again. */
function checkPyramid({ levels }: Pyramid, dtype: WrittenType): void {
  const invalid = (what: string) => new CryoetPicksError('invalid-option', what);
  for (const [index, { grid, chunk }] of levels.entries()) {
    const { voxelSize, origin } = grid;
    const where = index === 0 ? 'the volume' : `level ${index}`;
    if (voxelSize.length !== 3 || !voxelSize.every((length) => length > 0 && Number.isFinite(length))) {
      throw invalid(`voxelSize of ${where} is ${formatZyx(voxelSize)} Å, expected three finite numbers above 0`);
    }
    if (![origin.x, origin.y, origin.z].every(Number.isFinite)) {
      const found = `x ${origin.x}, y ${origin.y}, z ${origin.z}`;
      throw invalid(`origin of ${where} is ${found} Å, expected finite numbers`);
    }
    const bytes = voxelCount(chunk) * ITEM_BYTES[dtype];
    if (bytes > MAX_CHUNK_BYTES) {
      throw invalid(
        `a chunk of ${formatZyx(chunk)} ${dtype} takes ${bytes} bytes, expected at most ${MAX_CHUNK_BYTES}`,
      );
    }
  }
}

function planPyramid(
  grid: VoxelGrid,
  { levels, chunkShape, isMean }: { readonly levels: number; readonly chunkShape: Zyx; readonly isMean: boolean },
): Pyramid {
  return {
    isMean,
    levels: Array.from({ length: levels }, (_, level) => {
      const coarse = coarseGrid(grid, 2 ** level);
      const { shape } = coarse;
      const chunk = shape.map((extent, i) => Math.min(extent, chunkShape[i]!)) as unknown as Zyx;
      const chunks = shape.map((extent, i) => Math.ceil(extent / chunk[i]!)) as unknown as Zyx;
      return { grid: isMean ? coarse : { ...coarse, origin: grid.origin }, chunk, chunks };
    }),
  };
}

/** The voxels of a chunk as bytes, padded with zeros to the full shape of a chunk. */
function packVoxels({ level, at, box, voxels }: PyramidChunk, { levels }: Pyramid, dtype: WrittenType): Uint8Array {
  const { chunk } = levels[level]!;
  const count = voxelCount(chunk);
  const data =
    dtype === 'float32' ? new Float32Array(count) : dtype === 'uint8' ? new Uint8Array(count) : new Uint16Array(count);
  const [depth, height, width] = [box.end[0] - box.start[0], box.end[1] - box.start[1], box.end[2] - box.start[2]];
  for (let z = 0, f = 0; z < depth; z++) {
    for (let y = 0; y < height; y++, f += width) {
      data.set(voxels.subarray(f, f + width), (z * chunk[1] + y) * chunk[2]);
    }
  }
  if (dtype !== 'float32') checkFit(voxels, dtype, { at, box });
  return new Uint8Array(data.buffer);
}

function checkFit(voxels: Float32Array, dtype: WrittenType, { box }: { readonly at: Zyx; readonly box: Box }): void {
  const max = dtype === 'uint8' ? 255 : 65535;
  const bad = voxels.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value <= max));
  if (bad < 0) return;
  const where = `the box from (${box.start.join(', ')}) to (${box.end.join(', ')})`;
  throw new CryoetPicksError(
    'invalid-option',
    `cannot write ${voxels[bad]}, in ${where}, as ${dtype}: expected whole numbers from 0 to ${max}`,
  );
}
