import { describe, expect, it } from 'vitest';
import { type FunctionModelOptions, functionModel, planTiles, scoreSlabs } from '../../src/entry/index.ts';
import { joinSlabs } from '../support/score-map.ts';
import { sourceOf } from '../support/volumes.ts';

describe('functionModel', () => {
  const voxels = Float32Array.from({ length: 5 * 6 * 7 }, (_, i) => i);
  const source = sourceOf(voxels, [5, 6, 7]);

  it('functionModel scores tiles with a function, synchronous or not, in batches', async () => {
    const twice = async (tile: Float32Array) => tile.map((value) => 2 * value);
    const model = functionModel(twice, { classes: ['bright'], tile: [4, 4, 4] });
    const plan = planTiles([5, 6, 7], { tile: model.spec.tile });
    const map = await joinSlabs(scoreSlabs(source, { plan, model, batch: 3 }));
    map.data.forEach((score, i) => {
      expect(score).toBeCloseTo(2 * voxels[i], 3);
    });
    await model.dispose();
  });

  it('functionModel has a card with sensible values, which options override', () => {
    function blobs(tile: Float32Array) {
      return tile;
    }
    const { spec } = functionModel(blobs, { classes: ['a', null], thresholds: { a: 3 } });
    expect(spec).toMatchObject({ name: 'blobs', outputStride: 1, thresholds: { a: 3 }, minDistances: { a: 10 } });
  });

  it.each([
    ['thresholds', { thresholds: { ribosom: 3 } }],
    ['thresholds', { thresholds: { balanced: {}, competition: { ribosom: 3 } } }],
    ['thresholds', { thresholds: { balanced: {} } }],
    ['minDistances', { minDistances: { ribosom: 100 } }],
    ['classes', { classes: [] }],
    ['classes', { classes: [null] }],
    ['classes', { classes: ['ribosome', 'ribosome'] }],
    ['outputStride', { outputStride: 3 }],
    ['outputStride', { outputStride: 0.5 }],
  ])('functionModel refuses wrong %s when it is made: %j', (option, options) => {
    const wrong = { classes: ['ribosome'], ...options } as FunctionModelOptions;
    const make = () => functionModel((voxels) => voxels, wrong);
    expect(make).toThrow(expect.objectContaining({ code: 'invalid-option', option }));
  });

  it('functionModel keeps the defaults of objects that are not named', () => {
    const { spec } = functionModel((voxels) => voxels, { classes: ['a', 'b'], thresholds: { a: 3 } });
    expect(spec.thresholds).toEqual({ a: 3, b: 0.5 });
    const two = functionModel((voxels) => voxels, {
      classes: ['a', 'b'],
      thresholds: { balanced: { a: 3 }, competition: { b: 0.1 } },
    });
    expect(two.spec.thresholds).toEqual({ balanced: { a: 3, b: 0.5 }, competition: { a: 0.5, b: 0.1 } });
  });

  it('functionModel throws, saying what it expected, if the function gives too few scores', async () => {
    const model = functionModel(() => new Float32Array(3), { name: 'short', classes: ['a'], tile: [4, 4, 4] });
    await expect(model.score({ data: new Float32Array(64), shape: [1, 4, 4, 4] })).rejects.toMatchObject({
      code: 'model-failed',
      message: 'model "short" gave 3 scores for a tile of 4×4×4 voxels; expected 64: 1 class of 4×4×4',
    });
  });
});
