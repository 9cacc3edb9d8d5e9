import { type Across, type Crop, type CropPlane, type Cube, cube, side } from './crops.ts';

/** Voxels between the circles that bound a ring. */
const ringWidth = 2;

/** Rings of a profile: up to 22 voxels from the centre. */
const rings = side / 2 / ringWidth;

/** Radius that holds a particle, in voxels: outside it are its halo and the background. */
export const bodyRadius: Readonly<Record<string, number>> = {
  'apo-ferritin': 7,
  'beta-amylase': 5,
  'beta-galactosidase': 9,
  ribosome: 15,
  thyroglobulin: 12,
  'virus-like-particle': 15,
};

/** What one crop looks like. Grey values are in deviations of the background from its median; protein is negative. */
export interface Measures {
  /** Mean grey of rings of two voxels around the centre, per plane. */
  readonly profile: Readonly<Partial<Record<Across, readonly number[]>>>;
  /** Contrast to noise: how dark the darkest ring is, across z. */
  readonly contrast: number;
  /** How dark the tenth of the particle's disc is that is darkest, across z. */
  readonly darkest: number;
  /** The same across y. */
  readonly darkestAcrossY: number;
  /** Radius of the disc around the centre that holds half of the darkness of the body, across z, in voxels. */
  readonly spread: number;
  /** Mean grey of the ring of four voxels around the body, across z: a bright fringe is positive. */
  readonly halo: number;
  /** Mean darkness along z beyond the body over that along x, of the plane across y: streaks of the missing wedge. */
  readonly smear: number;
  /** Correlation of background voxels 1 to 4 apart. */
  readonly correlation: Readonly<Record<'x' | 'y' | 'z', readonly number[]>>;
  readonly skew: number;
  readonly kurtosis: number;
}

export function measure({ object, planes }: Crop): Measures {
  const body = bodyRadius[object]!;
  const scale = greyScale({ object, planes });
  const standard = Object.fromEntries(
    Object.entries(planes).map(([across, { values, centre }]) => [
      across,
      { centre, values: values.map((value) => (value - scale.median) / scale.deviation) },
    ]),
  ) as Crop['planes'];
  const [z, y] = [standard.z!, standard.y!];
  const profile = Object.fromEntries(
    Object.entries(standard).map(([across, plane]) => [across, profileOf(plane)]),
  ) as Measures['profile'];
  const darkest = (plane: CropPlane) => {
    const disc = valuesWithin(plane, (a, b) => Math.hypot(a, b) <= body).sort((a, b) => a - b);
    return -mean(disc.slice(0, Math.ceil(disc.length / 10)));
  };
  const along = (within: (dz: number, dx: number) => boolean) => -mean(valuesWithin(y, within));
  const beyond = (a: number, b: number) => Math.abs(b) <= body / 2 && Math.abs(a) > body && Math.abs(a) <= body + 4;
  return {
    profile,
    contrast: -Math.min(...profile.z!),
    darkest: darkest(z),
    darkestAcrossY: darkest(y),
    spread: halfRadius(z, body),
    halo: mean(valuesWithin(z, (dy, dx) => Math.hypot(dy, dx) > body && Math.hypot(dy, dx) <= body + 4)),
    smear: along((dz, dx) => beyond(dz, dx)) - along((dz, dx) => beyond(dx, dz)),
    correlation: {
      x: correlations([standard.z!, standard.y], 'column', body + 4),
      y: correlations([standard.z!], 'row', body + 4),
      z: correlations([standard.y, standard.x], 'row', body + 4),
    },
    ...shape(valuesWithin(z, () => true)),
  };
}

/** Profile, darkness and shape of the histogram of a cube, whose own mean and deviation are its scale. */
export interface CubeMeasures {
  /** Mean grey of rings of two voxels around the centre, over three planes across z. */
  readonly profile: readonly number[];
  /** How dark the twentieth of the voxels is that is darkest. */
  readonly darkestTwentieth: number;
  readonly skew: number;
  readonly kurtosis: number;
}

export function measureCube({ values }: Cube): CubeMeasures {
  const [centre, all] = [mean([...values]), [...values]];
  const deviation = Math.sqrt(mean(all.map((value) => (value - centre) ** 2)));
  const standard = all.map((value) => (value - centre) / deviation);
  const sums = new Float64Array(4);
  const counts = new Float64Array(4);
  for (const [i, value] of standard.entries()) {
    const [z, rest] = [Math.floor(i / cube.side ** 2), i % cube.side ** 2];
    const ring = Math.floor(
      Math.hypot(Math.floor(rest / cube.side) - cube.centre, (rest % cube.side) - cube.centre) / ringWidth,
    );
    if (Math.abs(z - cube.centre) > 1 || ring >= sums.length) continue;
    sums[ring] += value;
    counts[ring]++;
  }
  const sorted = standard.toSorted((a, b) => a - b);
  return {
    profile: Array.from(sums, (sum, i) => sum / counts[i]!),
    darkestTwentieth: -mean(sorted.slice(0, sorted.length / 20)),
    ...shape(standard),
  };
}

/**
 * Median, and deviation of what is brighter than it, of a crop's voxels outside the particle. Protein is darker, and so are
 * neighbours; what is brighter is noise, with some fringes.
 */
export function greyScale({ object, planes }: Crop): { readonly median: number; readonly deviation: number } {
  const radius = bodyRadius[object]! + 4;
  const outside = Object.values(planes).flatMap((plane) => valuesWithin(plane, (a, b) => Math.hypot(a, b) > radius));
  const sorted = outside.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1]!;
  const bright = sorted.filter((value) => value > median);
  return { median, deviation: Math.sqrt(mean(bright.map((value) => (value - median) ** 2))) };
}

/** Values of the voxels whose distances in rows and columns from the centre meet a condition. */
function valuesWithin({ values, centre }: CropPlane, within: (rows: number, columns: number) => boolean): number[] {
  return [...values].filter((_, i) => within(Math.floor(i / side) - centre[0], (i % side) - centre[1]));
}

function profileOf(plane: CropPlane): number[] {
  return Array.from({ length: rings }, (_, ring) =>
    mean(
      valuesWithin(plane, (a, b) => Math.hypot(a, b) >= ring * ringWidth && Math.hypot(a, b) < (ring + 1) * ringWidth),
    ),
  );
}

/** The radius within which half of what is darker than twice the noise lies. */
function halfRadius({ values, centre }: CropPlane, body: number): number {
  const dark = [...values]
    .map((value, i) => ({
      weight: Math.max(0, -value - 2),
      radius: Math.hypot(Math.floor(i / side) - centre[0], (i % side) - centre[1]),
    }))
    .filter(({ radius }) => radius <= body)
    .sort((a, b) => a.radius - b.radius);
  const total = dark.reduce((sum, { weight }) => sum + weight, 0);
  let left = total / 2;
  for (const { weight, radius } of dark) {
    left -= weight;
    if (left <= 0) return radius;
  }
  return body;
}

/** Correlation, at distances of 1 to 4 voxels, of pairs of which neither is a particle: outside a radius, not much darker than noise. */
function correlations(
  planes: readonly (CropPlane | undefined)[],
  direction: 'row' | 'column',
  radius: number,
): readonly number[] {
  const step = direction === 'row' ? side : 1;
  return [1, 2, 3, 4].map((lag) => {
    let [product, power] = [0, 0];
    for (const plane of planes) {
      if (plane === undefined) continue;
      const { values, centre } = plane;
      const free = (i: number) =>
        Math.abs(values[i]!) < 3 && Math.hypot(Math.floor(i / side) - centre[0], (i % side) - centre[1]) > radius;
      for (let i = 0; i + lag * step < values.length; i++) {
        const j = i + lag * step;
        if (direction === 'column' && Math.floor(i / side) !== Math.floor(j / side)) continue;
        if (!free(i) || !free(j)) continue;
        product += values[i]! * values[j]!;
        power += (values[i]! ** 2 + values[j]! ** 2) / 2;
      }
    }
    return product / power;
  });
}

function shape(values: readonly number[]): { readonly skew: number; readonly kurtosis: number } {
  const centre = mean(values);
  const deviation = Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
  const moment = (power: number) => mean(values.map((value) => ((value - centre) / deviation) ** power));
  return { skew: moment(3), kurtosis: moment(4) - 3 };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
