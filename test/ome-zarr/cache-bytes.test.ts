import { describe, expect, it } from 'vitest';
import type { Zyx } from '../../src/entry/index.ts';
import { defaultCacheBytes, readingBytes } from '../../src/ome-zarr/chunk-cache.ts';
import { voxelCount } from '../../src/space/grid.ts';

const MiB = 2 ** 20;
const full: Zyx = [184, 630, 630];

function chunkedGrid(shape: Zyx, chunkShape?: Zyx) {
  return { grid: { shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const, chunkShape };
}

describe('readingBytes', () => {
  it('readingBytes counts kept and pending chunks, and for two threads eight buffers: each two to read and two to crop', () => {
    const source = chunkedGrid(full, [128, 128, 128]);
    expect(readingBytes(source, 4, 2)).toBe(defaultCacheBytes(source, 4) + 64 * MiB + 8 * 8 * MiB);
    expect(readingBytes(source, 4, 0)).toBe(defaultCacheBytes(source, 4) + 64 * MiB);
  });

  it('readingBytes counts at most the volume, and for threads at most its chunks', () => {
    const source = chunkedGrid([100, 100, 100], [100, 100, 50]);
    expect(readingBytes(source, 4, 4)).toBe(4 * 1e6 + 4 * 2e6);
  });

  it('readingBytes counts two chunks of 64 MiB at a time for any number of threads', () => {
    const source = chunkedGrid([512, 512, 512], [256, 256, 256]);
    expect(readingBytes(source, 4, 8) - readingBytes(source, 4, 0)).toBe(4 * 64 * MiB);
  });

  it('readingBytes counts 64 MiB to read a larger chunk, and as much to crop it', () => {
    expect(readingBytes(chunkedGrid(full, full), 4, 4)).toBe(4 * voxelCount(full) + 128 * MiB);
  });

  it('readingBytes counts nothing for threads if chunks are too small for them, or the source has none', () => {
    const small: Zyx = [32, 32, 32];
    expect(readingBytes(chunkedGrid(full, small), 4, 4)).toBe(readingBytes(chunkedGrid(full, small), 4, 0));
    expect(readingBytes(chunkedGrid(full), 4, 4)).toBe(4 * voxelCount(full));
  });
});
