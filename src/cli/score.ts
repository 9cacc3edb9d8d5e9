import type { PickableObject } from '../copick/object.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import type { Project } from '../copick/project.ts';
import { openProject } from '../entry/node.ts';
import { cziiRules, type Matching, type ScoringRules, scoringRules } from '../metric/rules.ts';
import { type ObjectScore, type Report, scoreTables, type TableReport, type TableRow } from '../metric/score.ts';
import { parseSubmissionRows } from '../picks/submission.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { readText } from './files.ts';
import { formatTable, type Terminal, UsageError } from './terminal.ts';

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
  if (particles.every(({ name }) => Object.hasOwn(cziiRules.objects, name))) return cziiRules;
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

/** The score and what it is made of, as lines: the total first, then a table per object. */
export function scoreLines({ score, objects }: Pick<Report, 'score' | 'objects'>, rules: ScoringRules): string[] {
  const { beta, matchFraction, matching = 'official' } = rules;
  const within = matchFraction === 0.5 ? 'half the radius' : `${matchFraction} of the radius`;
  return [
    `score ${score.toFixed(4)}  (weighted mean of F${beta}; a pick counts within ${within}; ${matching} matching)`,
    ...missingLines(objects, rules),
    '',
    ...objectTable(objects, rules),
  ];
}

/** Why even perfect picks score less than 1, where the truth lacks objects that the divisor counts. */
function missingLines(objects: Report['objects'], { objects: known, weightSum }: ScoringRules): string[] {
  if (weightSum === undefined) return [];
  const weights = Object.entries(known).map(([name, { weight }]) => (Object.hasOwn(objects, name) ? weight : 0));
  const best = weights.reduce((sum, weight) => sum + weight, 0) / weightSum;
  if (best >= 1) return [];
  const there = `${Object.keys(objects).length} of the ${weights.length} particles of the competition`;
  return [`the truth holds ${there}, whose weights always sum to ${weightSum}: perfect picks score ${best.toFixed(4)}`];
}

/** A table of objects; the heading names what they are of. */
function objectTable(objects: Readonly<Record<string, ObjectScore>>, { objects: known, beta }: ScoringRules): string[] {
  const rows = Object.entries(objects).map(([name, { tp, fp, fn, precision, recall, fbeta, meanDistance }]) => [
    name,
    known[name]?.weight ?? 0,
    tp,
    fp,
    fn,
    precision.toFixed(3),
    recall.toFixed(3),
    fbeta.toFixed(4),
    meanDistance === undefined ? '–' : meanDistance.toFixed(1),
  ]);
  const header = ['particle', 'weight', 'hit', 'false', 'missed', 'precision', 'recall', `F${beta}`, 'offset Å'];
  return formatTable({ header, rows });
}

/** Positions of particles, from a CSV or from a copick project. */
interface Positions {
  readonly rows: readonly TableRow[];
  /** The objects of the project, where they come from one. */
  readonly objects?: readonly PickableObject[] | undefined;
  /** Who wrote them, where they come from a project. */
  readonly userId?: string | undefined;
}

/** Options of {@link readPositions}. */
export interface PositionsOptions {
  /** What they are, for messages: `truth`. */
  readonly what: string;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Whose picks to take where a project has several users', and none is named. */
  readonly usualUser: string;
  /** What the options are called that choose user and session. */
  readonly flags: string;
}

/** Reads positions from a table, or, where the file is a `.json`, the picks of one user and session of a project. */
async function readPositions(terminal: Terminal, path: string, options: PositionsOptions): Promise<Positions> {
  const { signal } = terminal;
  const { what } = options;
  if (!path.endsWith('.json')) {
    const text = await readText(path, { what: `${what} table`, signal });
    return { rows: parseSubmissionRows(text, { source: `${what} ${path}` }) };
  }
  const project = await openProject(path, { signal });
  const sets = chooseSets(await setsOf(project, signal), path, options);
  const rows: TableRow[] = [];
  for (const { run, set } of sets) {
    for (const pick of (await set.read({ signal })).picks) rows.push({ run, pick });
  }
  const owner = sets[0]?.set;
  if (owner !== undefined) terminal.print(`${what}: picks of user ${owner.userId}, session ${owner.sessionId}`);
  return { rows, objects: project.objects, userId: owner?.userId };
}

/** A picks file, and the run it is of. */
export interface RunSet {
  readonly run: string;
  readonly set: PickSet;
}

async function setsOf(project: Project, signal: AbortSignal): Promise<RunSet[]> {
  const sets: RunSet[] = [];
  for (const run of await project.runs({ signal })) {
    for (const set of await run.pickSets({ signal })) sets.push({ run: run.name, set });
  }
  return sets;
}

/** The sets of one user and session: those named, else the usual user's, else the only ones there are. */
export function chooseSets(sets: readonly RunSet[], path: string, options: PositionsOptions): readonly RunSet[] {
  const { what, userId, sessionId, usualUser, flags } = options;
  const named = sets.filter(
    ({ set }) => (userId ?? set.userId) === set.userId && (sessionId ?? set.sessionId) === set.sessionId,
  );
  const usual = userId === undefined ? named.filter(({ set }) => set.userId === usualUser) : [];
  const chosen = usual.length > 0 ? usual : named;
  const owners = new Set(chosen.map(ownerOf));
  if (owners.size === 1) return chosen;
  const available = [...new Set(sets.map(ownerOf))].join(', ') || 'none';
  const found = owners.size === 0 ? 'no picks' : `picks of ${owners.size} users or sessions`;
  throw new UsageError(
    `${what} ${path}: ${found} found, expected those of one; name them by ${flags}; there are ${available}`,
  );
}

/** Whose a set is: `user/session`. */
export function ownerOf({ set: { userId, sessionId } }: RunSet): string {
  return `${userId || '(no user)'}/${sessionId || '(no session)'}`;
}
