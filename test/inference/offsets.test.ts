import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Axis,
  averageOf,
  detectParticles,
  type Model,
  type ModelSpec,
  parseModelSpec,
  planTiles,
  scoreSlabs,
  toVoxel,
  withFlips,
  type Zyx,
} from '../../src/entry/index.ts';
import { fakeModel, fakeSpec } from '../support/identity-model.ts';
import { type Centre, indexVolume, offsetOracle, oracleGrid, reach } from '../support/offset-oracle.ts';
import { joinSlabs } from '../support/score-map.ts';
import { collect } from '../support/slabs.ts';
import { sourceOf } from '../support/volumes.ts';

const shape: Zyx = [28, 44, 60];
const tile: Zyx = [24, 24, 24];

/** Centres between voxels, in a lattice that tiles of 24 cut anywhere, the two classes in turn. */
const planted: readonly Centre[] = [0, 1, 2].flatMap((row) =>
  [0, 1, 2, 3].map((column, i) => ({
    object: (row + i) % 2 ? 'a' : 'b',
    at: [
      reach + 1 + 13.37 * ((row + column) % 2) + 0.1 * row,
      reach + 0.61 + 14.03 * row + 0.17 * column,
      reach + 0.83 + 14.71 * column + 0.29 * row,
    ] as const,
  })),
);

async function expectFound(model: Model, options: { average?: 'logits'; overlap?: Zyx; batch?: number } = {}) {
  const threshold = model.spec.activation === 'none' ? 0 : 0.5;
  const picks = await detectParticles(indexVolume(shape), {
    model,
    thresholds: { a: threshold, b: threshold },
    ...options,
  });
  const found = picks.map(({ object, position }) => ({ object, at: toVoxel(oracleGrid, position) }));
  expect(found).toHaveLength(planted.length);
  for (const { object, at } of planted) {
    const distances = found.map((other) =>
      other.object === object ? distance(at, other.at) : Number.POSITIVE_INFINITY,
    );
    expect(Math.min(...distances)).toBeLessThan(1e-6);
  }
}

const distance = (a: Zyx, b: Zyx) => Math.max(...a.map((value, axis) => Math.abs(value - b[axis])));

describe('detectParticles with a model that gives offsets', () => {
  for (const outputStride of [1, 2, 4] as const) {
    for (const activation of ['none', 'sigmoid', 'softmax'] as const) {
      it(`detectParticles finds the planted centres by offsets at stride ${outputStride}, activation ${activation}, whatever is averaged`, async () => {
        const model = offsetOracle(shape, planted, { tile, outputStride, activation });
        await expectFound(model);
        await expectFound(model, { average: 'logits', batch: 3 });
      });
    }
  }

  it('detectParticles finds the planted centres by offsets in tiles of any overlap', async () => {
    const model = offsetOracle(shape, planted, { tile, outputStride: 2, activation: 'sigmoid' });
    for (const overlap of [
      [0, 0, 0],
      [20, 2, 6],
      [2, 12, 18],
    ] as const)
      await expectFound(model, { overlap });
  });

  it.each([['z'], ['y'], ['x'], ['z', 'y', 'x']] as ('z' | 'y' | 'x')[][])(
    'detectParticles finds the planted centres by offsets with mirror images along %s %s %s, alone and in an ensemble',
    async (...axes) => {
      const model = offsetOracle(shape, planted, { tile, outputStride: 2, activation: 'softmax' });
      const named = axes.filter((axis) => axis !== undefined);
      await expectFound(withFlips(model, named));
      await expectFound(averageOf(withFlips(model, named), model));
    },
  );

  it('detectParticles finds the planted centres whatever the order of the channels of offsets', async () => {
    for (const offsets of [
      [5, 4, 3],
      [4, 5, 3],
    ] as Zyx[]) {
      const model = offsetOracle(shape, planted, { tile, outputStride: 2, activation: 'softmax', offsets });
      await expectFound(withFlips(model, ['y']));
      await expectFound(model, { average: 'logits' });
    }
  });

  it('detectParticles finds cells that lie voxels away from the centres without offsets', async () => {
    const { spec, ...model } = offsetOracle(shape, planted, { tile, outputStride: 2, activation: 'sigmoid' });
    const picks = await detectParticles(indexVolume(shape), {
      model: { ...model, spec: { ...spec, offsets: undefined } },
    });
    const off = picks.map(({ position }) => {
      const at = toVoxel(oracleGrid, position);
      return Math.min(...planted.map((centre) => distance(centre.at, at)));
    });
    expect(Math.min(...off)).toBeGreaterThan(0.3);
  });
});

describe('scoreSlabs with a model that gives offsets', () => {
  const volume = (length: number) => sourceOf(new Float32Array(length), [1, 1, length]);
  const spec = (fields: Partial<ModelSpec> = {}) =>
    fakeSpec({ tile: [1, 1, 4], classes: ['a', null, null, null, null], offsets: [2, 3, 4], ...fields });

  it('scoreSlabs yields offsets beside the scores, in voxels of the score map, without activation', async () => {
    const model = fakeModel(spec({ tile: [2, 2, 4], outputStride: 2, activation: 'softmax' }), () =>
      Float32Array.from([0, 0, 0, 0, 3, 4, -5, 6, 7, -8]),
    );
    const source = sourceOf(new Float32Array(16), [2, 2, 4]);
    const plan = planTiles([2, 2, 4], { tile: [2, 2, 4], outputStride: 2 });
    for (const average of ['probabilities', 'logits'] as const) {
      for await (const slab of scoreSlabs(source, { plan, model, average })) {
        expect(slab.classes).toEqual(['a']);
        expect([...slab.scores.data]).toEqual([0.5, 0.5]);
        expect([...slab.offsets!.data]).toEqual([1.5, 2, -2.5, 3, 3.5, -4]);
        expect(slab.offsets!.shape).toEqual([3, 1, 1, 2]);
      }
    }
  });

  it('scoreSlabs blends offsets with the weights of the scores', async () => {
    const plan = planTiles([1, 1, 6], { tile: [1, 1, 4] }, { overlap: [0, 0, 2], window: 'linear' });
    let call = 0;
    const model = fakeModel(spec(), () => new Float32Array(20).fill(4 * call++));
    const slabs = scoreSlabs(volume(6), { plan, model });
    const both: [number[], number[]] = [[], []];
    for await (const { scores, offsets } of slabs) {
      both[0].push(...scores.data);
      both[1].push(...offsets!.data.subarray(0, scores.data.length));
    }
    expect(both[1]).toEqual(both[0]);
    expect(both[0].some((value) => value > 0 && value < 4)).toBe(true);
  });

  it('scoreSlabs takes memory for three more channels with offsets, and for none without', async () => {
    const plan = planTiles([1, 1, 12], { tile: [1, 1, 4] });
    const channels = async (fields: Partial<ModelSpec>) => {
      const model = fakeModel(spec(fields), () => new Float32Array(20));
      const slabs = await collect(scoreSlabs(volume(12), { plan, model }));
      expect(slabs.some(({ offsets }) => offsets !== undefined)).toBe(
        fields.offsets === undefined && !('offsets' in fields),
      );
      return slabs.map(({ scores }) => scores.data.buffer.byteLength / (4 * scores.stride[0]));
    };
    expect(new Set(await channels({}))).toEqual(new Set([4]));
    expect(new Set(await channels({ offsets: undefined }))).toEqual(new Set([1]));
  });

  it('scoreSlabs throws if an offset is not finite', async () => {
    const model = fakeModel(spec(), () => new Float32Array(20).fill(Number.NaN, 19));
    const plan = planTiles([1, 1, 4], { tile: [1, 1, 4] });
    await expect(joinSlabs(scoreSlabs(volume(4), { plan, model }))).rejects.toMatchObject({ code: 'model-failed' });
  });
});

describe('a model card with offsets', () => {
  const card = offsetOracle(shape, []).spec;

  it('a model card with offsets is read as it was written', () => {
    expect(parseModelSpec(JSON.stringify(card)).offsets).toEqual([3, 4, 5]);
    expect(parseModelSpec({ ...card, offsets: [5, 3, 4] }).offsets).toEqual([5, 3, 4]);
  });

  it.each<[string, Partial<ModelSpec>, string]>([
    ['a channel that comes twice', { offsets: [3, 4, 4] }, 'found [3,4,4] of 6'],
    ['channels in the middle', { offsets: [1, 3, 4] }, 'found [1,3,4] of 6'],
    ['channels that the classes do not count', { offsets: [6, 7, 8] }, 'found [6,7,8] of 6'],
    ['a channel with a name', { classes: ['a', null, null, null, null, 'b'] }, 'null among the classes'],
  ])('a model card with offsets is refused for %s, when it is read and when it is used', (_, fields, message) => {
    const spec = { ...card, ...fields };
    expect(() => parseModelSpec(spec, { source: 'a.json' })).toThrow(
      expect.objectContaining({ code: 'invalid-metadata', message: expect.stringContaining(message) }),
    );
    const plan = planTiles(shape, { tile: spec.tile });
    const model = fakeModel(spec, () => new Float32Array(0));
    expect(() => scoreSlabs(indexVolume(shape), { plan, model })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });

  it('a model card with offsets is refused unless it names three', () => {
    expect(() => parseModelSpec({ ...card, offsets: [4, 5] })).toThrow('field "offsets.2"');
  });

  it('averageOf averages a model with offsets only with one of the same offsets', () => {
    const [a, b] = [offsetOracle(shape, []), offsetOracle(shape, [], { offsets: [5, 4, 3] })];
    expect(() => averageOf(a, b)).toThrow('offsets is [3,4,5] and [5,4,3]');
  });
});

it('withFlips turns offsets exactly, for any tile, batch and axes', async () => {
  const axesOf = fc.subarray(['z', 'y', 'x'] as const);
  await fc.assert(
    fc.asyncProperty(axesOf, fc.integer({ min: 1, max: 3 }), fc.constantFrom<Axis>(0, 1, 2), async (axes, n, along) => {
      // Offsets that point away from the middle of the tile are their own mirror images.
      const [d, h, w] = [4, 6, 2];
      const fromMiddle = (i: number) =>
        [Math.floor(i / (h * w)) - 1.5, (Math.floor(i / w) % h) - 2.5, (i % w) - 0.5][along];
      const model = fakeModel(fakeSpec({ classes: ['a', null, null, null], offsets: [1, 2, 3] }), () =>
        Float32Array.from({ length: 4 * d * h * w }, (_, i) =>
          Math.floor(i / (d * h * w)) === along + 1 ? fromMiddle(i % (d * h * w)) : 0,
        ),
      );
      const tiles = { data: new Float32Array(n * d * h * w), shape: [n, d, h, w] as const };
      const plain = await model.score(tiles);
      const flipped = await withFlips(model, axes).score(tiles);
      expect(flipped.data.map((value) => value + 0)).toEqual(plain.data.map((value) => value + 0));
    }),
    { numRuns: 40 },
  );
});
