import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Action,
  type Edit,
  type EditChanges,
  emptyState,
  hasUnsavedEdits,
  named,
  reduce,
} from '../../src/page/state.ts';

const edit = fc.record<Edit>(
  { decision: fc.constantFrom('accepted', 'rejected', 'deleted'), object: fc.constantFrom('ribosome', 'virus') },
  { requiredKeys: [] },
);
const changes: fc.Arbitrary<EditChanges> = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(edit, { nil: undefined })), { minLength: 1, maxLength: 3 })
  .map((entries) => new Map(entries));
const edits = fc.array(
  changes.map((one): Action => ({ type: 'edit', changes: one })),
  { maxLength: 12 },
);

describe('the state of the page', () => {
  it('undoing every edit gives the edits of the beginning, and redoing them those of the end', () => {
    fc.assert(
      fc.property(edits, (actions) => {
        const end = actions.reduce(reduce, emptyState);
        const undone = actions.reduce((state) => reduce(state, { type: 'undo' }), end);
        expect(undone.edits).toEqual(new Map());
        expect(undone.undo).toEqual([]);
        const redone = actions.reduce((state) => reduce(state, { type: 'redo' }), undone);
        expect(redone.edits).toEqual(end.edits);
        expect(redone.redo).toEqual([]);
      }),
    );
  });

  it('has unsaved edits unless they are those of the files, also when the last saved one was taken back', () => {
    fc.assert(
      fc.property(edits, edits, (before, after) => {
        const saved = before.reduce(reduce, emptyState);
        const state = after.reduce(reduce, { ...saved, savedEdits: saved.edits, undo: [] });
        const isSame =
          saved.edits.size === state.edits.size && [...saved.edits].every(([id, one]) => state.edits.get(id) === one);
        expect(hasUnsavedEdits(state)).toBe(!isSame);
        const undone = after.reduce((one) => reduce(one, { type: 'undo' }), state);
        expect(hasUnsavedEdits(undone)).toBe(false);
      }),
    );
    const takenBack = { edits: new Map(), savedEdits: new Map([['a', { decision: 'accepted' as const }]]) };
    expect(hasUnsavedEdits(takenBack)).toBe(true);
  });

  it('an edit after an undo forgets what could be redone', () => {
    const change = (id: string): Action => ({
      type: 'edit',
      changes: new Map([[id, { decision: 'accepted' as const }]]),
    });
    const state = [change('a'), { type: 'undo' } as const, change('b'), { type: 'redo' } as const].reduce(
      reduce,
      emptyState,
    );
    expect([...state.edits.keys()]).toEqual(['b']);
  });

  it('undo and redo with nothing to take back change nothing', () => {
    expect(reduce(emptyState, { type: 'undo' })).toBe(emptyState);
    expect(reduce(emptyState, { type: 'redo' })).toBe(emptyState);
  });

  it('picks get names that differ, also at one place, and are the same at the next load', () => {
    const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 0.5 };
    const picks = [pick, { ...pick, score: 0.4 }, { ...pick, object: 'virus' }];
    const ids = named(picks).map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(named(structuredClone(picks)).map(({ id }) => id)).toEqual(ids);
  });
});
