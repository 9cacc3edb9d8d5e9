import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MAX_BYTES, SEGMENT_BYTES, SharedMemory } from '../../src/ome-zarr/chunk-memory.ts';
import { pause } from '../support/unhandled-rejections.ts';

afterEach(() => vi.unstubAllGlobals());

/** Collects garbage until a condition holds; what was seen in one task is kept to its end. */
async function collectUntil(isTrue: () => boolean): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 200 && !isTrue(); i++) {
    await pause(1);
    collect();
  }
  expect(isTrue()).toBe(true);
}

describe('SharedMemory', () => {
  it('SharedMemory never allocates a byte twice, and reuses pieces that were given back', () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(64, 128));
    const steps = fc.array(fc.record({ takes: fc.boolean(), length: lengths, which: fc.nat(1000) }), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 2000 }), (taken, total) => {
        const memory = new SharedMemory(total);
        const held: { readonly piece: Uint8Array; readonly mark: number }[] = [];
        for (const [i, { takes, length, which }] of taken.entries()) {
          if (takes) {
            const piece = memory.take(length)!;
            expect([piece.length, piece.byteOffset % 64]).toEqual([length, 0]);
            held.push({ piece: piece.fill(i % 256), mark: i % 256 });
          } else if (held.length > 0) {
            const [{ piece, mark }] = held.splice(which % held.length, 1) as [(typeof held)[number]];
            expect(piece.every((value) => value === mark)).toBe(true);
            // As numbers of another type, as chunks are.
            memory.give(
              piece.length % 4 === 0 ? new Float32Array(piece.buffer, piece.byteOffset, piece.length / 4) : piece,
            );
            const other = memory.take(piece.length)!;
            expect(held.some(({ piece: one }) => one.buffer === other.buffer && overlap(one, other))).toBe(false);
            memory.give(other);
          }
        }
        expect(held.every(({ piece, mark }) => piece.every((value) => value === mark))).toBe(true);
        for (const { piece } of held) memory.give(piece);
      }),
      { numRuns: 300 },
    );
  });

  it('SharedMemory fills the gaps of a segment before it takes another', () => {
    const memory = new SharedMemory(1024);
    const pieces = [256, 128, 384, 256].map((length) => memory.take(length)!);
    expect(pieces.map(({ byteOffset }) => byteOffset)).toEqual([0, 256, 384, 768]);
    memory.give(pieces[1]!);
    memory.give(pieces[2]!);
    // The two together, one after the other.
    const between = memory.take(512)!;
    expect([between.buffer, between.byteOffset]).toEqual([pieces[0]!.buffer, 256]);
    expect(memory.take(64)!.buffer).not.toBe(pieces[0]!.buffer);
  });

  it('SharedMemory takes what a small array needs, 64 MiB at a time for large arrays, and more for a large chunk', () => {
    expect(new SharedMemory(1000).take(10)!.buffer.byteLength).toBe(1024);
    expect(new SharedMemory(1e9).take(2 ** 20)!.buffer.byteLength).toBe(SEGMENT_BYTES);
    expect(new SharedMemory(1e9).take(SEGMENT_BYTES + 1)!.buffer.byteLength).toBe(SEGMENT_BYTES + 64);
  });

  it('SharedMemory ignores memory that it did not allocate', () => {
    const memory = new SharedMemory(256);
    const [first, second] = [memory.take(128)!, memory.take(128)!];
    memory.give(new Uint8Array(new SharedArrayBuffer(256)));
    memory.give(new Uint8Array(256));
    const third = memory.take(128)!;
    expect([first.buffer, second.buffer]).not.toContain(third.buffer);
  });

  it('SharedMemory releases an unused segment to other arrays', () => {
    const [one, other] = [new SharedMemory(2 ** 15), new SharedMemory(2 ** 15)];
    const piece = one.take(100)!;
    expect(other.take(100)!.buffer).not.toBe(piece.buffer);
    one.give(piece);
    expect(other.take(2 ** 15)!.buffer).toBe(piece.buffer);
    expect(one.take(100)!.buffer).not.toBe(piece.buffer);
  });

  it('SharedMemory never reuses memory that a thread may still write to', () => {
    const memory = new SharedMemory(256);
    const [first, second] = [memory.take(128)!, memory.take(128)!];
    expect(second.buffer).toBe(first.buffer);
    memory.forget(first);
    memory.give(second);
    memory.give(first);
    expect(memory.take(256)!.buffer).not.toBe(first.buffer);
  });

  it('SharedMemory takes at most MAX_BYTES in all, and takes over the segments of collected arrays', async () => {
    let taken = 0;
    const fill = () => {
      const memories: SharedMemory[] = [];
      for (let memory = new SharedMemory(1e9); ; memory = new SharedMemory(1e9)) {
        const piece = memory.take(2 ** 20);
        if (!piece) return memories;
        memories.push(memory);
        taken += piece.buffer.byteLength;
      }
    };
    let all: SharedMemory[] | undefined = fill();
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(MAX_BYTES);
    expect(new SharedMemory(1e9).take(2 ** 20)).toBeUndefined();
    all = undefined;
    expect(all).toBeUndefined();
    let memory: SharedMemory | undefined;
    let piece: Uint8Array | undefined;
    await collectUntil(() => {
      memory = new SharedMemory(1e9);
      piece = memory.take(2 ** 20);
      return piece !== undefined;
    });
    expect(piece!.buffer.byteLength).toBe(SEGMENT_BYTES);
  });

  it('SharedMemory returns undefined if the allocation fails', () => {
    vi.stubGlobal('SharedArrayBuffer', function refuse() {
      throw new RangeError('Array buffer allocation failed');
    });
    expect(new SharedMemory(192).take(100)).toBeUndefined();
  });
});

function overlap(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteOffset < b.byteOffset + b.length && b.byteOffset < a.byteOffset + a.length;
}
