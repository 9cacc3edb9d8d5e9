import { nameFilter } from '../copick/layout.ts';
import type { PickableObject } from '../copick/object.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import type { Project } from '../copick/project.ts';
import { listNames } from '../copick/tree.ts';
import { openProject } from '../entry/node.ts';
import { csvFormat } from '../formats/csv.ts';
import { cziiRules, type Matching, type ScoringRules, scoringRules } from '../metric/rules.ts';
import { type ObjectScore, type Report, scoreTables, type TableReport, type TableRow } from '../metric/score.ts';
import { type SweepPoint, sweepThresholds } from '../metric/sweep.ts';
import { readCsvTable } from '../picks/csv.ts';
import { groupByRun } from '../picks/pick.ts';
import { parseSubmissionRows } from '../picks/submission.ts';
import { chosen } from './choose.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { readText } from './files.ts';
import { counted, formatTable, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `score`. */
export interface ScoreInput extends CommonFlags {
  readonly truth: string;
  readonly submission: string;
  readonly matching: Matching;
  readonly truthUserId?: string | undefined;
  readonly truthSessionId?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly perRun?: true | undefined;
  readonly run?: readonly string[] | undefined;
  readonly sweep?: true | undefined;
}

/** What `score --json` prints: the report and the matching. */
export interface ScoreDocument extends TableReport {
  readonly matching: Matching;
  /** Runs of the truth that were never searched: the submission has no picks file of them, or no row. */
  readonly missingRuns: readonly string[];
  /** With `--sweep`: the best threshold of each object, and what it gives. */
  readonly sweep?: { readonly score: number; readonly objects: Readonly<Record<string, SweepPoint>> } | undefined;
}

/** Scores picks against the ground truth. */
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
  const wanted = await wantedRuns(truth, input);
  const kept = (rows: readonly TableRow[]) => (wanted === undefined ? rows : rows.filter(({ run }) => wanted.has(run)));
  const rows = { truth: kept(truth.rows), submission: kept(submission.rows) };
  const truthRuns = new Set(rows.truth.map(({ run }) => run));
  const isApart = !rows.submission.some(({ run }) => truthRuns.has(run));
  const missingRuns = [...truthRuns].filter((run) => !submission.runs.has(run)).sort();
  if (isApart) {
    terminal.warn('cryoet-picks: truth and submission have no run in common, so every particle counts as missed');
  } else if (missingRuns.length > 0) {
    terminal.warn(
      `cryoet-picks: ${counted(missingRuns.length, 'run')} of the truth ${missingRuns.length === 1 ? 'was' : 'were'} never ` +
        `searched, and all particles there count as missed: ${listNames(missingRuns)}; leave them out by --run`,
    );
  }
  const rules = { ...rulesFor([truth, submission]), matching: input.matching };
  const report = scoreTables(rows, rules);
  warnOfOwnTruth(terminal, truth, submission);
  terminal.print(...scoreLines(report, rules));
  if (input.perRun) {
    for (const [run, objects] of Object.entries(report.runs)) terminal.print('', run, ...objectTable(objects, rules));
  }
  const sweep = input.sweep ? sweepOf(rows, rules) : undefined;
  if (sweep !== undefined) terminal.print(...sweepLines(sweep));
  terminal.print(...remarks(report));
  const document: ScoreDocument = { matching: input.matching, ...report, missingRuns, ...(sweep && { sweep }) };
  return { json: document, failed: isApart };
}

/** Warns if the truth is this program's own output: by its user, or because it has the rows of the submission. */
function warnOfOwnTruth(terminal: Terminal, truth: Positions, submission: Positions): void {
  const own = "cryoet-picks: the truth is this program's own picks";
  if (truth.userId === 'cryoet-picks') {
    terminal.warn(`${own}, of user cryoet-picks; select another user by --truth-user-id`);
    return;
  }
  const keyOf = ({ run, pick: { object, position } }: TableRow) =>
    JSON.stringify([run, object, position.x, position.y, position.z]);
  const found = new Set(submission.rows.map(keyOf));
  const isSame = truth.rows.length > 0 && found.size > 0 && truth.rows.every((row) => found.has(keyOf(row)));
  if (isSame) terminal.warn(`${own}, or the submission a copy of the truth: all its rows are rows of the submission`);
}

/** The runs that `--run` selects. */
async function wantedRuns(
  { rows }: Positions,
  { run: names, truth }: ScoreInput,
): Promise<ReadonlySet<string> | undefined> {
  if (names === undefined) return undefined;
  const all = [...new Set(rows.map(({ run }) => run))].map((name) => ({ name }));
  const missing = (name: string): never => {
    throw new UsageError(`truth ${truth} has no run "${name}"; there are ${listNames(all.map((run) => run.name))}`);
  };
  return new Set((await chosen(all, { names, missing })).map(({ name }) => name));
}

type Tables = { readonly truth: readonly TableRow[]; readonly submission: readonly TableRow[] };

/** The best threshold of each object. */
function sweepOf({ truth, submission }: Tables, rules: ScoringRules): NonNullable<ScoreDocument['sweep']> {
  const picks = new Map(groupByRun(submission).map((one) => [one.run, one.picks]));
  const runs = groupByRun(truth).map((one) => ({ run: one.run, truth: one.picks, picks: picks.get(one.run) ?? [] }));
  const { score: best, objects } = sweepThresholds(runs, rules);
  const points = Object.entries(objects).flatMap(([name, { best: point }]) => (point ? [[name, point] as const] : []));
  return { score: best, objects: Object.fromEntries(points) };
}

function sweepLines({ score: best, objects }: NonNullable<ScoreDocument['sweep']>): string[] {
  const rows = Object.entries(objects).map(([name, { threshold, precision, recall, fbeta }]) => [
    name,
    String(threshold),
    precision.toFixed(3),
    recall.toFixed(3),
    fbeta.toFixed(4),
  ]);
  return [
    '',
    `score ${best.toFixed(4)} with the best threshold of each object`,
    '',
    ...formatTable({ header: ['particle', 'threshold', 'precision', 'recall', 'F'], rows }),
  ];
}

/** The competition's rules; if a project has other particles, its radii and equal weights. */
function rulesFor(sides: readonly Positions[]): ScoringRules {
  const particles = sides.flatMap(({ objects = [] }) => objects.filter(({ isParticle }) => isParticle));
  if (particles.every(({ name }) => Object.hasOwn(cziiRules.objects, name))) return cziiRules;
  return scoringRules(particles);
}

function remarks({ ignoredRuns, ignoredObjects }: TableReport): string[] {
  const lines = [];
  if (ignoredRuns.length > 0) lines.push(`not scored, because the truth lacks these runs: ${ignoredRuns.join(', ')}`);
  if (ignoredObjects.length > 0) {
    lines.push(`not scored, because the truth lacks these objects: ${ignoredObjects.join(', ')}`);
  }
  return lines.length === 0 ? [] : ['', ...lines];
}

/** The score as lines: the total first, then a table of objects. */
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

/** Why even perfect picks score less than 1, if the truth lacks objects that the divisor includes. */
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

/** Positions of particles, from a CSV or a copick project. */
interface Positions {
  readonly rows: readonly TableRow[];
  /** The runs that were searched: those with rows, or with a picks file. */
  readonly runs: ReadonlySet<string>;
  /** The objects of the project, if the positions come from one. */
  readonly objects?: readonly PickableObject[] | undefined;
  /** Who wrote the picks, if they come from a project, or the table has a column that says so. */
  readonly userId?: string | undefined;
}

/** Options of {@link readPositions}. */
export interface PositionsOptions {
  /** What the positions are, for messages: `truth`. */
  readonly what: string;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** The user to take if a project has picks of several users and none is given. */
  readonly usualUser: string;
  /** The options of the command line that select user and session, for messages. */
  readonly flags: string;
}

/** Reads positions from a CSV or, if the file is a `.json`, the picks of one user and session of a project. */
async function readPositions(terminal: Terminal, path: string, options: PositionsOptions): Promise<Positions> {
  const { signal } = terminal;
  const { what } = options;
  if (!path.endsWith('.json')) {
    const text = await readText(path, { what: `${what} table`, signal });
    const rows = parseTable(text, `${what} ${path}`);
    return { rows, runs: new Set(rows.map(({ run }) => run)), userId: userOf(text) };
  }
  const project = await openProject(path, { signal });
  const sets = chooseSets(await setsOf(project, signal), path, options);
  const rows: TableRow[] = [];
  for (const { run, set } of sets) {
    for (const pick of (await set.read({ signal })).picks) rows.push({ run, pick });
  }
  const owner = sets[0]?.set;
  if (owner !== undefined) terminal.print(`${what}: picks of user ${owner.userId}, session ${owner.sessionId}`);
  return { rows, runs: new Set(sets.map(({ run }) => run)), objects: project.objects, userId: owner?.userId };
}

/** The rows of a competition CSV, or of the CSV that `convert` writes. */
function parseTable(text: string, source: string): readonly TableRow[] {
  const columns = headerOf(text);
  const isOurs = !columns.includes('particle_type') && columns.includes('run_name') && columns.includes('object_name');
  if (!isOurs) return parseSubmissionRows(text, { source });
  return csvFormat()
    .parse(text, source)
    .flatMap(({ run, picks }) => picks.map((pick) => ({ run, pick })));
}

/** The only user in a table with such a column. */
function userOf(text: string): string | undefined {
  const columns = headerOf(text);
  const user = ['user', 'user_id', 'userId'].find((name) => columns.includes(name));
  if (user === undefined) return undefined;
  const rows = readCsvTable(text, { required: [user], source: 'table', code: 'invalid-submission' });
  const users = new Set(rows.map((row) => row.cell(user)?.trim()));
  return users.size === 1 ? [...users][0] : undefined;
}

function headerOf(text: string): string[] {
  const [header = ''] = text.replace(/^\uFEFF/, '').split(/[\r\n]/, 1);
  return header.split(',').map((column) => column.trim().replace(/^"(.*)"$/, '$1'));
}

/** A picks file and its run. */
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

/** The sets of one user and session: those given, else those of the usual user, else the only ones there are. */
export function chooseSets(sets: readonly RunSet[], path: string, options: PositionsOptions): readonly RunSet[] {
  const { what, userId, sessionId, usualUser, flags } = options;
  const [isUser, isSession] = [nameFilter(userId), nameFilter(sessionId)];
  const named = sets.filter(({ set }) => isUser(set.userId) && isSession(set.sessionId));
  const usual = userId === undefined ? named.filter(({ set }) => set.userId === usualUser) : [];
  const chosen = usual.length > 0 ? usual : named;
  const owners = new Set(chosen.map(ownerOf));
  if (owners.size === 1) return chosen;
  const available = [...new Set(sets.map(ownerOf))].join(', ') || 'none';
  const found = owners.size === 0 ? 'no picks' : `picks of ${owners.size} users or sessions`;
  throw new UsageError(`${what} ${path}: ${found} found; give ${flags} to choose; available: ${available}`);
}

/** The owner of a set, as `user/session`. */
export function ownerOf({ set: { userId, sessionId } }: RunSet): string {
  return `${userId || '(no user)'}/${sessionId || '(no session)'}`;
}
