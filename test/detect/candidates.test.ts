import { describe, expect, it } from 'vitest';
import {
  type DetectCandidatesOptions,
  detectCandidates,
  detectParticles,
  type Model,
  picksFromCandidates,
} from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';
import { countingSource } from '../support/counting-source.ts';
import { identityModel } from '../support/identity-model.ts';
import { indexVolume, offsetOracle } from '../support/offset-oracle.ts';
import { sourceOf } from '../support/volumes.ts';

const random = createRandom(11);
const shape = [20, 40, 24] as const;
const voxels = Float32Array.from({ length: 20 * 40 * 24 }, () => random.normal());
const source = sourceOf(voxels, shape);
const classes = ['ribosome', null, 'apo-ferritin', 'virus'];
const card = {
  thresholds: { ribosome: 1, 'apo-ferritin': 3, virus: 4 },
  minDistances: { ribosome: 40, 'apo-ferritin': 25, virus: 90 },
};
const model = identityModel({ tile: [16, 16, 16], classes, normalization: 'z-score', ...card });
/** Few scores, so that there are plateaus and equal scores within and between objects. */
const coarse = identityModel({ ...model.spec, normalization: 'none' });
const steps = sourceOf(
  voxels.map((value) => Math.max(0, Math.round(2 * value)) / 2),
  shape,
);
const objects = [{ name: 'ribosome' }, { name: 'apo-ferritin' }, { name: 'virus' }];
const picking = [
  {},
  { max: 7 },
  { minDistances: 0, max: { virus: 3 } },
  { acrossObjects: true },
  { acrossObjects: 60, mask: ({ x, z }: { x: number; z: number }) => x > 50 && z < 160, max: 20 },
];

describe('detectCandidates', () => {
  it.each<[string, Model, typeof source, readonly number[]]>([
    ['noise', model, source, [0.1, 0.4, 0.7, 1, 1.5, 2, 3.3, 5, 99]],
    ['plateaus and equal scores', coarse, steps, [0.1, 0.49, 0.5, 0.51, 1, 1.5, 2, 3, 4.5, 99]],
  ])(
    'detectCandidates finds what detectParticles picks from at any threshold: %s',
    async (_, model, source, thresholds) => {
      const candidates = await detectCandidates(source, { model });
      expect(candidates).toMatchObject({ grid: source.grid, objects: objects.map(({ name }) => name), ...card });
      expect(candidates.floors).toEqual({ ribosome: 0.1, 'apo-ferritin': 0.1, virus: 0.1 });
      expect(candidates.lowestThresholds).toEqual(candidates.floors);
      let picked = 0;
      for (const threshold of thresholds) {
        for (const options of picking) {
          const fresh = await detectParticles(source, { model, thresholds: threshold, ...options });
          expect(picksFromCandidates(candidates, { thresholds: threshold, ...options })).toEqual(fresh);
          picked += fresh.length;
        }
      }
      expect(picked).toBeGreaterThan(1000);
      expect(picksFromCandidates(candidates)).toEqual(await detectParticles(source, { model }));
    },
  );

  it('detectCandidates finds what detectParticles picks from with a model that gives offsets', async () => {
    const planted = [
      { object: 'a', at: [8.3, 9.1, 10.2] as const },
      { object: 'b', at: [8.6, 30.4, 12.9] as const },
    ];
    const oracle = offsetOracle([20, 44, 28], planted, { tile: [24, 24, 24], outputStride: 2, activation: 'sigmoid' });
    const volume = indexVolume([20, 44, 28]);
    const candidates = await detectCandidates(volume, { model: oracle, floors: 0.01 });
    for (const thresholds of [0.01, 0.1, 0.3, 0.5, 0.7, 0.9]) {
      const fresh = await detectParticles(volume, { model: oracle, thresholds });
      expect(picksFromCandidates(candidates, { thresholds })).toEqual(fresh);
    }
    expect(
      picksFromCandidates(candidates, { thresholds: 0.5 })
        .map(({ object }) => object)
        .sort(),
    ).toEqual(['a', 'b']);
  });

  it('detectCandidates keeps as many candidates of an object as it is told, and says down to which threshold they serve', async () => {
    const whole = await detectCandidates(source, { model, thresholds: 99 });
    const few = await detectCandidates(source, { model, thresholds: 99, candidatesPerObject: 50 });
    few.objects.forEach((object, index) => {
      const scores = [...whole.scores].filter((_, i) => whole.objectIndices[i] === index).sort((a, b) => b - a);
      expect([...few.scores].filter((_, i) => few.objectIndices[i] === index).sort((a, b) => b - a)).toEqual(
        scores.slice(0, 50),
      );
      expect(few.lowestThresholds[object]).toBe(scores[49]);
    });
    const thresholds = few.lowestThresholds;
    expect(picksFromCandidates(few, { thresholds })).toEqual(await detectParticles(source, { model, thresholds }));
    expect(() => picksFromCandidates(few, { thresholds: 0.2 })).toThrow(
      /down to 0.1, and only the best were kept, down to/,
    );
  });

  it('detectCandidates keeps all candidates that reach the threshold, whatever number it is told to keep', async () => {
    const options = { model, thresholds: { ribosome: 0.7 }, minDistances: { ribosome: 0 } };
    const candidates = await detectCandidates(source, { ...options, candidatesPerObject: 1 });
    expect(picksFromCandidates(candidates)).toEqual(await detectParticles(source, options));
    expect(candidates.lowestThresholds).toEqual({ ...card.thresholds, ribosome: 0.7 });
    expect(candidates.floors).toEqual({ ribosome: 0.1, 'apo-ferritin': 0.1, virus: 0.1 });
  });

  it('detectCandidates looks for objects that are asked for, with the radius of those whose distance the card lacks', async () => {
    const bare = identityModel({ ...model.spec, minDistances: {} });
    const found = await detectCandidates(source, {
      model: bare,
      objects: [{ name: 'virus', radius: 70 }, { name: 'membrane' }],
      floors: 3,
    });
    expect(found).toMatchObject({
      objects: ['virus'],
      thresholds: { virus: 4 },
      minDistances: { virus: 70 },
      floors: { virus: 3 },
    });
    expect(Math.min(...found.scores)).toBeGreaterThanOrEqual(3);
  });

  it('detectCandidates takes the lowest threshold of the card as floor where it is not above 0, since a tenth of it would be higher', async () => {
    const logits = identityModel({ ...model.spec, thresholds: { ...card.thresholds, ribosome: -2 } });
    const { floors } = await detectCandidates(source, { model: logits });
    expect(floors).toEqual({ ribosome: -2, 'apo-ferritin': -2, virus: -2 });
  });

  it.each<[string, Partial<DetectCandidatesOptions>, RegExp]>([
    ['a floor that is NaN', { floors: Number.NaN }, /floors must be a finite score, found NaN/],
    [
      'a floor above the threshold',
      { floors: { virus: 5 } },
      /floors of "virus" is 5, .* above its threshold, 4; expected at most/,
    ],
    ['a threshold of a misspelt object', { thresholds: { typo: 1 } }, /thresholds names "typo"/],
    ['a floor of a misspelt object', { floors: { typo: 1 } }, /floors names "typo"/],
    ['no candidate per object', { candidatesPerObject: 0 }, /candidatesPerObject must be a whole number ≥ 1, found 0/],
    ['objects that the model does not know', { objects: [{ name: 'typo' }] }, /none of the objects/],
  ])('detectCandidates throws for %s before it reads a voxel', async (_, options, message) => {
    const counted = { ...countingSource(voxels, shape), grid: source.grid };
    await expect(detectCandidates(counted, { model, ...options })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(message),
    });
    expect(counted.reads).toBe(0);
  });
});
