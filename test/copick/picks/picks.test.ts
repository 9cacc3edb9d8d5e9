import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPicksFile, type PicksFile, parsePicksFile } from '../../../src/entry/copick.ts';
import type { ParticlePick } from '../../../src/entry/index.ts';
import { sharedData, sharedDataMissing } from '../../support/shared-data.ts';

const header = { pickable_object_name: 'ribosome', user_id: 'curation', session_id: '0' };
const parse = (json: unknown) => parsePicksFile(JSON.stringify(json), { source: 'Picks/a.json' });
const parsePoint = (point: unknown) => parse({ ...header, points: [point] }).picks[0];
const location = { x: 1, y: 2, z: 3 };
const shifted = [
  [0, -1, 0, 10],
  [1, 0, 0, 20],
  [0, 0, 1, 30],
  [0, 0, 0, 1],
];

describe('parsePicksFile', () => {
  it('parsePicksFile reads a file of the competition, which has neither scores nor a run', () => {
    const points = [{ location, transformation_: identity(), instance_id: 0 }];
    expect(parse({ ...header, run_name: null, voxel_spacing: null, unit: 'angstrom', points })).toEqual({
      object: 'ribosome',
      userId: 'curation',
      sessionId: '0',
      trustOrientation: true,
      picks: [{ object: 'ribosome', position: location, score: 1 }],
      warnings: [],
      unknown: {},
    });
  });

  it('parsePicksFile puts the centre at the location plus the translation of the matrix', () => {
    const pick = parsePoint({ location, transformation_: shifted });
    expect(pick).toMatchObject({ position: { x: 11, y: 22, z: 33 }, transform: shifted });
  });

  it.each([
    ['all that may be left out', { location }, { score: 1 }],
    ['nulls', { location, transformation_: null, instance_id: null, score: null }, { score: 1 }],
    ['a score of 0', { location, score: 0 }, { score: 0 }],
    ['an instance', { location, instance_id: 7, score: 2 }, { score: 2, instanceId: 7 }],
    ['instance 0, which means none', { location, instance_id: 0 }, { score: 1 }],
  ])('parsePicksFile reads a point with %s', (_, point, expected) => {
    expect(parsePoint(point)).toEqual({ object: 'ribosome', position: location, ...expected });
  });

  it.each([
    ['no points', { ...header }],
    ['null for points', { ...header, points: null }],
    ['an empty list', { ...header, points: [] }],
  ])('parsePicksFile reads a file with %s as one without picks', (_, json) => {
    expect(parse(json).picks).toEqual([]);
  });

  it('parsePicksFile reads common points exactly as the schema would', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
    const row = fc.tuple(number, number, number, number);
    const point = fc.record({
      location: fc.record({ x: number, y: number, z: number }),
      transformation_: fc.tuple(row, row, row, fc.constant([0, 0, 0, 1])),
      instance_id: optional(fc.oneof(fc.nat(), fc.constant(null))),
      score: optional(fc.oneof(number, fc.constant(null))),
      more: optional(fc.string()),
    });
    fc.assert(
      fc.property(point, (given) => {
        // Rows that are longer are cut, but not by the quick look.
        const longer = { ...given, transformation_: given.transformation_.map((cells) => [...cells, 9]) };
        const [quick, slow] = [given, longer].map((one) => parse({ ...header, points: [one] }));
        expect(quick).toEqual(slow);
      }),
    );
  });

  it('parsePicksFile keeps duplicates', () => {
    expect(parse({ ...header, points: [{ location }, { location }] }).picks).toHaveLength(2);
  });

  it('parsePicksFile reads user and session given as numbers, which copick refuses', () => {
    expect(parse({ ...header, user_id: 5, session_id: 0 })).toMatchObject({ userId: '5', sessionId: '0' });
  });

  it('parsePicksFile prefers the name of the file to its content, with a report', () => {
    const identity = { object: 'virus', userId: 'me', sessionId: '0' };
    const file = parsePicksFile(JSON.stringify({ ...header, points: [{ location }] }), { source: 'a.json', identity });
    expect(file).toMatchObject({ ...identity, picks: [{ object: 'virus' }] });
    expect(file.warnings).toEqual([
      'its name says object "virus", its content "ribosome"; the name is used',
      'its name says user "me", its content "curation"; the name is used',
    ]);
  });

  it('parsePicksFile reads numbers as Å whatever the unit, like copick, with a report', () => {
    const file = parse({ ...header, unit: 'nanometer', points: [{ location }] });
    expect(file.picks[0]?.position).toEqual(location);
    expect(file.warnings).toEqual([expect.stringContaining('its unit is "nanometer"')]);
  });

  it('parsePicksFile gives an instance id beyond 2^53 with all its digits', () => {
    const text = `{"pickable_object_name": "a", "points": [{"location": {"x": 1, "y": 2, "z": 3}, "instance_id": 9007199254740993}]}`;
    const file = parsePicksFile(text, { source: 'a.json' });
    expect(file.picks).toEqual([{ object: 'a', position: location, score: 1, instanceId: 9007199254740993n }]);
    expect(file.warnings).toEqual([]);
  });

  it.each([
    ['a bare NaN of Python in a location', `{"location": {"x": 1, "y": NaN, "z": 3}}`, /location\.y: .*found NaN/],
    [
      'a bare Infinity of Python in a score',
      `{"location": {"x": 1, "y": 2, "z": 3}, "score": -Infinity}`,
      /score is -Infinity/,
    ],
    ['no location', `{"score": 1}`, / location is missing/],
    ['a location without z', `{"location": {"x": 1, "y": 2}}`, /location\.z is missing/],
    ['a location as text', `{"location": {"x": "1", "y": 2, "z": 3}}`, /location\.x: .*found "1"/],
    ['null for a point', 'null', / is not a JSON object: found null/],
    [
      'a 3×4 matrix',
      `{"location": {"x": 1, "y": 2, "z": 3}, "transformation_": [[1,0,0,0],[0,1,0,0],[0,0,1,0]]}`,
      /transformation_/,
    ],
    ['a fractional instance id', `{"location": {"x": 1, "y": 2, "z": 3}, "instance_id": 1.5}`, /instance_id/],
    [
      'a matrix with a shift in its last row',
      `{"location": {"x": 1, "y": 2, "z": 3}, "transformation_": [[1,0,0,0],[0,1,0,0],[0,0,1,0],[5,6,7,1]]}`,
      /last row of its matrix is 5,6,7,1, expected 0,0,0,1/,
    ],
  ])('parsePicksFile names the file and the point with %s', (_, point, message) => {
    const text = `{"pickable_object_name": "a", "points": [{"location": {"x": 1, "y": 2, "z": 3}}, ${point}]}`;
    expect(() => parsePicksFile(text, { source: 'Picks/b.json' })).toThrow(
      expect.objectContaining({
        code: 'invalid-picks',
        message: expect.stringMatching(new RegExp(`picks file "Picks/b.json": point 1.*${message.source}`)),
      }),
    );
  });

  it.each([
    ['what is not JSON', '{"points": [', /not JSON: line 1, column 13/],
    ['a list', '[]', /is not a JSON object: found an array/],
    ['no object name anywhere', '{"points": []}', /neither its name nor pickable_object_name/],
    [
      'points that are not a list',
      '{"pickable_object_name": "a", "points": {}}',
      /points: expected Array, found Object/,
    ],
  ])('parsePicksFile refuses %s', (_, text, message) => {
    expect(() => parsePicksFile(text, { source: 'a.json' })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(message) }),
    );
  });
});

describe('formatPicksFile', () => {
  const file: PicksFile = { object: 'ribosome', userId: 'me', sessionId: '1', picks: [] };

  it('formatPicksFile gives back positions, rotations, scores and instances to the last bit', () => {
    fc.assert(
      fc.property(fc.array(arbitraryPick), (picks) => {
        const read = parsePicksFile(formatPicksFile({ ...file, picks }), { source: 'a.json' });
        expect(read.picks.map(({ transform: _, ...pick }) => pick)).toEqual(
          picks.map(({ transform: _, ...pick }) => pick),
        );
        expect(read.picks.map(rotationOf)).toEqual(picks.map(rotationOf));
      }),
    );
  });

  it('formatPicksFile leaves centres and rotations as they were when a file is read and written', () => {
    const once = parse({ ...header, points: [{ location: { x: 0.1, y: 0.2, z: 0.3 }, transformation_: shifted }] });
    const twice = parsePicksFile(formatPicksFile(once), { source: 'a.json' });
    expect(twice.picks[0]?.position).toEqual(once.picks[0]?.position);
    expect(rotationOf(twice.picks[0]!)).toEqual(rotationOf(once.picks[0]!));
    expect(formatPicksFile(twice)).toBe(formatPicksFile(once));
  });

  it('formatPicksFile puts the whole centre into the location, for programs that ignore the translation', () => {
    const text = formatPicksFile(parse({ ...header, points: [{ location, transformation_: shifted }] }));
    const [point] = JSON.parse(text).points;
    expect(point.location).toEqual({ x: 11, y: 22, z: 33 });
    expect(point.transformation_.map((row: number[]) => row[3])).toEqual([0, 0, 0, 1]);
  });

  it('formatPicksFile writes every key that copick writes, in its order', () => {
    const json = JSON.parse(
      formatPicksFile({ ...file, picks: [{ object: 'ribosome', position: location, score: 0.5 }] }),
    );
    expect(Object.entries(json)).toEqual([
      ['pickable_object_name', 'ribosome'],
      ['user_id', 'me'],
      ['session_id', '1'],
      ['run_name', null],
      ['voxel_spacing', null],
      ['unit', 'angstrom'],
      ['points', [{ location, transformation_: identity(), instance_id: 0, score: 0.5 }]],
      ['trust_orientation', true],
    ]);
  });

  it('formatPicksFile keeps unknown keys of the file and of the points that are still there', () => {
    const points = [1, 2, 3].map((x) => ({ location: { ...location, x }, note: `n${x}` }));
    const read = parse({ ...header, trust_orientation: false, run_name: 'r', curated: true, points });
    const written = JSON.parse(formatPicksFile({ ...read, picks: [read.picks[2]!, read.picks[0]!] }));
    expect(written).toMatchObject({ curated: true, trust_orientation: false, run_name: 'r' });
    expect(written.points.map((point: { note: string }) => point.note)).toEqual(['n3', 'n1']);
  });

  const pick: ParticlePick = { object: 'ribosome', position: location, score: 1 };
  it.each([
    ['no place', { position: { ...location, y: Number.NaN } }, /pick 1 of "ribosome" lies at x 1, y NaN, z 3 Å/],
    ['an endless place', { position: { ...location, x: Number.POSITIVE_INFINITY } }, /Infinity/],
    ['no score', { score: Number.NaN }, /score of NaN/],
    ['half an instance', { instanceId: 0.5 }, /instance id 0.5/],
    ['a matrix of three rows', { transform: shifted.slice(0, 3) }, /expected 4×4/],
    ['a matrix with NaN', { transform: [[Number.NaN, 0, 0, 0], ...shifted.slice(1)] }, /expected 4×4 finite/],
    ['a matrix transposed', { transform: shifted[0]!.map((_, j) => shifted.map((row) => row[j]!)) }, /last row/],
    ['another object', { object: 'virus' }, /is of object "virus"/],
  ])('formatPicksFile refuses a pick of %s, by its index', (_, fields, message) => {
    expect(() => formatPicksFile({ ...file, picks: [pick, { ...pick, ...fields }] })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(message) }),
    );
  });
});

describe.skipIf(sharedDataMissing)('picks files of the data portal (needs ../shared/data)', () => {
  it.each([
    ['copick.json', 'ribosome', { x: 40, y: 20, z: 30 }],
    ['copick_instance.json', 'testobject', { x: 10, y: 20, z: 30 }],
  ])('picks files of the data portal reads %s', (name, object, first) => {
    const path = sharedData(`fixtures/portal/20002/annotations/${name}`);
    const text = readFileSync(path, 'utf8');
    const file = parsePicksFile(text, { source: path });
    const points: { transformation_: number[][] }[] = JSON.parse(text).points;
    expect(file).toMatchObject({ object, warnings: [] });
    expect(file.picks[0]?.position).toEqual(first);
    expect(file.picks.map(rotationOf)).toEqual(
      points.map((point) => rotationOf({ object, score: 1, position: first, transform: point.transformation_ })),
    );
  });
});

const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }).map((value) => value + 0);
const arbitraryPick: fc.Arbitrary<ParticlePick> = fc
  .record(
    {
      position: fc.record({ x: finite, y: finite, z: finite }),
      score: finite,
      instanceId: fc.integer({ min: 1 }),
      transform: fc
        .array(fc.array(finite, { minLength: 4, maxLength: 4 }), { minLength: 3, maxLength: 3 })
        .map((rows) => [...rows, [0, 0, 0, 1]]),
    },
    { requiredKeys: ['position', 'score'] },
  )
  .map((fields) => ({ object: 'ribosome', ...fields }));

/** The 3×3 part of a pick's matrix, negative zeros made plain, since JSON has but one zero. */
function rotationOf({ transform = identity() }: ParticlePick): number[][] {
  return transform.slice(0, 3).map((row) => row.slice(0, 3).map((value) => value + 0));
}

function identity(): number[][] {
  return [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 1 : 0)));
}
