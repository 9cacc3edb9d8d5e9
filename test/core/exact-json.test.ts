import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJsonBigInt, parseJsonBigInt } from '../../src/core/json.ts';
import { formatPicksFile, parsePicksFile } from '../../src/entry/copick.ts';
import { type PicksFormatName, picksFormat } from '../../src/entry/formats.ts';

const parse = (text: string) => parseJsonBigInt(text, { what: 'it', code: 'invalid-picks' });
const most = 2n ** 63n - 1n;

describe('JSON with integers of any length', () => {
  it.each([
    ['the largest of 64 bits', '{"a":9223372036854775807}', { a: most }],
    ['the smallest', '[-9223372036854775808]', [-(2n ** 63n)]],
    ['the last that a number holds', '[9007199254740991]', [9007199254740991]],
    ['a key of the prototype', '{"__proto__":9223372036854775807}', JSON.parse('{"__proto__":0}')],
    ['one in a string', '["a ,9223372036854775807, b"]', ['a ,9223372036854775807, b']],
    ['a fraction of many digits', '[0.12345678901234567890,1]', [0.12345678901234568, 1]],
    ['an exponent', '[1e20]', [1e20]],
    ['one beside NaN', '[9223372036854775807,NaN]', [most, Number.NaN]],
    ['one beside strings of its mark', '["#1","##2",9223372036854775807]', ['#1', '##2', most]],
  ])('JSON with integers of any length is parsed exactly: %s', (_, text, expected) => {
    const found = parse(text);
    if (text.includes('__proto__')) {
      expect(Object.getOwnPropertyDescriptor(found, '__proto__')?.value).toBe(most);
      expect(Object.getPrototypeOf(found)).toBe(Object.prototype);
    } else expect(found).toEqual(expected);
    if (!text.includes('NaN') && !text.includes('0.1') && !text.includes('e20')) {
      expect(formatJsonBigInt(found)).toBe(text);
    }
  });

  it('JSON with an integer of a million digits is refused, beside a string of as many characters', () => {
    const digits = '1'.repeat(1_000_000);
    expect(() => parse(`["${digits}",${digits}]`)).toThrow(
      expect.objectContaining({
        code: 'invalid-picks',
        message: 'it has a number of 1000000 digits; expected at most 1000',
      }),
    );
    expect(parse(`["${digits}",9223372036854775807]`)).toEqual([digits, most]);
  });

  it('JSON with integers of any length is written back unchanged, including strings', () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).filter((value) => !Number.isSafeInteger(Number(value))),
      fc.constantFrom('#9223372036854775807', '"#1"', '9223372036854775807'),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree')), fc.dictionary(fc.string(), tie('tree'))),
    }));
    fc.assert(
      fc.property(fc.array(tree), fc.constantFrom(undefined, 4), (value, indent) => {
        expect(parse(formatJsonBigInt(value, indent))).toEqual(value);
      }),
    );
  });

  it('JSON with integers of any length is refused if broken, at its place in the original text', () => {
    expect(() => parse('[9223372036854775807,}')).toThrow(/line 1, column 22/);
  });
});

describe('instance ids of 64 bits', () => {
  const text = (ids: readonly string[]) =>
    JSON.stringify(
      {
        pickable_object_name: 'ribosome',
        user_id: 'me',
        session_id: '1',
        run_name: 'TS_1',
        voxel_spacing: null,
        unit: 'angstrom',
        points: ids.map((id, x) => ({
          location: { x, y: 2, z: 3 },
          transformation_: [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 1 : 0))),
          instance_id: `@${id}@`,
          score: 1,
          track: '@18446744073709551615@',
        })),
        trust_orientation: true,
        made_at: '@1732333333333333333@',
      },
      null,
      4,
    ).replaceAll(/"@(-?\d+)@"/g, '$1');

  it('instance ids of 64 bits are read and written digit by digit, including unknown keys', () => {
    const given = text(['9223372036854775807', '7', '-9223372036854775808', '0']);
    const file = parsePicksFile(given, { source: 'a.json' });
    expect(file.picks.map(({ instanceId }) => instanceId)).toEqual([most, 7, -(2n ** 63n), undefined]);
    expect(formatPicksFile(file)).toBe(given);
  });

  it('instance ids of 64 bits do not change measures that are written without a point', () => {
    const point = '{"location":{"x":12345678901234567890,"y":2,"z":3},"instance_id":9223372036854775807}';
    const file = parsePicksFile(`{"pickable_object_name":"a","user_id":9223372036854775807,"points":[${point}]}`, {
      source: 'a.json',
    });
    expect(file.picks).toEqual([
      { object: 'a', position: { x: 12345678901234567000, y: 2, z: 3 }, score: 1, instanceId: most },
    ]);
  });

  const runs = parsePicksFile(text(['9223372036854775807']), { source: 'a.json' });
  const given = [{ run: 'TS_1', picks: runs.picks }];
  const options = { voxelSize: 10, shape: [10, 10, 10] as const, run: 'TS_1', object: 'ribosome' };

  it.each<PicksFormatName>(['csv', 'copick', 'ndjson', 'napari', 'cmm'])(
    'instance ids of 64 bits survive in %s',
    (name) => {
      const format = picksFormat(name, options);
      if (format.content === 'bytes') throw new Error('is text');
      const [run] = format.parse(format.format(given), name);
      expect(run?.picks[0]?.instanceId).toBe(most);
    },
  );

  it.each<PicksFormatName>(['relion3', 'relion4', 'relion5', 'dynamo', 'stopgap', 'tom', 'imod'])(
    'instance ids of 64 bits are refused by %s, whose readers would round them',
    (name) => {
      expect(() => picksFormat(name, options).format(given)).toThrow(
        /pick 0 of run "TS_1" has instance id 9223372036854775807; .* stores ids up to 2\^53/,
      );
    },
  );
});
