import { describe, expect, it } from 'vitest';
import { picksFormat, picksFormatNames } from '../../src/entry/formats.ts';
import { CryoetPicksError, isCryoetPicksError } from '../../src/entry/index.ts';

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

it('an unknown format name throws an error with the option and the valid names', () => {
  expect(() => picksFormat('pdb')).toThrow(
    expect.objectContaining({ code: 'invalid-option', option: 'format', available: picksFormatNames }),
  );
});
