import { describe, expect, it } from 'vitest';
import { errorOf, plainError, withMessage } from '../../src/core/errors.ts';
import { picksFormat, picksFormatNames } from '../../src/entry/formats.ts';
import { CryoetPicksError, isCryoetPicksError, planTiles, suppressNearby } from '../../src/entry/index.ts';

describe('CryoetPicksError', () => {
  it('CryoetPicksError carries the option, the path, the alternatives and the cause that it is given', () => {
    const cause = new Error('why');
    const details = { cause, option: 'voxelSize', path: '/a', available: ['wbp'] };
    const error = new CryoetPicksError('invalid-option', 'voxelSize is missing', details);
    expect(error).toMatchObject({ code: 'invalid-option', message: 'voxelSize is missing', ...details });
    expect(isCryoetPicksError(error, 'invalid-option')).toBe(true);
  });

  it('CryoetPicksError cuts a value of more than 200 characters, a message of more than 2,000, and no field', () => {
    const path = `/data/${'a'.repeat(300)}.mrc`;
    const error = new CryoetPicksError('not-found', `cannot read ${path}: not found; give another`, { path });
    expect(error.path).toBe(path);
    expect(error.message).toMatch(/^cannot read \/data\/a+…a+\.mrc: not found; give another$/);
    expect(error.message.split(' ')[2]).toHaveLength(200);
    const quoted = new CryoetPicksError('invalid-option', `the name "${'a b '.repeat(1e6)}" is unknown; give one`);
    expect(quoted.message).toMatch(/^the name "a b [^"]*…[^"]*" is unknown; give one$/);
    expect(quoted.message.length).toBeLessThan(250);
    const names = Array.from({ length: 1e5 }, (_, i) => `"run ${i}"`).join(', ');
    const long = new CryoetPicksError('not-found', `run "x" not found; available: ${names}`);
    expect(long.message.length).toBe(2000);
    expect(long.message).toMatch(/^run "x" not found; available: "run 0", .*…/);
    const between = `run "a" and ${'then some more '.repeat(30)}"b"`;
    expect(new CryoetPicksError('not-found', between).message).toBe(between);
    const whole = `a message of ${'fifty or so '.repeat(100)}words`;
    expect(new CryoetPicksError('not-found', whole).message).toBe(whole);
    const faces = new CryoetPicksError('not-found', '\u{1f600}'.repeat(150)).message;
    expect(faces).toMatch(/^(\u{1f600}|…)+$/u);
  });

  it('CryoetPicksError keeps the start and the end of a message of 10⁷ digits without a space, in no time', () => {
    const message = `the number ${'7'.repeat(1e7)} is too long; expected at most 17 digits`;
    expect(new CryoetPicksError('invalid-picks', message).message).toMatch(
      /^the number 7{100,}…7+ is too long; expected at most 17 digits$/,
    );
  });

  it('CryoetPicksError has no fields that do not apply to it', () => {
    const error = new CryoetPicksError('not-found', 'run "a" not found');
    for (const field of ['cause', 'option', 'path', 'available']) expect(field in error).toBe(false);
  });
});

describe('an error with another message', () => {
  const details = { option: 'voxelSize', path: '/a', available: ['wbp'] };
  const error = new CryoetPicksError('not-found', 'not found', details);

  it('an error with another message keeps the code and all fields, and has the first one as its cause', () => {
    const expected = { code: 'not-found', message: 'chunk 0: not found', ...details, cause: error };
    expect(withMessage(error, 'chunk 0: not found')).toMatchObject(expected);
  });

  it('an error sent by a thread arrives with its code, message and fields', () => {
    const arrived = errorOf(structuredClone(plainError(error)));
    expect(arrived).toBeInstanceOf(CryoetPicksError);
    expect(arrived).toMatchObject({ code: 'not-found', message: 'not found', ...details });
    expect('cause' in arrived).toBe(false);
    const bare = errorOf(structuredClone(plainError(new CryoetPicksError('unavailable', 'down'))));
    for (const field of ['option', 'path', 'available']) expect(field in bare).toBe(false);
  });
});

describe('an error about an option names it', () => {
  const spec = { tile: [8, 8, 8], outputStride: 1 } as const;
  it.each<[string, () => unknown]>([
    ['overlap', () => planTiles([8, 8, 8], spec, { overlap: [99, 0, 0] })],
    ['shape', () => planTiles([0, 8, 8], spec)],
    ['window', () => planTiles([8, 8, 8], spec, { window: 'box' as 'hann' })],
    ['minDistance', () => suppressNearby([], { minDistance: -1 })],
    ['minDistance', () => suppressNearby([], { minDistance: { ribosome: -1 } })],
  ])('an error about an option names it: %s', (option, run) => {
    expect(run).toThrow(expect.objectContaining({ code: 'invalid-option', option }));
  });
});

it('an unknown format name throws an error with the option and the valid names', () => {
  expect(() => picksFormat('pdb')).toThrow(
    expect.objectContaining({ code: 'invalid-option', option: 'format', available: picksFormatNames }),
  );
});
