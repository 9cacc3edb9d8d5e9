import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyFloatRows } from '../../src/ome-zarr/level-source.ts';

/** Bits of every kind: of numbers, of quiet and signaling NaN of both signs with payloads, of infinities. */
const bits = fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0x7ff00001, 0xfff00000, 0x7f800001, 0xff800000, 0x7fc00000));

const cases = fc.record({
  shape: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 130 })),
  steps: fc.tuple(fc.nat(3), fc.nat(3)),
  offsets: fc.tuple(fc.nat(5), fc.nat(5), fc.nat(3), fc.nat(3)),
  alongX: fc.constantFrom(1, 1, 1, 2, 0),
  isShared: fc.boolean(),
  bits: fc.infiniteStream(bits),
});

describe('copyFloatRows', () => {
  it('copyFloatRows copies exactly the numbers of the rows and changes no others, whatever the two layouts', () => {
    fc.assert(
      fc.property(cases, ({ shape, steps, offsets, alongX, isShared, bits }) => {
        const [depth, height, width] = shape;
        const rowStep = width * Math.max(1, alongX) + steps[0];
        const planeStep = rowStep * Math.max(1, height) + steps[1];
        const from = { stride: [planeStep, rowStep, alongX], offset: offsets[0] } as const;
        const outRow = width + steps[1];
        const to = { stride: [outRow * Math.max(1, height), outRow, 1], offset: offsets[1] } as const;
        const memory = (length: number, first: number) => {
          const bytes = 4 * (length + first);
          return new Float32Array(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes), 4 * first);
        };
        const data = memory(offsets[0] + depth * planeStep + 1, offsets[2]);
        const out = memory(offsets[1] + depth * to.stride[0] + 7, offsets[3]);
        const bitsOf = ({ buffer, byteOffset, length }: Float32Array) => new Uint32Array(buffer, byteOffset, length);
        for (const array of [data, out]) {
          for (const i of array.keys()) bitsOf(array)[i] = bits.next().value as number;
        }
        const expected = bitsOf(out).slice();
        for (let z = 0; z < depth; z++) {
          for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
              const at = from.offset + z * planeStep + y * rowStep + x * alongX;
              expected[to.offset + z * to.stride[0] + y * outRow + x] = bitsOf(data)[at]!;
            }
          }
        }
        copyFloatRows(data, from, out, to, shape);
        // As numbers: a loop over float32 may make a signaling NaN a quiet one.
        expect(out).toEqual(new Float32Array(expected.buffer));
      }),
      { numRuns: 500 },
    );
  });
});
