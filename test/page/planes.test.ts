import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VoxelGrid } from '../../src/entry/index.ts';
import {
  along,
  centerNear,
  extentAlong,
  fittingZoom,
  type Plane,
  planeIndex,
  planePosition,
  planes,
  pointAt,
  scaleBarLength,
  spotOf,
} from '../../src/page/planes.ts';
import { ringAt, ringsOf } from '../../src/page/rings.ts';

const all = Object.values(planes);
const plane = fc.constantFrom<Plane>(...all);
const coordinate = fc.double({ min: -1e4, max: 1e4, noNaN: true });
const point = fc.record({ x: coordinate, y: coordinate, z: coordinate });
const camera = fc.record({ center: point, zoom: fc.double({ min: 0.01, max: 4, noNaN: true }) });
const size = { width: 640, height: 480 };
const grid: VoxelGrid = { shape: [20, 120, 40], voxelSize: [20, 5, 20], origin: { x: -300, y: 55, z: 1000 } };

describe('planes', () => {
  it('a place on the screen and the position that shows there lead to each other', () => {
    fc.assert(
      fc.property(plane, camera, point, (one, view, position) => {
        const spot = spotOf(one, view, size, position);
        const back = pointAt(one, view, size, spot, position);
        for (const axis of ['x', 'y', 'z'] as const) expect(back[axis]).toBeCloseTo(position[axis], 6);
      }),
    );
  });

  it('xy and xz share the column of a position, and xy and zy its row, in panels of one width and height', () => {
    fc.assert(
      fc.property(camera, point, (view, position) => {
        const { xy, xz, zy } = planes;
        expect(spotOf(xz, view, size, position).left).toBe(spotOf(xy, view, size, position).left);
        expect(spotOf(zy, view, size, position).top).toBe(spotOf(xy, view, size, position).top);
      }),
    );
  });

  it.each(all)('plane $name: the index of the position of each plane of voxels is that plane', ({ across }) => {
    for (let index = 0; index < grid.shape[across]; index++) {
      const position = { ...grid.origin, [['z', 'y', 'x'][across]!]: planePosition(grid, across, index) };
      expect(planeIndex(grid, across, position)).toBe(index);
    }
  });

  it.each(all)('plane $name: a fitting zoom shows all of the plane and fills one direction to 98 %%', (one) => {
    const zoom = fittingZoom(one, grid, size);
    const length = (axis: 0 | 1 | 2) => (extentAlong(grid, axis).end - extentAlong(grid, axis).start) * zoom;
    const shares = [length(one.right) / size.width, length(one.down) / size.height];
    expect(Math.max(...shares)).toBeCloseTo(0.98, 9);
  });

  it('the middle of the panels leaves no empty space beside a volume that is larger than they are', () => {
    fc.assert(
      fc.property(point, fc.double({ min: 0.01, max: 4, noNaN: true }), (wanted, zoom) => {
        const panels = { width: 300, height: 200, depth: 80 };
        const center = centerNear(wanted, grid, zoom, panels);
        for (const [axis, length] of [
          [0, 80],
          [1, 200],
          [2, 300],
        ] as const) {
          const { start, end } = extentAlong(grid, axis);
          const half = length / 2 / zoom;
          if (end - start > 2 * half) {
            expect(along(center, axis)).toBeGreaterThanOrEqual(start + half - 1e-6);
            expect(along(center, axis)).toBeLessThanOrEqual(end - half + 1e-6);
          } else expect(along(center, axis)).toBeCloseTo((start + end) / 2, 6);
        }
      }),
    );
  });

  it('a scale bar is 1, 2 or 5 times a power of ten long, and 60 to 150 pixels', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.002, max: 5, noNaN: true }), (zoom) => {
        const length = scaleBarLength(zoom);
        expect(length * zoom).toBeGreaterThanOrEqual(60 - 1e-9);
        expect(length * zoom).toBeLessThanOrEqual(150 + 1e-9);
        expect(['1', '2', '5']).toContain(length.toExponential()[0]);
      }),
    );
  });
});

describe('ringsOf', () => {
  const radius = 100;
  const picks = fc.array(
    point.map((position) => ({ object: 'ribosome', position, score: 1 })),
    { maxLength: 30 },
  );

  it('a ring is at the place of its pick and as wide as the circle that the plane cuts out of the sphere', () => {
    fc.assert(
      fc.property(plane, camera, coordinate, picks, (one, view, position, given) => {
        const cut = { plane: one, position, camera: view, size, radiusOf: () => radius };
        for (const ring of ringsOf(given, cut)) {
          const away = Math.abs(along(ring.pick.position, one.across) - position);
          expect(away).toBeLessThan(radius);
          expect(ring.radius).toBeCloseTo(Math.sqrt(radius ** 2 - away ** 2) * view.zoom, 6);
          expect({ left: ring.left, top: ring.top }).toEqual(spotOf(one, view, size, ring.pick.position));
        }
      }),
    );
  });

  it('every pick whose sphere the plane cuts inside the panel has a ring, and no other', () => {
    fc.assert(
      fc.property(plane, camera, coordinate, picks, (one, view, position, given) => {
        const ringed = new Set(
          ringsOf(given, { plane: one, position, camera: view, size, radiusOf: () => radius }).map(({ pick }) => pick),
        );
        for (const pick of given) {
          const { left, top } = spotOf(one, view, size, pick.position);
          const isCut = Math.abs(along(pick.position, one.across) - position) < radius;
          const isInside = left >= 0 && top >= 0 && left <= size.width && top <= size.height;
          if (isCut && isInside) expect(ringed.has(pick)).toBe(true);
          if (!isCut) expect(ringed.has(pick)).toBe(false);
        }
      }),
    );
  });

  it('the ring under the pointer is the one whose centre is nearest', () => {
    const ring = (left: number) => ({
      pick: { object: 'a', position: { x: 0, y: 0, z: 0 }, score: left },
      left,
      top: 50,
      radius: 30,
      distance: 0,
    });
    const rings = [ring(40), ring(60), ring(300)];
    expect(ringAt(rings, 52, 50)?.left).toBe(60);
    expect(ringAt(rings, 47, 50)?.left).toBe(40);
    expect(ringAt(rings, 150, 50)).toBeUndefined();
  });
});
