import { CryoetPicksError } from '../errors.ts';
import type { Outcome } from './program.ts';

export async function detect(): Promise<Outcome> {
  throw new CryoetPicksError('unsupported', 'detect is not written yet');
}
