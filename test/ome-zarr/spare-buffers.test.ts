import { describe, expect, it } from 'vitest';
import { SpareBuffers } from '../../src/ome-zarr/chunk-memory.ts';

describe('SpareBuffers', () => {
  it('SpareBuffers returns a buffer of exactly the requested length, once', () => {
    const spare = new SpareBuffers(1000);
    expect(spare.take(100)).toBeUndefined();
    const [short, long] = [new Float32Array(25), new Uint8Array(200)];
    expect(spare.take(200)).toBeUndefined();
    spare.give(short);
    spare.give(long);
    expect(spare.take(200)?.buffer).toBe(long.buffer);
    expect(spare.take(200)).toBeUndefined();
    expect(spare.take(100)).toEqual(new Uint8Array(short.buffer));
  });

  it('SpareBuffers keeps only requested lengths, up to its maximum', () => {
    const spare = new SpareBuffers(250);
    spare.give(new Uint8Array(100));
    expect(spare.take(100)).toBeUndefined();
    const arrays = [1, 2, 3].map(() => new Uint8Array(100));
    for (const array of arrays) spare.give(array);
    const buffers = [spare.take(100), spare.take(100), spare.take(100)].map((taken) => taken?.buffer);
    expect(buffers).toEqual([arrays[1]!.buffer, arrays[2]!.buffer, undefined]);
    spare.give(new Uint8Array(100));
    expect(spare.take(100)).toBeDefined();
  });

  it('SpareBuffers keeps only whole buffers that can be moved', () => {
    const spare = new SpareBuffers(1000);
    spare.take(100);
    spare.give(new Uint8Array(200).subarray(0, 100));
    spare.give(new Uint8Array(new SharedArrayBuffer(100)));
    expect(spare.take(100)).toBeUndefined();
  });
});
