import { CryoetPicksError } from '../errors.ts';
import type { Outcome } from './command.ts';

export async function demo(): Promise<Outcome> {
  throw new CryoetPicksError('unsupported', 'demo is not written yet');
}
