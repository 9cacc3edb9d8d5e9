import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registry } from 'zarrita';
import { readBloscHeader } from '../../src/codecs/blosc.ts';
import { encodeBlosc } from '../../src/codecs/blosc-encode.ts';
import { registerCheckedCodecs } from '../../src/codecs/registry.ts';
import buffers from '../fixtures/blosc-buffers.json' with { type: 'json' };

registerCheckedCodecs();

interface Codec {
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** The codec as zarrita would make it for chunks of `count` elements. */
async function codecFor(name: string, configuration: object, dataType: string, count: number): Promise<Codec> {
  const meta = { dataType, shape: [count], codecs: [{ name, configuration }] };
  const entry = (await registry.get(name)!()) as unknown as { fromConfig(config: object, meta: object): Codec };
  return entry.fromConfig(configuration, meta);
}

function bloscFor(dataType: string, count: number, cname = 'lz4', shuffle = 1): Promise<Codec> {
  return codecFor('numcodecs.blosc', { cname, clevel: 5, shuffle, blocksize: 0 }, dataType, count);
}

/** As `toEqual`, a hundred times faster. */
function expectSameBytes(found: Uint8Array, expected: Uint8Array): void {
  expect(found.length).toBe(expected.length);
  expect(Buffer.compare(found, expected)).toBe(0);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Smooth numbers with noise: what a tomogram's chunk is like, so that blosc splits and compresses it. */
function chunkOf(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(Math.round((Math.sin(i / 40) + state / 2 ** 33) * 1000) / 1000);
  });
}

function bytesOf(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer);
}

/** Deterministic choices for the damage tests. */
function lcg(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('decoding blosc', () => {
  it.each(buffers)('decodeBlosc decodes buffers of c-blosc: $name', async ({ cname, shuffle, size, count, base64 }) => {
    const codec = await bloscFor(`uint${8 * size}`, count, cname, shuffle);
    const decoded = await codec.decode(fromBase64(base64));
    const mask = (1n << BigInt(8 * size)) - 1n;
    const expected = new Uint8Array(8 * count);
    const view = new DataView(expected.buffer);
    for (let i = 0; i < count; i++) {
      view.setBigUint64(i * size, BigInt(Math.floor(i / 3) + ((i * 37) % 5)) & mask, true);
    }
    expectSameBytes(decoded, expected.subarray(0, count * size));
  });

  it('decodeBlosc decodes buffers of encodeBlosc, for any bytes and element size', async () => {
    const parts = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc
        .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 3000 }))
        .map(([v, n]) => new Uint8Array(n).fill(v)),
      fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.nat(60)).map(([unit, n]) =>
        Uint8Array.from(
          Array(n)
            .fill([...unit])
            .flat(),
        ),
      ),
    );
    const property = fc.asyncProperty(
      fc.array(parts, { maxLength: 5 }),
      fc.constantFrom(1, 2, 4, 8),
      async (list, size) => {
        const all = list.flatMap((part) => [...part]);
        const bytes = Uint8Array.from(all.slice(0, all.length - (all.length % size)));
        const codec = await bloscFor(`uint${8 * size}`, bytes.length / size);
        expectSameBytes(await codec.decode(encodeBlosc(bytes, { typeSize: size })), bytes);
      },
    );
    await fc.assert(property, { numRuns: 150 });
  });

  it.each([0, 1, 127, 128, 511, 512, 65_536, 65_537, 200_000])(
    'encodeBlosc and decodeBlosc round-trip %i float32 values',
    async (count) => {
      const bytes = bytesOf(chunkOf(count));
      const encoded = encodeBlosc(bytes, { typeSize: 4 });
      expectSameBytes(await (await bloscFor('float32', count)).decode(encoded), bytes);
      if (count > 500) expect(encoded.length).toBeLessThan(0.9 * bytes.length);
    },
  );

  it('encodeBlosc stores incompressible data, 16 bytes longer', () => {
    const random = lcg(7);
    const noise = Uint8Array.from({ length: 4000 }, () => random(256));
    const encoded = encodeBlosc(noise, { typeSize: 4 });
    expect(encoded.length).toBe(4016);
    expect(readBloscHeader(encoded)).toMatchObject({ isCopy: true, decodedBytes: 4000 });
  });
});

describe('damaged blosc', () => {
  const count = 100_000;
  const plain = bytesOf(chunkOf(count));
  const encoded = encodeBlosc(plain, { typeSize: 4 });

  it('decodeBlosc throws for 60 of 60 truncations', async () => {
    const codec = await bloscFor('float32', count);
    const random = lcg(11);
    const lengths = [0, 1, 15, 16, 17, encoded.length - 1, ...Array.from({ length: 54 }, () => random(encoded.length))];
    for (const length of lengths) {
      await expect(codec.decode(encoded.slice(0, length)), `${length} bytes`).rejects.toMatchObject({
        code: 'corrupt-data',
      });
    }
    expect(lengths).toHaveLength(60);
  });

  it('decodeBlosc throws for 60 of 60 flipped bits in the header', async () => {
    const codec = await bloscFor('float32', count);
    const random = lcg(12);
    for (let n = 0; n < 60; n++) {
      const bytes = encoded.slice();
      const [at, bit] = [random(16), random(8)];
      bytes[at]! ^= 1 << bit;
      await expect(codec.decode(bytes), `bit ${bit} of byte ${at}`).rejects.toMatchObject({ code: 'corrupt-data' });
    }
  });

  it('decodeBlosc throws for every flipped bit of the block table and the stream lengths', async () => {
    const codec = await bloscFor('float32', count);
    const first = new DataView(encoded.buffer).getUint32(16, true);
    for (let at = 16; at < first + 4; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = encoded.slice();
        bytes[at]! ^= 1 << bit;
        await expect(codec.decode(bytes), `bit ${bit} of byte ${at}`).rejects.toMatchObject({ code: 'corrupt-data' });
      }
    }
  });

  it('decodeBlosc never returns the wrong number of bytes for flipped bits in the payload, not all of which blosc can detect', async () => {
    const codec = await bloscFor('float32', count);
    const random = lcg(13);
    let refused = 0;
    for (let n = 0; n < 60; n++) {
      const bytes = encoded.slice();
      bytes[24 + random(bytes.length - 24)]! ^= 1 << random(8);
      const outcome = await codec.decode(bytes).catch((error: { code: string }) => error);
      if ('code' in outcome) {
        expect(outcome.code).toBe('corrupt-data');
        refused++;
      } else expect(outcome.length).toBe(plain.length);
    }
    expect(refused).toBeGreaterThan(0);
  });

  it('decodeBlosc throws for the buffer of another chunk: fewer or more values, another shuffle, another codec', async () => {
    for (const [other, found] of [
      [await bloscFor('float32', count - 1), /promises 400000 decoded bytes, expected 399996/],
      [await bloscFor('float32', count, 'lz4', 0), /shuffle "bytes", the array metadata "none"/],
      [await bloscFor('float32', count, 'zstd'), /"lz4", the array metadata "zstd"/],
      [await bloscFor('float64', count / 2), /elements of 4 bytes, expected 8 or 1/],
    ] as const) {
      await expect(other.decode(encoded)).rejects.toThrow(found);
    }
  });

  it('decodeBlosc allocates nothing for a header that claims 4 GB', async () => {
    const bytes = encoded.slice();
    new DataView(bytes.buffer).setUint32(4, 0xffffffff, true);
    const codec = await codecFor('numcodecs.blosc', { cname: 'lz4', shuffle: 1 }, 'v2:object', 10);
    await expect(codec.decode(bytes)).rejects.toThrow('its blosc header promises 4294967295 bytes');
  });
});

const others = buffers.filter(({ count, size }) => count === 1203 && size === 4);
describe.each(others)('damaged $name', ({ cname, shuffle, size, count, base64 }) => {
  it('decodeBlosc throws for every truncation', async () => {
    const bytes = fromBase64(base64);
    const codec = await bloscFor(`uint${8 * size}`, count, cname, shuffle);
    for (let length = 0; length < bytes.length; length += 7) {
      await expect(codec.decode(bytes.slice(0, length)), `${length} bytes`).rejects.toMatchObject({
        code: 'corrupt-data',
      });
    }
  });

  it('decodeBlosc throws or decodes correctly when a bit of the header flips', async () => {
    const bytes = fromBase64(base64);
    const codec = await bloscFor(`uint${8 * size}`, count, cname, shuffle);
    const whole = await codec.decode(bytes);
    for (let flip = 0; flip < 128; flip++) {
      const damaged = bytes.slice();
      damaged[flip >> 3]! ^= 1 << (flip & 7);
      const outcome = await codec.decode(damaged).catch((error: { code: string }) => error);
      if ('code' in outcome) expect(outcome.code).toBe('corrupt-data');
      // The element size does not matter where nothing is shuffled or split.
      else expectSameBytes(outcome, whole);
    }
  });
});
