import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PicksFormatName, picksFormat, picksFormatNames } from '../../src/entry/formats.ts';
import {
  formatPicks,
  type ParticlePick,
  type PickPart,
  type PicksFormat,
  parsePicks,
  type RunPicks,
  type Zyx,
} from '../../src/entry/index.ts';
import { rotationFromEuler, rotationOf, transformOf } from '../../src/picks/rotation.ts';

const objects = { 1: 'ribosome', 2: 'apo-ferritin', 7: 'beta & "galactosidase"' };
const runs = { 1: 'TS_1', 2: 'TS 2' };
const shape: Zyx = [61, 200, 301];
const voxelSize: Zyx = [10.012444, 10.012444, 10.0125];

/** Formats that hold one run per file. */
const oneRun: readonly PicksFormatName[] = ['copick', 'imod', 'eman2', 'ndjson', 'points'];
/** Formats that hold one object per file. */
const oneObject: readonly PicksFormatName[] = ['copick', 'ndjson', 'points'];
/** Formats that group picks by object. */
const grouping: readonly PicksFormatName[] = ['imod', 'cmm'];

const single = (range: number) =>
  fc.float({ min: Math.fround(-range), max: Math.fround(range), noNaN: true }).map((value) => value + 0);
const angle = fc.integer({ min: -180, max: 180 });
const transform = fc
  .tuple(angle, fc.integer({ min: 0, max: 180 }), angle)
  .map((angles) => transformOf(rotationFromEuler(angles, 'relion')));

function pickOf(names: readonly string[]): fc.Arbitrary<ParticlePick> {
  return fc.record(
    {
      object: fc.constantFrom(...names),
      position: fc.record({ x: single(7000), y: single(7000), z: single(2000) }),
      score: single(1e3),
      instanceId: fc.integer({ min: 1, max: 1 << 24 }),
      transform,
    },
    { requiredKeys: ['object', 'position', 'score'] },
  );
}

function runsFor(name: PicksFormatName): fc.Arbitrary<RunPicks[]> {
  const names = oneObject.includes(name) ? [objects[1]] : Object.values(objects);
  const picks = fc.array(pickOf(names), { minLength: 1, maxLength: 8 });
  if (oneRun.includes(name)) return picks.map((some) => [{ run: runs[1], picks: some }]);
  return fc.tuple(picks, picks).map(([first, second]) => [
    { run: runs[1], picks: first },
    { run: runs[2], picks: second },
  ]);
}

/** What of picks must come back: all but the losses, which the options make good for runs and objects. */
function surviving(given: readonly RunPicks[], losses: ReadonlySet<PickPart>): RunPicks[] {
  return given.map(({ run, picks }) => ({
    run,
    picks: picks.map(({ object, position, score, instanceId, transform: turned }) => ({
      object,
      position,
      score: losses.has('score') ? 1 : score,
      ...(losses.has('instance') || instanceId === undefined ? {} : { instanceId }),
      ...(losses.has('orientation') || rotationOf(turned) === undefined ? {} : { transform: turned }),
    })),
  }));
}

/** Object by object, as files keep them that group points. */
function byObject(given: readonly RunPicks[]): RunPicks[] {
  return given.map(({ run, picks }) => {
    const names = [...new Set(picks.map(({ object }) => object))];
    return { run, picks: names.flatMap((name) => picks.filter(({ object }) => object === name)) };
  });
}

function furthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(0, ...a.map((value, i) => Math.abs(value - b[i]!)));
}

const unturned = [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => (row === column ? 1 : 0)));

function expectSame(
  found: readonly RunPicks[],
  wanted: readonly RunPicks[],
  precision: { length: number; rotation: number },
) {
  expect(found.map(({ run, picks }) => [run, picks.map(({ object, instanceId }) => [object, instanceId])])).toEqual(
    wanted.map(({ run, picks }) => [run, picks.map(({ object, instanceId }) => [object, instanceId])]),
  );
  const numbers = (all: readonly RunPicks[]) => all.flatMap(({ picks }) => picks);
  for (const [index, pick] of numbers(found).entries()) {
    const other = numbers(wanted)[index]!;
    const { x, y, z } = pick.position;
    expect(furthest([x, y, z], [other.position.x, other.position.y, other.position.z])).toBeLessThan(precision.length);
    expect(pick.score).toBe(other.score);
    // No orientation and the identity mean the same; a rotation too small for a file comes back as none.
    const [turned, expected] = [pick, other].map(({ transform = unturned }) => transform.flat());
    expect(furthest(turned!, expected!)).toBeLessThan(precision.rotation);
  }
}

describe.each(picksFormatNames)('the format %s', (name) => {
  const options = { voxelSize, shape, objects, runs, run: oneRun.includes(name) ? runs[1] : undefined };
  // Where the file has no objects, one is given; where it has class numbers, all are.
  const format = picksFormat(
    name,
    oneObject.includes(name) ? { ...options, object: objects[1] } : options,
  ) as PicksFormat;
  const losses = new Set(format.losses.map(({ part }) => part));

  it('every format round-trips all that it has a place for', () => {
    fc.assert(
      fc.property(runsFor(name), (given) => {
        const wanted = surviving(grouping.includes(name) ? byObject(given) : given, losses);
        const found = parsePicks(formatPicks(given, { format }), { format });
        // Single precision keeps 7000 Å to 0.0005 Å, and angles to 1e-5 degrees.
        const rounded = losses.has('precision');
        expectSame(found, wanted, { length: rounded ? 2e-3 : 1e-9, rotation: rounded ? 1e-6 : 1e-12 });
      }),
      { numRuns: 60 },
    );
  });

  it('every format throws for a position that is not finite, and names the pick', () => {
    const given = [
      { run: runs[1], picks: [{ object: objects[1], position: { x: 1, y: Number.NaN, z: 3 }, score: 1 }] },
    ];
    expect(() => formatPicks(given, { format })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(/pick 0 .*TS_1.*NaN/s) }),
    );
  });

  if (name !== 'tom')
    it('every format writes no picks as a file that holds none', () => {
      const empty = picksFormat(name, { ...options, object: objects[1] }) as PicksFormat;
      expect(parsePicks(formatPicks([], { format: empty }), { format: empty })).toEqual([]);
    });

  if (oneRun.includes(name))
    it('a format of one run throws for picks of two runs', () => {
      const pick = { object: objects[1], position: { x: 1, y: 2, z: 3 }, score: 1 };
      const given = Object.values(runs).map((run) => ({ run, picks: [pick] }));
      expect(() => formatPicks(given, { format })).toThrow(/one run per file; found 2: "TS_1", "TS 2"/);
    });

  if (oneObject.includes(name))
    it('a format of one object throws for picks of two objects', () => {
      const picks = Object.values(objects).map((object) => ({ object, position: { x: 1, y: 2, z: 3 }, score: 1 }));
      expect(() => formatPicks([{ run: runs[1], picks }], { format })).toThrow(/one object per file; found 3/);
    });

  const turns = !losses.has('orientation') && name !== 'csv' && name !== 'copick';
  if (turns)
    it('every format throws for a matrix that is not a rotation', () => {
      const mirrored = transformOf([
        [-1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ]);
      const picks = [{ object: objects[1], position: { x: 1, y: 2, z: 3 }, score: 1, transform: mirrored }];
      expect(() => formatPicks([{ run: runs[1], picks }], { format })).toThrow(
        /pick 0 of run "TS_1" .*expected a rotation/,
      );
    });
});
