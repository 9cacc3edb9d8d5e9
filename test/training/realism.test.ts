import { beforeAll, describe, expect, it } from 'vitest';
import type { Volume } from '../../src/entry/index.ts';
import { openMrcFile } from '../../src/entry/node.ts';
import { simulateTomogram } from '../../src/entry/simulate.ts';
import { missingCrop, readRealCrops } from '../../training/realism/crops.ts';
import { type Measures, measure } from '../../training/realism/measures.ts';
import { simulateCrops } from '../../training/realism/simulated.ts';
import { sharedData } from '../support/shared-data.ts';

/** Measured on one particle of each species in TS_6_4. Greys are in deviations of the background. */
const real = {
  'apo-ferritin': { contrast: 4.44, halo: -0.04, spread: 4.97 },
  'beta-galactosidase': { contrast: 5.17, halo: 0.02, spread: 2.62 },
  ribosome: { contrast: 5.82, halo: -0.16, spread: 7.21 },
  thyroglobulin: { contrast: 3.84, halo: 0.01, spread: 4.07 },
  'virus-like-particle': { contrast: 2.29, halo: 0.25, spread: 11.36 },
} as const;
const objects = Object.keys(real) as (keyof typeof real)[];

/** Correlation of the background 1 to 4 voxels apart: median of the crops of TS_6_4 but the crowded one of the ribosome. */
const realCorrelation = {
  x: [0.45, -0.21, -0.23, 0],
  y: [0.62, 0.23, 0.15, 0.1],
  z: [0.87, 0.62, 0.39, 0.23],
} as const;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

describe('simulated particles of the default difficulty beside real ones', () => {
  let simulated: ReadonlyMap<string, readonly Measures[]>;
  beforeAll(async () => {
    const { crops } = await simulateCrops(2, 1);
    simulated = new Map(objects.map((object) => [object, crops.filter((crop) => crop.object === object).map(measure)]));
  }, 240_000);
  const of = (object: string, number: (measures: Measures) => number) => median(simulated.get(object)!.map(number));

  it.each(objects)('simulated particles have no more contrast to noise than a real one: %s', (object) => {
    expect(of(object, ({ contrast }) => contrast)).toBeLessThanOrEqual(real[object].contrast);
    expect(of(object, ({ contrast }) => contrast)).toBeGreaterThan(0.6 * real[object].contrast);
  });

  it.each(objects)('simulated particles have a halo hardly brighter than that of a real one: %s', (object) => {
    expect(of(object, ({ halo }) => halo) - real[object].halo).toBeLessThan(0.5);
  });

  it.each(objects)('simulated particles are as large as a real one: %s', (object) => {
    expect(Math.abs(of(object, ({ spread }) => spread) - real[object].spread)).toBeLessThan(1);
  });

  it.each(['x', 'y', 'z'] as const)('simulated background correlates along %s as a real one does', (axis) => {
    const others = objects.filter((object) => object !== 'ribosome');
    for (const [i, theirs] of realCorrelation[axis].entries()) {
      const ours = median(others.map((object) => of(object, ({ correlation }) => correlation[axis][i]!)));
      expect(Math.abs(ours - theirs), `${i + 1} voxels apart`).toBeLessThan(0.2);
    }
  });
});

const missing = missingCrop(sharedData('real'));

describe.skipIf(missing !== undefined)('real crops (needs ../shared/data)', () => {
  it.each(objects)('the real crop measures what the comparison says of it: %s', (object) => {
    const crop = readRealCrops(sharedData('real')).crops.find((one) => one.object === object)!;
    const { contrast, halo, spread } = measure(crop);
    const rounded = [contrast, halo, spread].map((value) => Math.round(100 * value) / 100 + 0);
    expect(rounded).toEqual([real[object].contrast, real[object].halo, real[object].spread]);
  });
});

/** Correlation at 1 to 4 voxels of an area without cells in a tomogram of lysosomes, a plain back-projection. */
const lysosomes = { x: [0.23, -0.37, -0.21, -0.04], y: [0.1, -0.02, 0.01, 0.01], z: [0.81, 0.48, 0.22, 0.1] } as const;

function correlation({ data, shape, stride, offset }: Volume, axis: number, lag: number): number {
  const [depth, height, width] = shape.map((length, i) => (i === axis ? length - lag : length)) as [
    number,
    number,
    number,
  ];
  const step = lag * stride[axis]!;
  let [product, power] = [0, 0];
  for (let z = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const at = offset + z * stride[0] + y * stride[1] + x * stride[2];
        product += data[at]! * data[at + step]!;
        power += data[at]! ** 2;
      }
    }
  }
  return product / power;
}

describe('the noise of a back-projection', () => {
  it('the noise of a back-projection is white along the tilt axis, and a band across it, as in a real one', async () => {
    const names = [...objects, 'beta-amylase'];
    const counts = Object.fromEntries(names.map((name) => [name, 0]));
    const options = { shape: [64, 96, 96], seed: 6, filter: 'wbp', counts, surroundings: {}, decoys: 0 } as const;
    const { volume } = await simulateTomogram(options);
    for (const [axis, lag, theirs] of [
      ...lysosomes.x.map((value, i) => [2, i + 1, value] as const),
      ...lysosomes.y.map((value, i) => [1, i + 1, value] as const),
    ]) {
      expect(Math.abs(correlation(volume, axis, lag) - theirs), `axis ${axis}, ${lag} voxels`).toBeLessThan(0.1);
    }
  });

  it.skipIf(missing !== undefined)(
    'the background of the lysosomes measures what the comparison says of it',
    async () => {
      const tomogram = await openMrcFile(sharedData('real/czii_lysosome_left.mrc'));
      const [depth, , width] = tomogram.grid.shape;
      const volume = await tomogram.read({ start: [0, 0, 0], end: [depth, 200, width] });
      for (const [axis, values] of [lysosomes.z, lysosomes.y, lysosomes.x].entries()) {
        for (const [i, value] of values.entries()) expect(correlation(volume, axis, i + 1)).toBeCloseTo(value, 1);
      }
    },
  );
});
