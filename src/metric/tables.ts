import type { Pick } from '../picks/pick.ts';
import { competition, type ScoringRules } from './competition.ts';
import { objectsOf, type ScoredRun } from './runs.ts';
import { type Report, scoreInOrder } from './score.ts';

/** One row of a truth or submission table. */
export interface TableRow {
  readonly run: string;
  readonly pick: Pick;
}

/** A report on tables, with what the truth table did not ask for. */
export interface TableReport extends Report {
  /** Runs that only the submission holds: dropped before anything is checked, as the official metric does. */
  readonly ignoredRuns: readonly string[];
}

/**
 * Scores a submission table against a truth table, as the official metric takes them.
 *
 * The truth decides which runs are scored: rows of other runs are dropped first, so an unknown object there does no harm,
 * and a run without a row in the submission counts as all missed. Objects are summed in order of first appearance in the
 * truth table, which decides the last digit.
 *
 * @throws {@link CryoetPicksError} as {@link scorePicks}.
 *
 * @example
 * ```ts
 * const report = scoreTables({ truth: parseSubmissionRows(truthCsv), submission: parseSubmissionRows(submissionCsv) });
 * ```
 */
export function scoreTables(
  { truth, submission }: { readonly truth: readonly TableRow[]; readonly submission: readonly TableRow[] },
  rules: ScoringRules = competition,
): TableReport {
  const runs = new Map<string, ScoredRun & { truth: Pick[]; picks: Pick[] }>();
  const open = (run: string) => {
    const group = { run, truth: [], picks: [] };
    runs.set(run, group);
    return group;
  };
  forEachRun(truth, (run) => {
    const group = runs.get(run) ?? open(run);
    return (pick) => group.truth.push(pick);
  });
  const ignoredRuns = new Set<string>();
  forEachRun(submission, (run) => {
    const group = runs.get(run);
    if (group === undefined) ignoredRuns.add(run);
    return (pick) => group?.picks.push(pick);
  });
  const report = scoreInOrder([...runs.values()], objectsOf(truth.map(({ pick }) => pick)), rules);
  return { ...report, ignoredRuns: [...ignoredRuns] };
}

/** Hands each pick to what `enter` gives for its run; a table lists the rows of a run together, so it is seldom called. */
function forEachRun(rows: readonly TableRow[], enter: (run: string) => (pick: Pick) => void): void {
  let last: string | undefined;
  let add: (pick: Pick) => void = () => {};
  for (const { run, pick } of rows) {
    if (run !== last) add = enter(run);
    last = run;
    add(pick);
  }
}
