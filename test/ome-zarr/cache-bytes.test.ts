import { describe, expect, it } from 'vitest';
import type { Zyx } from '../../src/entry/index.ts';
import { defaultCacheBytes, readingBytes } from '../../src/ome-zarr/chunk-cache.ts';
import { voxelCount } from '../../src/space/zyx.ts';

const MiB = 2 ** 20;
const full: Zyx = [184, 630, 630];

function sourceOf(shape: Zyx, chunkShape?: Zyx) {
  return { grid: { shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const, chunkShape };
}

describe('readingBytes', () => {
  it('counts what is kept, what comes next, and of two threads eight chunks: two each to read and two to cut', () => {
    const source = sourceOf(full, [128, 128, 128]);
    expect(readingBytes(source, 4, 2)).toBe(defaultCacheBytes(source, 4) + 64 * MiB + 8 * 8 * MiB);
    expect(readingBytes(source, 4, 0)).toBe(defaultCacheBytes(source, 4) + 64 * MiB);
  });

  it('keeps no more than the volume, and gives threads no more chunks than there are', () => {
    const source = sourceOf([100, 100, 100], [100, 100, 50]);
    expect(readingBytes(source, 4, 4)).toBe(4 * 1e6 + 4 * 2e6);
  });

  it('counts two chunks of 64 MiB at a time, however many threads there are', () => {
    const source = sourceOf([512, 512, 512], [256, 256, 256]);
    expect(readingBytes(source, 4, 8) - readingBytes(source, 4, 0)).toBe(4 * 64 * MiB);
  });

  it('counts 64 MiB to read one that is larger, and as much to cut it', () => {
    expect(readingBytes(sourceOf(full, full), 4, 4)).toBe(4 * voxelCount(full) + 128 * MiB);
  });

  it('counts nothing for threads where chunks are too small to be sent to them, or the source has none', () => {
    const small: Zyx = [32, 32, 32];
    expect(readingBytes(sourceOf(full, small), 4, 4)).toBe(readingBytes(sourceOf(full, small), 4, 0));
    expect(readingBytes(sourceOf(full), 4, 4)).toBe(4 * voxelCount(full));
  });
});
