import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidates, type ParticlePick, suppressNearby } from '../../src/entry/index.ts';
import { formatDraft, parseDraft } from '../../src/page/drafts.ts';
import { reviewOf, scoreText } from '../../src/page/review.ts';
import { type Edit, named } from '../../src/page/state.ts';

const coordinate = fc.integer({ min: 0, max: 500 });
const pick: fc.Arbitrary<ParticlePick> = fc.record({
  object: fc.constantFrom('ribosome', 'virus'),
  position: fc.record({ x: coordinate, y: coordinate, z: coordinate }),
  score: fc.integer({ min: 0, max: 100 }).map((value) => value / 100),
});
const picks = fc.uniqueArray(pick, {
  selector: ({ object, position }) => JSON.stringify([object, position]),
  maxLength: 40,
});
const thresholds = fc.record({
  ribosome: fc.double({ min: 0, max: 1, noNaN: true }),
  virus: fc.double({ min: 0, max: 1, noNaN: true }),
});
const minDistances = { ribosome: 120, virus: 60 };
const none = new Map<string, Edit>();
const places = (list: readonly ParticlePick[]) =>
  list.map(({ object, position, score }) => ({ object, position, score }));

it('a draft that is broken, or not UTF-8, counts as none', () => {
  const draft = { changes: new Map<string, Edit>(), thresholds: { é: 0.5 }, time: 1 };
  const bytes = Buffer.from(formatDraft(draft));
  expect(parseDraft(bytes)).toEqual(draft);
  bytes[bytes.indexOf('é') + 1] = 'x'.charCodeAt(0);
  expect(parseDraft(bytes)).toBeUndefined();
  expect(parseDraft('{')).toBeUndefined();
});

describe('reviewOf', () => {
  it('a review without edits keeps exactly the picks of the library at these thresholds', () => {
    fc.assert(
      fc.property(picks, thresholds, (given, cut) => {
        const passing = given.filter(({ object, score }) => score >= cut[object as 'virus']);
        const { kept, rejected } = reviewOf({ loaded: named(given), edits: none, thresholds: cut, minDistances });
        expect(places(kept)).toEqual(places(suppressNearby(passing, { minDistance: minDistances })));
        expect(rejected).toEqual([]);
      }),
    );
  });

  it('picks of objects with the names of what every JavaScript object has are kept as others are', () => {
    const names = ['constructor', 'toString', '__proto__', 'valueOf'];
    const given = names.map((object, i) => ({ object, position: { x: 10 * i, y: 0, z: 0 }, score: 0.5 }));
    const { kept } = reviewOf({ loaded: named(given), edits: none, thresholds: {}, minDistances: {} });
    expect(kept.map(({ object }) => object)).toEqual(names);
  });

  it('a rejected pick is gone, and no weaker candidate near it takes its place', () => {
    fc.assert(
      fc.property(picks, thresholds, fc.nat(), (given, cut, seed) => {
        const loaded = named(given);
        const before = reviewOf({ loaded, edits: none, thresholds: cut, minDistances }).kept;
        fc.pre(before.length > 0);
        const { id } = before[seed % before.length]!;
        const edits = new Map<string, Edit>([[id, { decision: 'rejected' }]]);
        const { kept, rejected } = reviewOf({ loaded, edits, thresholds: cut, minDistances });
        expect(kept.map((one) => one.id)).toEqual(before.filter((one) => one.id !== id).map((one) => one.id));
        expect(rejected.map((one) => one.id)).toEqual([id]);
      }),
    );
  });

  it('an accepted pick stays, however high the threshold', () => {
    fc.assert(
      fc.property(picks, fc.nat(), (given, seed) => {
        fc.pre(given.length > 0);
        const loaded = named(given);
        const { id } = loaded[seed % loaded.length]!;
        const edits = new Map<string, Edit>([[id, { decision: 'accepted' }]]);
        const { kept } = reviewOf({ loaded, edits, thresholds: { ribosome: 2, virus: 2 }, minDistances });
        expect(kept.map((one) => [one.id, one.decision, one.source])).toEqual([[id, 'accepted', 'found']]);
      }),
    );
  });

  it('of the undecided picks exactly those go that are closer than the minimum distance to a kept pick of a person, of one object', () => {
    // Crowded, so that picks of a person lie close together too.
    const near = fc.integer({ min: 0, max: 150 });
    const point = fc.record({ x: near, y: near, z: near });
    const edit: fc.Arbitrary<Edit> = fc.oneof(
      fc.record({ decision: fc.constantFrom('accepted' as const, 'rejected' as const, 'deleted' as const) }),
      fc.record({ position: point }),
      fc.record({ object: fc.constantFrom('ribosome', 'virus') }),
    );
    const added: fc.Arbitrary<Edit> = fc.record({
      isAdded: fc.constant(true),
      object: fc.constantFrom('ribosome', 'virus'),
      position: point,
      decision: fc.constant('accepted' as const),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(pick, point), { minLength: 1, maxLength: 40 }),
        fc.array(fc.tuple(fc.nat(), edit), { maxLength: 8 }),
        fc.array(added, { maxLength: 4 }),
        (given, changed, more) => {
          const loaded = named(given.map(([one, position]) => ({ ...one, position })));
          const edits = new Map<string, Edit>([
            ...changed.map(([at, one]): [string, Edit] => [loaded[at % loaded.length]!.id, one]),
            ...more.map((one, i): [string, Edit] => [`added ${i}`, one]),
          ]);
          const input = { loaded, thresholds: {}, minDistances };
          const { kept } = reviewOf({ ...input, edits });
          const own = kept.filter(({ id }) => edits.has(id));
          const keepers = [...edits].filter(([, { decision }]) => decision !== 'rejected' && decision !== 'deleted');
          expect(own.map(({ id }) => id).sort()).toEqual(keepers.map(([id]) => id).sort());
          const isFar = ({ object, position: a }: ParticlePick) =>
            own.every(
              ({ object: other, position: b }) =>
                other !== object ||
                Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z) >= minDistances[object as 'virus'] - 1e-9,
            );
          const undecided = reviewOf({ ...input, edits: none }).kept.filter(({ id }) => !edits.has(id));
          expect(kept.filter(({ id }) => !edits.has(id))).toEqual(undecided.filter(isFar));
        },
      ),
    );
  });

  it('an undecided pick near the weaker of two accepted picks that lie close together is taken out', () => {
    const loaded = named(
      [0, 30, 75].map((x, i) => ({ object: 'virus', position: { x, y: 0, z: 0 }, score: 0.9 - i / 10 })),
    );
    const edits = new Map<string, Edit>(loaded.slice(0, 2).map(({ id }) => [id, { decision: 'accepted' }]));
    const { kept } = reviewOf({ loaded, edits, thresholds: {}, minDistances });
    expect(kept.map(({ position }) => position.x)).toEqual([0, 30]);
  });

  it('a decision elsewhere takes out neither of two picks of a file that lie closer than their candidates may', () => {
    const loaded = named(
      [0, 30, 400].map((x, i) => ({ object: 'virus', position: { x, y: 0, z: 0 }, score: 0.9 - i / 10 })),
    ).map((one) => ({ ...one, isFixed: true }));
    const candidates: Candidates = {
      grid: { shape: [1, 1, 1], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } },
      objects: ['virus'],
      objectIndices: new Uint16Array(),
      positions: new Float64Array(),
      scores: new Float32Array(),
      thresholds: { virus: 0 },
      minDistances,
      floors: { virus: 0 },
      lowestThresholds: { virus: 0 },
    };
    const input = { loaded, candidates, thresholds: {}, minDistances };
    const edits = new Map<string, Edit>([[loaded[2]!.id, { decision: 'accepted' }]]);
    expect(reviewOf({ ...input, edits: none }).kept).toHaveLength(3);
    expect(reviewOf({ ...input, edits }).kept).toHaveLength(3);
  });

  it('a moved or renamed pick is edited, a deleted one is neither kept nor rejected', () => {
    const [a, b, c] = named([0, 300, 600].map((x) => ({ object: 'virus', position: { x, y: 0, z: 0 }, score: 0.5 })));
    const edits = new Map<string, Edit>([
      [a!.id, { position: { x: 5, y: 6, z: 7 } }],
      [b!.id, { object: 'ribosome' }],
      [c!.id, { decision: 'deleted' }],
    ]);
    const { kept, rejected } = reviewOf({ loaded: [a!, b!, c!], edits, thresholds: {}, minDistances });
    expect(kept.map(({ object, position, source }) => [object, position.x, source])).toEqual([
      ['virus', 5, 'edited'],
      ['ribosome', 300, 'edited'],
    ]);
    expect(rejected).toEqual([]);
  });

  it('a pick that a person added has no score: it is last, whatever the others have, and no threshold takes it out', () => {
    const score = { found: 0.3, added: 1, edited: 0.2 };
    const loaded = named(
      (['found', 'added', 'edited'] as const).map((reviewed, i) => ({
        object: 'virus',
        position: { x: 200 * i, y: 0, z: 0 },
        score: score[reviewed],
        unknown: { reviewed },
      })),
    );
    const all = (virus: number) => reviewOf({ loaded, edits: none, thresholds: { virus }, minDistances }).all;
    expect(all(0).map(scoreText)).toEqual(['0.300', '0.200', 'no score']);
    expect(all(5).map(({ source }) => source)).toEqual(['added']);
  });

  it('picks say where they came from when a file of this page is opened again', () => {
    const loaded = named(
      ['added', 'edited', 'accepted', 'x'].map((reviewed, i) => ({
        object: 'virus',
        position: { x: 200 * i, y: 0, z: 0 },
        score: 1 - i / 10,
        unknown: { reviewed },
      })),
    );
    const { kept } = reviewOf({ loaded, edits: none, thresholds: {}, minDistances });
    expect(kept.map(({ source }) => source)).toEqual(['edited', 'found', 'found', 'added']);
  });
});

describe('drafts', () => {
  it('a draft that was formatted gives back changes and thresholds', () => {
    const changes = new Map<string, Edit | undefined>([
      ['a', { decision: 'accepted' }],
      ['taken back', undefined],
      ['added 1', { isAdded: true, object: '<b>', position: { x: 1, y: 2, z: 3 }, decision: 'accepted' }],
    ]);
    const draft = { changes, thresholds: { ribosome: 0.5 }, time: 1_700_000_000_000 };
    expect(parseDraft(formatDraft(draft))).toEqual(draft);
  });

  it.each(['', '{', '{"version":1,"edits":[],"thresholds":{}}', '{"version":2}', 'null'])(
    'the text %j is no draft',
    (text) => {
      expect(parseDraft(text)).toBeUndefined();
    },
  );
});
