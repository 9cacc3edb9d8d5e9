import { CryoetPicksError } from '../errors.ts';
import type { Outcome } from './command.ts';

export async function simulate(): Promise<Outcome> {
  throw new CryoetPicksError('unsupported', 'simulate is not written yet');
}
