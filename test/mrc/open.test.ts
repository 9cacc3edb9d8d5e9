import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore, toFloat32, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { blobReader, openMrc, type RandomAccessReader, storeReader } from '../../src/entry/io.ts';
import { boxShape, voxelCount } from '../../src/space/grid.ts';
import { bytesReader } from '../../src/storage/random-access.ts';
import golden from '../fixtures/mrc.json' with { type: 'json' };
import reference from '../fixtures/mrc-reference.json' with { type: 'json' };
import { mrcFile, mrcHeader } from '../support/mrc-bytes.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { wholeBox } from '../support/volumes.ts';

const fixture = (name: string) => readFileSync(fileURLToPath(new URL(`../fixtures/mrc/${name}`, import.meta.url)));

async function valuesOf(source: VolumeSource): Promise<number[]> {
  return [...toFloat32(await source.read(wholeBox(source.grid.shape))).data];
}

/** A reader that notes what it was asked for. */
function watched(bytes: Uint8Array): RandomAccessReader & { readonly asked: [number, number][] } {
  const reader = bytesReader(bytes);
  const asked: [number, number][] = [];
  const read: RandomAccessReader['read'] = (offset, length, options) => {
    asked.push([offset, length]);
    return reader.read(offset, length, options);
  };
  return { ...reader, asked, read };
}

describe('openMrc', () => {
  it.each(Object.entries(golden))('openMrc reads %s like mrcfile', async (name, expected) => {
    const volume = await openMrc(fixture(name));
    expect(volume.grid.shape).toEqual(expected.shape);
    volume.grid.voxelSize.forEach((length, axis) => {
      expect(length).toBeCloseTo(expected.voxelSize[axis]!, 5);
    });
    expect(await valuesOf(volume)).toEqual(expected.values);
    const { mode, origin, labels, extendedBytes } = volume.header;
    expect({ mode, origin: [origin.x, origin.y, origin.z], labels, extendedBytes }).toEqual({
      mode: expected.mode,
      origin: expected.origin,
      labels: expected.labels,
      extendedBytes: expected.extendedBytes,
    });
    expect(volume.grid.origin).toEqual({ x: 0, y: 0, z: 0 });
    expect(volume.warnings()).toHaveLength(name.endsWith('.gz') ? 1 : 0);
  });

  it('openMrc gives the decimal voxel size that was written, not its nearest float32', async () => {
    expect((await openMrc(fixture('float32.mrc'))).grid.voxelSize).toEqual([10.012, 10.012, 10.012]);
  });

  describe.skipIf(sharedDataMissing)('real files (needs ../shared/data)', () => {
    it.each(Object.entries(reference))('openMrc reads a real file: %s', async (name, expected) => {
      const volume = await openMrc(readFileSync(sharedData(name)));
      expect(volume.grid.shape).toEqual(expected.shape);
      const isKnown = expected.voxelSize[0] > 0;
      expect(volume.warnings()).toHaveLength(isKnown ? 0 : 1);
      volume.grid.voxelSize.forEach((length, axis) => {
        expect(length).toBeCloseTo(isKnown ? expected.voxelSize[axis]! : 1, 5);
      });
      let sum = 0;
      let weighted = 0;
      for (const [i, value] of (await valuesOf(volume)).entries()) {
        sum += value;
        weighted += value * (i % 97);
      }
      expect(sum).toBeCloseTo(expected.sum, 3);
      expect(weighted / expected.weighted).toBeCloseTo(1, 9);
    });
  });

  it('openMrc reads any box of any axis order, into the memory of the caller where the order is the usual one', async () => {
    const orders = [
      [1, 2, 3],
      [1, 3, 2],
      [2, 1, 3],
      [2, 3, 1],
      [3, 1, 2],
      [3, 2, 1],
    ] as const;
    const extent = fc.integer({ min: 1, max: 7 });
    const part = fc.tuple(fc.nat(), fc.nat());
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...orders),
        fc.tuple(extent, extent, extent),
        fc.tuple(part, part, part),
        async (axes, counts, parts) => {
          const data = Float32Array.from({ length: counts[0] * counts[1] * counts[2] }, (_, i) => i);
          const volume = await openMrc(mrcFile({ counts, axes }, data));
          const { shape } = volume.grid;
          const cuts = parts.map(([a, b], axis) =>
            [a % (shape[axis]! + 1), b % (shape[axis]! + 1)].sort((p, q) => p - q),
          );
          const box = { start: cuts.map(([a]) => a), end: cuts.map(([, b]) => b) } as unknown as {
            start: Zyx;
            end: Zyx;
          };
          const [c, r, s] = axes.map((axis) => 3 - axis) as [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2];
          const expected: number[] = [];
          for (let z = box.start[0]; z < box.end[0]; z++) {
            for (let y = box.start[1]; y < box.end[1]; y++) {
              for (let x = box.start[2]; x < box.end[2]; x++) {
                const at = [z, y, x];
                expected.push((at[s]! * counts[1] + at[r]!) * counts[0] + at[c]!);
              }
            }
          }
          const found = await volume.read(box);
          expect(found.shape).toEqual(boxShape(box));
          expect([...toFloat32(found).data]).toEqual(expected);
          const out = new Float32Array(expected.length);
          const filled = await volume.read(box, { out });
          expect(filled.data === out).toBe(`${axes}` === '1,2,3');
          expect([...toFloat32(filled).data]).toEqual(expected);
        },
      ),
    );
  });

  it('openMrc reads the header, then only the rows of the box', async () => {
    const counts = [50, 40, 30] as const;
    const reader = watched(mrcFile({ counts, mode: 1 }, new Int16Array(voxelCount([30, 40, 50]))));
    const volume = await openMrc(reader);
    expect(reader.asked).toEqual([[0, 1024]]);
    await volume.read({ start: [10, 5, 7], end: [12, 8, 20] });
    const row = (z: number) => 1024 + 2 * ((z * 40 + 5) * 50 + 7);
    expect(reader.asked.slice(1)).toEqual([10, 11].map((z) => [row(z), 2 * (2 * 50 + 13)]));
  });

  it('openMrc reads distant rows one by one and whole sections at once', async () => {
    const counts = [9000, 4, 3] as const;
    const reader = watched(mrcFile({ counts, mode: 0 }, new Int8Array(9000 * 12)));
    const volume = await openMrc(reader);
    await volume.read({ start: [1, 1, 10], end: [2, 4, 20] });
    expect(reader.asked.slice(1).map(([, length]) => length)).toEqual([10, 10, 10]);
    await volume.read({ start: [0, 0, 0], end: [2, 4, 9000] });
    expect(reader.asked.slice(4)).toEqual([[1024, 2 * 4 * 9000]]);
  });

  it.each([
    ['a blob', (bytes: Uint8Array) => blobReader(new Blob([bytes as BlobPart]))],
    ['a store', (bytes: Uint8Array) => storeReader(memoryStore([['/a.mrc', bytes]]), '/a.mrc')],
    ['bytes at an odd address', (bytes: Uint8Array) => new Uint8Array([0, ...bytes]).subarray(1)],
  ])('openMrc reads from %s', async (_, wrap) => {
    expect(await valuesOf(await openMrc(wrap(fixture('float32.mrc'))))).toEqual(golden['float32.mrc'].values);
  });

  it('openMrc rejects with the abort reason and reads nothing', async () => {
    const reader = watched(fixture('float32.mrc'));
    const volume = await openMrc(reader);
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(volume.read(wholeBox(volume.grid.shape), { signal })).rejects.toBe(reason);
    await expect(openMrc(reader, { signal })).rejects.toBe(reason);
    expect(reader.asked).toHaveLength(1);
  });
});

describe('byte order', () => {
  const data = Int16Array.of(1, -2, 300);
  const swapped = new Uint8Array([0, 1, 0xff, 0xfe, 0x01, 0x2c]);
  it.each([
    ['the stamp', {}],
    ['plausibility, where the stamp lies', { machineStamp: [0x44, 0x44] as const }],
    ['plausibility, where no stamp is', { machineStamp: [0, 0] as const, map: '\0\0\0\0' }],
  ])('openMrc reads big-endian numbers by %s', async (_, fields) => {
    const file = mrcFile({ counts: [3, 1, 1], mode: 1, littleEndian: false, ...fields }, swapped);
    expect(await valuesOf(await openMrc(file))).toEqual([...data]);
  });
  it('openMrc reads little-endian numbers despite a wrong big-endian stamp', async () => {
    const file = mrcFile({ counts: [3, 1, 1], mode: 1, machineStamp: [0x11, 0x11] }, data);
    expect(await valuesOf(await openMrc(file))).toEqual([...data]);
  });
});

describe('bytes of mode 0', () => {
  const data = Uint8Array.of(0, 127, 128, 255);
  const signed = [0, 127, -128, -1];
  it.each([
    ['signed by default', {}, {}, signed],
    ['unsigned by the stamp of IMOD', { imod: [1146047817, 0] as const }, {}, [...data]],
    ['signed by the flag of IMOD', { imod: [1146047817, 1] as const }, {}, signed],
    ['unsigned by a maximum no signed byte reaches', { statistics: [0, 255] as const }, {}, [...data]],
    ['signed by a range of signed bytes', { statistics: [-128, 127] as const }, {}, signed],
    [
      'as the stamp says, whatever the maximum',
      { imod: [1146047817, 1] as const, statistics: [0, 255] as const },
      {},
      signed,
    ],
    ['as the caller says', { imod: [1146047817, 1] as const }, { bytes: 'unsigned' } as const, [...data]],
  ])('openMrc reads the bytes of mode 0 as %s', async (_, fields, options, expected) => {
    const volume = await openMrc(mrcFile({ counts: [4, 1, 1], mode: 0, ...fields }, data), options);
    expect(await valuesOf(volume)).toEqual(expected);
  });
});

describe('geometry', () => {
  const data = new Float32Array(60);
  it.each([
    ['no cell', { cell: [0, 0, 0] as const }, [1, 1, 1], /no voxel size \(cell 0×0×0 Å/],
    ['no intervals', { intervals: [0, 0, 0] as const, cell: [50, 40, 30] as const }, [1, 1, 1], /no voxel size/],
    ['a cell that is not a number', { cell: [Number.NaN, 40, 30] as const }, [1, 1, 1], /no voxel size/],
    ['a negative cell', { cell: [-50, 40, 30] as const }, [1, 1, 1], /no voxel size/],
    ['voxels of 1 Å', { cell: [5, 4, 3] as const }, [1, 1, 1], /exactly 1 Å/],
    ['skewed angles', { angles: [90, 90, 120] as const }, [10, 10, 10], /angles 90, 90, 120/],
  ])('openMrc warns of %s', async (_, fields, voxelSize, message) => {
    const volume = await openMrc(mrcFile(fields, data));
    expect(volume.grid.voxelSize).toEqual(voxelSize);
    expect(volume.warnings()).toMatchObject([{ message: expect.stringMatching(message) }]);
  });
  it('openMrc takes a volume smaller than its cell as part of a map', async () => {
    const volume = await openMrc(mrcFile({ intervals: [100, 100, 100], cell: [1000, 2000, 3000] }, data));
    expect(volume.grid.voxelSize).toEqual([30, 20, 10]);
  });
  it('openMrc divides the cell of a whole stack by its sections where the header says one interval, with a warning', async () => {
    // 5 columns and 4 rows of 10 Å, and 3 sections in a cell of 30 Å.
    const volume = await openMrc(mrcFile({ intervals: [5, 4, 1], cell: [50, 40, 30] }, data));
    expect(volume.grid.voxelSize).toEqual([10, 10, 10]);
    expect(volume.warnings()).toMatchObject([
      { code: 'voxel-size-doubtful', message: expect.stringMatching(/gives 30×10×10 Å .*; 10×10×10 Å is read/) },
    ]);
    const one = await openMrc(
      mrcFile({ counts: [100, 100, 100], intervals: [1, 1, 1], cell: [1000, 1000, 1000] }, new Float32Array(1e6)),
    );
    expect(one.grid.voxelSize).toEqual([10, 10, 10]);
    const image = await openMrc(mrcFile({ intervals: [5, 4, 1], cell: [50, 40, 10] }, data));
    expect({ size: image.grid.voxelSize, warnings: image.warnings() }).toEqual({ size: [10, 10, 10], warnings: [] });
  });

  it('openMrc reports a voxel size of the caller that is over 1 % off that of the header', async () => {
    const volume = await openMrc(mrcFile({}, data), { voxelSize: 7.84 });
    expect(volume.grid.voxelSize).toEqual([7.84, 7.84, 7.84]);
    expect(volume.warnings()).toMatchObject([
      { code: 'voxel-size-differs', message: expect.stringMatching(/7.84×7.84×7.84 Å, the header says 10×10×10 Å/) },
    ]);
    expect((await openMrc(mrcFile({}, data), { voxelSize: 10.012 })).warnings()).toEqual([]);
    expect((await openMrc(mrcFile({ cell: [5, 4, 3] }, data), { voxelSize: 10 })).warnings()).toEqual([]);
  });

  it('openMrc turns the sign of an origin that IMOD marks as inverted, and refuses packed voxels of 4 bits', async () => {
    const fields = { origin: [1.5, 0, -7] as const };
    const at = async (flags: number) => {
      const imod = [1146047817, flags] as const;
      return (await openMrc(mrcFile({ ...fields, imod }, data), { origin: 'header' })).grid.origin;
    };
    expect(await at(4)).toEqual({ x: -1.5, y: 0, z: 7 });
    expect(await at(0)).toEqual({ x: 1.5, y: 0, z: -7 });
    const packed = mrcFile({ mode: 0, imod: [1146047817, 16] }, new Uint8Array(60));
    await expect(openMrc(packed)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/4 bits/),
    });
  });

  it('openMrc uses the voxel size of the caller without a warning', async () => {
    const volume = await openMrc(mrcFile({ cell: [0, 0, 0] }, data), { voxelSize: 7.84 });
    expect(volume.grid.voxelSize).toEqual([7.84, 7.84, 7.84]);
    expect(volume.warnings()).toEqual([]);
  });
  it.each([
    ['nothing asked', {}, { x: 0, y: 0, z: 0 }],
    ['a point', { origin: { x: 1, y: 2, z: 3 } }, { x: 1, y: 2, z: 3 }],
    ['the header, which has ORIGIN', { origin: 'header' as const }, { x: 1.5, y: 0, z: -7 }],
  ])('openMrc places the first voxel correctly: %s', async (_, options, expected) => {
    const fields = { origin: [1.5, 0, -7] as const, start: [2, 3, 4] as const };
    expect((await openMrc(mrcFile(fields, data), options)).grid.origin).toEqual(expected);
  });
  it('openMrc takes NXSTART … along the axes of the file if ORIGIN is not set', async () => {
    const fields = { start: [2, 3, 4] as const, axes: [3, 1, 2] as const };
    expect((await openMrc(mrcFile(fields, data), { origin: 'header' })).grid.origin).toEqual({ x: 30, y: 40, z: 20 });
  });
});

describe('openMrc throws for', () => {
  const whole = mrcFile({}, new Float32Array(60));
  const huge = mrcHeader({ counts: [10000, 10000, 10000] });
  it.each([
    ['an empty file', new Uint8Array(), 'corrupt-data', /0 bytes, the header alone takes 1024/],
    ['a file of zeros', new Uint8Array(2000), 'corrupt-data', /0×0×0 voxels.* in neither byte order/],
    ['a text', new TextEncoder().encode('x,y,z\n'.repeat(400)), 'corrupt-data', /not an MRC file/],
    ['a truncated file', whole.subarray(0, 1100), 'corrupt-data', /has 1100 bytes: 5×4×3 .* take 1264 bytes/],
    ['10^12 voxels', huge, 'corrupt-data', /has 1024 bytes: .* take 4000000001024 bytes/],
    ['10^27 voxels', mrcHeader({ counts: [2e9, 2e9, 2e9] }), 'corrupt-data', /has 1024 bytes/],
    ['10^12 voxels in gzip', gzipSync(huge), 'corrupt-data', /cannot hold the 4000000001024 bytes/],
    [
      'gzip that ends early',
      gzipSync(whole).subarray(0, 60),
      'corrupt-data',
      /gzip data do not decompress|not an MRC file/,
    ],
    [
      'gzip whose header lies behind many empty members',
      new Uint8Array(Buffer.concat([...Array(20_000).fill(gzipSync('')), gzipSync(whole)])),
      'corrupt-data',
      /its gzip data do not decompress to a header within their first 262144 bytes: /,
    ],
    ['gzip of a truncated file', gzipSync(whole.subarray(0, 1200)), 'corrupt-data', /has 1200 bytes/],
    ['gzip of a text', gzipSync('x,y,z\n'.repeat(400)), 'corrupt-data', /not an MRC file/],
    ['bzip2', new TextEncoder().encode('BZh91AY'), 'unsupported', /bzip2/],
    ['complex integers', mrcHeader({ mode: 3 }), 'unsupported', /mode 3, complex.*Fourier/],
    ['complex floats', mrcHeader({ mode: 4 }), 'unsupported', /mode 4, complex.*Fourier/],
    ['colours', mrcHeader({ mode: 16 }), 'unsupported', /mode 16, RGB/],
    ['4-bit frames', mrcHeader({ mode: 101 }), 'unsupported', /mode 101, 4-bit/],
    ['an unknown mode', mrcHeader({ mode: 7 }), 'unsupported', /mode 7, which MRC2014 does not define/],
    [
      'several volumes',
      mrcHeader({ spaceGroup: 401, counts: [5, 4, 6], intervals: [5, 4, 3] }),
      'unsupported',
      /several/,
    ],
  ])('openMrc throws for %s', async (_, bytes, code, message) => {
    await expect(openMrc(bytes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('openMrc throws for a wrong checksum of gzip', async () => {
    const packed = gzipSync(whole);
    packed[packed.length - 6]! ^= 1;
    await expect(openMrc(packed)).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('openMrc reads no more of a gzip file than its header accounts for', async () => {
    const packed = new Uint8Array(2 ** 24);
    packed.set(gzipSync(whole));
    const asked: number[] = [];
    const reader = {
      location: 'a.mrc.gz',
      size: undefined,
      read: async (offset: number, length: number) => {
        asked.push(length);
        return packed.subarray(offset, offset + length);
      },
    };
    await openMrc(reader).catch(() => {});
    expect(asked.length).toBeGreaterThan(2);
    expect(Math.max(...asked)).toBeLessThan(2 ** 19);
  });

  it('openMrc throws for a truncated file of unknown size', async () => {
    const reader = storeReader(memoryStore([['/a.mrc', whole.subarray(0, 1263)]]), '/a.mrc');
    await expect(openMrc(reader)).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/memory\/a.mrc ends too early/),
    });
  });

  it('openMrc throws for an absent key', async () => {
    await expect(openMrc(storeReader(memoryStore(), '/a.mrc'))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('a read throws for a file that was truncated after it was opened', async () => {
    let length = whole.length;
    const reader = {
      location: 'a',
      size: length,
      read: async (at: number, n: number) => whole.subarray(at, Math.min(at + n, length)),
    };
    const volume = await openMrc(reader);
    length = 1100;
    await expect(volume.read(wholeBox([3, 4, 5]))).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/cut since/),
    });
  });

  it('a read throws for a box outside the volume', async () => {
    const volume = await openMrc(whole);
    const box = { start: [0, 0, 0], end: [3, 4, 6] } as const;
    await expect(volume.read(box)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('openMrc throws for an invalid voxel size', async () => {
    await expect(openMrc(whole, { voxelSize: 0 })).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('openMrc warns of bytes after the voxels', async () => {
    const volume = await openMrc(new Uint8Array([...whole, 1, 2, 3]));
    expect(volume.warnings()).toEqual([
      { code: 'bytes-ignored', message: expect.stringMatching(/3 more than its header accounts for/) },
    ]);
  });

  it('openMrc throws a CryoetPicksError for any header of noise, and fast', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 8 }), async (changes) => {
        const bytes = new Uint8Array(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const result = await openMrc(bytes).then(
          (volume) => volume.read({ start: [0, 0, 0], end: [1, 1, 1] }).then(() => 'read'),
          (error: { code: string }) => error.code,
        );
        expect(['read', 'corrupt-data', 'unsupported']).toContain(result);
      }),
      { numRuns: 2000, seed: 7 },
    );
  });
});
