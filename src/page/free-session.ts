import type { Run } from '../entry/copick.ts';
import type { SetName } from './review-record.ts';

/** The first session, from a number on, in which none of some users has picks or candidates. */
export async function firstFreeSession(run: Run, users: readonly string[], from: number): Promise<string> {
  for (let number = from; ; number++) {
    const sessionId = String(number);
    const areUsed = await Promise.all(users.map((userId) => isUsed(run, { userId, sessionId })));
    if (!areUsed.includes(true)) return sessionId;
  }
}

async function isUsed(run: Run, author: SetName): Promise<boolean> {
  return (await run.pickSets({ ...author })).length > 0 || (await run.hasCandidates(author));
}
