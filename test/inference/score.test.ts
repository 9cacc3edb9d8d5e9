import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Progress,
  planTiles,
  type ScoreOptions,
  scoreSlabs,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { coarseGrid, voxelCount } from '../../src/space/grid.ts';
import { countingSource } from '../support/counting-source.ts';
import { fakeModel, fakeSpec, identityModel, subsample } from '../support/identity-model.ts';
import { plannable } from '../support/plan-arbitraries.ts';
import { joinSlabs, type ScoreMap } from '../support/score-map.ts';
import { forbidUnhandledRejections, pause } from '../support/unhandled-rejections.ts';
import { noise, sourceOf } from '../support/volumes.ts';

forbidUnhandledRejections();

/** Voxels between -1 and 1 that look random. */
function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < found.length; i++) {
    const off = Math.abs(found[i] - expected[i]);
    worst = Math.max(off, worst);
  }
  expect(worst).toBeLessThanOrEqual(tolerance);
}

const scoreAll = (source: VolumeSource, options: ScoreOptions): Promise<ScoreMap> =>
  joinSlabs(scoreSlabs(source, options));

describe('scoreSlabs: tiled equals whole', () => {
  it('scoreSlabs gives the volume back with the identity model, for any plan and batch', async () => {
    await fc.assert(
      fc.asyncProperty(plannable(), fc.integer({ min: 1, max: 4 }), async ({ shape, options }, batch) => {
        const voxels = noise(shape);
        const plan = planTiles(shape, options, options);
        const model = identityModel({ outputStride: plan.outputStride });
        const map = await scoreAll(sourceOf(voxels, shape), { plan, model, batch });
        expectClose(map.data, subsample(voxels, shape, plan.outputStride), 1e-6);
      }),
      { numRuns: 150 },
    );
  });

  it.each([1, 3])('scoreSlabs keeps a constant field of %d constant', async (value) => {
    await fc.assert(
      fc.asyncProperty(plannable(), async ({ shape, options }) => {
        const plan = planTiles(shape, options, options);
        const model = identityModel({ outputStride: plan.outputStride });
        const source = sourceOf(new Float32Array(voxelCount(shape)).fill(value), shape);
        const { data } = await scoreAll(source, { plan, model });
        // Weights are such that a power of two is kept to the last bit.
        expectClose(data, new Float32Array(data.length).fill(value), value === 1 ? 0 : 3e-6);
      }),
      { numRuns: 60 },
    );
  });

  it('scoreSlabs equals one whole pass for a model with context, if the crop window omits what the context spoils', async () => {
    const shape: Zyx = [9, 13, 30];
    const voxels = noise(shape);
    const model = fakeModel(fakeSpec(), boxMean);
    const whole = boxMean(voxels, shape);
    const plan = planTiles(shape, { tile: [9, 8, 8] }, { overlap: [0, 2, 2], window: 'crop' });
    expect(plan.tiles.length).toBeGreaterThan(8);
    expectClose((await scoreAll(sourceOf(voxels, shape), { plan, model })).data, whole, 1e-6);
    const bare = planTiles(shape, { tile: [9, 8, 8] }, { overlap: [0, 0, 0], window: 'crop' });
    const { data } = await scoreAll(sourceOf(voxels, shape), { plan: bare, model });
    expect(Math.max(...data.map((score, i) => Math.abs(score - whole[i])))).toBeGreaterThan(0.01);
  });

  it('scoreSlabs equals one whole pass for a network that pools in steps of 2, 4 and 8 voxels, whatever the tiles and the shape', async () => {
    const edge = fc.integer({ min: 3, max: 7 }).map((cells) => 8 * cells);
    const length = fc.integer({ min: 1, max: 70 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(length, length, length), fc.tuple(edge, edge, edge), async (shape, tile) => {
        // Half of what tiles share is as far as a score sees through the edge of its tile.
        const plan = planTiles(shape, { ...pooling, tile }, { overlap: [16, 16, 16], window: 'crop' });
        const source = sourceOf(noise(shape), shape);
        const { data } = await scoreAll(source, { plan, model: fakeModel(fakeSpec(pooling), pooled) });
        expectClose(data, await scoresOfOneTile(source), 1e-6);
      }),
      { numRuns: 40 },
    );
  });

  it('scoreSlabs gives a network that pools other scores where tiles start inside its cells', async () => {
    const shape: Zyx = [8, 8, 70];
    const source = sourceOf(noise(shape), shape);
    const options = { overlap: [0, 0, 16], window: 'crop' } as const;
    const plan = planTiles(shape, { tile: [8, 8, 40], outputStride: 2 }, options);
    expect(plan.starts[2]).toEqual([0, 16, 30]);
    const { data } = await scoreAll(source, { plan, model: fakeModel(fakeSpec(pooling), pooled) });
    const whole = await scoresOfOneTile(source);
    expect(Math.max(...data.map((score, i) => Math.abs(score - whole[i])))).toBeGreaterThan(0.01);
  });

  it('scoreSlabs places slabs on the coarse grid', async () => {
    const grid = { voxelSize: [10, 8, 6], origin: { x: 1, y: 2, z: 3 } } as const;
    const source = sourceOf(noise([5, 6, 7]), [5, 6, 7], grid);
    const plan = planTiles([5, 6, 7], { tile: [4, 4, 4], outputStride: 2 });
    for await (const slab of scoreSlabs(source, { plan, model: identityModel({ outputStride: 2 }) })) {
      expect(slab.grid).toEqual(coarseGrid(source.grid, 2));
      expect(slab.axis).toBe(2);
    }
  });
});

describe('scoreSlabs: classes and activations', () => {
  const shape: Zyx = [5, 6, 12];
  const voxels = noise(shape);
  const plan = planTiles(shape, { tile: [4, 4, 6] });
  const classes = ['a', null, 'b'];

  /** Activated class scores at one voxel whose logits are 1, 2, 3 times its value. */
  const expected = {
    none: (v: number) => [v, 3 * v],
    sigmoid: (v: number) => [1 / (1 + Math.exp(-v)), 1 / (1 + Math.exp(-3 * v))],
    softmax: (v: number) => {
      const sum = Math.exp(v) + Math.exp(2 * v) + Math.exp(3 * v);
      return [Math.exp(v) / sum, Math.exp(3 * v) / sum];
    },
  };

  it.each([
    ['none', 'probabilities'],
    ['none', 'logits'],
    ['sigmoid', 'probabilities'],
    ['sigmoid', 'logits'],
    ['softmax', 'probabilities'],
    ['softmax', 'logits'],
  ] as const)(
    'scoreSlabs with activation %s, averaging %s, drops null classes and keeps the order',
    async (activation, average) => {
      const model = identityModel({ classes, activation });
      const map = await scoreAll(sourceOf(voxels, shape), { plan, model, average });
      expect(map.classes).toEqual(['a', 'b']);
      const per = [...voxels].map(expected[activation]);
      expectClose(map.data, [...per.map(([a]) => a), ...per.map(([, b]) => b)], 2e-6);
    },
  );

  it('scoreSlabs spends no memory on null classes, but for the logits of a softmax', async () => {
    for (const activation of ['none', 'sigmoid', 'softmax'] as const) {
      for (const average of ['probabilities', 'logits'] as const) {
        const model = identityModel({ classes, activation });
        for await (const { scores } of scoreSlabs(sourceOf(voxels, shape), { plan, model, average })) {
          const channels = scores.data.buffer.byteLength / (4 * scores.stride[0]);
          expect(channels).toBe(activation === 'softmax' && average === 'logits' ? 3 : 2);
        }
      }
    }
  });

  it('scoreSlabs averages probabilities or logits, as requested, where tiles disagree', async () => {
    // Two tiles cover voxels 2 and 3; the model's logit is 0 in the first tile and 4 in the second.
    const two = planTiles([1, 1, 6], { tile: [1, 1, 4] }, { overlap: [0, 0, 2], window: 'linear' });
    let call = 0;
    const model = fakeModel(fakeSpec({ activation: 'sigmoid' }), () => new Float32Array(4).fill(4 * call++));
    const source = sourceOf(new Float32Array(6), [1, 1, 6]);
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
    const probabilities = await scoreAll(source, { plan: two, model });
    expect(probabilities.data[2]).toBeCloseTo(0.75 * sigmoid(0) + 0.25 * sigmoid(4), 6);
    call = 0;
    const logits = await scoreAll(source, { plan: two, model, average: 'logits' });
    expect(logits.data[2]).toBeCloseTo(sigmoid(0.75 * 0 + 0.25 * 4), 6);
  });

  it('scoreSlabs gives finite probabilities for logits that overflow an exponential', async () => {
    const model = fakeModel(fakeSpec({ classes: ['a', 'b'], activation: 'softmax' }), (tile) => {
      return Float32Array.from({ length: 2 * tile.length }, (_, i) => (i < tile.length ? 1e4 : -1e4));
    });
    const { data } = await scoreAll(sourceOf(voxels, shape), { plan, model });
    expect(new Set(data)).toEqual(new Set([1, 0]));
  });

  it('scoreSlabs normalises each tile, in place or not', async () => {
    const inPlace = (tile: Float32Array) => tile.fill(7);
    const copied = (tile: Float32Array) => tile.map(() => 7);
    for (const normalize of [inPlace, copied]) {
      const { data } = await scoreAll(sourceOf(voxels, shape), { plan, model: identityModel(), normalize });
      expectClose(data, new Float32Array(data.length).fill(7), 7e-6);
    }
    expectClose(voxels, noise(shape), 0);
  });
});

describe('scoreSlabs: the run', () => {
  const shape: Zyx = [4, 4, 40];
  const plan = planTiles(shape, { tile: [4, 4, 8] }, { overlap: [0, 0, 4] });

  it('scoreSlabs reports progress that never falls and ends at the total', async () => {
    const events: Progress[] = [];
    const onProgress = (progress: Progress) => events.push(progress);
    await scoreAll(sourceOf(noise(shape), shape), { plan, model: identityModel(), batch: 2, onProgress });
    expect(events.map(({ done }) => done)).toEqual([2, 4, 6, 8, 9]);
    expect(new Set(events.map(({ stage, total }) => `${stage} ${total}`))).toEqual(new Set(['tiles 9']));
  });

  it('scoreSlabs works a bounded number of tiles ahead of its consumer', async () => {
    const source = countingSource(noise(shape), shape);
    const model = identityModel();
    const slabs = scoreSlabs(source, { plan, model });
    expect(source.reads).toBe(0);
    await slabs.next();
    await pause(5);
    expect(model.calls).toBe(2);
    expect(source.reads).toBe(3);
    await slabs.return();
    expect(model.calls).toBe(2);
    expect(source.reads).toBe(3);
    expect(model.disposed).toBe(0);
  });

  it('scoreSlabs sends the next tile to the model while scores are used, and never two at once', async () => {
    const model = identityModel();
    const score = model.score.bind(model);
    const log: string[] = [];
    model.score = async (tiles, options) => {
      log.push('starts');
      await pause(2);
      const scores = await score(tiles, options);
      log.push('ends');
      return scores;
    };
    for await (const _ of scoreSlabs(countingSource(noise(shape), shape), { plan, model })) {
      await pause(10);
      log.push('used');
    }
    const calls = log.filter((event) => event !== 'used');
    expect(calls).toEqual(calls.map((_, i) => (i % 2 === 0 ? 'starts' : 'ends')));
    expect(calls).toHaveLength(2 * plan.tiles.length);
    // By the time that the first slab has been used, the tile after it is scored.
    expect(log.indexOf('used')).toBeGreaterThan(log.indexOf('ends', log.indexOf('ends') + 1));
  });

  it.each(['reading', 'scoring', 'consuming'] as const)(
    'scoreSlabs, aborted while %s, rejects with the reason itself and continues nothing',
    async (stage) => {
      const controller = new AbortController();
      const { signal } = controller;
      const reason = new Error('enough');
      const counted = countingSource(noise(shape), shape);
      const model = identityModel();
      const score = model.score.bind(model);
      model.score = async (tiles, options) => {
        if (stage === 'scoring' && model.calls === 1) controller.abort(reason);
        return score(tiles, options);
      };
      const read = counted.read.bind(counted);
      counted.read = async (box, options) => {
        if (stage === 'reading' && counted.reads === 4) controller.abort(reason);
        return read(box, options);
      };
      let atAbort = { reads: -1, calls: -1 };
      signal.addEventListener('abort', () => {
        atAbort = { reads: counted.reads, calls: model.calls };
      });
      const run = async () => {
        for await (const { start } of scoreSlabs(counted, { plan, model, signal })) {
          if (stage === 'consuming' && start > 0) controller.abort(reason);
        }
      };
      await expect(run()).rejects.toBe(reason);
      await pause(5);
      // The call in which the abort happens was under way already.
      expect(counted.reads).toBeLessThanOrEqual(atAbort.reads + (stage === 'reading' ? 1 : 0));
      expect(model.calls).toBeLessThanOrEqual(atAbort.calls + (stage === 'scoring' ? 1 : 0));
    },
  );

  it('scoreSlabs reads nothing if it was aborted before', async () => {
    const source = countingSource(noise(shape), shape);
    const slabs = scoreSlabs(source, { plan, model: identityModel(), signal: AbortSignal.abort('before') });
    await expect(slabs.next()).rejects.toBe('before');
    expect(source.reads).toBe(0);
  });

  it('a timer can abort scoreSlabs though source and model never wait', async () => {
    const controller = new AbortController();
    let calls = 0;
    const busy = fakeModel(fakeSpec(), (tile) => {
      calls++;
      for (const end = performance.now() + 10; performance.now() < end; );
      return tile;
    });
    const long: Zyx = [4, 4, 2004];
    const many = planTiles(long, { tile: [4, 4, 8] }, { overlap: [0, 0, 4] });
    setTimeout(() => controller.abort('a button'));
    const run = scoreAll(sourceOf(noise(long), long), { plan: many, model: busy, signal: controller.signal });
    await expect(run).rejects.toBe('a button');
    expect(calls).toBeLessThan(many.tiles.length / 2);
  });

  it('scoreSlabs gives the same scores to the last bit for any batch size and sweep axis', async () => {
    const reference = await scoreAll(sourceOf(noise(shape), shape), { plan, model: identityModel() });
    for (const batch of [2, 3, 100]) {
      const { data } = await scoreAll(sourceOf(noise(shape), shape), { plan, model: identityModel(), batch });
      expect(data).toEqual(reference.data);
    }
    for (const axis of [0, 1] as const) {
      const swept = planTiles(shape, { tile: plan.tile }, { overlap: [0, 0, 4], axis });
      const { data } = await scoreAll(sourceOf(noise(shape), shape), { plan: swept, model: identityModel() });
      expect(data).toEqual(reference.data);
    }
  });

  it('scoreSlabs re-throws the abort reason that a model rejects with', async () => {
    const controller = new AbortController();
    const model = identityModel();
    model.score = (_, options) =>
      new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
        setTimeout(() => controller.abort('stop'), 2);
      });
    const slabs = scoreSlabs(sourceOf(noise(shape), shape), { plan, model, signal: controller.signal });
    await expect(slabs.next()).rejects.toBe('stop');
  });

  it('scoreSlabs wraps a failure of the model, naming the tile, and keeps its cause', async () => {
    const cause = new Error('out of memory');
    const model = identityModel({ name: 'unet' });
    model.score = async () => {
      throw cause;
    };
    await expect(scoreAll(sourceOf(noise(shape), shape), { plan, model })).rejects.toMatchObject({
      code: 'model-failed',
      message: 'model "unet" failed on the tile at voxel 0×0×0: out of memory',
      cause,
    });
  });

  it('scoreSlabs re-throws a failure of the source untouched', async () => {
    const failure = new Error('disk');
    const source = { grid: sourceOf(noise(shape), shape).grid, read: () => Promise.reject(failure) };
    await expect(scoreAll(source, { plan, model: identityModel() })).rejects.toBe(failure);
  });

  it('scoreSlabs throws for scores of another shape than in the model card, and for scores that are NaN', async () => {
    const model = identityModel({ name: 'unet', classes: ['a', 'b'] });
    const wrong = identityModel();
    model.score = wrong.score.bind(wrong);
    await expect(scoreAll(sourceOf(noise(shape), shape), { plan, model })).rejects.toMatchObject({
      code: 'model-failed',
      message:
        'model "unet" gave 128 scores of shape 1×1×4×4×8 for the tile at voxel 0×0×0; ' +
        'expected 1×2×4×4×8 [n, class, z, y, x]: 2 classes, one score per 1 voxels',
    });
    const nan = fakeModel(fakeSpec({ activation: 'softmax' }), (tile) => tile.fill(Number.NaN));
    await expect(scoreAll(sourceOf(noise(shape), shape), { plan, model: nan })).rejects.toMatchObject({
      code: 'model-failed',
    });
  });

  it.each<[string, Partial<ScoreOptions>, string]>([
    [
      'a plan for another shape',
      { plan: planTiles([4, 4, 41], { tile: [4, 4, 8] }) },
      'the plan is for a volume of 4×4×41',
    ],
    [
      'another stride',
      { model: identityModel({ outputStride: 2 }) },
      'the plan has output stride 1, model "fake" has 2',
    ],
    ['a model without objects', { model: identityModel({ classes: [null] }) }, 'names no class'],
    ['half a batch', { batch: 0.5 }, 'batch must be a whole number'],
    [
      'an unknown average',
      { average: 'median' as 'logits' },
      'average must be one of "probabilities", "logits", found "median"',
    ],
  ])('scoreSlabs throws for %s at once', (_, options, message) => {
    const source = sourceOf(noise(shape), shape);
    expect(() => scoreSlabs(source, { plan, model: identityModel(), ...options })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });
});

/** Fields of the card of a network that pools three times. */
const pooling = { tileMultiple: 8, outputStride: 2 } as const;

/** One score per 2³ voxels: the maximum of its cells of 2³ and 4³ voxels, and the mean of those of 3×3×3 cells of 8³. */
function pooled(voxels: Float32Array, shape: Zyx): Float32Array {
  const [fine, middle, coarse] = [2, 4, 8].map((edge) => cellMaxima(voxels, shape, edge));
  const means = boxMean(coarse, cellsOf(shape, 8));
  const [depth, height, width] = cellsOf(shape, 2);
  const at = (level: Float32Array, times: number, z: number, y: number, x: number) => {
    const [, rows, columns] = cellsOf(shape, 2 * times);
    return level[(Math.floor(z / times) * rows + Math.floor(y / times)) * columns + Math.floor(x / times)];
  };
  const scores = new Float32Array(depth * height * width);
  for (let z = 0, i = 0; z < depth; z++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, i++) scores[i] = fine[i] + at(middle, 2, z, y, x) + at(means, 4, z, y, x);
  return scores;
}

const cellsOf = ([z, y, x]: Zyx, edge: number): Zyx => [z / edge, y / edge, x / edge];

function cellMaxima(voxels: Float32Array, shape: Zyx, edge: number): Float32Array {
  const [depth, height, width] = cellsOf(shape, edge);
  const maxima = new Float32Array(depth * height * width).fill(Number.NEGATIVE_INFINITY);
  for (let z = 0, i = 0; z < shape[0]; z++)
    for (let y = 0; y < shape[1]; y++)
      for (let x = 0; x < shape[2]; x++, i++) {
        const cell = (Math.floor(z / edge) * height + Math.floor(y / edge)) * width + Math.floor(x / edge);
        maxima[cell] = Math.max(maxima[cell], voxels[i]);
      }
  return maxima;
}

/** What `pooled` gives for a whole volume, in one tile that sticks out to the next multiple of 8. */
async function scoresOfOneTile(source: VolumeSource): Promise<Float32Array> {
  const { shape } = source.grid;
  const tile = shape.map((length) => Math.ceil(length / 8) * 8) as unknown as Zyx;
  const plan = planTiles(shape, { ...pooling, tile });
  expect(plan.tiles).toHaveLength(1);
  return (await scoreAll(source, { plan, model: fakeModel(fakeSpec(pooling), pooled) })).data;
}

/** Mean over 3×3×3 voxels with zeros outside, as a convolution pads. */
function boxMean(voxels: Float32Array, [depth, height, width]: Zyx): Float32Array {
  const means = new Float32Array(voxels.length);
  for (let z = 0; z < depth; z++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = Math.max(0, z - 1); k <= Math.min(depth - 1, z + 1); k++)
          for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++)
            for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++)
              sum += voxels[(k * height + j) * width + i];
        means[(z * height + y) * width + x] = sum / 27;
      }
  return means;
}
