import { beforeAll, describe, expect, it } from 'vitest';
import { realPlanes, simulatedPlanes } from '../../scripts/simulate/cube.ts';
import { directions, type PlaneStatistics, planeStatistics } from '../../scripts/simulate/statistics.ts';
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';

/** Mean over planes or seeds, number by number. */
const mean = (rows: readonly (readonly number[])[]): number[] =>
  rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);

const difference = (a: readonly number[], b: readonly number[]) => a.map((value, i) => Math.abs(value - b[i]!));

describe.skipIf(sharedDataMissing)('simulated planes beside nine real ones (needs ../shared/data)', () => {
  let real: PlaneStatistics;
  let simulated: readonly PlaneStatistics[];
  beforeAll(async () => {
    real = planeStatistics(realPlanes(sharedData('real/TS_100_3_9planes.u8')));
    simulated = (await Promise.all([1, 2, 3].map(simulatedPlanes))).map(planeStatistics);
  }, 120_000);

  it('simulated planes beside nine real ones have the histogram of the real ones: skew and quantiles', () => {
    expect(real.skew).toBeCloseTo(-2.25, 2);
    expect(Math.abs(mean(simulated.map(({ skew }) => [skew]))[0]! - real.skew)).toBeLessThan(0.3);
    const [q01, q1, q5, q25, q50, q75, q95, q99, q999] = difference(
      mean(simulated.map(({ quantiles }) => quantiles)),
      real.quantiles,
    );
    expect(q01).toBeLessThan(0.6);
    expect(q1).toBeLessThan(0.4);
    expect(Math.max(q5!, q25!, q50!, q75!, q95!, q99!)).toBeLessThan(0.15);
    expect(q999).toBeLessThan(0.3);
  });

  it.each(directions)(
    'simulated planes beside nine real ones correlate as the real ones do (planes across, along: %s)',
    (direction) => {
      const [ours, theirs] = [
        mean(simulated.map((s) => mean(s.correlation[direction]))),
        mean(real.correlation[direction]),
      ];
      const apart = difference(ours, theirs);
      expect(apart[0]).toBeLessThan(direction.endsWith('z') ? 0.03 : 0.07);
      expect(Math.max(...apart)).toBeLessThan(0.15);
    },
  );

  it.each([['z'], ['y'], ['x']])(
    'simulated planes beside nine real ones have the power spectrum of the real ones (%s planes)',
    (across) => {
      const axis = ['z', 'y', 'x'].indexOf(across);
      const apart = difference(mean(simulated.map(({ spectrum }) => spectrum[axis]!)), real.spectrum[axis]!);
      // The lowest ring is a handful of frequencies: which molecules a plane happens to cut.
      expect(Math.max(...apart.slice(1))).toBeLessThan(0.45);
      expect(apart.slice(1).reduce((sum, value) => sum + value, 0) / 10).toBeLessThan(0.2);
    },
  );

  it('simulated planes beside nine real ones hold each tilt as strongly as the real ones, and the wedge as weakly', () => {
    const apart = difference(mean(simulated.map(({ tilts }) => tilts)), real.tilts);
    expect(Math.max(...apart)).toBeLessThan(0.35);
    expect(real.tilts[0]! - real.tilts[8]!).toBeGreaterThan(2);
  });
});
