import { describe, expect, it } from 'vitest';
import { SpareBuffers } from '../../src/ome-zarr/spare-buffers.ts';

describe('SpareBuffers', () => {
  it('gives back memory of the very length that is asked for, once', () => {
    const spare = new SpareBuffers(1000);
    expect(spare.take(100)).toBeUndefined();
    const [short, long] = [new ArrayBuffer(100), new ArrayBuffer(200)];
    expect(spare.take(200)).toBeUndefined();
    spare.put(short);
    spare.put(long);
    expect(spare.take(200)).toBe(long);
    expect(spare.take(200)).toBeUndefined();
    expect(spare.take(100)).toBe(short);
  });

  it('keeps no memory that nobody asked for, and no more than it may', () => {
    const spare = new SpareBuffers(250);
    spare.put(new ArrayBuffer(100));
    expect(spare.take(100)).toBeUndefined();
    const buffers = [1, 2, 3].map(() => new ArrayBuffer(100));
    for (const buffer of buffers) spare.put(buffer);
    expect([spare.take(100), spare.take(100), spare.take(100)]).toEqual([buffers[1], buffers[2], undefined]);
    spare.put(new ArrayBuffer(100));
    expect(spare.take(100)).toBeDefined();
  });
});
