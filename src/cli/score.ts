import { competition, type Matching, type ScoringRules } from '../metric/competition.ts';
import { scoreTables, type TableReport, type TableRow } from '../metric/tables.ts';
import { parseSubmissionRows } from '../picks/submission.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { readText } from './files.ts';
import { objectTable, scoreLines } from './score-table.ts';
import type { Terminal } from './terminal.ts';

/** What `score` was asked for. */
export interface ScoreInput extends CommonFlags {
  readonly truth: string;
  readonly submission: string;
  readonly matching: Matching;
  readonly truthUserId?: string | undefined;
  readonly truthSessionId?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly perRun?: true | undefined;
}

/** What `score --json` prints: the report, and how it was made. */
export interface ScoreDocument extends TableReport {
  readonly matching: Matching;
}

/** Scores one table of positions against another. */
export async function score(terminal: Terminal, input: ScoreInput): Promise<Outcome> {
  const { signal } = terminal;
  const rules: ScoringRules = { ...competition, matching: input.matching };
  const truth = await readTable(input.truth, 'truth', signal);
  const submission = await readTable(input.submission, 'submission', signal);
  const report = scoreTables({ truth, submission }, rules);
  terminal.print(...scoreLines(report, rules));
  if (input.perRun) {
    for (const [run, objects] of Object.entries(report.runs)) terminal.print('', run, ...objectTable(objects, rules));
  }
  terminal.print(...remarks(report));
  const document: ScoreDocument = { matching: input.matching, ...report };
  return { json: document };
}

async function readTable(path: string, source: string, signal: AbortSignal): Promise<readonly TableRow[]> {
  return parseSubmissionRows(await readText(path, { what: `${source} table`, signal }), {
    source: `${source} ${path}`,
  });
}

function remarks({ ignoredRuns, ignoredObjects }: TableReport): string[] {
  const lines = [];
  if (ignoredRuns.length > 0) lines.push(`not scored, since the truth lacks these runs: ${ignoredRuns.join(', ')}`);
  if (ignoredObjects.length > 0) {
    lines.push(`not scored, since the truth has none of these objects: ${ignoredObjects.join(', ')}`);
  }
  return lines.length === 0 ? [] : ['', ...lines];
}
