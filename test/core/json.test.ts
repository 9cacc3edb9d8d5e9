import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, parseJsonBigInt, showJson } from '../../src/core/json.ts';

const parse = (text: string | Uint8Array) => parseJson(text, { what: 'file "a.json"', code: 'invalid-config' });

describe('parseJson', () => {
  it('parseJson reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('parseJson reads the bare non-finite numbers of Python, and leaves strings that look like them', () => {
    expect(parse('{"a": [NaN, -Infinity, Infinity], "b": "NaN, Infinity", "c#": "#NaN", "d\\"NaN": 1}')).toEqual({
      a: [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
      b: 'NaN, Infinity',
      'c#': '#NaN',
      'd"NaN': 1,
    });
  });

  it('parseJson skips a byte order mark', () => {
    expect(parse('\uFEFF{"a": 1}')).toEqual({ a: 1 });
    expect(parse(Uint8Array.from([0xef, 0xbb, 0xbf, ...Buffer.from('{"a": 1}')]))).toEqual({ a: 1 });
  });

  it('parseJson reads from UTF-8 what it reads from the text', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
        expect(parse(new TextEncoder().encode(text))).toEqual(parse(text));
      }),
      { numRuns: 30 },
    );
  });

  it('parseJson refuses bytes that are not UTF-8, with the path, and replaces none of them', () => {
    const latin1 = Uint8Array.from([...Buffer.from('{"name": "M'), 0xfc, ...Buffer.from('ller"}')]);
    const attempt = (read: typeof parseJson) => () =>
      read(latin1, { what: 'file "a.json"', code: 'invalid-config', path: 'a.json' });
    for (const read of [parseJson, parseJsonBigInt]) {
      expect(attempt(read)).toThrow(
        expect.objectContaining({
          code: 'invalid-config',
          message: 'file "a.json" is not UTF-8 text',
          path: 'a.json',
        }),
      );
    }
  });

  it.each([
    ['empty', '', 1, 1, 'a value', 'the end'],
    ['cut short', '{"a": [1, 2', 1, 12, "',' or ']'", 'the end'],
    ['comma missing', '{\n  "a": 1\n  "b": 2\n}', 3, 3, "',' or '}'", '"\\""'],
    ['comma too many', '{\n  "a": 1,\n}', 3, 1, 'a property name', '"}"'],
    ['comma too many in a list', '[1, 2, ]', 1, 8, 'a value', '"]"'],
    ['single quotes', "{'a': 1}", 1, 2, 'a property name', '"\'"'],
    ['colon missing', '{"a" 1}', 1, 6, "':'", '"1"'],
    ['Python words', '{"a": True}', 1, 7, 'a value', '"T"'],
    ['comment', '{\n// roots\n}', 2, 1, 'a property name', '"/"'],
    ['text behind', '{} x', 1, 4, 'the end', '"x"'],
    ['leading zero', '[01]', 1, 2, 'a value', '"0"'],
    ['behind a NaN', '[NaN,\nx]', 2, 1, 'a value', '"x"'],
    ['bare line break in a string', '["a\nb"]', 1, 2, 'a value', '"\\""'],
  ])('parseJson says where the text is wrong: %s', (_, text, line, column, expected, found) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-config',
        message: expect.stringMatching(
          new RegExp(
            `^file "a.json" is not JSON: line ${line}, column ${column}: expected ${literally(expected)}.*found ${literally(found)}`,
          ),
        ),
      }),
    );
  });

  it('parseJson shows no more of a text than one character, so that no secret leaks', () => {
    const attempt = () => parse('{"key": "hunter2" "secret": hunter2}');
    expect(attempt).toThrow();
    expect(attempt).not.toThrow(/hunter2|secret/);
  });

  it('parseJson throws only its own error, however the text is broken', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 2 }), (text, where, noise) => {
        const at = where % (text.length + 1);
        const broken = text.slice(0, at) + noise + text.slice(at + 1);
        try {
          parse(broken);
        } catch (error) {
          expect(error).toMatchObject({ name: 'CryoetPicksError', code: 'invalid-config' });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('parseJson reads strings of ten million characters and numbers of a million beside bare non-finite numbers', () => {
    const long = 'a\\\\\\"'.repeat(2_000_000);
    const digits = '1'.repeat(1_000_000);
    const parsed = parse(`["${long}", NaN, ${digits}]`) as [string, number, number];
    expect(parsed[0]).toHaveLength(6_000_000);
    expect(parsed.slice(1)).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
    expect(() => parse(`["${long}", ${digits} x]`)).toThrow(
      /not JSON: line 1, column 11000007: expected ',' or ']', found "x"/,
    );
    expect(() => parse(`["${long}`)).toThrow(/not JSON: line 1, column 2: expected a value/);
    expect(() => parse(`[NaN, ${digits}${digits}]`)).toThrow(
      'file "a.json" has a number of more than 1048576 characters',
    );
  });

  it('parseJson marks bare non-finite numbers in a text of marks', () => {
    const text = `["${'#'.repeat(1_000_000)}", NaN, "#NaN"]`;
    expect(parse(text)).toEqual(['#'.repeat(1_000_000), Number.NaN, '#NaN']);
  });

  it('parseJson survives brackets nested a million deep', () => {
    expect(() => parse('['.repeat(200_000))).toThrow(/column 200001/);
    expect(() => parse('['.repeat(1_000_000))).toThrow('file "a.json" is nested too deeply: more than 262144 levels');
  });
});

function literally(text: string): string {
  return text.replace(/[\\'",()[\]{}.*+?^$|/]/g, '\\$&');
}

it('parseJson reads a bare NaN however deep it lies', () => {
  const text = `${'['.repeat(20_000)}NaN${']'.repeat(20_000)}`;
  let value = parseJson(text, { what: 'x', code: 'invalid-picks' });
  while (Array.isArray(value)) value = value[0];
  expect(value).toBe(Number.NaN);
});

describe('showJson', () => {
  it('showJson shows a value, the beginning of a long one, and no more than that of one nested too deeply', () => {
    expect(showJson({ a: [1, null] })).toBe('{"a":[1,null]}');
    expect(showJson(undefined)).toBe('undefined');
    expect(showJson('x'.repeat(200))).toBe(`"${'x'.repeat(99)}…`);
    const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
    expect(showJson(deep)).toBe('a value that is nested too deeply to show');
  });
});
