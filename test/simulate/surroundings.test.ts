import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/core/concurrency.ts';
import { isCryoetPicksError } from '../../src/entry/index.ts';
import { createRandom, type SceneOptions, simulateScene, simulateTomogram } from '../../src/entry/simulate.ts';
import { moleculePoints } from '../../src/simulate/density.ts';
import { aggregate, filament, helices, vesicle } from '../../src/simulate/structures.ts';
import { drawCarbon, touchesCarbon } from '../../src/simulate/surroundings.ts';
import { squaredDistance } from '../../src/space/grid.ts';

const full = { vesicles: 60, filaments: 80, microtubules: 20, goldBeads: 80, aggregates: 80, carbon: 30 };
const shape = [120, 200, 200] as const;
const structures = ['vesicle', 'actin-filament', 'microtubule', 'gold-bead'];

describe('surroundings', () => {
  it('surroundings are in the scene, but not in the list of picks', () => {
    const { molecules, carbon, picks } = simulateScene({ shape, seed: 1, surroundings: full });
    const names = new Set(molecules.map(({ species }) => species.name));
    for (const name of structures) expect(names).toContain(name);
    expect(carbon).toBeDefined();
    expect(picks.every(({ object }) => !structures.includes(object))).toBe(true);
    const bare = simulateScene({ shape, seed: 1, surroundings: {} });
    expect(bare.carbon).toBeUndefined();
    expect(bare.molecules.some(({ species }) => structures.includes(species.name))).toBe(false);
  });

  it('surroundings leave particles their room', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { molecules, carbon } = simulateScene({ shape, seed, surroundings: full, decoys: 0 });
        const particles = molecules.filter(({ species }) => species.kind === 'particle');
        const others = molecules.filter(({ species: { name } }) => structures.includes(name));
        const around = others.flatMap((other) => [...moleculePoints(other)]);
        for (const { species, position } of particles) {
          if (carbon) expect(touchesCarbon(carbon, { centre: position, radius: species.radius })).toBe(false);
          const beads = around.map((point) => squaredDistance(point, position));
          expect(beads.reduce((least, value) => Math.min(least, value))).toBeGreaterThan((species.radius - 40) ** 2);
        }
      }),
      { numRuns: 3 },
    );
  });

  it('surroundings have the requested mean numbers, in small volumes by chance', () => {
    const surroundings = { goldBeads: 8 * (73_029_600 / (40 * 100 * 100)) * 0.1 };
    const found = Array.from({ length: 60 }, (_, seed) => {
      const { molecules } = simulateScene({ shape: [40, 100, 100], seed, surroundings, counts: {}, decoys: 0 });
      return molecules.filter(({ species }) => species.name === 'gold-bead').length;
    });
    const mean = found.reduce((sum, count) => sum + count, 0) / found.length;
    expect(mean).toBeGreaterThan(0.5);
    expect(mean).toBeLessThan(1.1);
  });

  it('surroundings keep known particles where they are', () => {
    const positions = [{ object: 'ribosome', position: { x: 1000, y: 1000, z: 500 } }];
    const { picks } = simulateScene({ shape, seed: 2, surroundings: full, positions });
    expect(picks).toEqual([{ ...positions[0], score: 1, transform: expect.any(Array) }]);
  });

  it('surroundings are the same for the same seed', async () => {
    const options = { shape: [40, 80, 80], seed: 4, surroundings: full } as const;
    const [a, b] = [await simulateTomogram(options), await simulateTomogram(options)];
    expect(Buffer.from(a.volume.data.buffer).equals(Buffer.from(b.volume.data.buffer))).toBe(true);
    expect(a.picks).toEqual(b.picks);
  });

  it.each<[string, SceneOptions, string]>([
    ['a number below 0', { surroundings: { vesicles: -1 } }, 'surroundings.vesicles'],
    ['a number that is NaN', { surroundings: { carbon: Number.NaN } }, 'surroundings.carbon'],
    ['more than a volume can hold', { surroundings: { goldBeads: 1e9 } }, 'surroundings.goldBeads'],
    ['cargo beyond all', { cargo: 1.5 }, 'cargo must be from 0 to 1, found 1.5'],
    ['clusters that are not a number', { clustering: Number.NaN }, 'clustering'],
    ['ice of no thickness', { iceThickness: 0 }, 'iceThickness'],
  ])('surroundings refuse %s', (_, options, message) => {
    try {
      simulateScene({ shape: [32, 32, 32], ...options });
      expect.unreachable();
    } catch (error) {
      expect(isCryoetPicksError(error, 'invalid-option')).toBe(true);
      expect((error as Error).message).toContain(message);
    }
  });
});

describe('shapes', () => {
  const distances = (beads: Float64Array, axes: readonly number[]) =>
    Array.from({ length: beads.length / 4 }, (_, i) => Math.hypot(...axes.map((axis) => beads[4 * i + axis]!)));

  it('a vesicle is hollow, with two leaflets', () => {
    const { beads } = atOnce(vesicle(300, createRandom(1)));
    const radii = distances(beads, [0, 1, 2]);
    expect(Math.min(...radii)).toBeGreaterThan(180);
    expect(Math.max(...radii)).toBeLessThan(450);
    expect(radii.length).toBeCloseTo((8 * Math.PI * (300 ** 2 + 18 ** 2)) / 14 ** 2, -2);
  });

  it('a microtubule has 13 protofilaments at 112 Å, actin one subunit per 27.5 Å', () => {
    const random = createRandom(2);
    const tube = filament(helices.microtubules, { length: 1000, random }).beads;
    expect(tube.length / 4).toBe(Math.round((13 * 1000) / 40.9));
    expect(Math.max(...distances(tube, [1, 2]))).toBeLessThan(125);
    const angles = new Set(
      Array.from({ length: tube.length / 4 }, (_, i) => {
        const turn = Math.atan2(tube[4 * i + 2]!, tube[4 * i + 1]!) / (2 * Math.PI);
        return Math.round(13 * (turn - Math.atan2(tube[2]!, tube[1]!) / (2 * Math.PI)) + 26) % 13;
      }),
    );
    expect(angles.size).toBe(13);
    expect(filament(helices.filaments, { length: 2750, random }).beads.length / 4).toBe(100);
  });

  it('an aggregate is connected', () => {
    const clump = aggregate(30, createRandom(3));
    for (const [i, { position, species }] of clump.entries()) {
      if (i === 0) continue;
      const gaps = clump
        .slice(0, i)
        .map((other) => Math.sqrt(squaredDistance(position, other.position)) - species.radius - other.species.radius);
      expect(Math.min(...gaps)).toBeLessThan(0);
    }
  });

  it('carbon fills what is outside its hole, between its faces', () => {
    const volume = { data: new Float32Array(40 ** 3), shape: [40, 40, 40], stride: [1600, 40, 1], offset: 0 } as const;
    const grid = { shape: [40, 40, 40], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
    atOnce(drawCarbon(volume, { grid, edge: { x: 0, y: 200, radius: 200, bottom: 100, top: 250 } }));
    const at = (z: number, y: number, x: number) => volume.data[z * 1600 + y * 40 + x]!;
    expect(at(17, 20, 35)).toBeCloseTo(1.2, 5);
    expect([at(17, 20, 10), at(5, 20, 35), at(30, 20, 35)]).toEqual([0, 0, 0]);
    expect(at(17, 20, 20)).toBeGreaterThan(0.3);
    expect(at(17, 20, 20)).toBeLessThan(0.9);
  });
});

describe('what the truth of the real runs looks like', () => {
  const nearest = (name: string) => {
    const found = [0, 1, 2].flatMap((seed) => {
      const mine = simulateScene({ seed, surroundings: {} }).picks.filter(({ object }) => object === name);
      return mine.map((a) =>
        Math.min(...mine.filter((b) => b !== a).map((b) => squaredDistance(a.position, b.position))),
      );
    });
    return Math.sqrt(found.sort((a, b) => a - b)[Math.floor(found.length / 2)]!);
  };

  it('apo-ferritin and ribosomes cluster, others keep apart', () => {
    // Medians of the seven real runs: 130, 300, 589 and 783 Å; chance alone gives 597, 628, 717 and 948 Å.
    expect(nearest('apo-ferritin')).toBeLessThan(180);
    expect(nearest('ribosome')).toBeLessThan(340);
    expect(nearest('thyroglobulin')).toBeGreaterThan(480);
    expect(nearest('virus-like-particle')).toBeGreaterThan(600);
  });

  it('the ice ends below the top of the volume and is as thick as requested', () => {
    for (const iceThickness of [400, 900]) {
      const { molecules } = simulateScene({ seed: 3, iceThickness, surroundings: {} });
      const heights = molecules.map(({ position }) => position.z).sort((a, b) => a - b);
      const range = heights.at(-1)! - heights[0]!;
      expect(range).toBeLessThanOrEqual(iceThickness);
      expect(range).toBeGreaterThan(0.95 * iceThickness);
    }
  });

  it('some virus-like particles hold cargo, as many as asked for', () => {
    const beadCounts = (cargo: number) =>
      simulateScene({ seed: 1, cargo, surroundings: {}, decoys: 0 })
        .molecules.filter(({ species }) => species.name === 'virus-like-particle')
        .map(({ species }) => species.beads.length);
    expect(new Set(beadCounts(0)).size).toBe(1);
    expect(Math.min(...beadCounts(1))).toBeGreaterThan(Math.max(...beadCounts(0)));
    expect(new Set(beadCounts(0.5)).size).toBe(2);
  });
});
