import { CryoetPicksError } from '../errors.ts';
import type { Outcome } from './command.ts';

export async function detect(): Promise<Outcome> {
  throw new CryoetPicksError('unsupported', 'detect is not written yet');
}
