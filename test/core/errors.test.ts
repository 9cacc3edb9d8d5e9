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

  it('CryoetPicksError has no fields that do not apply to it', () => {
    const error = new CryoetPicksError('not-found', 'run "a" not found');
    for (const field of ['cause', 'option', 'path', 'available']) expect(field in error).toBe(false);
  });
});

describe('an error with another message', () => {
  const details = { option: 'voxelSize', path: '/a', available: ['wbp'] };
  const error = new CryoetPicksError('not-found', 'not found', details);

  it('keeps the code and all fields, and has the first one as its cause', () => {
    const expected = { code: 'not-found', message: 'chunk 0: not found', ...details, cause: error };
    expect(withMessage(error, 'chunk 0: not found')).toMatchObject(expected);
  });

  it('is the same again after its way from a thread', () => {
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
  ])('%s', (option, run) => {
    expect(run).toThrow(expect.objectContaining({ code: 'invalid-option', option }));
  });
});

it('an unknown format name throws an error with the option and the valid names', () => {
  expect(() => picksFormat('pdb')).toThrow(
    expect.objectContaining({ code: 'invalid-option', option: 'format', available: picksFormatNames }),
  );
});
