import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../src/core/buffer-pool.ts';

describe('BufferPool', () => {
  it('BufferPool gives out the arrays it was given, of the length asked for, and forgets those of other lengths', () => {
    const memory = new BufferPool(2);
    const [a, b] = [new Float32Array(4).fill(1), new Float32Array(4).fill(2)];
    memory.put(a);
    memory.put(b);
    memory.put(new Float32Array(4));
    expect(memory.take(4)?.buffer).toBe(b.buffer);
    expect(memory.take(5)).toBeUndefined();
    expect(memory.take(4)).toBeUndefined();
  });

  it('BufferPool keeps no memory that was moved away or is shared', () => {
    const memory = new BufferPool(2);
    const moved = new Float32Array(4);
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    memory.put(moved);
    memory.put(new Float32Array(new SharedArrayBuffer(16)));
    expect(memory.take(4)).toBeUndefined();
  });
});

it('a pool takes an array back once, however often it is released', () => {
  const pool = new BufferPool(2);
  const release = pool.releaseOf(new Float32Array(4));
  release();
  release();
  expect(pool.take(4)).toHaveLength(4);
  expect(pool.take(4)).toBeUndefined();
});
