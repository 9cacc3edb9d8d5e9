import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { curveAnchors, curveProblem } from '../../../src/copick/filament-curve.ts';
import { curveOf, evaluateCurve, hasCurrentCurve, picksAlongFilaments } from '../../../src/entry/copick.ts';
import type { Point } from '../../../src/entry/index.ts';
import { squaredDistance } from '../../../src/space/grid.ts';
import { copickVectors, toCurve, toPoint } from '../../support/copick-vectors.ts';

const { curves, broken, current, editable, sampled } = copickVectors.filaments;

function largestGap(a: readonly Point[], b: readonly Point[]): number {
  expect(a).toHaveLength(b.length);
  return Math.sqrt(Math.max(...a.map((point, i) => squaredDistance(point, b[i]!))));
}

describe('evaluateCurve', () => {
  it.each(curves.map(([json, points, anchors]) => [json.kind, json, points, anchors] as const))(
    'evaluateCurve makes the points and the anchors of copick, of a curve of kind %s',
    (_, json, points, anchors) => {
      const curve = toCurve(json);
      expect(largestGap(evaluateCurve(curve), points.map(toPoint))).toBeLessThan(1e-9);
      const found = curveAnchors(curve).map(([x, y, z]) => ({ x, y, z }));
      expect(largestGap(found, anchors.map(toPoint))).toBeLessThan(1e-9);
    },
  );

  it.each(broken)('evaluateCurve takes a curve if copick does: %j %j', (json, isSound) => {
    const curve = toCurve(json);
    expect(curveProblem(curve) === undefined).toBe(isSound);
    if (isSound) expect(evaluateCurve(curve).length).toBeGreaterThan(1);
    else expect(() => evaluateCurve(curve)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  });

  it.each(['linear', 'catmull-rom'])(
    'evaluateCurve refuses a %s curve with a step that would exhaust the memory',
    (kind) => {
      const controlPoints = [0, 100].map((x) => ({ x, y: 0, z: 0 }));
      expect(() => evaluateCurve({ kind, controlPoints, step: 1e-9 })).toThrow(/more than 5000000 samples/);
    },
  );

  it('evaluateCurve never leaves more than a step between points, and passes through the control points', () => {
    const coordinate = fc.double({ min: -1000, max: 1000, noNaN: true });
    const point = fc.record({ x: coordinate, y: coordinate, z: coordinate });
    const apart = (points: readonly Point[]) =>
      points.every((p, i) => i === 0 || squaredDistance(p, points[i - 1]!) > 1);
    const line = fc.array(point, { minLength: 2, maxLength: 6 }).filter(apart);
    const kind = fc.constantFrom('linear', 'catmull-rom');
    fc.assert(
      fc.property(line, kind, fc.double({ min: 20, max: 500, noNaN: true }), (controlPoints, kind, step) => {
        const points = evaluateCurve({ kind, controlPoints, step });
        for (const [i, p] of points.slice(1).entries()) {
          expect(Math.sqrt(squaredDistance(points[i]!, p))).toBeLessThanOrEqual(step * (1 + 1e-6));
        }
        for (const control of controlPoints) expect(points.some((p) => squaredDistance(p, control) < 1e-18)).toBe(true);
        expect(hasCurrentCurve({ points, curve: { kind, controlPoints, step } })).toBe(true);
      }),
    );
  });
});

describe('hasCurrentCurve', () => {
  it.each(current)(
    'hasCurrentCurve judges as copick does: curve %j, moved by %j at %j, is current: %j',
    (number, by, at, isCurrent) => {
      const [json, made] = curves[number]!;
      const points = made.map(toPoint);
      if (by === null) points.reverse();
      else points[at] = { x: points[at]!.x + by, y: points[at]!.y + by, z: points[at]!.z + by };
      expect(hasCurrentCurve({ points, curve: toCurve(json) })).toBe(isCurrent);
    },
  );

  it('hasCurrentCurve is false without a curve, for unknown kinds, and for curves that are not valid', () => {
    const points = [0, 100].map((x) => ({ x, y: 0, z: 0 }));
    const curve = { kind: 'linear', controlPoints: points, step: 10 };
    expect(hasCurrentCurve({ points, curve })).toBe(true);
    expect(hasCurrentCurve({ points })).toBe(false);
    expect(hasCurrentCurve({ points, curve: { ...curve, kind: 'nurbs' } })).toBe(false);
    expect(hasCurrentCurve({ points, curve: { ...curve, kind: 'bspline' } })).toBe(false);
    expect(hasCurrentCurve({ points, curve: { ...curve, step: Number.NaN } })).toBe(false);
  });
});

describe('curveOf', () => {
  it.each(editable)('curveOf finds the control points that copick finds', (points, json) => {
    const curve = curveOf({ points: points.map(toPoint) });
    expect(curve).toMatchObject({ kind: json.kind, alpha: 0.5 });
    expect(curve.step).toBeCloseTo(json.step, 9);
    expect(curve.controlPoints).toEqual(json.control_points.map(toPoint));
  });

  it("curveOf returns the filament's own curve if it is current", () => {
    const [json, points] = curves[0]!;
    const curve = toCurve(json);
    expect(curveOf({ points: points.map(toPoint), curve })).toBe(curve);
  });

  it.each([
    ['all in one place', [0, 0, 0]],
    ['ending where they start', [0, 50, 0]],
  ])('curveOf refuses points %s', (_, xs) => {
    expect(() => curveOf({ points: xs.map((x) => ({ x, y: 1, z: 2 })) })).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });
});

describe('picksAlongFilaments', () => {
  const cases = sampled.map(([line, ...rest], i) => [i, line, ...rest] as const);

  it.each(cases)(
    'picksAlongFilaments puts picks where copick-utils does: %i',
    (_, line, spacing, anchor, positions, rotations) => {
      const [json, made] = typeof line === 'number' ? curves[line]! : [undefined, line];
      const filament = { points: made.map(toPoint), ...(json && { curve: toCurve(json) }), instanceId: 4, score: 0.25 };
      const picks = picksAlongFilaments([filament], { object: 'actin', spacing, anchor });
      expect(
        largestGap(
          picks.map(({ position }) => position),
          positions.map(toPoint),
        ),
      ).toBeLessThan(1e-9);
      for (const [i, { transform, ...pick }] of picks.entries()) {
        expect(pick).toMatchObject({ object: 'actin', instanceId: 4, score: 0.25 });
        const expected = [...rotations[i]!.map((row) => [...row, 0]), [0, 0, 0, 1]].flat();
        const worst = Math.max(...transform!.flat().map((value, k) => Math.abs(value - expected[k]!)));
        expect(worst).toBeLessThan(1e-9);
      }
    },
  );

  it('picksAlongFilaments goes filament by filament, in order along each, and keeps their ids', () => {
    const along = (x: number, ys: readonly number[]) => ys.map((y) => ({ x, y, z: 0 }));
    const filaments = [
      { instanceId: 7, points: along(1, [100, 0]) },
      { instanceId: 2, points: along(2, [0, 30, 60]), score: 0.5 },
    ];
    const picks = picksAlongFilaments(filaments, { object: 'actin', spacing: 50, anchor: 'start' });
    expect(picks.map(({ instanceId, score }) => [instanceId, score])).toEqual([
      [7, 1],
      [7, 1],
      [7, 1],
      [2, 0.5],
      [2, 0.5],
    ]);
    expect(picks.map(({ position }) => Math.round(position.y))).toEqual([100, 50, 0, 0, 50]);
    expect(picks[0]!.transform!.map((row) => row[2])).toEqual([0, -1, 0, 0]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('picksAlongFilaments refuses a spacing of %d Å', (spacing) => {
    expect(() => picksAlongFilaments([], { object: 'actin', spacing })).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });

  it.each(curves.map(([json, points]) => [json.kind, json, points] as const))(
    'picksAlongFilaments refuses a spacing that would exhaust the memory along a %s',
    (_, json, points) => {
      const filament = { instanceId: 1, points: points.map(toPoint), curve: toCurve(json) };
      expect(() => picksAlongFilaments([filament], { object: 'actin', spacing: 1e-7 })).toThrow(/samples/);
    },
  );
});
