import { CryoetPicksError } from '../errors.ts';
import type { Outcome } from './command.ts';

export async function info(): Promise<Outcome> {
  throw new CryoetPicksError('unsupported', 'info is not written yet');
}
