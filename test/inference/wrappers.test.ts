import { describe, expect, it } from 'vitest';
import {
  averageOf,
  contiguousVolume,
  type Model,
  type TileBatch,
  toFloat32,
  withFlips,
} from '../../src/entry/index.ts';
import { fakeModel, fakeSpec, identityModel } from '../support/identity-model.ts';

const batch: TileBatch = { data: Float32Array.from({ length: 48 }, (_, i) => i), shape: [2, 2, 4, 3] };

/** Scores each voxel by itself and its place, so that flips show. */
const placed = () => fakeModel(fakeSpec(), (voxels) => voxels.map((value, i) => value * (i + 1)));

/** Breaks the rule that a result is memory of its own. */
const returningItsTiles = (): Model => ({
  spec: fakeSpec(),
  score: async ({ data, shape: [n, z, y, x] }) => ({ data, shape: [n, 1, z, y, x] }),
  dispose: async () => {},
});

/** The batch with some of its axes mirrored, by strides. */
function mirrored({ data, shape }: TileBatch, axes: string): TileBatch {
  const [n, z, y, x] = shape;
  const size = z * y * x;
  const [fz, fy, fx] = ['z', 'y', 'x'].map((axis) => axes.includes(axis));
  const flipped = new Float32Array(data.length);
  for (let i = 0; i < n; i++) {
    const { stride } = contiguousVolume(new Float32Array(size), [z, y, x]);
    const view = {
      data,
      shape: [z, y, x] as const,
      stride: [fz ? -stride[0] : stride[0], fy ? -stride[1] : stride[1], fx ? -1 : 1] as const,
      offset: i * size + (fz ? (z - 1) * stride[0] : 0) + (fy ? (y - 1) * stride[1] : 0) + (fx ? x - 1 : 0),
    };
    flipped.set(toFloat32(view).data, i * size);
  }
  return { data: flipped, shape };
}

it('withFlips and averageOf leave out the calibration of the card, since the scores are others', () => {
  const model = { ...placed(), spec: fakeSpec({ calibration: {} }) };
  expect(model.spec.calibration).toBeDefined();
  expect(withFlips(model, ['x']).spec).toEqual(fakeSpec());
  expect(averageOf(model, model).spec).toEqual({ ...fakeSpec(), name: 'fake + fake' });
});

describe('withFlips', () => {
  it('withFlips averages over every combination of the axes, and gives the tiles back as they were', async () => {
    const model = placed();
    const before = batch.data.slice();
    const scores = await withFlips(model, ['z', 'x']).score(batch);
    expect(model.calls).toBe(4);
    expect(batch.data).toEqual(before);
    const expected = new Float32Array(48);
    for (const axes of ['', 'z', 'x', 'zx']) {
      const plain = await placed().score(mirrored(batch, axes));
      const back = mirrored({ data: plain.data, shape: batch.shape }, axes);
      back.data.forEach((score, i) => {
        expected[i] += score / 4;
      });
    }
    expect(scores.shape).toEqual([2, 1, 2, 4, 3]);
    scores.data.forEach((score, i) => {
      expect(score).toBeCloseTo(expected[i], 3);
    });
  });

  it.each(['z', 'y', 'x', 'zyx'])('withFlips mirrors along %s exactly as the voxels do', async (axes) => {
    const model = withFlips(placed(), ['z', 'y', 'x']);
    const ofMirrored = await model.score(mirrored(batch, axes));
    const { data } = await model.score(batch);
    const expected = mirrored({ data, shape: batch.shape }, axes).data;
    ofMirrored.data.forEach((score, i) => {
      expect(score).toBeCloseTo(expected[i], 3);
    });
  });

  it('withFlips changes nothing for a model whose scores do not depend on position, at any stride and class', async () => {
    const tiles: TileBatch = { data: new Float32Array(2 * 64).map((_, i) => i % 64), shape: [2, 4, 4, 4] };
    const constant = { ...tiles, data: tiles.data.fill(2) };
    const model = identityModel({ outputStride: 2, classes: ['a', 'b'] });
    const { data, shape } = await withFlips(model, ['y', 'x']).score(constant);
    expect({ data, shape }).toEqual(await model.score(constant));
  });

  it('withFlips reuses its memory once a result is released, and the mirrored tiles that the model hands back', async () => {
    const seen = new Set<ArrayBufferLike>();
    const plain = placed();
    const model: Model = {
      ...plain,
      score: async (tiles) => {
        seen.add(tiles.data.buffer);
        return { ...(await plain.score(tiles)), tiles: tiles.data };
      },
    };
    const flips = withFlips(model, ['z', 'x']);
    const first = await flips.score(batch);
    const expected = first.data.slice();
    first.release?.();
    const second = await flips.score(batch);
    expect(second.data).toEqual(expected);
    // The tiles that came in, and one copy for all mirror images of both calls.
    expect(seen.size).toBe(2);
    // Not released, a result stays as it is.
    await flips.score({ ...batch, data: batch.data.map((value) => value + 1) });
    expect(second.data).toEqual(expected);
  });

  it('withFlips averages correctly, and leaves the tiles alone, when the model returns its own tile buffer', async () => {
    const before = batch.data.slice();
    const own = withFlips(returningItsTiles(), ['z', 'y', 'x']);
    expect((await own.score(batch)).data).toEqual(before);
    expect(batch.data).toEqual(before);
  });

  it('withFlips returns the model itself for no axis', async () => {
    const { data, shape } = await withFlips(placed(), []).score(batch);
    expect({ data, shape }).toEqual(await placed().score(batch));
  });

  it('withFlips refuses axes that are unknown or named twice', () => {
    for (const axes of [['y', 'y'], ['w']] as ('z' | 'y' | 'x')[][]) {
      expect(() => withFlips(placed(), axes)).toThrow('axes to flip must be some of "z", "y", "x", each once');
    }
  });

  it('withFlips stops between calls on abort, and passes the signal on', async () => {
    const controller = new AbortController();
    const model = placed();
    const score = model.score.bind(model);
    model.score = (tiles, options) => {
      expect(options?.signal).toBe(controller.signal);
      controller.abort('enough');
      return score(tiles, options);
    };
    const pending = withFlips(model, ['y', 'x']).score(batch, { signal: controller.signal });
    await expect(pending).rejects.toBe('enough');
    expect(model.calls).toBe(1);
  });
});

describe('averageOf', () => {
  it('averageOf averages correctly, and leaves the tiles alone, when all of three models return their own tile buffer', async () => {
    const before = batch.data.slice();
    const three = averageOf(returningItsTiles(), returningItsTiles(), returningItsTiles());
    expect((await three.score(batch)).data).toEqual(before);
    expect(batch.data).toEqual(before);
  });

  const times = (factor: number, fields = {}) =>
    fakeModel(fakeSpec({ name: `times ${factor}`, ...fields }), (voxels) => voxels.map((value) => value * factor));

  it('averageOf averages scores, keeps the first card, and disposes all', async () => {
    const models = [times(1), times(2), times(6)];
    const model = averageOf(...models);
    const scores = await model.score(batch);
    expect(scores.data).toEqual(batch.data.map((value) => value * 3));
    expect(model.spec).toEqual({ ...models[0].spec, name: 'times 1 + times 2 + times 6' });
    await model.dispose();
    expect(models.map(({ disposed }) => disposed)).toEqual([1, 1, 1]);
  });

  it('averageOf averages models that are wrapped in flips', async () => {
    const model: Model = averageOf(withFlips(times(1), ['y', 'x']), times(3));
    expect((await model.score(batch)).data).toEqual(batch.data.map((value) => value * 2));
  });

  it.each([
    ['classes', { classes: ['other'] }, 'classes is ["object"] and ["other"]'],
    ['tile', { tile: [8, 8, 16] }, 'tile is [8,8,8] and [8,8,16]'],
    ['outputStride', { outputStride: 2 }, 'outputStride is 1 and 2'],
    ['activation', { activation: 'softmax' }, 'activation is "none" and "softmax"'],
    ['normalization', { normalization: 'z-score' }, 'normalization is "none" and "z-score"'],
  ])('averageOf refuses models of different %s', (_, fields, message) => {
    expect(() => averageOf(times(1), times(2, fields))).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        message: `models "times 1" and "times 2" cannot be averaged: ${message}`,
      }),
    );
  });

  it('averageOf throws for no model, and for scores of different shapes', async () => {
    expect(() => averageOf()).toThrow('at least one model');
    const short = times(1);
    short.score = async () => ({ data: new Float32Array(1), shape: [1, 1, 1, 1, 1] });
    await expect(averageOf(times(1), short).score(batch)).rejects.toMatchObject({ code: 'model-failed' });
  });
});

describe('memory of wrapped models', () => {
  /** Gives scores that spoil when they are released, and counts those that are not. */
  function releasing(fields: Partial<Model> = {}): Model & { held: number } {
    const model = placed();
    return {
      held: 0,
      callsAtOnce: 2,
      ...fields,
      spec: model.spec,
      async score(tiles) {
        const { data, shape } = await model.score(tiles);
        this.held++;
        const release = () => {
          this.held--;
          data.fill(Number.NaN);
        };
        return { data, shape, release };
      },
      dispose: () => model.dispose(),
    };
  }

  it('a wrapped model gets its memory back once its scores are added; the result is memory of the wrapper', async () => {
    const [a, b] = [releasing(), releasing()];
    const axes = ['z', 'y', 'x'] as const;
    const { data, release } = await averageOf(withFlips(a, axes), b).score(batch);
    expect([a.held, b.held]).toEqual([0, 0]);
    expect(data).toEqual((await averageOf(withFlips(placed(), axes), placed()).score(batch)).data);
    release?.();
    expect([a.held, b.held]).toEqual([0, 0]);
  });

  it('an ensemble takes as many calls at once as all of its models do', () => {
    expect(withFlips(releasing(), ['x']).callsAtOnce).toBe(2);
    expect(averageOf(releasing(), releasing({ callsAtOnce: 3 })).callsAtOnce).toBe(2);
    expect(averageOf(releasing(), placed()).callsAtOnce).toBe(1);
    expect(withFlips(placed(), ['x']).callsAtOnce).toBeUndefined();
  });

  it('an ensemble transfers tiles only to the last model that reads them, and hands their memory back', async () => {
    const calls: (boolean | undefined)[] = [];
    const watched: Model = {
      ...placed(),
      async score(tiles, { transfer } = {}) {
        calls.push(transfer);
        const scores = await placed().score(tiles);
        return transfer ? { ...scores, tiles: tiles.data } : scores;
      },
    };
    const given = { ...batch, data: batch.data.slice() };
    const average = await averageOf(watched, watched).score(given, { transfer: true });
    expect(average.tiles).toBe(given.data);
    const flipped = await withFlips(watched, ['x']).score(given, { transfer: true });
    expect(flipped.tiles).toBe(given.data);
    // Of the flips, the unmirrored tiles stay; the copy is given away.
    expect(calls).toEqual([false, true, undefined, true]);
    expect((await averageOf(watched).score(given)).tiles).toBeUndefined();
    expect((await withFlips(watched, ['x']).score(given)).tiles).toBeUndefined();
  });
});
