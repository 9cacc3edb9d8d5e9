import type { PickableObject } from '../copick/object.ts';
import { listNames } from '../copick/tree.ts';
import { withTurns } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { chosen } from '../detect/project-runs.ts';
import { csvFormat } from '../formats/csv.ts';
import { decodePicks } from '../formats/format.ts';
import { cziiRules, type Matching, projectRules, type ScoringRules } from '../metric/rules.ts';
import { type ObjectScore, type Report, scoreTables, type TableReport, type TableRow } from '../metric/score.ts';
import { type SweepPoint, sweepThresholds } from '../metric/sweep.ts';
import { counted } from '../page/counted.ts';
import { truthUsers } from '../page/truth-users.ts';
import { csvSteps, headerOf } from '../picks/csv.ts';
import { groupByRun } from '../picks/pick.ts';
import { submissionSteps } from '../picks/submission.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { beginningOf, openCopick, readBytes } from './files.ts';
import {
  type ChooseSetsOptions,
  chooseSets,
  collectFailures,
  type Failures,
  type RunFailure,
  setsOfRuns,
  warnOfFailures,
} from './project-picks.ts';
import { formatTable, type Terminal, UsageError } from './terminal.ts';

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
  /** Runs whose picks cannot be read, on either side; they are not scored. */
  readonly failed: readonly RunFailure[];
  /** With `--sweep`: the best threshold of each object, and what it gives. */
  readonly sweep?: { readonly score: number; readonly objects: Readonly<Record<string, SweepPoint>> } | undefined;
}

/** Scores picks against the ground truth. A run whose picks cannot be read is reported and left out. */
export async function score(terminal: Terminal, input: ScoreInput): Promise<Outcome> {
  const failures = collectFailures(terminal);
  const truth = await readPositions(terminal, input.truth, {
    ...{ what: 'truth', failures, usualUsers: truthUsers, flags: '--truth-user-id and --truth-session-id' },
    userId: input.truthUserId,
    sessionId: input.truthSessionId,
  });
  const submission = await readPositions(terminal, input.submission, {
    ...{ what: 'submission', failures, usualUsers: ['cryoet-picks'], flags: '--user-id and --session-id' },
    userId: input.userId,
    sessionId: input.sessionId,
  });
  const wanted = await wantedRuns(truth, { ...input, failures });
  const isWanted = (run: string) => wanted?.has(run) ?? true;
  const failed = failures.all.filter(({ run }) => isWanted(run));
  warnOfFailures(terminal, failed);
  const kept = (rows: readonly TableRow[]) => rows.filter(({ run }) => isWanted(run) && !failures.has(run));
  const rows = { truth: kept(truth.rows), submission: kept(submission.rows) };
  if (failed.length > 0 && rows.truth.length === 0) {
    throw new CryoetPicksError('unavailable', `no run can be scored: ${counted(failed.length, 'run')} failed`);
  }
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
  const rules = { ...rulesFor([truth, submission], rows), matching: input.matching };
  const report = scoreTables(rows, rules);
  warnOfOwnTruth(terminal, truth, submission);
  terminal.print(...scoreLines(report, rules));
  if (input.perRun) {
    for (const [run, objects] of Object.entries(report.runs)) terminal.print('', run, ...objectTable(objects, rules));
  }
  const sweep = input.sweep ? sweepOf(terminal, rows, rules) : undefined;
  if (sweep !== undefined) terminal.print(...sweepLines(sweep));
  terminal.print(...remarks(report, failed));
  const document: ScoreDocument = {
    ...{ matching: input.matching, ...report, missingRuns, failed },
    ...(sweep && { sweep }),
  };
  return { json: document, failed: isApart || failed.length > 0 };
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

/** The runs that `--run` selects, among those of the truth and those that failed. */
async function wantedRuns(
  { rows }: Positions,
  { run: names, truth, failures }: ScoreInput & { readonly failures: Failures },
): Promise<ReadonlySet<string> | undefined> {
  if (names === undefined) return undefined;
  const known = [...rows, ...failures.all].map(({ run }) => run);
  const all = [...new Set(known)].map((name) => ({ name }));
  const missing = (name: string): never => {
    throw new UsageError(`truth ${truth} has no run "${name}"; there are ${listNames(all.map((run) => run.name))}`);
  };
  return new Set((await chosen(all, { globs: true, names, missing })).map(({ name }) => name));
}

type Tables = { readonly truth: readonly TableRow[]; readonly submission: readonly TableRow[] };

/** The best threshold of each object; undefined, with a warning, if all scores are 1, as of a table without a column of scores. */
function sweepOf(terminal: Terminal, { truth, submission }: Tables, rules: ScoringRules): ScoreDocument['sweep'] {
  if (submission.every(({ pick }) => pick.score === 1)) {
    terminal.warn(
      'cryoet-picks: there is nothing to sweep, because the picks have no scores: all are 1; score the picks of the project, or a ' +
        'CSV with a column score',
    );
    return undefined;
  }
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

/** The competition's rules for tables alone; otherwise those of the project, that of the truth if both sides come from one. */
function rulesFor(sides: readonly Positions[], { truth }: Tables): ScoringRules {
  const { objects } = sides.find((side) => side.objects !== undefined) ?? {};
  if (objects === undefined) return cziiRules;
  return projectRules(objects, { truth: [...new Set(truth.map(({ pick }) => pick.object))] });
}

function remarks({ ignoredRuns, ignoredObjects }: TableReport, failed: readonly RunFailure[]): string[] {
  const lines = [];
  if (failed.length > 0) lines.push(`not scored, because they failed: ${failed.map(({ run }) => run).join(', ')}`);
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
interface PositionsOptions extends ChooseSetsOptions {
  /** Gets the runs of a project whose picks cannot be read. */
  readonly failures: Failures;
}

/** Reads positions from a CSV or, if the file is a `.json`, the picks of one user and session of a project. */
async function readPositions(terminal: Terminal, path: string, options: PositionsOptions): Promise<Positions> {
  const { signal } = terminal;
  const { what, failures } = options;
  if (!path.endsWith('.json')) {
    const bytes = await readBytes(path, { what: `${what} table`, signal });
    const table = { bytes, source: `${what} ${path}`, columns: headerOf(beginningOf(bytes)), signal };
    const rows = await readTable(table);
    return { rows, runs: new Set(rows.map(({ run }) => run)), userId: await userOf(table) };
  }
  const project = await openCopick(terminal, path);
  const runs = await project.runs({ signal });
  const sets = chooseSets(await setsOfRuns(project, { runs, failures, signal }), path, options);
  const rows: TableRow[] = [];
  for (const { run, set } of sets) {
    try {
      for (const pick of (await set.read({ signal })).picks) rows.push({ run, pick });
    } catch (error) {
      failures.add(run, error);
    }
  }
  const owner = sets[0]?.set;
  if (owner !== undefined) terminal.print(`${what}: picks of user ${owner.userId}, session ${owner.sessionId}`);
  return { rows, runs: new Set(sets.map(({ run }) => run)), objects: project.objects, userId: owner?.userId };
}

interface Table {
  readonly bytes: Uint8Array;
  /** Its name in messages. */
  readonly source: string;
  readonly columns: readonly string[];
  readonly signal: AbortSignal;
}

/** The rows of a competition CSV, or of the CSV that `convert` writes. */
async function readTable({ bytes, source, columns, signal }: Table): Promise<readonly TableRow[]> {
  const rows: TableRow[] = [];
  const isOurs = !columns.includes('particle_type') && columns.includes('run_name') && columns.includes('object_name');
  if (!isOurs) {
    await withTurns(
      submissionSteps(bytes, source, (row) => rows.push(row)),
      signal,
    );
    return rows;
  }
  for (const { run, picks } of await decodePicks(bytes, { format: csvFormat(), source, signal })) {
    for (const pick of picks) rows.push({ run, pick });
  }
  return rows;
}

/** The only user in a table with such a column. */
async function userOf({ bytes, source, columns, signal }: Table): Promise<string | undefined> {
  const user = ['user', 'user_id', 'userId'].find((name) => columns.includes(name));
  if (user === undefined) return undefined;
  const users = new Set<string | undefined>();
  const options = { required: [user], source, code: 'invalid-submission' } as const;
  await withTurns(
    csvSteps(bytes, options, () => (row) => users.add(row.cell(user)?.trim())),
    signal,
  );
  return users.size === 1 ? [...users][0] : undefined;
}
