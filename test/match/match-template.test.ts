import { beforeAll, describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  localMaxima,
  type MatchTemplateOptions,
  makeTemplate,
  matchTemplate,
  type ParticlePick,
  type Progress,
  resampled,
  type ScoreSlab,
  sourceFromArray,
  suppressNearby,
  type Template,
  toPick,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { createRandom, drawMolecule, simulateTomogram, speciesNamed } from '../../src/entry/simulate.ts';
import { angleBetween, evenRotations } from '../../src/match/rotations.ts';
import { type Rotation, rotationOf, transformOf } from '../../src/picks/rotation.ts';
import { squaredDistance, voxelCount } from '../../src/space/grid.ts';
import { noise, sourceOf } from '../support/volumes.ts';

/** The map of a molecule, bright, in a box of 40 voxels of 10 Å. */
function mapOf(name: string, edge = 40): VolumeSource {
  const grid = { shape: [edge, edge, edge] as const, voxelSize: [10, 10, 10] as const, origin: { x: 0, y: 0, z: 0 } };
  const volume = contiguousVolume(new Float32Array(edge ** 3), grid.shape);
  const middle = (10 * (edge - 1)) / 2;
  const position = { x: middle, y: middle, z: middle };
  drawMolecule(volume, {
    grid,
    molecule: { species: speciesNamed(name), position, rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
  });
  return sourceFromArray(volume, grid);
}

interface Found {
  readonly scores: Float32Array;
  readonly transformAt: NonNullable<ScoreSlab['transformAt']>;
  readonly slabs: number;
}

/** All slabs of a search as one. */
async function whole(slabs: AsyncIterable<ScoreSlab>, shape: Zyx): Promise<Found> {
  const scores = new Float32Array(voxelCount(shape));
  let [last, count]: [ScoreSlab | undefined, number] = [undefined, 0];
  for await (const slab of slabs) {
    const [, depth, height, width] = slab.scores.shape;
    const at = [0, 0, 0].map((_, axis) => (axis === slab.axis ? slab.start : 0)) as unknown as Zyx;
    for (let z = 0, from = 0; z < depth; z++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          scores[((z + at[0]) * shape[1] + y + at[1]) * shape[2] + x + at[2]] = slab.scores.data[from++]!;
        }
      }
    }
    last = slab;
    count++;
  }
  return { scores, transformAt: last!.transformAt!, slabs: count };
}

// The search by its definition, in double precision

interface BruteForce {
  readonly rotations: readonly Rotation[];
  readonly half: number;
  /** Weight at a displacement z, y, x in Å in the tomogram. */
  readonly weightAt: (rotation: Rotation, z: number, y: number, x: number) => number;
  /** Factor of a frequency z, y, x in Å⁻¹. */
  readonly filter?: ((z: number, y: number, x: number) => number) | undefined;
  /** Of the transform of the filter. */
  readonly box: Zyx;
}

function interpolate(data: ArrayLike<number>, edge: number, at: Zyx): number {
  let sum = 0;
  const low = at.map(Math.floor);
  for (const dz of [0, 1]) {
    for (const dy of [0, 1]) {
      for (const dx of [0, 1]) {
        const [z, y, x] = [low[0]! + dz, low[1]! + dy, low[2]! + dx];
        if (Math.min(z, y, x) < 0 || Math.max(z, y, x) >= edge) continue;
        const weight = (1 - Math.abs(at[0] - z)) * (1 - Math.abs(at[1] - y)) * (1 - Math.abs(at[2] - x));
        sum += weight * data[(z * edge + y) * edge + x]!;
      }
    }
  }
  return sum;
}

/** A value on the template's grid at a displacement in the tomogram: the inverse rotation leads to the template. */
function onTemplate(template: Template, data: ArrayLike<number>, r: Rotation, [z, y, x]: Zyx): number {
  const edge = template.volume.shape[0];
  const [size, middle] = [template.grid.voxelSize[0], (edge - 1) / 2];
  const along = (axis: 0 | 1 | 2) => (r[0][axis] * x + r[1][axis] * y + r[2][axis] * z) / size + middle;
  return interpolate(data, edge, [along(2), along(1), along(0)]);
}

/** Multiplies all frequencies of a cube, in a box with zeros around it. */
function filtered(
  cube: Float64Array,
  side: number,
  box: Zyx,
  factor: (z: number, y: number, x: number) => number,
): Float64Array {
  const [nz, ny, nx] = box;
  let re = new Float64Array(nz * ny * nx);
  let im = new Float64Array(nz * ny * nx);
  for (let i = 0; i < side ** 3; i++) {
    const [z, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    re[(z * ny + y) * nx + x] = cube[i]!;
  }
  const transformAlong = (axis: 0 | 1 | 2, sign: 1 | -1) => {
    const [length, step] = [box[axis], [ny * nx, nx, 1][axis]!];
    const [outRe, outIm] = [new Float64Array(re.length), new Float64Array(re.length)];
    for (let at = 0; at < re.length; at++) {
      const k = Math.floor(at / step) % length;
      const first = at - k * step;
      for (let j = 0; j < length; j++) {
        const phase = (sign * 2 * Math.PI * j * k) / length;
        const [cos, sin, from] = [Math.cos(phase), Math.sin(phase), first + j * step];
        outRe[at]! += re[from]! * cos - im[from]! * sin;
        outIm[at]! += re[from]! * sin + im[from]! * cos;
      }
    }
    [re, im] = [outRe, outIm];
  };
  for (const axis of [0, 1, 2] as const) transformAlong(axis, -1);
  const index = (i: number, n: number) => (i <= n / 2 ? i : i - n) / n;
  for (let at = 0; at < re.length; at++) {
    const [k, j, i] = [Math.floor(at / (ny * nx)), Math.floor(at / nx) % ny, at % nx];
    // The half with kx below 0 mirrors the other.
    const mirrored = i > nx / 2;
    const [mk, mj, mi] = mirrored ? [(nz - k) % nz, (ny - j) % ny, nx - i] : [k, j, i];
    const value = factor(index(mk, nz), index(mj, ny), index(mi, nx));
    re[at]! *= value;
    im[at]! *= value;
  }
  for (const axis of [0, 1, 2] as const) transformAlong(axis, 1);
  return Float64Array.from({ length: side ** 3 }, (_, i) => {
    const [z, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    return re[(z * ny + y) * nx + x]! / (nz * ny * nx);
  });
}

/** √½ at a face, 1 from half of the ball's radius on. */
function inside(voxel: Zyx, shape: Zyx, half: number): number {
  const distances = voxel.flatMap((at, axis) => [at, shape[axis]! - 1 - at]);
  return distances.reduce((product, distance) => product * Math.sqrt(Math.min(1, 0.5 + distance / half)), 1);
}

function bruteForce(values: Float32Array, shape: Zyx, template: Template, search: BruteForce) {
  const { rotations, half, weightAt, filter, box } = search;
  const side = 2 * half + 1;
  const size = template.voxelSize;
  const mirror = (i: number, n: number) => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
  const best = new Float64Array(voxelCount(shape)).fill(Number.NEGATIVE_INFINITY);
  const second = new Float64Array(best.length).fill(Number.NEGATIVE_INFINITY);
  const winner = new Int32Array(best.length);
  const [depth, height, width] = shape.map((length) => length + 2 * half) as [number, number, number];
  const padded = Float64Array.from({ length: depth * height * width }, (_, i) => {
    const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
    const [k, j, l] = [mirror(z - half, shape[0]), mirror(y - half, shape[1]), mirror(x - half, shape[2])];
    return values[(k * shape[1] + j) * shape[2] + l]!;
  });
  for (const [index, rotation] of rotations.entries()) {
    const places = Array.from(
      { length: side ** 3 },
      (_, i) =>
        [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side].map(
          (at) => (at - half) * size,
        ) as unknown as Zyx,
    );
    let turned = Float64Array.from(places, (place) => onTemplate(template, template.volume.data, rotation, place));
    if (filter)
      turned = filtered(turned, side, box, (z, y, x) => filter(z / size, y / size, x / size)) as typeof turned;
    const weights = places.map(([z, y, x]) => weightAt(rotation, z, y, x));
    const weight = weights.reduce((sum, value) => sum + value, 0);
    const mean = weights.reduce((sum, value, i) => sum + value * turned[i]!, 0) / weight;
    const norm = Math.sqrt(weights.reduce((sum, value, i) => sum + value * (turned[i]! - mean) ** 2, 0));
    const used = weights.flatMap((m, i) => (m === 0 ? [] : [i]));
    const steps = Int32Array.from(
      used,
      (i) => (Math.floor(i / side ** 2) * height + (Math.floor(i / side) % side)) * width + (i % side),
    );
    const [masked, kernel] = [(i: number) => weights[i]!, (i: number) => weights[i]! * (turned[i]! - mean)].map((of) =>
      Float64Array.from(used, of),
    ) as [Float64Array, Float64Array];
    for (let at = 0; at < best.length; at++) {
      const [z, y, x] = [Math.floor(at / (shape[1] * shape[2])), Math.floor(at / shape[2]) % shape[1], at % shape[2]];
      const first = (z * height + y) * width + x;
      let [product, sum, squares] = [0, 0, 0];
      for (let i = 0; i < steps.length; i++) {
        const value = padded[first + steps[i]!]!;
        product += kernel[i]! * value;
        sum += masked[i]! * value;
        squares += masked[i]! * value * value;
      }
      const score = (product / norm / Math.sqrt(squares - sum ** 2 / weight)) * inside([z, y, x], shape, half);
      if (score > best[at]!) {
        second[at] = best[at]!;
        best[at] = score;
        winner[at] = index;
      } else if (score > second[at]!) second[at] = score;
    }
  }
  return { best, second, winner };
}

const round =
  (radius: number, softEdge: number): BruteForce['weightAt'] =>
  (_, z, y, x) => {
    const beyond = Math.hypot(z, y, x) - radius;
    if (beyond <= 0) return 1;
    return beyond < softEdge ? (1 + Math.cos((Math.PI * beyond) / softEdge)) / 2 : 0;
  };

describe('matchTemplate beside a search by the definition', () => {
  const shape: Zyx = [32, 32, 32];
  const values = noise(shape, 5);
  const rotations = evenRotations({ angleStep: 60 }).filter((_, i) => i % 12 === 0);
  const angles = rotations.map(transformOf);
  let template: Template;

  beforeAll(async () => {
    template = await makeTemplate(mapOf('thyroglobulin', 30), { object: 'a', voxelSize: 20, radius: 90 });
    // One particle, so that not all is noise.
    const r = rotations[3]!;
    for (let dz = -6; dz <= 6; dz++) {
      for (let dy = -6; dy <= 6; dy++) {
        for (let dx = -6; dx <= 6; dx++) {
          const at = ((14 + dz) * 32 + 17 + dy) * 32 + 20 + dx;
          values[at]! += 4 * onTemplate(template, template.volume.data, r, [20 * dz, 20 * dy, 20 * dx]);
        }
      }
    }
  });

  const box: Zyx = [15, 15, 16];
  const wavelength = 0.0196875;
  const blob = () => {
    const edge = template.volume.shape[0];
    const data = Float32Array.from({ length: edge ** 3 }, (_, i) => {
      const [z, y, x] = [Math.floor(i / edge ** 2), Math.floor(i / edge) % edge, i % edge].map(
        (at) => at - (edge - 1) / 2,
      );
      return Math.exp(-((z! / 6) ** 2 + (y! / 3) ** 2 + (x! / 4) ** 2));
    });
    return { data, shape: template.volume.shape };
  };

  it.each<[string, () => Partial<MatchTemplateOptions>, () => Omit<BruteForce, 'rotations' | 'box'>]>([
    ['a ball as mask', () => ({ mask: { radius: 60, softEdge: 30 } }), () => ({ half: 5, weightAt: round(60, 30) })],
    [
      'a missing wedge and contrast transfer',
      () => ({
        mask: { radius: 80 },
        wedge: { tiltRange: [-40, 55] },
        ctf: { defocus: 3, voltage: 300, sphericalAberration: 0, amplitudeContrast: 0.1 },
      }),
      () => ({
        half: 4,
        weightAt: round(80, 0),
        filter: (z, y, x) => {
          const tilt = x === 0 ? (z === 0 ? 0 : 90) : (Math.atan(z / x) * 180) / Math.PI;
          const phase = Math.PI * wavelength * (z * z + y * y + x * x) * 30_000;
          const contrast = Math.sqrt(0.99) * Math.sin(phase) + 0.1 * Math.cos(phase);
          return tilt >= -40 && tilt <= 55 ? contrast : 0;
        },
      }),
    ],
    [
      'single tilts about x, and flipped phases',
      () => ({
        mask: { radius: 80 },
        wedge: { tiltAngles: [-50, -20, 0, 30], tiltAxis: 'x' },
        ctf: { defocus: 4, sphericalAberration: 0, phasesFlipped: true },
      }),
      () => ({
        half: 4,
        weightAt: round(80, 0),
        filter: (z, y, x) => {
          const away = [-50, -20, 0, 30].map((tilt) => {
            const a = (tilt * Math.PI) / 180;
            return Math.abs(z * Math.cos(a) - y * Math.sin(a));
          });
          const phase = Math.PI * wavelength * (z * z + y * y + x * x) * 40_000;
          const contrast = Math.sqrt(1 - 0.07 ** 2) * Math.sin(phase) + 0.07 * Math.cos(phase);
          return Math.min(...away) <= 0.5 / (15 * 20) ? Math.abs(contrast) : 0;
        },
      }),
    ],
    [
      'a mask that turns',
      () => ({ mask: blob() }),
      () => {
        const { data } = blob();
        return { half: 6, weightAt: (r, z, y, x) => onTemplate(template, data, r, [z, y, x]) };
      },
    ],
  ])(
    'matchTemplate finds with %s the scores and the orientations of a search by the definition',
    async (_, given, asDefined) => {
      const source = sourceOf(values, shape, { voxelSize: [20, 20, 20] });
      const found = await whole(matchTemplate(source, template, { angles, ...given() }), shape);
      const expected = bruteForce(values, shape, template, { rotations, box, ...asDefined() });
      let worst = 0;
      let other = 0;
      for (let i = 0; i < found.scores.length; i++) {
        worst = Math.max(worst, Math.abs(found.scores[i]! - expected.best[i]!));
        if (expected.best[i]! - expected.second[i]! < 1e-4) continue;
        const voxel: Zyx = [Math.floor(i / 1024), Math.floor(i / 32) % 32, i % 32];
        const winning = rotationOf(found.transformAt(voxel))!;
        if (angleBetween(winning, rotations[expected.winner[i]!]!) > 1e-6) other++;
      }
      expect(worst).toBeLessThan(1e-4);
      expect(other).toBe(0);
      const highest = expected.best.indexOf(Math.max(...expected.best));
      expect(highest).toBe((14 * 32 + 17) * 32 + 20);
      expect(expected.winner[highest]).toBe(3);
    },
    60_000,
  );
});

describe('matchTemplate in simulated tomograms', () => {
  const names = ['apo-ferritin', 'beta-amylase', 'beta-galactosidase', 'thyroglobulin', 'virus-like-particle'];
  const counts = { ...Object.fromEntries(names.map((name) => [name, 2])), ribosome: 4 };
  const scene = { shape: [48, 96, 96] as const, seed: 6, counts, decoys: 0.3, surroundings: {} };

  it.each([
    ['denoised', undefined],
    ['wbp', { defocus: 3, sphericalAberration: 0 }],
  ] as const)(
    'matchTemplate finds dark particles of %s tomograms with a bright map, and their orientations',
    async (filter, ctf) => {
      const { volume, grid, picks } = await simulateTomogram({ ...scene, filter, noise: 0.5 });
      const tomogram = resampled(sourceFromArray(volume, grid), 20);
      const template = await makeTemplate(mapOf('ribosome'), {
        object: 'ribosome',
        voxelSize: 20,
        resolution: 50,
        radius: 140,
      });
      const wedge = { tiltRange: [-45, 45] } as const;
      const slabs = matchTemplate(tomogram, template, { angles: 40, wedge, ctf });
      const found: ParticlePick[] = [];
      for await (const peak of localMaxima(slabs, { threshold: 0.05 })) found.push(toPick(peak));
      const best = suppressNearby(found, { minDistance: 200 }).slice(0, 3);
      const truth = picks.filter(({ object }) => object === 'ribosome');
      expect(truth).toHaveLength(4);
      const errors: number[] = [];
      for (const { object, position, transform } of best) {
        expect(object).toBe('ribosome');
        const match = truth.find((one) => squaredDistance(one.position, position) < 45 ** 2);
        expect(match).toBeDefined();
        errors.push(angleBetween(rotationOf(transform)!, rotationOf(match!.transform)!));
      }
      // The nearest orientation that is tried is up to 40° away.
      expect(errors.sort((a, b) => a - b)[1]).toBeLessThan(40);
    },
    240_000,
  );

  it('matchTemplate has the true particles, in steps of 30°, among as few peaks as 2,000 are of a whole tomogram', async () => {
    const shape = [64, 144, 144] as const;
    const mixed = { ribosome: 8, 'apo-ferritin': 6, thyroglobulin: 5, 'virus-like-particle': 1 };
    const { volume, grid, picks } = await simulateTomogram({ shape, seed: 11, counts: mixed });
    const truth = picks.filter(({ object }) => object === 'ribosome');
    expect(truth).toHaveLength(8);
    // As matchCandidates does: low-passed to what the step resolves, peaks half a radius apart.
    const resolution = (140 * Math.PI) / 6;
    const how = { object: 'ribosome', voxelSize: 20, resolution, radius: 140 };
    const template = await makeTemplate(mapOf('ribosome'), how);
    const wedge = { tiltRange: [-45, 45] } as const;
    const slabs = matchTemplate(resampled(sourceFromArray(volume, grid), 20), template, { angles: 30, wedge });
    const found: ParticlePick[] = [];
    for await (const peak of localMaxima(slabs, { threshold: 1e-6 })) found.push(toPick(peak));
    const few = Math.floor((2000 * voxelCount(shape)) / voxelCount([184, 630, 630]));
    const best = suppressNearby(found, { minDistance: 70 }).slice(0, few);
    const missed = truth.filter((one) => !best.some((pick) => squaredDistance(pick.position, one.position) < 75 ** 2));
    expect(missed).toEqual([]);
  }, 240_000);
});

describe('matchTemplate', () => {
  const shape: Zyx = [24, 30, 40];
  const source = sourceOf(noise(shape, 8), shape, { voxelSize: [20, 20, 20] });
  let template: Template;
  beforeAll(async () => {
    template = await makeTemplate({ shape: 'disc', radius: 60, thickness: 40 }, { object: 'disc', voxelSize: 20 });
  });

  it('matchTemplate gives the same scores, in slabs that follow each other, whatever the memory', async () => {
    const options = { angles: 60 };
    // No two orientations of it look alike.
    const lopsided = await makeTemplate(mapOf('ribosome'), { object: 'a', voxelSize: 20, radius: 100 });
    const one = await whole(matchTemplate(source, lopsided, options), shape);
    const parts = await whole(matchTemplate(source, lopsided, { ...options, memory: 1e6 }), shape);
    expect([one.slabs, parts.slabs > 1]).toEqual([1, true]);
    let worst = 0;
    for (let i = 0; i < one.scores.length; i++) worst = Math.max(worst, Math.abs(one.scores[i]! - parts.scores[i]!));
    expect(worst).toBeLessThan(1e-4);
    const peaks = async (memory: number) => {
      const found: (readonly [Zyx, unknown])[] = [];
      for await (const { voxel, transform } of localMaxima(matchTemplate(source, lopsided, { ...options, memory }), {
        threshold: 0.1,
      })) {
        // Where two faces meet, what is mirrored at both looks the same after half a turn, so that two orientations tie.
        const faces = voxel.filter((at, axis) => at === 0 || at === shape[axis]! - 1).length;
        found.push([voxel, faces < 2 && transform]);
      }
      return found.sort(([a], [b]) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    };
    const all = await peaks(1e9);
    expect(all.length).toBeGreaterThan(5);
    expect(await peaks(1e6)).toEqual(all);
  });

  it('matchTemplate depends neither on the brightness nor on the contrast of the tomogram, and scores 0 where it is flat', async () => {
    const values = noise(shape, 9);
    for (let i = 0; i < values.length; i++) if (i % 40 > 25) values[i] = 0;
    const search = (data: Float32Array, whiten: boolean) =>
      whole(matchTemplate(sourceOf(data, shape, { voxelSize: [20, 20, 20] }), template, { angles: 60, whiten }), shape);
    for (const whiten of [false, true]) {
      const plain = await search(values, whiten);
      const other = await search(
        values.map((value) => 1000 + 0.01 * value),
        whiten,
      );
      let worst = 0;
      for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(plain.scores[i]! - other.scores[i]!));
      expect(worst).toBeLessThan(0.02);
      expect(plain.scores.every((score) => score >= -1 && score <= 1.0001)).toBe(true);
      if (!whiten) expect(plain.scores.filter((_, i) => i % 40 === 35).every((score) => score === 0)).toBe(true);
    }
  });

  it('matchTemplate finds with whitening a particle in noise that is strong at low resolution', async () => {
    const random = createRandom(3);
    const values = new Float32Array(voxelCount(shape));
    // Waves of 400 Å and longer.
    for (let n = 0; n < 40; n++) {
      const [kz, ky, kx, phase] = [0, 0, 0, 0].map(() => random.normal());
      for (let i = 0; i < values.length; i++) {
        const [z, y, x] = [Math.floor(i / 1200), Math.floor(i / 40) % 30, i % 40];
        values[i]! += 3 * Math.cos(0.2 * (kz! * z + ky! * y + kx! * x) + 6 * phase!);
      }
    }
    for (let i = 0; i < values.length; i++) values[i]! += 0.5 * random.normal();
    const rotation = evenRotations({ angleStep: 60 })[7]!;
    for (let dz = -5; dz <= 5; dz++) {
      for (let dy = -5; dy <= 5; dy++) {
        for (let dx = -5; dx <= 5; dx++) {
          const at = ((12 + dz) * 30 + 15 + dy) * 40 + 20 + dx;
          values[at]! += 3 * onTemplate(template, template.volume.data, rotation, [20 * dz, 20 * dy, 20 * dx]);
        }
      }
    }
    const noisy = sourceOf(values, shape, { voxelSize: [20, 20, 20] });
    const { scores } = await whole(
      matchTemplate(noisy, template, { angles: [transformOf(rotation)], whiten: true }),
      shape,
    );
    expect(scores.indexOf(Math.max(...scores))).toBe((12 * 30 + 15) * 40 + 20);
  });

  it('matchTemplate tells after each orientation how far it is, and stops at its signal', async () => {
    const told: Progress[] = [];
    const controller = new AbortController();
    const onProgress = (progress: Progress) => {
      told.push(progress);
      if (told.length === 3) controller.abort('enough');
    };
    const slabs = matchTemplate(source, template, { angles: 60, signal: controller.signal, onProgress });
    await expect(slabs.next()).rejects.toBe('enough');
    const total = evenRotations({ angleStep: 60 }).length;
    expect(told).toEqual([1, 2, 3].map((done) => ({ stage: 'rotations', done, total })));
  });

  it.each<[string, () => [VolumeSource, Partial<Template>, object], string]>([
    [
      'a tomogram of other voxels',
      () => [sourceOf(noise(shape), shape), {}, { angles: 30 }],
      'the template is for voxels of 20 Å, the tomogram has 10×10×10 Å; hand in `resampled(tomogram, 20)`',
    ],
    [
      'a mask larger than the tomogram',
      () => [source, {}, { angles: 30, mask: { radius: 400 } }],
      'a mask of 41 voxels across',
    ],
    [
      'a ball without a radius',
      () => [source, {}, { angles: 30, mask: { radius: Number.NaN } }],
      'mask.radius must be',
    ],
    [
      'a mask on another grid',
      () => [source, {}, { angles: 30, mask: { data: new Float32Array(8), shape: [2, 2, 2] } }],
      'the mask has 2×2×2 voxels, the template',
    ],
    ['a step that takes for ever', () => [source, {}, { angles: 1 }], 'angles must be a step from 3.5 to 180 degrees'],
    ['a group that there is not', () => [source, {}, { angles: 30, symmetry: 'Q' }], 'symmetry must be C1'],
    [
      'a map in place of a template',
      () => [source, { volume: undefined } as never, { angles: 30 }],
      'template.volume must be',
    ],
    [
      'an orientation that mirrors',
      () => [
        source,
        {},
        {
          angles: [
            [
              [-1, 0, 0, 0],
              [0, 1, 0, 0],
              [0, 0, 1, 0],
              [0, 0, 0, 1],
            ],
          ],
        },
      ],
      'angles must be',
    ],
  ])('matchTemplate refuses %s, before anything is read', (_, given, message) => {
    const [tomogram, changes, options] = given();
    expect(() => matchTemplate(tomogram, { ...template, ...changes }, options as never)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });
});
