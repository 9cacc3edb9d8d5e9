import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatcher, nameMatcher, spacingMatcher } from '../../../src/copick/uri.ts';
import { type ConvertedKind, expandOutputUri, formatUri, parseUri, type UriKind } from '../../../src/entry/copick.ts';
import { expectedEntities, openEntities } from '../../support/copick-entities.ts';
import { failingStore, projectOf, storeOf } from '../../support/copick-tree.ts';
import { copickVectors } from '../../support/copick-vectors.ts';

const { parsed, patterns, spacings, expanded, serialized } = copickVectors.uris;
const refused = expect.objectContaining({ code: 'invalid-option' });

/** A kind as copick calls it. */
function toKind(kind: string): UriKind {
  return kind === 'feature' ? 'features' : (kind as UriKind);
}

const ours = {
  pattern_type: 'syntax',
  object_name: 'object',
  user_id: 'userId',
  session_id: 'sessionId',
  voxel_spacing: 'voxelSpacing',
  tomo_type: 'type',
  feature_type: 'featureType',
} as const;

/** Fields of copick by the names they have here; what copick has no value for is absent. */
function toOurs({ object_type: _, ...fields }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const told = Object.entries(fields).filter(([, value]) => value !== null);
  return Object.fromEntries(told.map(([key, value]) => [ours[key as keyof typeof ours] ?? key, value]));
}

describe('nameMatcher', () => {
  it('nameMatcher finds names that copick writes with dashes, by the underscores that were given', () => {
    expect(['ts-user', 'ts_user', 'tsuser'].map(nameMatcher('ts_user', 'glob'))).toEqual([true, true, false]);
    expect(['ts-user', 'ts_user'].map(nameMatcher('ts_*', 'glob'))).toEqual([true, true]);
    expect(nameMatcher('ts-user', 'glob')('ts_user')).toBe(false);
  });
});

describe('parseUri', () => {
  it.each(parsed)('parseUri reads %s "%s" as copick does', (kind, text, expected) => {
    if (expected === null) expect(() => parseUri(toKind(kind), text)).toThrow(refused);
    else expect(parseUri(toKind(kind), text)).toEqual(toOurs(expected));
  });

  it('parseUri reads a flag behind a second question mark as none', () => {
    expect(parseUri('segmentation', 'm??multilabel=true').multilabel).toBeUndefined();
  });
});

describe('globs', () => {
  it.each(patterns)('globs match %j with %j as fnmatch does: %j', (name, pattern, matches) => {
    expect(globMatcher(pattern)(name)).toBe(matches);
  });

  it('globs match in bounded time', () => {
    const pattern = globMatcher(`${'*a'.repeat(200)}b`);
    expect(pattern('a'.repeat(2000))).toBe(false);
  });

  it('globs made of a text match it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, rest) => {
        const escaped = text.replace(/[*?[]/g, '[$&]');
        expect(globMatcher(escaped)(text)).toBe(true);
        expect(globMatcher(`${escaped}*`)(text + rest)).toBe(true);
        expect(globMatcher(`*${escaped}`)(rest + text)).toBe(true);
      }),
    );
  });
});

describe('regular expressions', () => {
  it('regular expressions must match from the start, not up to the end', () => {
    expect(nameMatcher('rib', 'regex')('ribosome')).toBe(true);
    expect(nameMatcher('some', 'regex')('ribosome')).toBe(false);
    expect(nameMatcher('x|rib', 'regex')('ribosome')).toBe(true);
  });

  it.each(['(', '[', 'a\\Z', '(?P<a>b)', 'a{2,1}', '+'])(
    'regular expressions that are not valid are refused: %s',
    (pattern) => {
      expect(() => nameMatcher(pattern, 'regex')).toThrow(refused);
    },
  );
});

describe('voxel spacings', () => {
  it.each(spacings)('voxel spacings %d is asked for by %j, as %s: %4$j', (spacing, text, syntax, matches) => {
    // copick matches an empty pattern with nothing here, but takes it for no pattern where it looks things up.
    if (text !== '') expect(spacingMatcher(text, syntax)(spacing)).toBe(matches);
  });

  it('voxel spacings are found by more digits than their label has, which copick does not', () => {
    expect(spacingMatcher('10.012444', 'glob')(10.012)).toBe(true);
    expect(spacingMatcher('10.02', 'glob')(10.012)).toBe(false);
    expect(spacingMatcher('-10', 'glob')(10)).toBe(false);
  });
});

describe('formatUri', () => {
  it.each(serialized)('formatUri writes %s %j as copick does', (kind, fields, text) => {
    const parts: Record<string, unknown> = toOurs(fields);
    const type = ['multilabel', 'instance', 'panoptic'].find((flag) => flag in fields);
    const written = formatUri(toKind(kind), { ...parts, kind: type ?? 'binary' } as never);
    expect(written).toBe(text);
  });

  it('formatUri writes a URI that finds the entity again, whatever its name', () => {
    const name = fc.string({ minLength: 1 }).filter((text) => !/[:/@?]/.test(text) && text === text.trim());
    fc.assert(
      fc.property(
        name,
        name,
        name,
        fc.double({ min: 0.001, max: 1e5, noNaN: true }),
        (object, userId, sessionId, voxelSpacing) => {
          const uri = parseUri(
            'segmentation',
            formatUri('segmentation', { name: object, userId, sessionId, voxelSpacing }),
          );
          expect(nameMatcher(uri.name, uri.syntax)(object)).toBe(true);
          expect(nameMatcher(uri.userId, uri.syntax)(userId)).toBe(true);
          expect(nameMatcher(uri.sessionId, uri.syntax)(sessionId)).toBe(true);
          expect(spacingMatcher(uri.voxelSpacing, uri.syntax)(voxelSpacing)).toBe(true);
        },
      ),
    );
  });

  it.each([
    ['picks', { object: 'a?', userId: 'u', sessionId: '0' }],
    ['picks', { object: 'a:b', userId: 'u', sessionId: '0' }],
    ['mesh', { object: 'a', userId: 'u/v', sessionId: '0' }],
    ['segmentation', { name: 'a@b', userId: 'u', sessionId: '0', voxelSpacing: 1 }],
    ['picks', { object: 'a', userId: '', sessionId: '0' }],
    ['tomogram', { type: 'a@b', voxelSpacing: 1 }],
  ] as const)('formatUri refuses what would be read as something else: %s %j', (kind, parts) => {
    expect(() => formatUri(kind, parts as never)).toThrow(refused);
  });

  it('formatUri escapes a name that looks like a regular expression', () => {
    const uri = formatUri('picks', { object: 're', userId: 'u', sessionId: '0' });
    expect(parseUri('picks', uri).syntax).toBe('glob');
    expect(nameMatcher(parseUri('picks', uri).object, 'glob')('re')).toBe(true);
  });
});

describe('expandOutputUri', () => {
  it.each(expanded)(
    'expandOutputUri completes "%s" from "%s" (%s to %s, %j, %j) as copick does',
    (output, input, from, to, command, individual, expected) => {
      const options = {
        input,
        inputKind: from as ConvertedKind,
        kind: to as ConvertedKind,
        command: command ?? undefined,
        individual,
      };
      if (expected === null) expect(() => expandOutputUri(output, options)).toThrow(refused);
      else expect(expandOutputUri(output, options)).toBe(expected);
    },
  );
});

describe('find', () => {
  it.each(expectedEntities.found)('find searches for %s by "%s" as copick does', async (kind, uri, expected) => {
    const found = await openEntities().find(toKind(kind), uri);
    // copick does not mask "[" in a name.
    const told = found.map((entry) => [
      entry.run.name,
      formatUri(toKind(kind), entry as never).replace('[[]', '['),
      entry.root,
    ]);
    expect(new Set(told)).toEqual(new Set(expected));
    expect(told).toHaveLength(expected.length);
  });

  it('find gives entries that can be read', async () => {
    const [found] = await openEntities().find('mesh', 'membrane:*/1');
    expect((await found!.read()).length).toBeGreaterThan(12);
  });

  it('find searches the given runs, and throws for one that does not exist', async () => {
    const project = openEntities();
    expect((await project.find('picks', '*', { runs: ['pos 3', 'TS_2'] })).map(({ run }) => run.name)).toEqual([
      'TS_2',
      'pos 3',
    ]);
    expect(await project.find('picks', 'ribosome', { runs: 'TS_2' })).toHaveLength(1);
    await expect(project.find('picks', '*', { runs: ['TS_2', 'TS_9'] })).rejects.toMatchObject({ code: 'not-found' });
  });

  const picks = (run: string) => ({ [`/ExperimentRuns/${run}/Picks/me_1_virus.json`]: { points: [] } });

  it('find searches other runs if one cannot be listed', async () => {
    const store = storeOf({ ...picks('TS_1'), ...picks('TS_2') }, 'overlay');
    const { project, told } = projectOf({ overlay: failingStore(store, (_, key) => key.includes('TS_1/')) });
    expect((await project.find('picks', '*')).map(({ run }) => run.name)).toEqual(['TS_2']);
    expect(told).toHaveLength(1);
    const broken = projectOf({ overlay: failingStore(store, (_, key) => key.includes('/Picks')) }).project;
    await expect(broken.find('picks', '*')).rejects.toThrow('disk on fire');
  });

  it('find includes shadowed entities on request', async () => {
    const { project } = projectOf({ overlay: picks('TS_1'), static: picks('TS_1') });
    expect(await project.find('picks', 'virus')).toHaveLength(1);
    expect(await project.find('picks', 'virus', { includeShadowed: true })).toHaveLength(2);
  });

  it('find rejects a URI that is not valid before it searches, and stops when aborted', async () => {
    const { project, told } = projectOf({ overlay: picks('TS_1') });
    await expect(project.find('picks', 'a:b:c')).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(project.find('picks', 're:(')).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(project.find('picks', '*', { signal: AbortSignal.abort('stop') })).rejects.toBe('stop');
    const stopping = new AbortController();
    const store = storeOf(picks('TS_1'), 'overlay');
    const waiting = {
      ...store,
      async list(...[key, options]: Parameters<typeof store.list>) {
        if (key.endsWith('/Picks')) stopping.abort('stop');
        return store.list(key, options);
      },
    };
    const late = projectOf({ overlay: waiting });
    await expect(late.project.find('picks', '*', { signal: stopping.signal })).rejects.toBe('stop');
    expect([...told, ...late.told]).toEqual([]);
  });
});
