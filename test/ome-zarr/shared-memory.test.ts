import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SharedMemory } from '../../src/ome-zarr/shared-memory.ts';

afterEach(() => vi.unstubAllGlobals());

const MIB = 2 ** 20;

describe('SharedMemory', () => {
  it('never gives the same byte twice, and everything again once it is back', () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(64, 128));
    const steps = fc.array(fc.record({ takes: fc.boolean(), length: lengths, which: fc.nat(1000) }), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 2000 }), (taken, total) => {
        const memory = new SharedMemory(total);
        const segments = new Set<ArrayBufferLike>();
        const held: { readonly piece: Uint8Array; readonly mark: number }[] = [];
        for (const [i, { takes, length, which }] of taken.entries()) {
          if (takes) {
            const piece = memory.take(length)!;
            expect([piece.length, piece.byteOffset % 64]).toEqual([length, 0]);
            held.push({ piece: piece.fill(i % 256), mark: i % 256 });
            segments.add(piece.buffer);
          } else if (held.length > 0) {
            const [{ piece, mark }] = held.splice(which % held.length, 1) as [(typeof held)[number]];
            expect(piece.every((value) => value === mark)).toBe(true);
            // As numbers of another type, as chunks are.
            memory.give(
              piece.length % 4 === 0 ? new Float32Array(piece.buffer, piece.byteOffset, piece.length / 4) : piece,
            );
          }
        }
        expect(held.every(({ piece, mark }) => piece.every((value) => value === mark))).toBe(true);
        for (const { piece } of held) memory.give(piece);
        const largestFirst = [...segments].sort((a, b) => b.byteLength - a.byteLength);
        const again = largestFirst.map(({ byteLength }) => memory.take(byteLength)!.buffer);
        expect(new Set(again)).toEqual(segments);
        expect(again.every((segment) => segments.has(segment))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('takes no more than one small array needs, and 64 MiB at a time for large ones', () => {
    expect(new SharedMemory(1000).take(10)!.buffer.byteLength).toBe(1024);
    expect(new SharedMemory(1e9).take(MIB)!.buffer.byteLength).toBe(64 * MIB);
    expect(new SharedMemory(1e9).take(65 * MIB)!.buffer.byteLength).toBe(65 * MIB);
  });

  it('leaves alone what it did not give', () => {
    const memory = new SharedMemory(256);
    const whole = memory.take(256)!;
    memory.give(new Uint8Array(new SharedArrayBuffer(256)));
    memory.give(new Uint8Array(256));
    expect(memory.take(256)!.buffer).not.toBe(whole.buffer);
  });

  it('never gives again what somebody may still write to', () => {
    const memory = new SharedMemory(256);
    const [first, second] = [memory.take(128)!, memory.take(128)!];
    expect(second.buffer).toBe(first.buffer);
    memory.forget(first);
    memory.give(second);
    expect(memory.take(128)!.buffer).not.toBe(first.buffer);
  });

  it('has nothing to give where no memory is left', () => {
    vi.stubGlobal('SharedArrayBuffer', function refuse() {
      throw new RangeError('Array buffer allocation failed');
    });
    expect(new SharedMemory(256).take(100)).toBeUndefined();
  });
});
