import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { isCryoetPicksError, type Zyx } from '../../src/entry/index.ts';
import { type SceneOptions, simulatedObjects, simulateScene, species } from '../../src/entry/simulate.ts';
import { squaredDistance } from '../../src/space/grid.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';

const small: Zyx = [64, 128, 128];

describe('simulateScene', () => {
  it('simulateScene places nothing in something else', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 30, max: 90 }), (seed, side) => {
        const { molecules } = simulateScene({
          shape: [side, 120, 100],
          seed,
          voxelSize: [10, 11, 9],
          surroundings: {},
        });
        for (const [i, a] of molecules.entries()) {
          for (const b of molecules.slice(0, i)) {
            const distance = Math.sqrt(squaredDistance(a.position, b.position));
            expect(distance).toBeGreaterThanOrEqual(a.species.radius + b.species.radius);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('simulateScene has the competition numbers in a volume of its size', () => {
    const { picks, molecules } = simulateScene({ seed: 3 });
    const count = (name: string) => picks.filter(({ object }) => object === name).length;
    const counts = simulatedObjects.map(({ name }) => [name, count(name)]);
    expect(Object.fromEntries(counts)).toEqual({
      'apo-ferritin': 54,
      'beta-amylase': 12,
      'beta-galactosidase': 16,
      ribosome: 47,
      thyroglobulin: 36,
      'virus-like-particle': 16,
    });
    expect(molecules.length - picks.length).toBeGreaterThan(2000);
  });

  it('simulateScene has several of each particle in a small volume', () => {
    const { picks } = simulateScene({ shape: [64, 192, 192], seed: 1 });
    for (const { name } of simulatedObjects) {
      expect(picks.filter(({ object }) => object === name).length, name).toBeGreaterThanOrEqual(2);
    }
  });

  it('simulateScene keeps the depth range of the real truth: near the bottom, well below the top', () => {
    const { picks, grid } = simulateScene({ seed: 5 });
    const depth = (grid.shape[0] - 1) * grid.voxelSize[0];
    const heights = picks.map(({ position }) => position.z);
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(36);
    expect(Math.max(...heights)).toBeLessThanOrEqual(1560);
    expect(depth - Math.max(...heights)).toBeGreaterThan(260);
  });

  it('simulateScene is the same for the same seed and different for others', () => {
    const first = simulateScene({ shape: small, seed: 8 });
    expect(simulateScene({ shape: small, seed: 8 })).toEqual(first);
    expect(simulateScene({ shape: small, seed: 9 }).picks).not.toEqual(first.picks);
  });

  it('simulateScene has the requested numbers', () => {
    const counts = { ribosome: 0, 'apo-ferritin': 9, hsp70: 3 };
    const { molecules } = simulateScene({ shape: small, seed: 2, counts, decoys: 0 });
    const count = (name: string) => molecules.filter((molecule) => molecule.species.name === name).length;
    expect([count('ribosome'), count('apo-ferritin'), count('hsp70'), count('esterase')]).toEqual([0, 9, 3, 0]);
  });

  it('simulateScene lists no decoy as a pick', () => {
    const { picks, molecules } = simulateScene({ shape: small, seed: 2 });
    const names = new Set(simulatedObjects.map(({ name }) => name));
    expect(picks.every(({ object }) => names.has(object))).toBe(true);
    expect(molecules.some((molecule) => !names.has(molecule.species.name))).toBe(true);
    expect(
      species
        .filter(({ kind }) => kind === 'particle')
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...names].sort());
  });

  it('simulateScene puts known particles exactly where they are, overlapping or not, and decoys around them', () => {
    const positions = [
      { object: 'ribosome', position: { x: 300.123, y: 400.456, z: 200.789 } },
      { object: 'thyroglobulin', position: { x: 305, y: 402, z: 201 } },
    ];
    const { picks, molecules } = simulateScene({ shape: small, seed: 1, positions, surroundings: {} });
    expect(picks).toEqual(positions.map((known) => ({ ...known, score: 1, transform: expect.anything() })));
    expect(molecules.length).toBeGreaterThan(2);
    for (const { position, species: other } of molecules.slice(2)) {
      expect(Math.sqrt(squaredDistance(position, positions[0]!.position))).toBeGreaterThanOrEqual(other.radius + 129);
    }
  });

  it.skipIf(sharedDataMissing)('simulateScene puts a real run at its true positions (needs ../shared/data)', () => {
    const text = readFileSync(sharedData('truth/czii_train_picks.csv'), 'utf8');
    const rows = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true }).data;
    const positions = rows
      .filter(({ experiment }) => experiment === 'TS_73_6')
      .map((row) => ({
        object: row.particle_type!,
        position: { x: Number(row.x), y: Number(row.y), z: Number(row.z) },
      }));
    const { picks } = simulateScene({ seed: 1, positions, decoys: 0 });
    expect(picks).toHaveLength(217);
    expect(picks.map(({ object, position }) => ({ object, position }))).toEqual(positions);
  });

  it.each<[string, SceneOptions, string]>([
    ['more voxels than memory', { shape: [9999, 9999, 9999] }, 'a simulated tomogram holds at most 1073741824'],
    ['an unknown species among the counts', { counts: { unicorn: 1 } }, 'unknown species "unicorn"'],
    [
      'an unknown species among the positions',
      { positions: [{ object: 'membrane', position: { x: 1, y: 1, z: 1 } }] },
      'unknown species "membrane"',
    ],
    [
      'a position outside the volume',
      { shape: small, positions: [{ object: 'ribosome', position: { x: 100, y: 100, z: 700 } }] },
      'outside the volume',
    ],
    [
      'a position that is no number',
      { positions: [{ object: 'ribosome', position: { x: Number.NaN, y: 1, z: 1 } }] },
      'NaN',
    ],
    ['more particles than fit', { shape: [32, 32, 32], counts: { ribosome: 500 } }, 'of 500 ribosome'],
    ['an empty shape', { shape: [0, 10, 10] }, '0×10×10'],
    ['a shape of a broken number', { shape: [16, 16.5, 16] }, 'found [16, 16.5, 16]'],
    ['a count that is not a number', { shape: small, counts: { ribosome: Number.NaN } }, 'of ribosome, found NaN'],
    ['a count below 0', { shape: small, counts: { ribosome: -1 } }, 'of ribosome, found -1'],
    ['a broken count', { shape: small, counts: { ribosome: 1.5 } }, 'of ribosome, found 1.5'],
    ['decoys that are not a number', { shape: small, decoys: Number.NaN }, 'decoys must be from 0 to 1000, found NaN'],
    ['a seed that is not a number', { shape: small, seed: Number.NaN }, 'seed must be a whole number, found NaN'],
    ['an invalid voxel size', { voxelSize: [10, -1, 10] }, 'found [10, -1, 10]'],
  ])('simulateScene refuses %s', (_, options, message) => {
    const error = catchError(() => simulateScene(options));
    expect(isCryoetPicksError(error, 'invalid-option')).toBe(true);
    expect((error as Error).message).toContain(message);
  });

  it.each<[string, Zyx]>([
    ['one voxel', [1, 1, 1]],
    ['one plane', [1, 64, 64]],
    ['a needle', [200, 1, 1]],
  ])('simulateScene works with %s', (_, shape) => {
    const { picks, grid } = simulateScene({ shape, seed: 1 });
    for (const { position } of picks) {
      expect(position.x).toBeLessThanOrEqual((grid.shape[2] - 1) * grid.voxelSize[2]);
      expect(position.z).toBeLessThanOrEqual((grid.shape[0] - 1) * grid.voxelSize[0]);
    }
  });
});

function catchError(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
