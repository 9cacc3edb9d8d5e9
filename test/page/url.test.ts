import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyState } from '../../src/page/state.ts';
import { formatPlace, parsePlace } from '../../src/page/url.ts';

const name = fc.string({ minLength: 1 });
const coordinate = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((value) => value / 100);
const point = fc.record({ x: coordinate, y: coordinate, z: coordinate });
const grid = { shape: [1, 1, 1], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;

describe('the fragment of the address', () => {
  it('a fragment that was formatted gives back run, tomogram, picks, place, thresholds and hidden objects, whatever their names', () => {
    fc.assert(
      fc.property(
        fc.record({
          run: name,
          tomogram: name,
          set: name,
          truthSet: name,
          object: name,
          position: point,
          center: point,
        }),
        fc.dictionary(name, fc.double({ noNaN: true, noDefaultInfinity: true }), { noNullPrototype: true }),
        fc.uniqueArray(name),
        ({ center, ...state }, thresholds, hidden) => {
          const camera = { center, zoom: 0.125 };
          const text = formatPlace({ ...emptyState, ...state, grid, camera, thresholds, hidden: new Set(hidden) });
          const place = parsePlace(text);
          expect(place).toMatchObject({ ...state, center, zoom: 0.125, hidden });
          // −0 is written as 0.
          for (const [object, threshold] of Object.entries(thresholds))
            expect(place.thresholds[object]! + 0).toBe(threshold + 0);
        },
      ),
    );
  });

  it.each([
    ['', {}],
    ['#at=1,2', {}],
    ['#at=1,2,x', {}],
    ['#at=,,', {}],
    ['#at=1,%20,3', {}],
    ['#zoom=', {}],
    ['#zoom=-1', {}],
    ['#zoom=Infinity', {}],
    ['#threshold.a=&threshold.b=x&threshold.c=%20', {}],
    ['#at=1,2,3&zoom=0.5', { position: { x: 1, y: 2, z: 3 }, zoom: 0.5 }],
  ])('the fragment %j gives what can be understood of it', (fragment, expected) => {
    const place = parsePlace(fragment);
    expect({ position: place.position, zoom: place.zoom, thresholds: place.thresholds }).toEqual({
      position: undefined,
      zoom: undefined,
      thresholds: {},
      ...expected,
    });
  });
});
