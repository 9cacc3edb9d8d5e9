import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ParticlePick, suppressNearby } from '../../src/entry/index.ts';
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

  it('undecided picks are never closer than the minimum distance to a pick of a person of the same object', () => {
    fc.assert(
      fc.property(picks, fc.record({ x: coordinate, y: coordinate, z: coordinate }), (given, position) => {
        const edits = new Map<string, Edit>([
          ['added 1', { isAdded: true, object: 'ribosome', position, decision: 'accepted' }],
        ]);
        const { kept } = reviewOf({ loaded: named(given), edits, thresholds: {}, minDistances });
        expect(kept.some(({ id, source }) => id === 'added 1' && source === 'added')).toBe(true);
        for (const one of kept) {
          if (one.id === 'added 1' || one.object !== 'ribosome') continue;
          const { x, y, z } = one.position;
          expect(Math.hypot(x - position.x, y - position.y, z - position.z)).toBeGreaterThanOrEqual(120 - 1e-9);
        }
      }),
    );
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
