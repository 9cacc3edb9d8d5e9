import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  detectParticles,
  functionModel,
  type Model,
  planTiles,
  type ScoreBatch,
  type ScoreCallOptions,
  type ScoreSlab,
  scoreSlabs,
  type TileBatch,
  withFlips,
  type Zyx,
} from '../../src/entry/index.ts';
import { joinSlabs } from '../support/score-map.ts';
import { forbidUnhandledRejections, pause } from '../support/unhandled-rejections.ts';
import { noise, sourceOf } from '../support/volumes.ts';

forbidUnhandledRejections();

const shape: Zyx = [11, 70, 13];
const voxels = noise(shape, 1);
const source = sourceOf(voxels, shape);

const plain = functionModel((tile) => Float32Array.from([...tile, ...tile.map((v) => v * v)]), {
  classes: ['a', 'b'],
  tile: [8, 8, 8],
  thresholds: { a: 0.9, b: 0.9 },
  minDistances: { a: 15, b: 15 },
});

/** Releases each slab once it was used. */
async function* releasing(slabs: AsyncIterable<ScoreSlab>): AsyncGenerator<ScoreSlab> {
  for await (const slab of slabs) {
    yield slab;
    slab.release?.();
  }
}

/** As the thread of a network does: moves memory, hands it back, takes several calls, and spoils what it may not look at. */
function recyclingModel({ callsAtOnce }: { readonly callsAtOnce: number }): Model & { readonly most: () => number } {
  let [atOnce, most] = [0, 0];
  return {
    spec: plain.spec,
    callsAtOnce,
    most: () => most,
    async score(tiles: TileBatch) {
      most = Math.max(most, ++atOnce);
      const scores = await plain.score({ ...tiles, data: tiles.data.slice() });
      await pause(1);
      atOnce--;
      // Stale voxels that a reader left in place would show.
      tiles.data.fill(Number.NaN);
      const data = scores.data.slice();
      return { ...scores, data, release: () => data.fill(Number.NaN), tiles: tiles.data };
    },
    dispose: async () => {},
  };
}

/** Without what it gives back: every result in fresh memory. */
const fresh: Model = {
  ...plain,
  score: async (tiles) => {
    const { data, shape } = await plain.score(tiles);
    return { data, shape };
  },
};

/** Moves tiles that are given away, as the way to another thread does, and copies all others; counts both. */
class MovingModel implements Model {
  readonly spec = plain.spec;
  readonly callsAtOnce = 2;
  moved = 0;
  copied = 0;

  async score(tiles: TileBatch, { transfer }: ScoreCallOptions = {}): Promise<ScoreBatch> {
    if (transfer) this.moved++;
    else this.copied++;
    // This leaves the caller's array without memory.
    const data = transfer
      ? structuredClone(tiles.data, { transfer: [tiles.data.buffer as ArrayBuffer] })
      : tiles.data.slice();
    const scores = await fresh.score({ ...tiles, data: data.slice() });
    await pause(1);
    return transfer ? { ...scores, tiles: data.fill(Number.NaN) } : scores;
  }

  async dispose(): Promise<void> {}
}

const movingModel = () => new MovingModel();

/** Scores of the model with their sign changed, of the same memory. */
async function negated(scores: Promise<ScoreBatch>): Promise<ScoreBatch> {
  const found = await scores;
  for (let i = 0; i < found.data.length; i++) found.data[i] = -found.data[i]!;
  return found;
}

describe('a wrapped model', () => {
  const wrappers: [string, (model: MovingModel) => Model][] = [
    ['a spread', (model) => ({ ...model, dispose: async () => {}, score: (...call) => negated(model.score(...call)) })],
    [
      'a bound method',
      (model) => {
        const score = model.score.bind(model);
        model.score = (...call) => negated(score(...call));
        return { spec: model.spec, callsAtOnce: 2, score: model.score.bind(model), dispose: async () => {} };
      },
    ],
    [
      'a proxy',
      (model) =>
        new Proxy(model, {
          get: (target, name) =>
            name === 'score'
              ? (...call: Parameters<Model['score']>) => negated(target.score(...call))
              : Reflect.get(target, name, target),
        }),
    ],
    [
      'a subclass',
      (model) => {
        class Negated extends MovingModel {
          override score(...call: Parameters<Model['score']>): Promise<ScoreBatch> {
            // Counted by the model that it stands for.
            return negated(model.score(...call));
          }
        }
        return new Negated();
      },
    ],
  ];
  const plan = planTiles(shape, plain.spec);

  it.each(wrappers)(
    'a wrapped model gives the wrapped scores, and copies no more than the plain one: %s',
    async (_, wrap) => {
      const [bare, wrapped] = [movingModel(), movingModel()];
      const expected = await joinSlabs(scoreSlabs(source, { plan, model: bare }));
      const found = await joinSlabs(scoreSlabs(source, { plan, model: wrap(wrapped) }));
      expect(found.data).toEqual(expected.data.map((score) => -score));
      expect([wrapped.moved, wrapped.copied]).toEqual([bare.moved, bare.copied]);
      expect([bare.moved, bare.copied]).toEqual([plan.tiles.length, 0]);
    },
  );

  it('a wrapper that passes no options on gives its scores', async () => {
    const model = movingModel();
    const wrapped: Model = { ...model, dispose: async () => {}, score: (tiles) => negated(model.score(tiles)) };
    const expected = await joinSlabs(scoreSlabs(source, { plan, model: fresh }));
    const found = await joinSlabs(scoreSlabs(source, { plan, model: wrapped }));
    expect(found.data).toEqual(expected.data.map((score) => -score));
    expect([model.moved, model.copied]).toEqual([0, plan.tiles.length]);
  });
});

describe('scoreSlabs with a model that hands memory back', () => {
  it('scoreSlabs with recycled memory leads to the picks of fresh memory, bit for bit, for any number of calls at once', async () => {
    const expected = await detectParticles(source, { model: fresh });
    expect(expected.length).toBeGreaterThan(20);
    for (const callsAtOnce of [1, 2, 3]) {
      const model = recyclingModel({ callsAtOnce });
      expect(await detectParticles(source, { model })).toEqual(expected);
      expect(model.most()).toBe(callsAtOnce);
    }
    expect(await detectParticles(source, { model: plain })).toEqual(expected);
  });

  it('scoreSlabs with recycled memory gives the scores of fresh memory for any batch, sweep axis and way of averaging', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(0, 1, 2),
        fc.constantFrom('logits', 'probabilities'),
        async (batch, axis, average) => {
          const plan = planTiles(shape, { tile: [8, 8, 8] }, { axis: axis as 0 | 1 | 2 });
          const options = { plan, batch, average } as const;
          const model = recyclingModel({ callsAtOnce: 2 });
          const found = await joinSlabs(releasing(scoreSlabs(source, { ...options, model })));
          expect(found).toEqual(await joinSlabs(scoreSlabs(source, { ...options, model: fresh })));
        },
      ),
      { numRuns: 20 },
    );
  });

  it.each([
    [1, 3, 2],
    [2, 4, 3],
  ])(
    'scoreSlabs with %i calls at once takes the memory of %i tiles and of %i scores, however long the volume',
    async (callsAtOnce, tiles, scores) => {
      const tileMemory = new Set<ArrayBufferLike>();
      let [held, most, inModel] = [0, 0, 0];
      const model = {
        ...recyclingModel({ callsAtOnce }),
        async score(batch: TileBatch) {
          tileMemory.add(batch.data.buffer);
          most = Math.max(most, held + ++inModel);
          await pause(1);
          const { data, shape: scored } = await plain.score({ ...batch, data: batch.data.slice() });
          most = Math.max(most, ++held + --inModel);
          return { data, shape: scored, release: () => held--, tiles: batch.data };
        },
      };
      const plan = planTiles(shape, { tile: [8, 8, 8] }, { channels: 2 });
      await joinSlabs(releasing(scoreSlabs(source, { plan, model })));
      expect([tileMemory.size, most]).toEqual([tiles, scores]);
      // Beside these the box that a source gives.
      if (callsAtOnce === 2) expect(plan.memory.tiles).toBe(4 * 512 * (tiles + 1 + scores * 2));
    },
  );

  it('scoreSlabs with a model that transfers tiles back and forth leads to the picks of fresh memory', async () => {
    const model = movingModel();
    for (const batch of [1, 4]) {
      model.moved = 0;
      expect(await detectParticles(source, { model, batch })).toEqual(await detectParticles(source, { model: fresh }));
      expect(model.moved).toBeGreaterThan(20 / batch);
      expect(model.copied).toBe(0);
    }
    model.moved = 0;
    const flipped = await detectParticles(source, { model: withFlips(fresh, ['y', 'x']) });
    // Of four images three are copies, which may move.
    expect(await detectParticles(source, { model: withFlips(model, ['y', 'x']) })).toEqual(flipped);
    expect(model.moved).toBe(3 * model.copied);
    expect(model.moved).toBeGreaterThan(60);
  });

  it('scoreSlabs with a wrapper that scores tiles twice and does not transfer them leads to the same picks', async () => {
    const model = movingModel();
    const twice: Model = {
      ...model,
      dispose: async () => {},
      async score(tiles, { signal } = {}) {
        await model.score(tiles, { signal });
        return model.score(tiles, { signal });
      },
    };
    expect(await detectParticles(source, { model: twice })).toEqual(await detectParticles(source, { model: fresh }));
    expect(model.moved).toBe(0);
  });

  it('scoreSlabs never writes into tiles that a model keeps', async () => {
    const kept: [Float32Array, Float32Array][] = [];
    const model = functionModel(
      (tile) => {
        kept.push([tile, tile.slice()]);
        return tile;
      },
      { classes: ['a'], tile: [8, 8, 8] },
    );
    await detectParticles(source, { model });
    expect(kept.length).toBeGreaterThan(20);
    for (const [tile, copy] of kept) expect(tile).toEqual(copy);
  });

  it('scoreSlabs releases nothing twice if a run ends early', async () => {
    for (const callsAtOnce of [1, 2]) {
      const model = recyclingModel({ callsAtOnce });
      const controller = new AbortController();
      const stopped = detectParticles(source, {
        model,
        signal: controller.signal,
        onProgress: ({ stage, done }) => stage === 'tiles' && done === 3 && controller.abort(new Error('enough')),
      });
      await expect(stopped).rejects.toThrow('enough');
      const failing: Model = {
        ...model,
        score: (tiles) => (tiles.data[0] > 0.5 ? Promise.reject(new Error('no')) : model.score(tiles)),
      };
      await expect(detectParticles(source, { model: failing })).rejects.toThrow('no');
      expect(await detectParticles(source, { model })).toEqual(await detectParticles(source, { model: fresh }));
    }
  });
});
