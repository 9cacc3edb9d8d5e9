import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Axis, smoothed, type Zyx } from '../../src/entry/index.ts';
import golden from '../fixtures/splitting.json' with { type: 'json' };
import { joinSlabs } from '../support/score-map.ts';
import { arbitrarySweep, gridOf, slabsOf } from '../support/slabs.ts';

describe('smoothed', () => {
  for (const axis of [0, 1, 2] as const satisfies readonly Axis[]) {
    it.each(golden.smoothings)(
      `smoothed agrees with scipy over $shape, σ $sigma Å, swept along axis ${axis}`,
      async ({ shape, sigma, scores, smooth }) => {
        const one = { shape: shape as unknown as Zyx, classes: ['c'], values: Float32Array.from(scores) };
        const { data, classes } = await joinSlabs(smoothed(slabsOf(one, axis, [1, 3]), { sigma }));
        expect(classes).toEqual(['c']);
        data.forEach((value, i) => {
          expect(value).toBeCloseTo(smooth[i], 5);
        });
      },
    );
  }

  it('smoothed yields empty planes of all classes for a volume without voxels', async () => {
    const empty = { shape: [2, 0, 3], classes: ['c', 'e'], values: new Float32Array(0) } as const;
    const shapes = [];
    for await (const { scores } of smoothed(slabsOf(empty, 0), { sigma: 3 })) shapes.push([...scores.shape]);
    expect(shapes).toEqual([
      [2, 1, 0, 3],
      [2, 1, 0, 3],
    ]);
  });

  it('smoothed does not depend on where slabs are cut, nor on other classes', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySweep([0, 1, -2, 7]), async ({ scores, axis, cuts }) => {
        const cut = await joinSlabs(smoothed(slabsOf(scores, axis, cuts), { sigma: 3 }));
        const whole = await joinSlabs(smoothed(slabsOf(scores, axis, []), { sigma: 3 }));
        expect(cut).toEqual(whole);
        const first = {
          ...scores,
          classes: scores.classes.slice(0, 1),
          values: scores.values.slice(0, scores.values.length / scores.classes.length),
        };
        const alone = await joinSlabs(smoothed(slabsOf(first, axis, cuts), { sigma: 3 }));
        expect([...alone.data]).toEqual([...cut.data.slice(0, alone.data.length)]);
      }),
      { numRuns: 50 },
    );
  });

  it('smoothed leaves scores unchanged if sigma is 0, and keeps their sum otherwise', async () => {
    const scores = {
      shape: [3, 4, 5] as const,
      classes: ['a'],
      values: Float32Array.from({ length: 60 }, (_, i) => (i * 7) % 11),
    };
    expect([...(await joinSlabs(smoothed(slabsOf(scores, 0, []), { sigma: 0 }))).data]).toEqual([...scores.values]);
    const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
    expect(sum((await joinSlabs(smoothed(slabsOf(scores, 0, []), { sigma: 20 }))).data)).toBeCloseTo(
      sum(scores.values),
      2,
    );
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('smoothed refuses a sigma of %d', async (sigma) => {
    const scores = { shape: [1, 1, 1] as const, classes: ['a'], values: new Float32Array(1) };
    await expect(joinSlabs(smoothed(slabsOf(scores, 0, []), { sigma }))).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(`found ${sigma}`),
    });
  });

  it('smoothed stops when aborted', async () => {
    const stop = new AbortController();
    const scores = { shape: [4, 1, 1] as const, classes: ['a'], values: new Float32Array(4) };
    const planes = smoothed(slabsOf(scores, 0, [1, 2, 3]), { sigma: 0, signal: stop.signal });
    await planes.next();
    stop.abort(new Error('enough'));
    await expect(planes.next()).rejects.toThrow('enough');
  });

  it('smoothed yields slabs with its grid', async () => {
    const scores = { shape: [2, 3, 4] as const, classes: ['a'], values: new Float32Array(24) };
    for await (const slab of smoothed(slabsOf(scores, 2, []), { sigma: 1 })) {
      expect(slab.grid).toEqual(gridOf([2, 3, 4]));
      expect(slab.axis).toBe(2);
    }
  });
});
