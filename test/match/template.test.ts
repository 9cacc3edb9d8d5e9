import { describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  isCryoetPicksError,
  makeTemplate,
  sourceFromArray,
  type Template,
  type TemplateShape,
  type Volume,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { createRandom, drawMolecule, type Rotation, speciesNamed } from '../../src/entry/simulate.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { correlation } from '../support/volume-values.ts';
import { sourceOf } from '../support/volumes.ts';

const rotation: Rotation = createRandom(4).rotation();

/** A map of a ribosome, bright, on a background, its centre of mass in the middle of the box. */
function ribosome(shape: Zyx, voxelSize: number, background = 0): VolumeSource {
  const grid = { shape, voxelSize: [voxelSize, voxelSize, voxelSize] as const, origin: { x: 70, y: 5, z: -20 } };
  const volume = contiguousVolume(new Float32Array(voxelCount(shape)).fill(background), shape);
  const middle = (axis: 0 | 1 | 2) => ((shape[axis] - 1) / 2) * voxelSize;
  const position = { x: 70 + middle(2), y: 5 + middle(1), z: -20 + middle(0) };
  drawMolecule(volume, { grid, molecule: { species: speciesNamed('ribosome'), position, rotation } });
  return sourceFromArray(volume, grid);
}

/** The molecule itself, drawn where the template says that it is. */
function drawnOn({ grid }: Template): Volume {
  const volume = contiguousVolume(new Float32Array(voxelCount(grid.shape)), grid.shape);
  const position = { x: 0, y: 0, z: 0 };
  drawMolecule(volume, { grid, molecule: { species: speciesNamed('ribosome'), position, rotation } });
  return volume;
}

describe('makeTemplate', () => {
  it.each<[string, Zyx, number]>([
    ['as fine as the template', [41, 41, 41], 10],
    ['of an even box', [40, 44, 48], 10],
    ['of fine voxels', [107, 107, 107], 3.7],
    ['of coarse voxels', [30, 31, 32], 14],
  ])('makeTemplate shows the object of a map %s, dark, its centre in the middle', async (_, shape, voxelSize) => {
    const template = await makeTemplate(ribosome(shape, voxelSize), { object: 'ribosome', voxelSize: 20, radius: 150 });
    const { volume, grid } = template;
    expect(template).toMatchObject({ object: 'ribosome', voxelSize: 20, radius: 150 });
    expect(grid.voxelSize).toEqual([10, 10, 10]);
    expect(volume.shape).toEqual([39, 39, 39]);
    expect(grid.origin).toEqual({ x: -190, y: -190, z: -190 });
    // The low-pass filter lets half of 40 Å pass.
    expect(-correlation(volume, drawnOn(template))).toBeGreaterThan(0.98);
  });

  it('makeTemplate keeps the contrast of an average, and makes its surroundings 0', async () => {
    const options = { object: 'ribosome', voxelSize: 20, radius: 150 };
    const bare = await makeTemplate(ribosome([41, 41, 41], 10), options);
    const kept = await makeTemplate(ribosome([41, 41, 41], 10, 7), { ...options, contrast: 'kept' });
    let worst = 0;
    for (let i = 0; i < bare.volume.data.length; i++) {
      worst = Math.max(worst, Math.abs(bare.volume.data[i]! + kept.volume.data[i]!));
    }
    expect(worst).toBeLessThan(1e-3);
    expect(Math.abs(kept.volume.data[0]!)).toBeLessThan(1e-2);
  });

  it('makeTemplate lets half of the amplitude pass at its resolution', async () => {
    const shape: Zyx = [64, 64, 64];
    // Waves of 80 Å.
    const waves = Float32Array.from({ length: voxelCount(shape) }, (_, i) => Math.cos((2 * Math.PI * (i % 64)) / 8));
    const amplitudeOf = async (resolution: number) => {
      const { volume } = await makeTemplate(sourceOf(waves, shape), {
        object: 'a',
        voxelSize: 20,
        radius: 100,
        resolution,
        contrast: 'kept',
      });
      const edge = volume.shape[0];
      const middle = ((edge - 1) / 2) * (edge * edge + edge + 1);
      const along = volume.data.subarray(middle - 8, middle + 8);
      return (Math.max(...along) - Math.min(...along)) / 2;
    };
    const full = await amplitudeOf(10);
    expect((await amplitudeOf(80)) / full).toBeCloseTo(0.5, 1);
    expect((await amplitudeOf(160)) / full).toBeLessThan(0.1);
  });

  it.each<[TemplateShape, number, number]>([
    [{ shape: 'sphere', radius: 100 }, (4 / 3) * Math.PI * 100 ** 3, 100],
    [{ shape: 'shell', radius: 150, thickness: 40 }, (4 / 3) * Math.PI * (150 ** 3 - 110 ** 3), 150],
    [{ shape: 'tube', radius: 80, length: 300 }, Math.PI * 80 ** 2 * 300, Math.hypot(80, 150)],
    [
      { shape: 'tube', radius: 120, length: 200, thickness: 40 },
      Math.PI * (120 ** 2 - 80 ** 2) * 200,
      Math.hypot(120, 100),
    ],
    [{ shape: 'disc', radius: 150, thickness: 60 }, Math.PI * 150 ** 2 * 60, Math.hypot(150, 30)],
  ])('makeTemplate draws %j dark, with its volume, within its radius', async (shape, volume, radius) => {
    const template = await makeTemplate(shape, { object: 'a', voxelSize: 10 });
    const sum = template.volume.data.reduce((total, value) => total + value, 0) * 5 ** 3;
    expect(Math.abs(-sum / volume - 1)).toBeLessThan(0.03);
    expect(template.radius).toBeCloseTo(radius, 9);
    // The axis is z: what a quarter turn about it shows is the same.
    const edge = template.volume.shape[0];
    const at = (z: number, y: number, x: number) => template.volume.data[(z * edge + y) * edge + x]!;
    const middle = (edge - 1) / 2;
    for (let i = 0; i < edge; i++) expect(Math.abs(at(middle, i, middle) - at(middle, middle, i))).toBeLessThan(1e-4);
  });

  it('makeTemplate leaves a shell and a tube empty inside', async () => {
    const shell = await makeTemplate({ shape: 'shell', radius: 200, thickness: 40 }, { object: 'a', voxelSize: 10 });
    const { data, shape } = shell.volume;
    const middle = (data.length - 1) / 2;
    expect(Math.abs(data[middle]!)).toBeLessThan(1e-3);
    expect(data[middle + 36]!).toBeLessThan(-0.9);
    expect(shape[0]).toBe(2 * Math.ceil(220 / 5) + 1);
  });

  const options = { object: 'a', voxelSize: 20 };
  const map = sourceOf(new Float32Array(1000).fill(1, 300, 500), [10, 10, 10]);
  it.each<[string, unknown, object, string, string]>([
    ['a flat map', sourceOf(new Float32Array(1000).fill(3), [10, 10, 10]), options, 'corrupt-data', 'is flat'],
    [
      'a map with NaN',
      sourceOf(new Float32Array(1000).fill(Number.NaN, 1, 2), [10, 10, 10]),
      options,
      'corrupt-data',
      'voxel (0, 0, ',
    ],
    [
      'a shell thicker than its radius',
      { shape: 'shell', radius: 50, thickness: 60 },
      options,
      'invalid-option',
      'density must be',
    ],
    ['a shape that there is not', { shape: 'cube', radius: 50 }, options, 'invalid-option', 'density must be'],
    ['an empty name', map, { ...options, object: '' }, 'invalid-option', 'object must be the name of an object'],
    ['voxels without a size', map, { ...options, voxelSize: 0 }, 'invalid-option', 'voxelSize must be'],
    ['a radius beyond memory', { shape: 'sphere', radius: 1e5 }, options, 'invalid-option', 'expected at most'],
    [
      'a map that is too fine for memory',
      map,
      { ...options, voxelSize: 0.1, radius: 5 },
      'invalid-option',
      'the map has 2000×2000×2000 voxels',
    ],
  ])('makeTemplate refuses %s', async (_, density, given, code, message) => {
    const error = await makeTemplate(density as never, given as never).catch((reason: unknown) => reason);
    expect(isCryoetPicksError(error, code as never)).toBe(true);
    expect((error as Error).message).toContain(message);
  });
});
