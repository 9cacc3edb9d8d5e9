import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contiguousVolume, toVoxel, type Volume, type VoxelGrid, type Zyx } from '../../src/entry/index.ts';
import { createRandom, drawMolecule, type PlacedMolecule, species } from '../../src/entry/simulate.ts';
import { voxelCount } from '../../src/space/grid.ts';

const anisotropic: VoxelGrid = { shape: [40, 44, 48], voxelSize: [9, 10, 11], origin: { x: -30, y: 12, z: 5 } };

function render(grid: VoxelGrid, molecules: readonly PlacedMolecule[]): Volume {
  const volume = contiguousVolume(new Float32Array(voxelCount(grid.shape)), grid.shape);
  for (const molecule of molecules) drawMolecule(volume, { grid, molecule });
  return volume;
}

/** The same density without cutoff, separability or order of axes: one exponential per bead and voxel. */
function bruteForce(
  grid: VoxelGrid,
  { species: { beads, sigma }, position, rotation: r }: PlacedMolecule,
): Float64Array {
  const density = new Float64Array(voxelCount(grid.shape));
  for (let i = 0; i < beads.length; i += 4) {
    const [bx, by, bz] = [beads[i]!, beads[i + 1]!, beads[i + 2]!];
    const x = position.x + r[0] * bx + r[1] * by + r[2] * bz;
    const y = position.y + r[3] * bx + r[4] * by + r[5] * bz;
    const z = position.z + r[6] * bx + r[7] * by + r[8] * bz;
    for (let k = 0, at = 0; k < grid.shape[0]; k++) {
      for (let j = 0; j < grid.shape[1]; j++) {
        for (let l = 0; l < grid.shape[2]; l++, at++) {
          const dx = l * grid.voxelSize[2] + grid.origin.x - x;
          const dy = j * grid.voxelSize[1] + grid.origin.y - y;
          const dz = k * grid.voxelSize[0] + grid.origin.z - z;
          density[at] += beads[i + 3]! * Math.exp((-0.5 * (dx * dx + dy * dy + dz * dz)) / sigma ** 2);
        }
      }
    }
  }
  return density;
}

function centroid({ data, shape }: Volume): Zyx {
  const sums = [0, 0, 0];
  let mass = 0;
  for (let z = 0, at = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++, at++) {
        mass += data[at]!;
        sums[0]! += z * data[at]!;
        sums[1]! += y * data[at]!;
        sums[2]! += x * data[at]!;
      }
    }
  }
  return [sums[0]! / mass, sums[1]! / mass, sums[2]! / mass];
}

const massOf = ({ data }: Volume) => data.reduce((sum, value) => sum + value, 0);

describe('drawMolecule', () => {
  it('drawMolecule equals the sum of Gaussians computed voxel by voxel', () => {
    const random = createRandom(1);
    const shape: Zyx = [14, 15, 16];
    for (const name of ['apo-ferritin', 'esterase', 'beta-amylase']) {
      const molecule = {
        species: species.find((candidate) => candidate.name === name)!,
        position: { x: 40 + 30 * random.uniform(), y: 80, z: 70 },
        rotation: random.rotation(),
      };
      const grid = { ...anisotropic, shape };
      const expected = bruteForce(grid, molecule);
      const difference = render(grid, [molecule]).data.map((value, i) => Math.abs(value - expected[i]!));
      // Every bead is cut off at exp(−8) of its peak.
      expect(Math.max(...difference)).toBeLessThan(2e-3);
      expect(Math.max(...expected)).toBeGreaterThan(0.3);
    }
  });

  it.each(species.map((entry) => [entry.name, entry] as const))(
    'drawMolecule centres %s where it was placed, whatever its orientation',
    (_, entry) => {
      const random = createRandom(entry.beads.length);
      for (let n = 0; n < 3; n++) {
        const position = {
          x: 230 + 40 * random.uniform(),
          y: 220 + 40 * random.uniform(),
          z: 190 + 10 * random.uniform(),
        };
        const molecule = { species: entry, position, rotation: random.rotation() };
        const expected = toVoxel(anisotropic, position);
        const found = centroid(render(anisotropic, [molecule]));
        for (const axis of [0, 1, 2]) expect(Math.abs(found[axis]! - expected[axis]!)).toBeLessThan(0.1);
      }
    },
  );

  it('drawMolecule keeps the total density under rotation and shift', () => {
    const ribosome = species.find(({ name }) => name === 'ribosome')!;
    const reference = massOf(
      render(anisotropic, [
        { species: ribosome, position: { x: 240, y: 240, z: 200 }, rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
      ]),
    );
    fc.assert(
      fc.property(fc.nat(1000), fc.float({ min: -10, max: 10, noNaN: true }), (seed, shift) => {
        const rotation = createRandom(seed).rotation();
        const position = { x: 240 + shift, y: 240 - shift, z: 200 + shift };
        const mass = massOf(render(anisotropic, [{ species: ribosome, position, rotation }]));
        // Beads are sampled at voxel centres only, which moves the sum by up to 0.2 % here.
        expect(Math.abs(mass / reference - 1)).toBeLessThan(2.5e-3);
      }),
      { numRuns: 15 },
    );
  });

  it('drawMolecule omits density outside the volume', () => {
    const random = createRandom(2);
    const large: VoxelGrid = { shape: [30, 30, 30], voxelSize: [10, 10, 10], origin: { x: -100, y: -100, z: -100 } };
    const small: VoxelGrid = { shape: [10, 10, 10], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
    const molecule = { species: species[0]!, position: { x: 2, y: 95, z: 40 }, rotation: random.rotation() };
    const whole = render(large, [molecule]).data;
    const part = render(small, [molecule]).data;
    const cropped = part.map((_, i) => {
      const [z, y, x] = [Math.floor(i / 100), Math.floor(i / 10) % 10, i % 10];
      return whole[((z + 10) * 30 + y + 10) * 30 + x + 10]!;
    });
    expect(Math.max(...part.map((value, i) => Math.abs(value - cropped[i]!)))).toBeLessThan(1e-6);
  });

  it('drawMolecule writes through a strided view only', () => {
    const rotation = createRandom(4).rotation();
    const grid: VoxelGrid = { shape: [20, 20, 20], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
    const molecule = { species: species[0]!, position: { x: 95, y: 95, z: 95 }, rotation };
    const padded = new Float32Array(20 * 32 * 20);
    drawMolecule({ data: padded, shape: grid.shape, stride: [32 * 20, 20, 1], offset: 0 }, { grid, molecule });
    const plain = render(grid, [molecule]).data;
    for (let z = 0; z < 20; z++) {
      expect(padded.slice(z * 640, z * 640 + 400)).toEqual(plain.slice(z * 400, z * 400 + 400));
      expect(padded.subarray(z * 640 + 400, (z + 1) * 640).every((value) => value === 0)).toBe(true);
    }
  });
});

describe('species', () => {
  it('species are solid protein inside, and none is denser than the ribosome and the capsid allow', () => {
    for (const entry of species) {
      const grid: VoxelGrid = { shape: [40, 40, 40], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
      const volume = render(grid, [
        { species: entry, position: { x: 195, y: 195, z: 195 }, rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
      ]);
      const densest = Math.max(...volume.data);
      expect(densest, entry.name).toBeGreaterThan(0.55);
      expect(densest, entry.name).toBeLessThan(2.6);
    }
  });

  it('species have the mass of the real molecules, at 0.81 Da/Å³', () => {
    const kilodalton = (name: string) => {
      const { beads, sigma } = species.find((candidate) => candidate.name === name)!;
      let sum = 0;
      for (let i = 3; i < beads.length; i += 4) sum += beads[i]!;
      return (sum * (2 * Math.PI) ** 1.5 * sigma ** 3 * 0.81) / 1000;
    };
    for (const [name, mass] of [
      ['apo-ferritin', 480],
      ['beta-galactosidase', 465],
      ['thyroglobulin', 660],
      ['ribosome', 4300],
    ] as const) {
      expect(Math.abs(kilodalton(name) / mass - 1), name).toBeLessThan(0.15);
    }
  });
});
