import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toFloat32, type VolumeSource, type Zyx } from '../../src/entry/index.ts';
import { openTiffStack } from '../../src/entry/io.ts';
import { openTiffStackFile } from '../../src/entry/node.ts';
import golden from '../fixtures/tiff.json' with { type: 'json' };
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { wholeBox } from '../support/volumes.ts';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../fixtures/tiff/${name}.tif`, import.meta.url))));

const valuesOf = async (source: VolumeSource) => [...toFloat32(await source.read(wholeBox(source.grid.shape))).data];

describe('openTiffStack', () => {
  const oddities: Readonly<Record<string, RegExp>> = {
    'no-spacing': /no spacing of slices.*1 nm is assumed/,
    pixels: /unit "pixel" is not a length/,
    'no-unit': /no unit of length/,
    deflate: /no unit of length/,
    'ome-no-z': /PhysicalSizeZ is not given/,
    'ome-no-size': /PhysicalSizeZ is not given/,
  };

  it.each(Object.entries(golden))('openTiffStack reads %s like tifffile', async (name, expected) => {
    const stack = await openTiffStack(fixture(name));
    expect(stack.grid).toEqual({ shape: expected.shape, voxelSize: expected.voxelSize, origin: { x: 0, y: 0, z: 0 } });
    expect(await valuesOf(stack)).toEqual(expected.values);
    const odd = oddities[name];
    if (odd === undefined) expect(stack.warnings()).toEqual([]);
    else expect(stack.warnings()[0]!.message).toMatch(odd);
  });

  it('openTiffStack uses the voxel size and origin of the caller without a warning', async () => {
    const origin = { x: 1, y: 2, z: 3 };
    const stack = await openTiffStack(fixture('no-unit'), { voxelSize: [12, 11, 10], origin });
    expect(stack.grid).toEqual({ shape: [3, 4, 5], voxelSize: [12, 11, 10], origin });
    expect(stack.warnings()).toEqual([]);
  });

  /** A fixture with a text in its description replaced by one as long. */
  function edited(name: string, ...edits: readonly (readonly [from: string, to: string])[]): Uint8Array {
    let text = Buffer.from(fixture(name)).toString('latin1');
    for (const [from, to] of edits) {
      expect(to.length).toBe(from.length);
      expect(text).toContain(from);
      text = text.replace(from, to);
    }
    return new Uint8Array(Buffer.from(text, 'latin1'));
  }

  it.each<[string, Uint8Array, Zyx]>([
    ['in single quotes', edited('ome-nm', ['PhysicalSizeZ="2"', "PhysicalSizeZ='3'"]), [30, 10.52, 10.52]],
    [
      'with a µ as a number',
      edited('ome-mixed', [
        ' SizeT="1" PhysicalSizeX="1" PhysicalSizeXUnit="nm"',
        '      PhysicalSizeX="2" PhysicalSizeXUnit="&#181;m"',
      ]),
      [20, 10, 20_000],
    ],
    ['with a prefix', edited('ome-nm', ['<OME xmlns=', '<o:OME xml=']), [20, 10.52, 10.52]],
  ])('openTiffStack reads the physical size of an OME-TIFF %s', async (_, bytes, voxelSize) => {
    expect((await openTiffStack(bytes)).grid.voxelSize).toEqual(voxelSize);
  });

  it.each<[string, readonly [string, string], RegExp]>([
    ['in pixels', ['="nm" PhysicalSizeY=', '="px" PhysicalSizeY='], /PhysicalSizeX is "1.052 px", not a length/],
    ['in megametres', ['="nm" PhysicalSizeY=', '="Mm" PhysicalSizeY='], /PhysicalSizeX is "1.052 Mm", not a length/],
    ['of 0', ['PhysicalSizeZ="2"', 'PhysicalSizeZ="0"'], /PhysicalSizeZ is "0 nm", not a length/],
    ['of a word', ['PhysicalSizeZ="2"', 'PhysicalSizeZ="z"'], /PhysicalSizeZ is "z nm", not a length/],
  ])('openTiffStack warns of a physical size %s, and takes 1 Å or the size of the caller', async (_, edit, message) => {
    const bytes = edited('ome-nm', edit);
    const stack = await openTiffStack(bytes);
    expect(stack.grid.voxelSize).toEqual([1, 1, 1]);
    expect(stack.warnings().map(({ code }) => code)).toEqual(['voxel-size-unknown', 'voxel-size-assumed']);
    expect(stack.warnings()[0]!.message).toMatch(message);
    const given = await openTiffStack(bytes, { voxelSize: 12 });
    expect(given.grid.voxelSize).toEqual([12, 12, 12]);
    expect(given.warnings()).toEqual([]);
  });

  it('openTiffStack warns if the option contradicts an OME-TIFF, which it replaces', async () => {
    const stack = await openTiffStack(fixture('ome-nm'), { voxelSize: 12 });
    expect(stack.grid.voxelSize).toEqual([12, 12, 12]);
    expect(stack.warnings()).toEqual([
      { code: 'voxel-size-differs', message: expect.stringContaining('the file says 20×10.52×10.52 Å') },
    ]);
  });

  it.each<[string, readonly [string, string], RegExp]>([
    ['several times', ['SizeT="1"', 'SizeT="2"'], /2 times/],
    ['slices in other files', ['SizeZ="3"', 'SizeZ="9"'], /9 slices, but has 3 pages/],
    ['two images', ['</Pixels></Image>', '</Pixels><Pixels>'], /2 images/],
  ])('openTiffStack refuses an OME-TIFF of %s', async (_, edit, message) => {
    await expect(openTiffStack(edited('ome-nm', edit))).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(message),
    });
  });

  it('openTiffStack reads bytes at an unaligned address', async () => {
    const moved = new Uint8Array([0, ...fixture('float32')]).subarray(1);
    expect(await valuesOf(await openTiffStack(moved))).toEqual(golden.float32.values);
  });

  describe.skipIf(sharedDataMissing)('real crops (needs ../shared/data)', () => {
    // Shapes and means as tifffile reads them.
    it.each([
      ['13pf_MT.tif', [36, 206, 94], 106.06224465789896],
      ['14pf_MT.tif', [44, 136, 84], 113.52585664947797],
    ] as const)('openTiffStack reads a real crop: %s', async (name, shape, mean) => {
      const stack = await openTiffStackFile(sharedData(`real/${name}`));
      expect(stack.grid).toEqual({ shape, voxelSize: [10.52, 10.52, 10.52], origin: { x: 0, y: 0, z: 0 } });
      expect(stack.dtype).toBe('uint8');
      expect(stack.warnings()).toEqual([]);
      const values = await valuesOf(stack);
      expect(values.reduce((a, b) => a + b, 0) / values.length).toBeCloseTo(mean, 9);
    });
  });
});

describe('openTiffStack throws for', () => {
  const whole = fixture('uint8');
  const changed = (at: number, ...bytes: number[]) => {
    const copy = whole.slice();
    copy.set(bytes, at);
    return copy;
  };
  const view = new DataView(whole.buffer);
  const firstPage = view.getUint32(4, true);
  const entries = view.getUint16(firstPage, true);
  const bytesOf = (number: number) => [...new Uint8Array(Uint32Array.of(number).buffer)];

  it.each<[string, Uint8Array, string, RegExp]>([
    ['nothing', new Uint8Array(), 'corrupt-data', /not a TIFF file/],
    ['a text', new TextEncoder().encode('x,y,z\n1,2,3\n'), 'corrupt-data', /not a TIFF file/],
    ['no page', Uint8Array.of(0x49, 0x49, 42, 0, 0, 0, 0, 0), 'corrupt-data', /has no page/],
    ['a page beyond the end', changed(4, 0xff, 0xff), 'corrupt-data', /page 1 lies beyond/],
    [
      'a page that follows itself',
      changed(firstPage + 2 + 12 * entries, ...bytesOf(firstPage)),
      'corrupt-data',
      /page before it/,
    ],
    ['half a file', whole.subarray(0, 500), 'corrupt-data', /beyond the end|too few|cannot be decoded/],
    ['colours', fixture('rgb'), 'unsupported', /3 values per pixel/],
    ['signed integers', fixture('int16'), 'unsupported', /16 bits of sample format 2/],
    ['float64', fixture('float64'), 'unsupported', /64 bits/],
    ['low values white', fixture('inverted'), 'unsupported', /Grays/],
    ['BigTIFF', fixture('bigtiff'), 'unsupported', /BigTIFF/],
    ['channels of an OME-TIFF', fixture('ome-channels'), 'unsupported', /OME-TIFF of 2 channels/],
    ['channels', fixture('channels'), 'unsupported', /3 channels and 2 slices|2 slices and 3 channels/],
    ['pages that are not alike', fixture('unlike'), 'unsupported', /page 2 is 5×3/],
  ])('openTiffStack throws for %s', async (_, bytes, code, message) => {
    await expect(openTiffStack(bytes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('openTiffStack throws for a width that exceeds the file before it allocates memory', async () => {
    // The first entry is the width, the second the height, in 16 or 32 bits.
    const huge = whole.slice();
    const pages = new DataView(huge.buffer);
    for (const entry of [0, 1]) {
      pages.setUint16(firstPage + 2 + 12 * entry + 2, 4, true);
      pages.setUint32(firstPage + 2 + 12 * entry + 8, 1e6, true);
    }
    await expect(openTiffStack(huge)).rejects.toMatchObject({
      code: expect.stringMatching(/unsupported|corrupt-data/),
    });
  });

  it('openTiffStackFile throws for an absent file', async () => {
    await expect(openTiffStackFile('/nowhere/a.tif')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('openTiffStack throws a CryoetPicksError for any noise', async () => {
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 6 }), async (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        const result = await openTiffStack(bytes).then(
          () => 'read',
          (error: { code: string }) => error.code ?? String(error),
        );
        expect(['read', 'corrupt-data', 'unsupported']).toContain(result);
      }),
      { numRuns: 2000, seed: 11 },
    );
  });
});
