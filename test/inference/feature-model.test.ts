import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { averageOf, type FeatureModel, onnxModel, planTiles, scoreSlabs, withFlips } from '../../src/entry/index.ts';
import { loadModel } from '../../src/entry/node.ts';
import { featuresOf } from '../../src/inference/feature-model.ts';
import { fakeSpec, identityModel } from '../support/identity-model.ts';
import { joinSlabs } from '../support/score-map.ts';
import { sourceOf } from '../support/volumes.ts';

const path = (name: string) => fileURLToPath(new URL(`../fixtures/onnx/${name}.onnx`, import.meta.url));
const bytes = (name: string) => readFileSync(path(name));
const ramp = (length: number) => Float32Array.from({ length }, (_, i) => i);
const tile = { data: ramp(8), shape: [1, 2, 2, 2] } as const;

describe('the features of a network', () => {
  it('have no calibration curves, which are of its scores', () => {
    const network = identityModel({ calibrationCurves: { particle: [[0.5, 0.3]] } });
    expect(featuresOf({ ...network, featureCount: 2 }).spec).not.toHaveProperty('calibrationCurves');
  });

  it.each([
    ['onnxModel', () => onnxModel(ort, bytes('two-outputs-features'), { spec: fakeSpec() })],
    ['loadModel', () => loadModel(ort, path('two-outputs-features'), { spec: fakeSpec() })],
  ])(
    '%s gives the features of a network to those who ask for them, and its scores before and after',
    async (_, open) => {
      const model = await open();
      expect(model.featureCount).toBe(2);
      for (let again = 0; again < 2; again++) {
        const scores = await model.score(tile);
        expect([scores.shape, scores.data]).toEqual([[1, 1, 2, 2, 2], ramp(8)]);
        scores.release?.();
        const features = await model.score(tile, { output: 'features' });
        expect([features.shape, [...features.data]]).toEqual([
          [1, 2, 2, 2, 2],
          [...ramp(8), ...ramp(8)],
        ]);
        features.release?.();
      }
      await model.dispose();
    },
  );

  it('a network without features throws if it is asked for them, and says what it needs', async () => {
    const model = await onnxModel(ort, bytes('identity'), { spec: fakeSpec({ name: 'tiny' }) });
    const error = {
      code: 'unsupported',
      message: expect.stringContaining(
        'model "tiny": this network gives no features: it needs a second output "features"',
      ),
    };
    expect(model.featureCount).toBeUndefined();
    await expect(model.score(tile, { output: 'features' })).rejects.toMatchObject(error);
    expect(() => featuresOf(model)).toThrow(expect.objectContaining(error));
    await model.dispose();
  });

  it('features are streamed as scores are: cut into tiles and blended, they are those of the whole volume', async () => {
    const model = await onnxModel(ort, bytes('two-outputs-features'), { spec: fakeSpec() });
    const shape = [10, 9, 14] as const;
    const voxels = ramp(10 * 9 * 14);
    const plan = planTiles(shape, model.spec, { overlap: [4, 4, 4] });
    const map = await joinSlabs(scoreSlabs(sourceOf(voxels, shape), { plan, model: featuresOf(model) }));
    expect(map.shape).toEqual([2, ...shape]);
    for (const [i, voxel] of [...voxels, ...voxels].entries()) expect(map.data[i]).toBeCloseTo(voxel, 2);
    await model.dispose();
  });

  it('any model can have features, and wrappers that average scores have none', async () => {
    const model: FeatureModel = {
      ...identityModel({ classes: ['a', null] }),
      featureCount: 3,
      score: async ({ shape: [n, z, y, x] }, { output } = {}) => {
        const channels = output === 'features' ? 3 : 2;
        return { data: new Float32Array(n * channels * z * y * x).fill(channels), shape: [n, channels, z, y, x] };
      },
    };
    const { data, shape } = await featuresOf(model).score(tile);
    expect([shape, data[0]]).toEqual([[1, 3, 2, 2, 2], 3]);
    for (const wrapped of [withFlips(model, ['x']), averageOf(model, model)]) {
      expect(() => featuresOf(wrapped)).toThrow('gives no features');
    }
  });
});
