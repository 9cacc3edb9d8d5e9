import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Axis,
  type Candidates,
  collectCandidates,
  localMaxima,
  type Mask,
  type ParticlePick,
  type PicksFromCandidatesOptions,
  picksFromCandidates,
  suppressAcrossObjects,
  suppressNearby,
  type Transform,
  toPick,
  type Warning,
} from '../../src/entry/index.ts';
import { arbitrarySweep, collect, gridOf, type Scores, scoresOf, slabsOf } from '../support/slabs.ts';
import { noise } from '../support/volumes.ts';

interface Sweep {
  readonly scores: Scores;
  readonly axis: Axis;
  readonly cuts: readonly number[];
}

const all = (objects: readonly string[], value: number) => Object.fromEntries(objects.map((name) => [name, value]));

async function candidatesOf(
  { scores, axis, cuts }: Sweep,
  options: { floor: number; candidatesPerObject?: number | undefined },
): Promise<Candidates> {
  const { classes: objects, shape } = scores;
  const floors = all(objects, options.floor);
  return collectCandidates(localMaxima(slabsOf(scores, axis, cuts), { threshold: floors }), {
    grid: gridOf(shape),
    objects,
    thresholds: all(objects, 0.5),
    minDistances: all(objects, 0),
    floors,
    candidatesPerObject: options.candidatesPerObject,
  });
}

interface Wanted {
  readonly thresholds: number;
  readonly minDistances: number;
  readonly mask?: Mask | undefined;
  readonly acrossObjects?: number | undefined;
  readonly max?: number | undefined;
}

/** The order of equal scores: by z, then y, then x, then the name of the object. */
function inSpace({ position: a, object }: ParticlePick, { position: b, object: other }: ParticlePick): number {
  return a.z - b.z || a.y - b.y || a.x - b.x || (object < other ? -1 : object > other ? 1 : 0);
}

/** A fresh run: local maxima at the threshold itself, and each later step by hand. */
async function freshPicks({ scores, axis, cuts }: Sweep, wanted: Wanted): Promise<ParticlePick[]> {
  const { thresholds, minDistances, mask = () => true, acrossObjects, max } = wanted;
  const peaks = await collect(localMaxima(slabsOf(scores, axis, cuts), { threshold: thresholds }));
  // Equal scores go by their order in a list.
  const inside = peaks
    .map(toPick)
    .filter(({ position }) => mask(position))
    .sort(inSpace);
  const apart = suppressNearby(inside, { minDistance: minDistances });
  const single = acrossObjects === undefined ? apart : suppressAcrossObjects(apart, { minDistance: acrossObjects });
  return single.filter(
    ({ object }, i) => max === undefined || single.slice(0, i).filter((other) => other.object === object).length < max,
  );
}

/** Offsets of 20 voxels at most, different everywhere. */
const withOffsets = (scores: Scores): Scores => {
  const [z, y, x] = scores.shape;
  return { ...scores, offsets: noise([3 * z, y, x], 5) };
};

const levels = [0, 0.1, 0.25, 0.25, 0.5, 0.7, 1, 1];
const thresholds = [0, 0.05, 0.1, 0.2, 0.25, 0.4, 0.5, 0.6, 0.7, 0.99, 1, 2];
const sweeps = fc.tuple(arbitrarySweep(levels), fc.boolean()).map(([sweep, moved]) => ({
  ...sweep,
  scores: moved ? withOffsets(sweep.scores) : sweep.scores,
}));
const wanted = fc.record({
  minDistances: fc.constantFrom(0, 4, 9),
  mask: fc.constantFrom<Mask | undefined>(
    undefined,
    ({ x }) => x < 3,
    ({ y, z }) => Math.floor(y + z) % 3 > 0,
  ),
  acrossObjects: fc.constantFrom(undefined, 0, 3, 8),
  max: fc.constantFrom(undefined, 1, 2),
});

describe('picksFromCandidates', () => {
  it('picksFromCandidates gives the picks of a fresh run at every threshold, with plateaus, offsets and equal scores of several objects', async () => {
    await fc.assert(
      fc.asyncProperty(sweeps, wanted, async (sweep, options) => {
        const candidates = await candidatesOf(sweep, { floor: 0 });
        for (const threshold of thresholds) {
          const asked = { ...options, thresholds: threshold };
          expect(picksFromCandidates(candidates, asked)).toEqual(await freshPicks(sweep, asked));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('picksFromCandidates gives the picks of a fresh run down to the floor or the last score kept, and throws below', async () => {
    const limits = fc.record({
      floor: fc.constantFrom(0, 0.1, 0.3),
      candidatesPerObject: fc.constantFrom(1, 2, 5, 1000),
    });
    let thrown = 0;
    let equal = 0;
    await fc.assert(
      fc.asyncProperty(sweeps, wanted, limits, async (sweep, options, limit) => {
        const candidates = await candidatesOf(sweep, limit);
        const { objects, lowestThresholds } = candidates;
        const lowest = Math.max(...objects.map((object) => lowestThresholds[object]!));
        for (const threshold of [...thresholds, lowest]) {
          const asked = { ...options, thresholds: threshold };
          if (threshold < lowest) {
            thrown++;
            expect(() => picksFromCandidates(candidates, asked)).toThrow(
              expect.objectContaining({ code: 'invalid-option', option: 'thresholds' }),
            );
          } else {
            equal++;
            expect(picksFromCandidates(candidates, asked)).toEqual(await freshPicks(sweep, asked));
          }
        }
      }),
      { numRuns: 100 },
    );
    expect(thrown).toBeGreaterThan(100);
    expect(equal).toBeGreaterThan(100);
  });

  it('picksFromCandidates gives the same picks in whatever order candidates and objects are, equal scores too', () => {
    const candidate = fc.record({
      place: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
      object: fc.constantFrom('a', 'b', 'c'),
      score: fc.constantFrom(0.25, 0.5, 1),
    });
    // A candidate is a local maximum: of an object, there is one at a place.
    const lists = fc.uniqueArray(candidate, {
      maxLength: 60,
      selector: ({ place, object }) => `${object}@${place}`,
    });
    const shuffled = lists.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length }),
        fc.shuffledSubarray(['a', 'b', 'c'], { minLength: 3 }),
      ),
    );
    const columns = (
      list: readonly { place: readonly number[]; object: string; score: number }[],
      objects: string[],
    ) => ({
      ...{ grid: gridOf([4, 4, 4]), objects, thresholds: all(objects, 0.3), minDistances: all(objects, 1.5) },
      ...{ floors: all(objects, 0), lowestThresholds: all(objects, 0) },
      objectIndices: Uint16Array.from(list, ({ object }) => objects.indexOf(object)),
      positions: Float64Array.from(list.flatMap(({ place }) => place)),
      scores: Float32Array.from(list, ({ score }) => score),
    });
    fc.assert(
      fc.property(shuffled, wanted, ([list, other, objects], { acrossObjects = false, max, minDistances }) => {
        const options = { acrossObjects, minDistances: minDistances / 4, thresholds: 0.2, ...(max && { max }) };
        const picks = picksFromCandidates(columns(list, ['a', 'b', 'c']), options);
        expect(picksFromCandidates(columns(other, objects), options)).toEqual(picks);
      }),
      { numRuns: 500 },
    );
  });

  // A row of three peaks of a, one of b on the first of them.
  const row: Sweep = {
    scores: {
      shape: [1, 1, 7],
      classes: ['a', 'b'],
      values: Float32Array.from([0.5, 0, 0.75, 0, 0.25, 0, 0, 0.625, 0, 0, 0, 0, 0, 0]),
    },
    axis: 0,
    cuts: [],
  };
  const scoresOfPicks = (candidates: Candidates, options: PicksFromCandidatesOptions) =>
    picksFromCandidates(candidates, options).map(({ object, score }) => `${object} ${score}`);

  it('picksFromCandidates takes thresholds, distances and objects of the candidates unless others are given', async () => {
    const candidates = { ...(await candidatesOf(row, { floor: 0.1 })), thresholds: { a: 0.5, b: 0.7 } };
    expect(scoresOfPicks(candidates, {})).toEqual(['a 0.75', 'a 0.5']);
    expect(scoresOfPicks(candidates, { thresholds: { b: 0.6 } })).toEqual(['a 0.75', 'b 0.625', 'a 0.5']);
    expect(scoresOfPicks(candidates, { thresholds: 0.1, minDistances: { a: 12 } })).toEqual(['a 0.75', 'b 0.625']);
    expect(scoresOfPicks(candidates, { thresholds: 0.1, objects: [{ name: 'b' }, { name: 'c' }] })).toEqual([
      'b 0.625',
    ]);
  });

  it('picksFromCandidates suppresses before it counts, so that the maximum number is reached where there are enough', async () => {
    const candidates = await candidatesOf(row, { floor: 0.1 });
    const asked = { thresholds: 0.1, acrossObjects: 4, max: { a: 2 } };
    expect(scoresOfPicks(candidates, asked)).toEqual(['a 0.75', 'b 0.625', 'a 0.25']);
    // The first pick of a is worse than that of b at its place.
    expect(scoresOfPicks(candidates, { ...asked, acrossObjects: false })).toEqual(['a 0.75', 'b 0.625', 'a 0.5']);
  });

  it('picksFromCandidates masks before it suppresses, so that what lies outside suppresses nothing', async () => {
    const candidates = await candidatesOf(row, { floor: 0.1 });
    const masked = { thresholds: 0.1, minDistances: 12, objects: [{ name: 'a' }] };
    expect(scoresOfPicks(candidates, masked)).toEqual(['a 0.75']);
    const mask: Mask = ({ x }) => x !== 3;
    expect(scoresOfPicks(candidates, { ...masked, mask })).toEqual(['a 0.5', 'a 0.25']);
    expect(scoresOfPicks(candidates, { ...masked, mask: [mask, ({ x }) => x < 10] })).toEqual(['a 0.5']);
  });

  it('picksFromCandidates takes the smallest minimum distance across objects unless another is given', async () => {
    const candidates = { ...(await candidatesOf(row, { floor: 0.1 })), minDistances: { a: 6, b: 9 } };
    const asked = { thresholds: 0.1, max: { a: 1 } };
    expect(scoresOfPicks(candidates, { ...asked, acrossObjects: true })).toEqual(
      scoresOfPicks(candidates, { ...asked, acrossObjects: 6 }),
    );
  });

  it.each<[string, PicksFromCandidatesOptions, RegExp]>([
    ['a threshold below the floor', { thresholds: { b: 0.05 } }, /"b" is 0.05, but .* down to 0.1;/],
    ['a threshold below the last score', { thresholds: { a: 0.3 } }, /"a" is 0.3, but .* down to 0.1, .* down to 0.5;/],
    ['a threshold that is NaN', { thresholds: Number.NaN }, /thresholds must be a finite score, found NaN/],
    [
      'a threshold of a misspelt object',
      { thresholds: { c: 1 } },
      /thresholds names "c", but the objects are "a", "b"/,
    ],
    ['a distance of a misspelt object', { minDistances: { c: 1 } }, /minDistances names "c"/],
    ['a negative distance', { minDistances: -1 }, /minDistances must be a finite length/],
    ['a maximum of none', { max: { a: 0 } }, /max of "a" must be a whole number ≥ 1, found 0/],
    ['a maximum of a misspelt object', { max: { c: 5 } }, /max names "c"/],
    [
      'objects without candidates',
      { objects: [{ name: 'c' }] },
      /objects names "c", but the candidates are of "a", "b"/,
    ],
    [
      'a negative distance across objects',
      { acrossObjects: -3 },
      /acrossObjects must be true, false or a finite length/,
    ],
    ['a mask that is no function', { mask: {} as Mask }, /mask must be a function of a position/],
    ['a mask that gives a promise', { mask: (async () => true) as unknown as Mask }, /true or false, found a promise/],
  ])('picksFromCandidates throws for %s', async (_, options, message) => {
    const candidates = await candidatesOf(row, { floor: 0.1, candidatesPerObject: 2 });
    expect(() => picksFromCandidates(candidates, options)).toThrow(message);
    expect(() => picksFromCandidates(candidates, options)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });

  it('picksFromCandidates refuses columns that do not belong together', async () => {
    const candidates = await candidatesOf(row, { floor: 0.1 });
    for (const wrong of [
      { positions: candidates.positions.slice(3) },
      { objectIndices: candidates.objectIndices.map(() => 2) },
      { scores: [...candidates.scores] as never },
      { floors: undefined as never },
    ])
      expect(() => picksFromCandidates({ ...candidates, ...wrong })).toThrow(/candidates/);
  });
});

describe('collectCandidates', () => {
  it('collectCandidates keeps the best candidates of each object in the order in which they were found, with all that equal the last or reach the threshold', async () => {
    const peaks = (scores: readonly number[]) =>
      scores.map((score, x) => ({ grid: gridOf([1, 1, 9999]), voxel: [0, 0, x] as const, object: 'a', score }));
    const kept = fc.record({
      scores: fc.array(fc.constantFrom(0.125, 0.25, 0.5, 0.75, 1), { maxLength: 200 }),
      candidatesPerObject: fc.integer({ min: 1, max: 20 }),
      threshold: fc.constantFrom(0.125, 0.6, 2),
    });
    await fc.assert(
      fc.asyncProperty(kept, async ({ scores, candidatesPerObject, threshold }) => {
        const numbers = { a: 0 };
        const candidates = await collectCandidates(peaks(scores), {
          ...{
            grid: gridOf([1, 1, 9999]),
            objects: ['a'],
            thresholds: { a: threshold },
            minDistances: numbers,
            floors: numbers,
          },
          candidatesPerObject,
        });
        const last = Math.min([...scores].sort((a, b) => b - a)[candidatesPerObject - 1] ?? 0, threshold);
        const expected = scores.flatMap((score, x) => (score >= last ? [5 * x - 7] : []));
        expect([...candidates.scores]).toEqual(scores.filter((score) => score >= last));
        expect([...candidates.positions].filter((_, i) => i % 3 === 0)).toEqual(expected);
        const isCut = expected.length < scores.length;
        expect(candidates.lowestThresholds).toEqual({ a: isCut ? last : 0 });
      }),
    );
  });

  it('collectCandidates keeps the orientation of each candidate that has one, however many were dropped before it', async () => {
    const turned = (index: number): Transform => {
      const [cos, sin] = [Math.fround(Math.cos(index)), Math.fround(Math.sin(index))];
      return [
        [cos, -sin, 0, 0],
        [sin, cos, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
      ];
    };
    const peaks = Array.from({ length: 3000 }, (_, x) => ({
      ...{ grid: gridOf([1, 1, 9999]), voxel: [0, 0, x] as const, object: 'a', score: ((x * 7919) % 3001) / 3001 },
      ...(x % 3 > 0 && { transform: turned(x) }),
    }));
    const candidates = await collectCandidates(peaks, {
      ...{ grid: gridOf([1, 1, 9999]), objects: ['a'], thresholds: { a: 2 }, minDistances: { a: 0 }, floors: { a: 0 } },
      candidatesPerObject: 100,
    });
    const best = peaks.toSorted((a, b) => b.score - a.score).slice(0, 100);
    const picks = picksFromCandidates(candidates, { thresholds: candidates.lowestThresholds });
    expect(picks.map(({ position, transform }) => ({ position, transform }))).toEqual(
      best.map((peak) => ({ position: toPick(peak).position, transform: peak.transform })),
    );
    const wrong = { ...candidates, rotations: new Float32Array(9) };
    expect(() => picksFromCandidates(wrong)).toThrow('rotations has 9 numbers, expected 900, nine for each of scores');
  });

  it('collectCandidates refuses a peak of an object that it was not told of, and numbers that are missing', async () => {
    const { scores, axis } = { scores: scoresOf([[[0, 1, 0]]]), axis: 0 as const };
    const peaks = () => localMaxima(slabsOf(scores, axis), { threshold: 0.5 });
    const numbers = { b: 1 };
    const options = {
      grid: gridOf([1, 1, 3]),
      objects: ['b'],
      thresholds: numbers,
      minDistances: numbers,
      floors: numbers,
    };
    await expect(collectCandidates(peaks(), options)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/one of "a" with the score 1, expected a score of "b"/),
    });
    await expect(collectCandidates(peaks(), { ...options, floors: {} })).rejects.toMatchObject({
      message: expect.stringMatching(/floors has no value for "b"/),
    });
  });

  it('collectCandidates stops at an abort with its reason', async () => {
    const reason = new Error('enough');
    const peaks = localMaxima(slabsOf(scoresOf([[[0, 1, 0]]]), 0), { threshold: 0.5 });
    const numbers = { a: 0 };
    await expect(
      collectCandidates(peaks, {
        ...{
          grid: gridOf([1, 1, 3]),
          objects: ['a'],
          thresholds: numbers,
          minDistances: numbers,
          floors: numbers,
        },
        signal: AbortSignal.abort(reason),
      }),
    ).rejects.toBe(reason);
  });
});

it('picksFromCandidates warns of objects that a mask removes, with the number before, and of no others', () => {
  const objects = ['a', 'b', 'c'];
  const candidates: Candidates = {
    ...{ grid: gridOf([4, 4, 4]), objects, thresholds: all(objects, 0.5), minDistances: all(objects, 0) },
    ...{ floors: all(objects, 0.1), lowestThresholds: all(objects, 0.1) },
    objectIndices: Uint16Array.of(0, 0, 0, 1, 1, 2),
    positions: Float64Array.of(1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0, 9, 0, 0, 5, 0, 0),
    scores: Float32Array.of(0.9, 0.8, 0.2, 0.9, 0.7, 0.3),
  };
  const warnings: string[] = [];
  const onWarning = ({ code, message }: Warning) => warnings.push(`${code}: ${message}`);
  expect(picksFromCandidates(candidates, { mask: ({ x }) => x > 8, onWarning })).toHaveLength(1);
  expect(warnings).toEqual([
    'mask-removes-all: the mask removes all picks of "a": 2 candidates reach its threshold, 0 are left',
  ]);
  picksFromCandidates(candidates, { onWarning });
  expect(warnings).toHaveLength(1);
});
