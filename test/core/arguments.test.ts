import { describe, expect, it } from 'vitest';
import {
  describeValue,
  listOf,
  optional,
  point,
  positiveCount,
  requireArgument,
  requireOptions,
} from '../../src/core/arguments.ts';
import {
  dbscan,
  isCryoetPicksError,
  matchPicks,
  meanShift,
  mergeNearby,
  type ParticlePick,
  type Peak,
  type Point,
  suppressNearby,
  toPick,
  toVoxel,
  type VoxelGrid,
} from '../../src/entry/index.ts';
import { coarseGrid } from '../../src/space/grid.ts';

const picks: ParticlePick[] = [{ object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 }];
const grid: VoxelGrid = { shape: [4, 4, 4], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
const places: Point[] = [{ x: 1, y: 2, z: 3 }];

/** A promise in place of what it will give: what a call without `await` gives. */
function promised<T>(value: T): T {
  return Promise.resolve(value) as T;
}

function thrownBy(call: () => unknown): { readonly code: string; readonly message: string } {
  try {
    call();
  } catch (error) {
    if (isCryoetPicksError(error)) return error;
    throw error;
  }
  throw new Error('the call returned');
}

describe('functions that returned nothing, or NaN, for a forgotten await', () => {
  it.each<[string, () => unknown, string]>([
    ['suppressNearby', () => suppressNearby(promised(picks), { minDistance: 10 }), 'picks'],
    ['mergeNearby', () => mergeNearby(promised(picks), { radius: 10 }), 'picks'],
    ['dbscan', () => dbscan(promised(picks), { radius: 10 }), 'picks'],
    ['meanShift', () => meanShift(promised(picks), { bandwidth: 10 }), 'picks'],
    ['matchPicks', () => matchPicks(promised(places), places, { radius: 10 }), 'truth'],
    ['matchPicks', () => matchPicks(places, promised(places), { radius: 10 }), 'candidates'],
    ['toPick', () => toPick(promised<Peak>({ grid, voxel: [1, 2, 3], object: 'ribosome', score: 1 })), 'peak'],
    ['toVoxel', () => toVoxel(promised(grid), { x: 1, y: 2, z: 3 }), 'grid'],
    ['toVoxel', () => toVoxel(grid, promised({ x: 1, y: 2, z: 3 })), 'position'],
    ['coarseGrid', () => coarseGrid(promised(grid), 2), 'grid'],
  ])('%s throws for a promise, and names itself, the argument and the missing await', (name, call, argument) => {
    const { code, message } = thrownBy(call);
    expect(code).toBe('invalid-option');
    expect(message).toMatch(
      new RegExp(`^${name}: ${argument} must be .*, found a promise; is an \`await\` missing\\?$`),
    );
  });

  it.each<[string, () => unknown]>([
    ['suppressNearby', () => suppressNearby(undefined as never, { minDistance: 10 })],
    ['mergeNearby', () => mergeNearby({ length: 0 } as never, { radius: 10 })],
    ['dbscan', () => dbscan(picks, undefined as never)],
    ['meanShift', () => meanShift(picks, null as never)],
    ['matchPicks', () => matchPicks(places, places, {} as never)],
    ['toPick', () => toPick({} as never)],
    ['toVoxel', () => toVoxel({ ...grid, voxelSize: [10, 10] } as never, { x: 1, y: 2, z: 3 })],
    ['coarseGrid', () => coarseGrid(grid, Number.NaN)],
  ])('%s throws for what is no argument of it', (_, call) => {
    expect(thrownBy(call).code).toBe('invalid-option');
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'pick 1 is undefined; expected'],
    ['a number', 7, 'pick 1 is 7; expected'],
    ['a pick without a position', { object: 'ribosome', score: 1 }, 'pick 1 has the position undefined; expected'],
    ['a pick without a score', { ...picks[0], score: undefined }, 'pick 1 has the score undefined; expected'],
    ['a pick without an object', { ...picks[0], object: undefined }, 'pick 1 has the object undefined; expected'],
  ])('suppressNearby names the item of the list that is %s', (_, item, expected) => {
    const { code, message } = thrownBy(() => suppressNearby([picks[0]!, item as never], { minDistance: 10 }));
    expect(code).toBe('invalid-picks');
    expect(message).toContain(expected);
  });
});

describe('the checks of arguments', () => {
  it('requireArgument names the part of an argument that is wrong', () => {
    const rule = {
      expected: 'a b',
      isValid: (value: unknown) => typeof value === 'object',
      fields: { b: positiveCount },
    };
    expect(() => requireArgument('f', 'a', { b: 2 }, rule)).not.toThrow();
    expect(() => requireArgument('f', 'a', { b: -2 }, rule)).toThrow('f: a.b must be a whole number ≥ 1, found -2');
    const list = { expected: 'a list', isValid: Array.isArray, items: rule };
    expect(() => requireArgument('f', 'a', [{ b: 1 }, {}], list)).toThrow('f: a[1].b must be');
  });

  it('requireOptions says which fields an options object has', () => {
    const rules = { count: optional(positiveCount) };
    expect(requireOptions('f', { count: 2 }, rules)).toEqual({ count: 2 });
    expect(() => requireOptions<{ count?: number }>('f', [] as never, rules)).toThrow(
      'f: options must be an object, { count }, found []',
    );
    expect(() => requireOptions('f', { count: '2' as never }, rules)).toThrow(
      'f: count must be a whole number ≥ 1, found "2"',
    );
  });

  it('requireArgument and requireOptions refuse a proxy that was revoked', () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    const found = 'found a proxy that was revoked';
    expect(() => requireArgument('f', 'a', proxy, listOf('picks'))).toThrow(`f: a must be a list of picks, ${found}`);
    expect(() => requireArgument('f', 'a', [proxy], listOf('picks', point))).toThrow(
      `f: a[0] must be a point { x, y, z } in Å, ${found}`,
    );
    expect(() => requireOptions('f', proxy as object, {})).toThrow(`f: options must be an object, {  }, ${found}`);
  });

  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    ['a'.repeat(300), `the string "${'a'.repeat(100)}"… of 300 characters`],
    ['\u001b[31m', '"\\u001b[31m"'],
    [3n, 'the bigint 3'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [[1, 2], '[1, 2]'],
    [[{}, {}], 'a list of 2'],
    [new Float32Array(1e6), 'a Float32Array'],
    [{}, 'an object without fields'],
    [{ grid: 1, read: 2 }, 'an object with grid, read'],
    [Promise.resolve(1), 'a promise; is an `await` missing?'],
  ])('describeValue says in few words what came: %#', (value, expected) => {
    expect(describeValue(value)).toBe(expected);
  });
});
