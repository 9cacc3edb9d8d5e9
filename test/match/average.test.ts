import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/core/concurrency.ts';
import {
  averageParticles,
  contiguousVolume,
  type ParticlePick,
  type Progress,
  sourceFromArray,
  toVoxel,
  type Volume,
  type VoxelGrid,
  type Zyx,
} from '../../src/entry/index.ts';
import { createRandom, drawMolecule, simulateScene, speciesNamed } from '../../src/entry/simulate.ts';
import { RealTransform } from '../../src/match/fft.ts';
import { multiplyBy, seenBy, transferTable } from '../../src/match/transfer.ts';
import { transformOf } from '../../src/picks/rotation.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { correlation } from '../support/volume-values.ts';
import { noise, sourceOf } from '../support/volumes.ts';

const mirror = [
  [-1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];

const empty = { surroundings: {}, decoys: 0 };
const others = ['apo-ferritin', 'beta-amylase', 'beta-galactosidase', 'thyroglobulin', 'virus-like-particle'];
const ribosomes = (count: number) => ({
  ...empty,
  counts: { ...Object.fromEntries(others.map((name) => [name, 0])), ribosome: count },
});

/** A ribosome as it is in its own coordinates, on the grid of an average. */
function ribosomeOn(grid: VoxelGrid): Volume {
  const volume = contiguousVolume(new Float32Array(voxelCount(grid.shape)), grid.shape);
  const position = { x: 0, y: 0, z: 0 };
  drawMolecule(volume, {
    grid,
    molecule: { species: speciesNamed('ribosome'), position, rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
  });
  return volume;
}

describe('averageParticles', () => {
  it('averageParticles gives of one pick that is not turned the voxels around it, the pick in the middle', async () => {
    const shape: Zyx = [20, 24, 28];
    const source = sourceOf(noise(shape), shape);
    const pick = { object: 'a', position: { x: 120, y: 100, z: 90 }, score: 1 };
    for (const wedge of [undefined, { tiltRange: [-90, 90] as const }]) {
      const { volume, grid, count } = await averageParticles(source, [pick], { radius: 30, wedge });
      expect(count).toBe(1);
      expect(grid).toEqual({ shape: [7, 7, 7], voxelSize: [10, 10, 10], origin: { x: -30, y: -30, z: -30 } });
      const box = await source.read({ start: [6, 7, 9], end: [13, 14, 16] });
      for (let i = 0; i < 343; i++) {
        const [z, y, x] = [Math.floor(i / 49), Math.floor(i / 7) % 7, i % 7];
        const expected = box.data[box.offset + z * box.stride[0] + y * box.stride[1] + x * box.stride[2]]!;
        expect(Math.abs(volume.data[i]! - expected)).toBeLessThan(1e-5);
      }
    }
  });

  it('averageParticles turns particles back, so that their average is the molecule in its own coordinates', async () => {
    const { grid, molecules, picks } = simulateScene({ shape: [64, 160, 160], seed: 2, ...ribosomes(10) });
    const density = contiguousVolume(new Float32Array(voxelCount(grid.shape)), grid.shape);
    for (const molecule of molecules) drawMolecule(density, { grid, molecule });
    const source = sourceFromArray(density, grid);
    const average = await averageParticles(source, picks, { radius: 160 });
    const expected = ribosomeOn(average.grid);
    expect(correlation(average.volume, expected)).toBeGreaterThan(0.97);
    const unturned = picks.map(({ transform: _, ...pick }): ParticlePick => pick);
    const blurred = await averageParticles(source, unturned, { radius: 160 });
    expect(correlation(blurred.volume, expected)).toBeLessThan(0.9);
  });

  it('averageParticles fills the missing wedge of each particle with what others show', async () => {
    const wedge = { tiltRange: [-40, 40] } as const;
    const [edge, count] = [64, 8];
    const random = createRandom(5);
    const box: VoxelGrid = { shape: [edge, edge, edge], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
    const transform = await RealTransform.of(box.shape);
    const seen = transferTable(transform, 10, seenBy(wedge, 1 / 640));
    const tomogram = contiguousVolume(new Float32Array(count * edge ** 3), [count * edge, edge, edge]);
    const picks: ParticlePick[] = [];
    for (let i = 0; i < count; i++) {
      const r = random.rotation();
      const molecule = { species: speciesNamed('ribosome'), position: { x: 320, y: 320, z: 320 }, rotation: r };
      const part = contiguousVolume(new Float32Array(edge ** 3), box.shape);
      drawMolecule(part, { grid: box, molecule });
      const spectrum = transform.newSpectrum();
      atOnce(transform.forward(part, spectrum));
      multiplyBy(spectrum, seen);
      const plane = { ...tomogram, shape: box.shape, offset: i * edge ** 3 };
      atOnce(transform.inverse(spectrum, plane));
      const turn = transformOf([
        [r[0], r[1], r[2]],
        [r[3], r[4], r[5]],
        [r[6], r[7], r[8]],
      ]);
      picks.push({
        object: 'ribosome',
        position: { x: 320, y: 320, z: 320 + 640 * i },
        score: 1,
        transform: turn,
      });
    }
    const source = sourceFromArray(tomogram, { voxelSize: [10, 10, 10] });
    const one = await averageParticles(source, picks.slice(0, 1), { radius: 200, wedge });
    const plain = await averageParticles(source, picks, { radius: 200 });
    const weighted = await averageParticles(source, picks, { radius: 200, wedge });
    const expected = ribosomeOn(plain.grid);
    const found = [one, plain, weighted].map(({ volume }) => correlation(volume, expected));
    expect(found[1]).toBeGreaterThan(found[0]! + 0.05);
    expect(found[2]).toBeGreaterThan(found[1]! + 0.01);
    expect(found[2]).toBeGreaterThan(0.95);
  });

  it('averageParticles reads the box around each pick once, and tells after each how far it is', async () => {
    const shape: Zyx = [40, 40, 40];
    const source = sourceOf(noise(shape), shape);
    const boxes: Zyx[] = [];
    const counting = {
      ...source,
      read: (...args: Parameters<typeof source.read>) => {
        boxes.push(args[0].start);
        return source.read(...args);
      },
    };
    const picks = [1, 2, 3].map((i) => ({ object: 'a', position: { x: 100 * i, y: 200, z: 200 }, score: 1 }));
    const told: Progress[] = [];
    await averageParticles(counting, picks, { radius: 40, onProgress: (progress) => told.push(progress) });
    expect(boxes).toHaveLength(3);
    expect(told).toEqual([1, 2, 3].map((done) => ({ stage: 'picks', done, total: 3 })));
    for (const [i, { position }] of picks.entries())
      expect(boxes[i]![2]).toBeLessThan(toVoxel(source.grid, position)[2]);
  });

  it('averageParticles stops at its signal, and reads nothing more', async () => {
    const shape: Zyx = [40, 40, 40];
    const source = sourceOf(noise(shape), shape);
    const controller = new AbortController();
    let reads = 0;
    const aborting = {
      ...source,
      read: (...args: Parameters<typeof source.read>) => {
        reads++;
        controller.abort('enough');
        return source.read(...args);
      },
    };
    const picks = [1, 2, 3].map((i) => ({ object: 'a', position: { x: 100 * i, y: 200, z: 200 }, score: 1 }));
    const running = averageParticles(aborting, picks, { radius: 40, signal: controller.signal });
    await expect(running).rejects.toBe('enough');
    expect(reads).toBe(1);
  });

  it.each<[string, readonly ParticlePick[], object, string, string]>([
    ['no picks', [], { radius: 40 }, 'invalid-picks', 'there are no picks'],
    [
      'a pick of another tomogram',
      [{ object: 'a', position: { x: 10, y: 4000, z: 10 }, score: 1 }],
      { radius: 40 },
      'invalid-picks',
      'pick 0 ("a") is at (10.0, 4000.0, 10.0) Å, outside of the tomogram',
    ],
    [
      'picks of two objects',
      ['a', 'b'].map((object) => ({ object, position: { x: 10, y: 40, z: 10 }, score: 1 })),
      { radius: 40 },
      'invalid-picks',
      'pick 0 is of "a", pick 1 of "b"; average one object at a time',
    ],
    [
      'a mirror image as orientation',
      [{ object: 'a', position: { x: 10, y: 40, z: 10 }, score: 1, transform: mirror }],
      { radius: 40 },
      'invalid-picks',
      'the transform of pick 0 ("a") is no rotation',
    ],
    [
      'a radius beyond memory',
      [{ object: 'a', position: { x: 10, y: 40, z: 10 }, score: 1 }],
      { radius: 1e5 },
      'invalid-option',
      '10000 voxels',
    ],
    [
      'a wedge of both kinds',
      [{ object: 'a', position: { x: 10, y: 40, z: 10 }, score: 1 }],
      { radius: 40, wedge: { tiltRange: [-60, 60], tiltAngles: [0] } },
      'invalid-option',
      'wedge must be a missing wedge',
    ],
    [
      'a tilt range that falls',
      [{ object: 'a', position: { x: 10, y: 40, z: 10 }, score: 1 }],
      { radius: 40, wedge: { tiltRange: [60, -60] } },
      'invalid-option',
      'wedge.tiltRange must be the first and the last tilt',
    ],
  ])('averageParticles refuses %s', async (_, picks, options, code, message) => {
    const shape: Zyx = [40, 40, 40];
    const running = averageParticles(sourceOf(noise(shape), shape), picks, options as never);
    await expect(running).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
