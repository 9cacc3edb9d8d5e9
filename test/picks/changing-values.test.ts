import { describe, expect, it } from 'vitest';
import { csvFormat, encodePicks, picksFormat, picksFormatNames } from '../../src/entry/formats.ts';
import {
  cziiRules,
  dbscan,
  formatSubmission,
  matchPicks,
  meanShift,
  mergeNearby,
  type ParticlePick,
  paintSegmentation,
  scorePicks,
  suppressAcrossObjects,
  suppressNearby,
} from '../../src/entry/index.ts';

/** A getter whose first value is right, and each later one is not a number. */
function once<T>(value: T, later: unknown): () => T {
  let reads = 0;
  return () => (reads++ === 0 ? value : (later as T));
}

/** A pick whose coordinates and score are what they should be only once. */
function changingPick(x: number): ParticlePick {
  const position = Object.defineProperties({} as ParticlePick['position'], {
    x: { get: once(x, Number.NaN), enumerable: true },
    y: { get: once(20, Number.NaN), enumerable: true },
    z: { get: once(30, Number.NaN), enumerable: true },
  });
  return Object.defineProperties({ object: 'ribosome' } as ParticlePick, {
    position: { get: once(position, { x: Number.NaN, y: Number.NaN, z: Number.NaN }), enumerable: true },
    score: { get: once(0.5, Number.NaN), enumerable: true },
  });
}

const grid = { shape: [6, 6, 40], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
const changing = () => [changingPick(100), changingPick(101), changingPick(300)];
const steady = [100, 101, 300].map((x) => ({ object: 'ribosome', position: { x, y: 20, z: 30 }, score: 0.5 }));

describe('a pick whose values change when they are read again', () => {
  it('suppressNearby and suppressAcrossObjects decide by the values that were checked', () => {
    const some = changing();
    expect(suppressNearby(some, { minDistance: 50 })).toEqual(
      [some[0], some[2]].map((pick) => expect.toSatisfy((one) => one === pick)),
    );
    const others = changing();
    const kept = suppressAcrossObjects(others, { minDistance: 50 });
    expect(kept.map((pick) => others.indexOf(pick))).toEqual([0, 2]);
  });

  it('mergeNearby, meanShift and dbscan give what they give for steady picks', () => {
    expect(mergeNearby(changing(), { radius: 50 })).toEqual(mergeNearby(steady, { radius: 50 }));
    expect(meanShift(changing(), { bandwidth: 50 })).toEqual(meanShift(steady, { bandwidth: 50 }));
    const others = changing();
    const { clusters, noise } = dbscan(others, { radius: 50 });
    expect(clusters.map((cluster) => cluster.map((pick) => others.indexOf(pick)))).toEqual([[0, 1]]);
    expect(noise.map((pick) => others.indexOf(pick))).toEqual([2]);
  });

  it('paintSegmentation, scorePicks and matchPicks give what they give for steady picks', () => {
    const paint = { grid, radius: 20, label: 1 };
    expect(paintSegmentation(changing(), paint)).toEqual(paintSegmentation(steady, paint));
    const places = (picks: readonly ParticlePick[]) => picks.map(({ position }) => position);
    const radius = { radius: 50 };
    expect(matchPicks(places(changing()), places(changing()), radius)).toEqual(
      matchPicks(places(steady), places(steady), radius),
    );
    expect(cziiRules.objects).toHaveProperty('ribosome');
  });

  it.each(picksFormatNames)('a file of %s holds the values that were checked', async (name) => {
    const options = {
      voxelSize: 10,
      shape: [6, 6, 40],
      run: '1',
      object: 'ribosome',
      objects: { 1: 'ribosome' },
    } as const;
    const format = picksFormat(name, options);
    // What is looked through before the first line is written must not be what is written.
    const twice = () => changing().map((pick) => Object.create(pick, {}) as ParticlePick);
    const written = await encodePicks([{ run: '1', picks: twice() }], { format }).catch((error) => error.code);
    expect(written === 'invalid-picks' || !new TextDecoder().decode(written).includes('NaN')).toBe(true);
  });

  it('a submission holds the values that were checked, or is refused', () => {
    expect(() => formatSubmission([{ run: '1', picks: changing() }])).toThrow(/expected finite coordinates/);
    expect(csvFormat().format([{ run: '1', picks: steady }])).toContain('ribosome,100,20,30,0.5');
    expect(scorePicks([{ run: '1', truth: [], picks: [] }]).score).toBe(0);
  });
});
