import { callback, count, isFields, type Rule } from '../core/arguments.ts';
import { type RefinedPeak, type RefineTask, refineBoxes } from './refine-boxes.ts';
import { type BestScores, type RotationTask, searchRotations } from './rotation-search.ts';

/** A piece of a search, as plain data. */
export type MatchTask = RotationTask | RefineTask;

/** Threads that search together with the caller's own; `matchThreads` of `cryoet-picks/node` makes some. */
export interface MatchThreads {
  /** How many there are, without the caller's. */
  readonly count: number;
  /** Has a thread do a piece of work: what goes in and comes out is plain data. */
  run(task: object): Promise<unknown>;
}

/** What threads must be. */
export const threadsRule: Rule = {
  expected: 'threads, such as matchThreads() of cryoet-picks/node',
  isValid: (value) => value === undefined || isFields(value),
  fields: { count, run: callback },
};

/** Does a piece of work in this thread. */
export function answerMatchTask(task: MatchTask): Promise<BestScores | RefinedPeak[]> {
  return task.kind === 'refine' ? refineBoxes(task) : searchRotations(task);
}
