import { competition, type Matching, type ScoringRules, scoringRules } from '../metric/competition.ts';
import { scoreTables, type TableReport } from '../metric/tables.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { type Positions, readPositions } from './positions.ts';
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
  const truth = await readPositions(terminal, input.truth, {
    what: 'truth',
    userId: input.truthUserId,
    sessionId: input.truthSessionId,
    usualUser: 'curation',
    flags: '--truth-user-id and --truth-session-id',
  });
  const submission = await readPositions(terminal, input.submission, {
    what: 'submission',
    userId: input.userId,
    sessionId: input.sessionId,
    usualUser: 'cryoet-picks',
    flags: '--user-id and --session-id',
  });
  if (truth.userId === 'cryoet-picks') {
    terminal.warn(
      "cryoet-picks: the truth is this program's own picks, of user cryoet-picks; name another user by --truth-user-id",
    );
  }
  const truthRuns = new Set(truth.rows.map(({ run }) => run));
  const isApart = !submission.rows.some(({ run }) => truthRuns.has(run));
  if (isApart)
    terminal.warn('cryoet-picks: truth and submission have no run in common, so every particle counts as missed');
  const rules = { ...rulesFor([truth, submission]), matching: input.matching };
  const report = scoreTables({ truth: truth.rows, submission: submission.rows }, rules);
  terminal.print(...scoreLines(report, rules));
  if (input.perRun) {
    for (const [run, objects] of Object.entries(report.runs)) terminal.print('', run, ...objectTable(objects, rules));
  }
  terminal.print(...remarks(report));
  const document: ScoreDocument = { matching: input.matching, ...report };
  return { json: document, failed: isApart };
}

/** The competition's rules; or, where a project has particles that it did not have, its own radii and equal weights. */
function rulesFor(sides: readonly Positions[]): ScoringRules {
  const particles = sides.flatMap(({ objects = [] }) => objects.filter(({ isParticle }) => isParticle));
  if (particles.every(({ name }) => Object.hasOwn(competition.objects, name))) return competition;
  return scoringRules(particles);
}

function remarks({ ignoredRuns, ignoredObjects }: TableReport): string[] {
  const lines = [];
  if (ignoredRuns.length > 0) lines.push(`not scored, since the truth lacks these runs: ${ignoredRuns.join(', ')}`);
  if (ignoredObjects.length > 0) {
    lines.push(`not scored, since the truth has none of these objects: ${ignoredObjects.join(', ')}`);
  }
  return lines.length === 0 ? [] : ['', ...lines];
}
