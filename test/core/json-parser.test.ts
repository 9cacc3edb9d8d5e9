import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../src/core/concurrency.ts';
import { type JsonBatch, type JsonList, jsonSteps } from '../../src/core/json-parser.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const options = { what: 'file "a.json"', code: 'invalid-picks' } as const;
const parse = (text: string, list?: JsonList) => atOnce(jsonSteps(encode(text), { ...options, list }));

/** A text that the parser reads, and the engine does not. */
const notForEngine = (text: string) => `[NaN,${text}]`;

describe('jsonSteps', () => {
  it('jsonSteps reads what the engine reads, with any white space and strings of any length', () => {
    const long = fc
      .tuple(fc.string({ unit: 'grapheme' }), fc.nat(5000))
      .map(([text, count]) => text.repeat(count).slice(0, 150_000));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.oneof(fc.jsonValue(), long),
        fc.array(tie('tree')),
        fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('tree')),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 2, '\r\n\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parse(text)).toEqual(JSON.parse(text));
        expect(parse(notForEngine(text))).toEqual([Number.NaN, JSON.parse(text)]);
      }),
      { numRuns: 50 },
    );
  });

  it('jsonSteps cuts no character and no escape sequence between two pieces of a string', () => {
    for (const unit of ['ä', '猫', '🐈', '\\u00e4', '\\ud83d\\udc08', '\\n', '\\"', '\\\\']) {
      for (const shift of [0, 1, 2, 3, 4, 5]) {
        const text = `"${'x'.repeat(shift)}${unit.repeat(80_000)}"`;
        expect(parse(text)).toBe(JSON.parse(text));
      }
    }
  });

  it('jsonSteps refuses every text that the engine refuses, but for the bare words of Python', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 2 }), (text, where, noise) => {
        const at = where % (text.length + 1);
        const broken = text.slice(0, at) + noise + text.slice(at + 1);
        let isJson = true;
        try {
          JSON.parse(broken);
        } catch {
          isJson = false;
        }
        if (isJson) expect(parse(broken)).toEqual(JSON.parse(broken));
        else expect(() => parse(broken)).toThrow(expect.objectContaining({ code: 'invalid-picks' }));
      }),
      { numRuns: 1000 },
    );
  });

  it('jsonSteps counts the columns of a place in UTF-16 units', () => {
    expect(() => parse('["ä猫🐈"\n,"ä猫🐈" x]')).toThrow(/line 2, column 9: expected ',' or '\]', found "x"/);
    expect(() => parse('\uFEFF[ä]')).toThrow(/line 1, column 2: expected a value, found "ä"/);
    expect(() => parse('[🐈]')).toThrow(/line 1, column 2: expected a value, found "🐈"/);
  });

  it('jsonSteps refuses bytes that are not UTF-8, within strings and outside', () => {
    for (const bytes of [[0x22, 0xff, 0x22], [0x5b, 0xff, 0x5d], [0xff]]) {
      expect(() => atOnce(jsonSteps(Uint8Array.from(bytes), options))).toThrow('file "a.json" is not UTF-8 text');
    }
  });

  it.each<[string, string]>([
    ['a string', `{"a":"${'x'.repeat(1_000_000)}"}`],
    ['a string of escapes', `{"a":"${'\\u00e4'.repeat(300_000)}"}`],
    ['an open string', `{"a":"${'x'.repeat(1_000_000)}`],
    ['white space', `[${' '.repeat(1_000_000)}1]`],
    ['many keys', `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":${i}`).join()}}`],
    ['many levels', `${'['.repeat(200_000)}${']'.repeat(200_000)}`],
    ['a place far away', `[${'"ä",\n'.repeat(200_000)}x]`],
    ['a list whose items the engine cannot parse', `{"points":[${'{"x":NaN},'.repeat(100_000)}{}]}`],
  ])('jsonSteps pauses every 16,384 bytes or so: %s', (_, text) => {
    const steps = jsonSteps(encode(text), { ...options, list: { key: 'points', take: () => 'more' } });
    let pauses = 0;
    try {
      while (!steps.next().done) pauses++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid-picks' });
    }
    expect(pauses).toBeGreaterThanOrEqual(Math.floor(text.length / 2 ** 17));
  });
});

describe('the list of jsonSteps', () => {
  const points = Array.from({ length: 60_000 }, (_, i) => ({ x: i, name: `},{ ${i}`, nested: [{}, { a: [{}] }] }));

  /** The items that a list gives, and how they came. */
  function collect(text: string, answer: (batch: JsonBatch) => ReturnType<JsonList['take']> = () => 'more') {
    const items: unknown[] = [];
    const batches: number[] = [];
    const take = (batch: JsonBatch) => {
      const found = answer(batch);
      if (found === 'exact') return found;
      items.push(...batch.items);
      batches.push(batch.items.length);
      return found;
    };
    const root = atOnce(jsonSteps(encode(text), { ...options, isExact: true, list: { key: 'points', take } }));
    return { items, batches, root };
  }

  it.each([undefined, 4])(
    'The list gives all items in order, and the rest of the object without them (indent %s)',
    (indent) => {
      const text = JSON.stringify({ before: 1, points, after: { points: [1, 2] } }, null, indent);
      const { items, batches, root } = collect(text);
      expect(items).toEqual(points);
      expect(root).toEqual({ before: 1, points: [], after: { points: [1, 2] } });
      // The engine parsed most of them.
      expect(Math.max(...batches)).toBeGreaterThan(100);
    },
  );

  it('The list gives items once more with exact integers where that is asked for', () => {
    const text = JSON.stringify({ points }).replace('"x":30000,', '"x":9223372036854775807,');
    const { items } = collect(text, ({ text }) => (text?.includes('9223372036854775807') ? 'exact' : 'more'));
    expect(items).toEqual(points.map((point) => (point.x === 30_000 ? { ...point, x: 2n ** 63n - 1n } : point)));
  });

  it('The list of a key that occurs twice is another list', () => {
    const lists = new Set<unknown>();
    const take = ({ list }: JsonBatch) => {
      lists.add(list);
      return 'more' as const;
    };
    const root = parse('{"points":[1,2],"points":[3]}', { key: 'points', take }) as { points: unknown };
    expect([...lists]).toHaveLength(2);
    expect([...lists].at(-1)).toBe(root.points);
  });

  it('The list can stop the parse, which then gives the keys before it, whatever follows', () => {
    expect(parse('{"a":1,"points":[{}, nonsense', { key: 'points', take: () => 'stop' })).toEqual({ a: 1 });
  });

  it('The list bounds the keys of objects, and their length', () => {
    const keys = Array.from({ length: 50_001 }, (_, i) => `"k${i}":0`).join();
    const list: JsonList = { key: 'points', take: () => 'more' };
    for (const text of [`{"points":[{},{${keys}}]}`, `{${keys}}`, `{"a":{${keys}}}`]) {
      expect(() => parse(text, list)).toThrow('file "a.json" has an object with more than 50000 keys');
      expect(parse(text)).toEqual(JSON.parse(text));
    }
    expect(() => parse(`{"${'k'.repeat(70_000)}":0}`)).toThrow(/has a key of more than 65536 characters/);
  });
});
