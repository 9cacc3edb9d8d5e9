import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BloscHeader } from '../../src/codecs/blosc.ts';
import { blockOfLz4, bloscKernel, type Span } from '../../src/codecs/blosc.ts';
import { encodeLz4Into } from '../../src/codecs/lz4.ts';
import { shuffleInto } from '../../src/codecs/shuffle.ts';

const kernel = bloscKernel()!;

function headerOf(typeSize: number, blockBytes: number, shuffle: BloscHeader['shuffle'] = 'bytes'): BloscHeader {
  return { format: 'lz4', shuffle, isCopy: false, isSplit: true, typeSize, decodedBytes: blockBytes, blockBytes };
}

/** A block of `parts` lz4 streams with their lengths in front, as blosc stores it. */
function compress(plain: Uint8Array, parts: number): { bytes: Uint8Array; streams: Span[] } {
  const part = plain.length / parts;
  const bytes = new Uint8Array(2 * plain.length + 100 * parts);
  const streams: Span[] = [];
  let at = 0;
  for (let n = 0; n < parts; n++) {
    const start = at + 4;
    const end = encodeLz4Into(plain, n * part, (n + 1) * part, bytes, start, start + part, new Int32Array(16384));
    if (end < 0) bytes.set(plain.subarray(n * part, (n + 1) * part), start);
    streams.push({ start, end: end < 0 ? start + part : end });
    at = streams[n]!.end;
  }
  return { bytes: bytes.slice(0, at), streams };
}

/** What decoding gives, or the code of its error. */
function outcome(header: BloscHeader, use: typeof kernel | undefined, bytes: Uint8Array, streams: readonly Span[]) {
  const target = new Uint8Array(header.blockBytes);
  try {
    blockOfLz4(bytes, header, use)(streams, target, 0);
    return Buffer.from(target).toString('base64');
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Runs, ramps, copies from afar and noise: every kind of match, near and far, short and long. */
const pieces = fc.oneof(
  fc.record({
    kind: fc.constant('run'),
    length: fc.integer({ min: 1, max: 400 }),
    value: fc.integer({ min: 0, max: 255 }),
  }),
  fc.record({
    kind: fc.constant('copy'),
    length: fc.integer({ min: 1, max: 300 }),
    value: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({
    kind: fc.constant('noise'),
    length: fc.integer({ min: 1, max: 80 }),
    value: fc.integer({ min: 1, max: 2 ** 30 }),
  }),
);

function assemble(parts: readonly { kind: string; length: number; value: number }[], unit: number): Uint8Array {
  const bytes: number[] = [];
  for (const { kind, length, value } of parts) {
    let state = value;
    for (let i = 0; i < length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      if (kind === 'run') bytes.push(value);
      else if (kind === 'copy') bytes.push(bytes[bytes.length - value] ?? 7);
      else bytes.push(state >>> 24);
    }
  }
  while (bytes.length % unit !== 0) bytes.push(0);
  return Uint8Array.from(bytes);
}

const blocks = fc.record({
  data: fc.array(pieces, { minLength: 1, maxLength: 12 }),
  typeSize: fc.constantFrom(1, 2, 4, 8),
  isSplit: fc.boolean(),
});

function blockOf({
  data,
  typeSize,
  isSplit,
}: {
  data: { kind: string; length: number; value: number }[];
  typeSize: number;
  isSplit: boolean;
}) {
  const plain = assemble(data, typeSize);
  const shuffled = new Uint8Array(plain.length);
  shuffleInto(plain, shuffled, typeSize);
  return { plain, header: headerOf(typeSize, plain.length), ...compress(shuffled, isSplit ? typeSize : 1) };
}

describe('the blosc kernel', () => {
  it('the kernel exists on this platform, which has WebAssembly with SIMD', () => {
    expect(kernel).toBeDefined();
  });

  it('the kernel decodes encoded data like the plain loops', () => {
    fc.assert(
      fc.property(blocks, (block) => {
        const { plain, header, bytes, streams } = blockOf(block);
        expect(outcome(header, kernel, bytes, streams)).toBe(Buffer.from(plain).toString('base64'));
        expect(outcome(header, undefined, bytes, streams)).toBe(Buffer.from(plain).toString('base64'));
      }),
      { numRuns: 400 },
    );
  });

  it('the kernel finds the same damage as the plain loops, and decodes the rest to the same bytes', () => {
    fc.assert(
      fc.property(
        blocks,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (block, damage) => {
          const { header, bytes, streams } = blockOf(block);
          for (const [at, value] of damage) bytes[at % bytes.length] = value;
          expect(outcome(header, kernel, bytes, streams)).toBe(outcome(header, undefined, bytes, streams));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('the kernel finds the same damage in truncated streams', () => {
    fc.assert(
      fc.property(blocks, fc.nat(), (block, cut) => {
        const { header, bytes, streams } = blockOf(block);
        const last = streams.at(-1)!;
        const shorter = [
          ...streams.slice(0, -1),
          { start: last.start, end: last.end - (cut % (last.end - last.start)) },
        ];
        expect(outcome(header, kernel, bytes, shorter)).toBe(outcome(header, undefined, bytes, shorter));
      }),
      { numRuns: 400 },
    );
  });

  it('the kernel decodes a block of many pages, and a small one after it', () => {
    const plain = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7);
    const { bytes, streams } = compress(plain, 4);
    const header = headerOf(1, plain.length, 'none');
    expect(outcome(header, kernel, bytes, streams)).toBe(Buffer.from(plain).toString('base64'));
    const small = compress(plain.subarray(0, 40), 1);
    expect(outcome(headerOf(4, 40, 'none'), kernel, small.bytes, small.streams)).toBe(
      Buffer.from(plain.subarray(0, 40)).toString('base64'),
    );
  });
});

describe('without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it('a platform without WebAssembly has no kernel', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    vi.resetModules();
    const fresh = await import('../../src/codecs/blosc.ts');
    expect(fresh.bloscKernel()).toBeUndefined();
  });
});
