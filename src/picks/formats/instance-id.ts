import { CryoetPicksError } from '../../errors.ts';
import { parseNumber } from '../csv-table.ts';
import type { CheckedPick } from './checked.ts';

/** The instance id that a cell spells, all of its digits; a number that is none is left to be refused. */
export function parseInstanceId(cell: string): number | bigint | undefined {
  const value = parseNumber(cell);
  if (value === undefined || Number.isSafeInteger(value)) return value;
  const digits = cell.trim().replace(/^\+/, '');
  return /^-?\d+$/.test(digits) ? BigInt(digits) : value;
}

/**
 * The instance id of a pick for a format whose readers take it as a number; 0 is none.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for one that a number cannot hold.
 */
export function numberedInstance({ pick: { instanceId = 0 }, place }: CheckedPick, format: string): number {
  const number = Number(instanceId);
  if (Number.isSafeInteger(number)) return number;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place} has instance id ${instanceId}; ${format} holds numbers to 2^53: csv, copick, ndjson, napari and cmm hold more`,
  );
}
