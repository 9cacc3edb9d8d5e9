import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { registry } from 'zarrita';
import { adler32, crc32, crc32c, withoutChecksum } from '../../src/codecs/checksum.ts';
import { inflate } from '../../src/codecs/inflate.ts';
import { registerCheckedCodecs } from '../../src/codecs/registry.ts';

registerCheckedCodecs();

const plain = Uint8Array.from({ length: 4000 }, (_, i) => (i * i) % 251);

interface Codec {
  decode(bytes: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

async function codecFor(name: string, count: number): Promise<Codec> {
  const configuration = {};
  const meta = { dataType: 'uint8', shape: [count], codecs: [{ name, configuration }] };
  const entry = (await registry.get(name)!()) as unknown as { fromConfig(config: object, meta: object): Codec };
  return entry.fromConfig(configuration, meta);
}

const LZ4 = fixtureLz4();

/** An lz4 buffer as numcodecs writes it: the first period as literals, then one long match. */
function fixtureLz4(): Uint8Array {
  const literals = 251;
  const tail = 5;
  const match = 4000 - literals - tail;
  const long = (rest: number) => [...Array(Math.floor(rest / 255)).fill(255), rest % 255];
  return Uint8Array.from([
    ...[4000 & 255, 4000 >> 8, 0, 0],
    ...[0xff, ...long(literals - 15), ...plain.subarray(0, literals), 251, 0, ...long(match - 19)],
    ...[tail << 4, ...plain.subarray(4000 - tail)],
  ]);
}

describe('crc32', () => {
  it('crc32 gives the check value of its standard', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});

describe('crc32c', () => {
  it('crc32c gives the check values of RFC 3720', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });
});

describe('adler32', () => {
  it('adler32 equals the end of a zlib file, for bytes of any length', () => {
    expect(adler32(new TextEncoder().encode('Wikipedia'))).toBe(0x11e60398);
    for (const length of [0, 1, 3799, 3800, 3801, 100_000]) {
      const bytes = new Uint8Array(length).fill(255);
      expect(adler32(bytes)).toBe(deflateSync(bytes).readUInt32BE(deflateSync(bytes).length - 4));
    }
  });
});

describe.each([
  ['crc32c', crc32c],
  ['crc32', crc32],
  ['adler32', adler32],
] as const)('a chunk with %s', (name, checksum) => {
  it.each([true, false])('withoutChecksum throws for every single flipped bit, checksum first: %s', (isAtStart) => {
    const bytes = Uint8Array.from({ length: 24 }, (_, i) => i);
    const payload = isAtStart ? bytes.subarray(4) : bytes.subarray(0, 20);
    new DataView(bytes.buffer).setUint32(isAtStart ? 0 : 20, checksum(payload), true);
    expect(withoutChecksum(bytes, { name, isAtStart })).toEqual(payload);
    for (let flip = 0; flip < 24 * 8; flip++) {
      const damaged = bytes.slice();
      damaged[flip >> 3]! ^= 1 << (flip & 7);
      expect(() => withoutChecksum(damaged, { name, isAtStart })).toThrow(
        /checksum is 0x[0-9a-f]{8}, and 0x[0-9a-f]{8} is stored/,
      );
    }
    expect(() => withoutChecksum(new Uint8Array(3), { name, isAtStart })).toThrow('3 bytes are too few');
  });
});

describe.each([
  ['gzip', new Uint8Array(gzipSync(plain))],
  ['zlib', new Uint8Array(deflateSync(plain))],
  ['numcodecs.zlib', new Uint8Array(deflateSync(plain))],
  ['lz4', LZ4],
])('%s', (name, encoded) => {
  it('the codec decodes encoded data', async () => {
    expect(await (await codecFor(name, plain.length)).decode(encoded)).toEqual(plain);
  });

  it('the codec throws for every truncation', async () => {
    const codec = await codecFor(name, plain.length);
    for (let length = 0; length < encoded.length; length += 3) {
      await expect((async () => codec.decode(encoded.slice(0, length)))()).rejects.toMatchObject({
        code: 'corrupt-data',
      });
    }
  });

  it('the codec throws for a chunk of another size before it fills the memory', async () => {
    const codec = await codecFor(name, plain.length - 1);
    await expect((async () => codec.decode(encoded))()).rejects.toThrow(/expected 3999/);
  });
});

describe('a codec met in a chunk', () => {
  it('inflate reads gzip of several members, and refuses members without end that hold nothing', async () => {
    const members = [plain.subarray(0, 3), new Uint8Array(0), plain.subarray(3)].map((part) => gzipSync(part));
    const found = await inflate(new Uint8Array(Buffer.concat(members)), {
      format: 'gzip',
      expectedBytes: plain.length,
    });
    expect(found).toEqual(plain);
    const nothing = gzipSync(new Uint8Array(0));
    const empty = new Uint8Array(Buffer.concat(Array<Uint8Array>(60_000).fill(nothing)));
    await expect(inflate(empty, { format: 'gzip', expectedBytes: 1000 })).rejects.toMatchObject({
      code: 'corrupt-data',
      message: `its gzip data have ${empty.length} bytes, far more than 1000 bytes of content ever take`,
    });
  });

  it('inflate stops when the result is longer than a chunk', async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(50_000_000)));
    await expect(inflate(bomb, { format: 'gzip', expectedBytes: 1000 })).rejects.toThrow(
      'hold more than the expected 1000 bytes',
    );
  });

  it('the lz4 codec throws for a header that claims 4 GB', async () => {
    const codec = await codecFor('lz4', plain.length);
    const damaged = LZ4.slice();
    damaged.fill(255, 0, 4);
    await expect(codec.decode(damaged)).rejects.toThrow('promises 4294967295 decoded bytes, expected 4000');
  });

  it.each([
    ['without its magic number', [1, 2, 3, 4, 5, 6, 7, 8], /do not start as a zstd frame/],
    ['that promises another size', [0x28, 0xb5, 0x2f, 0xfd, 0x20, 9, 0, 0], /promises 9 decoded bytes, expected 4000/],
    ['that is cut off', [0x28, 0xb5, 0x2f, 0xfd, 0x60, 0xa0, 0x0e, 0x05, 0x01], /does not decode to 4000/],
  ])('the zstd codec throws for a zstd frame %s', async (_, bytes, message) => {
    const codec = await codecFor('zstd', plain.length);
    await expect((async () => codec.decode(Uint8Array.from(bytes)))()).rejects.toThrow(message);
  });

  it('registerCheckedCodecs registers once and keeps a codec that the caller registered later', () => {
    const mine = () => ({}) as never;
    const ours = registry.get('gzip')!;
    registry.set('gzip', mine);
    registerCheckedCodecs();
    expect(registry.get('gzip')).toBe(mine);
    registry.set('gzip', ours);
  });
});
