import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  checkTomogram,
  type ModelSpec,
  measureIntensity,
  resampled,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { openTiffStack } from '../../src/entry/io.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';
import { sourceOf } from '../support/volumes.ts';

function unreadable(shape: Zyx, voxelSize: number | Zyx): VolumeSource {
  const size: Zyx = typeof voxelSize === 'number' ? [voxelSize, voxelSize, voxelSize] : voxelSize;
  return {
    grid: { shape, voxelSize: size, origin: { x: 0, y: 0, z: 0 } },
    read: () => Promise.reject(new Error('read')),
  };
}

const tomogram = unreadable([184, 630, 630], 10.012);
const pick = (x: number, y: number, z: number) => ({ position: { x, y, z } });
const codesOf = (...args: Parameters<typeof checkTomogram>) => checkTomogram(...args).map(({ code }) => code);

describe('checkTomogram', () => {
  it('checkTomogram finds nothing wrong with a tomogram of the competition, and reads nothing', () => {
    const picks = [pick(5106.838, 4835.263, 619.225), pick(69.9, 86.6, 39.1), pick(6229.6, 6266.9, 1549.3)];
    expect(
      checkTomogram(tomogram, { picks, folderSpacing: 10, spec: { voxelSize: 10, name: 'm' } as ModelSpec }),
    ).toEqual([]);
    expect(checkTomogram(tomogram)).toEqual([]);
  });

  it.each<[string, Zyx | number, string[]]>([
    ['exactly 1 Å', 1, ['voxel-size-implausible']],
    ['in nm', 0.784, ['voxel-size-implausible']],
    ['above 100 Å', 131, ['voxel-size-implausible']],
    ['implausible along z only', [120, 10, 10], ['voxel-size-implausible']],
    ['1.07 Å, as of a density map', 1.07, []],
    ['not the same along all axes', [12, 10, 10], []],
  ])('checkTomogram judges a voxel size that is %s', (_, voxelSize, codes) => {
    expect(codesOf(unreadable([100, 100, 100], voxelSize))).toEqual(codes);
  });

  it.each<[number, string[]]>([
    [10, []],
    [10.1, []],
    [10.12, ['voxel-size-not-of-folder']],
    [7.84, ['voxel-size-not-of-folder']],
  ])('checkTomogram compares with a folder of %d Å', (folderSpacing, codes) => {
    expect(codesOf(tomogram, { folderSpacing })).toEqual(codes);
  });

  it('checkTomogram names the remedy if the model has another voxel size', () => {
    const [finding] = checkTomogram(unreadable([9, 9, 9], 7.84), {
      spec: { voxelSize: 10, name: 'unet' } as ModelSpec,
    });
    expect(finding).toEqual({
      code: 'voxel-size-not-of-model',
      message: expect.stringMatching(/7.84×7.84×7.84 Å.*model "unet"; search resampled\(tomogram, 10\)/),
    });
  });

  it('checkTomogram counts picks outside the outer faces of the voxels', () => {
    const small = unreadable([10, 20, 30], 10);
    expect(codesOf(small, { picks: [pick(294.9, 194.9, 94.9), pick(-4.9, -4.9, -4.9)] })).toEqual([]);
    const [finding, ...more] = checkTomogram(small, {
      picks: [pick(100, 100, 50), pick(400, 100, 50), pick(100, -50, 50)],
    });
    expect(more).toEqual([]);
    expect(finding).toEqual({
      code: 'picks-outside',
      message: '2 of 3 picks lie outside the volume of 300×200×100 Å (x×y×z)',
    });
  });

  it('checkTomogram infers swapped axes from the extent of the picks', () => {
    const picks = [pick(619.225, 4835.263, 5106.838), pick(1549.3, 6266.9, 6229.6)];
    const [finding] = checkTomogram(tomogram, { picks });
    expect(finding).toEqual({
      code: 'picks-axes-swapped',
      message: expect.stringMatching(/2 of 2 .* x, y, z taken as z, y, x/),
    });
  });

  it('checkTomogram recognises picks in voxels if there are at least five', () => {
    const picks = [pick(510, 483, 61), pick(7, 8, 4), pick(622, 626, 154), pick(300, 20, 100), pick(90, 500, 30)];
    expect(codesOf(tomogram, { picks })).toEqual(['picks-in-voxels']);
    expect(codesOf(tomogram, { picks: picks.slice(1) })).toEqual([]);
  });

  it('checkTomogram measures picks from the origin of the grid', () => {
    const moved = { ...tomogram, grid: { ...tomogram.grid, origin: { x: -10000, y: 0, z: 0 } } };
    expect(codesOf(moved, { picks: [pick(-9000, 100, 100)] })).toEqual([]);
    expect(codesOf(moved, { picks: [pick(100, 100, 100)] })).toEqual(['picks-outside']);
  });

  it.each([
    ['dark', 1, ['contrast-inverted']],
    ['bright', 1, []],
    ['dark', -1, []],
    ['bright', -1, ['contrast-inverted']],
    ['dark', 0, []],
    [undefined, 1, []],
  ] as const)(
    'checkTomogram judges the contrast for a model of %s protein and a longer tail of %d',
    async (contrast, sign, codes) => {
      // A twentieth of the voxels is protein, five deviations off.
      const data = Float32Array.from({ length: 8000 }, (_, i) => {
        const noise = Math.sin(i * 12.9898) + Math.sin(i * 78.233) + Math.sin(i * 37.719);
        return noise + (i % 20 === 0 ? sign * 6 : 0);
      });
      const intensity = await measureIntensity(sourceOf(data, [20, 20, 20]));
      const spec = { voxelSize: 10.012, name: 'm', contrast } as ModelSpec;
      expect(codesOf(tomogram, { spec, intensity })).toEqual(codes);
    },
  );

  it.skipIf(sharedDataMissing)(
    'checkTomogram recognises real protein that is bright, and dark (needs ../shared/data)',
    async () => {
      const bytes = new Uint8Array(readFileSync(sharedData('real/14pf_MT.tif')));
      const bright = await measureIntensity(resampled(await openTiffStack(bytes), 42.08));
      const planes = Float32Array.from(readFileSync(sharedData('real/TS_100_3_9planes.u8')));
      const dark = await measureIntensity(sourceOf(planes, [9, 128, 128]));
      for (const [intensity, contrast, other] of [
        [bright, 'bright', 'dark'],
        [dark, 'dark', 'bright'],
      ] as const) {
        const spec = { voxelSize: 10.012, name: 'm' } as ModelSpec;
        expect(codesOf(tomogram, { spec: { ...spec, contrast }, intensity })).toEqual([]);
        expect(codesOf(tomogram, { spec: { ...spec, contrast: other }, intensity })).toEqual(['contrast-inverted']);
      }
    },
  );

  it('checkTomogram warns of voxels that are constant or not finite', async () => {
    const data = new Float32Array(8).fill(2);
    data[3] = Number.NaN;
    const source = sourceOf(data, [2, 2, 2]);
    const findings = checkTomogram(source, { intensity: await measureIntensity(source) });
    expect(findings.map(({ message }) => message)).toEqual([
      'every voxel is 2',
      '1 of 8 voxels are not finite numbers; they count as the mean',
    ]);
  });
});
