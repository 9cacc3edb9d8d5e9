import { resolve } from 'node:path';
import type { Project } from '../copick/project.ts';
import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import {
  type GatheredProject,
  type GatheredRun,
  type GatherProjectOptions,
  gatherSet,
  type UngatheredRun,
} from '../detect/gather-project.ts';
import { formatRequirements, type PicksFormatName } from '../formats/by-name.ts';
import { submissionFormat } from '../formats/csv.ts';
import { type NamesByNumber, numbered } from '../formats/file-context.ts';
import { encodeRuns } from '../formats/run-by-run.ts';
import type { ThresholdSet } from '../inference/thresholds.ts';
import { projectRules } from '../metric/rules.ts';
import { type RunningReport, runningScore } from '../metric/score.ts';
import { counted } from '../page/counted.ts';
import { truthUsers } from '../page/truth-users.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { wantedRuns } from './choose.ts';
import type { CommonFlags, Outcome, TomogramName } from './command.ts';
import { classesOf, classLines, formatFor, picksKind, planFiles } from './convert-write.ts';
import { type DetectCommand, detectCommand } from './detect-command.ts';
import { isFolder, type Output, openCopick, openOutput, requireApart } from './files.ts';
import { formatToWrite } from './picks-file.ts';
import { claimedRuns } from './progress.ts';
import { neededGrid, type RunGrid } from './run-grids.ts';
import { scoreLines } from './score.ts';
import { failedRun, sumOf, type Terminal, UsageError } from './terminal.ts';
import { askedThresholds } from './thresholds.ts';

/** The arguments of `gather`. */
export interface GatherInput extends CommonFlags {
  readonly config: string;
  readonly run?: readonly string[] | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly overlay?: string | undefined;
  readonly allowMissing?: true | undefined;
  /** Take the picks files as they are. */
  readonly fromPicks?: true | undefined;
  /** `balanced`, `competition`, or the path of a file with numbers by object. */
  readonly thresholds?: string | undefined;
  readonly threshold?: Readonly<Record<string, number>> | undefined;
  readonly submission?: string | undefined;
  readonly out?: string | undefined;
  readonly to?: PicksFormatName | undefined;
  readonly tomogram?: TomogramName | undefined;
  readonly voxelSize?: number | undefined;
  readonly truthUserId?: string | undefined;
  readonly truthSessionId?: string | undefined;
  readonly overwrite?: true | undefined;
}

/** What `gather --json` prints. */
interface GatherDocument {
  readonly userId: string;
  readonly sessionId: string;
  /** Numbers of runs. */
  readonly expected: number;
  readonly done: number;
  readonly failed: readonly UngatheredRun[];
  readonly missing: readonly UngatheredRun[];
  /** Runs whose picks were made otherwise than those of most, or are damaged. */
  readonly differing: readonly UngatheredRun[];
  /** Names of runs that are not done, and that a process has claimed, or had when it died; they are in no other list. */
  readonly claimed: readonly string[];
  /** The command that searches the runs that failed, are missing or claimed. */
  readonly command?: string | undefined;
  /** The command that searches the differing runs as the others were, and replaces their picks. */
  readonly replaceCommand?: string | undefined;
  /** Minimum scores of picks that were made from candidates, and the set that they are of, where none are given. */
  readonly thresholds?: Readonly<Record<string, number>> | undefined;
  readonly thresholdSet?: ThresholdSet | undefined;
  /** How many runs have picks of their files, although candidates were asked for, by the reason. */
  readonly fromFiles: Readonly<Record<string, number>>;
  /** By object; absent if nothing was gathered. */
  readonly picks?: Readonly<Record<string, number>> | undefined;
  readonly submission?: string | undefined;
  readonly out?: string | undefined;
  /** Which class number stands for which object in the files of `out`, where their format has numbers. */
  readonly classes?: NamesByNumber | undefined;
  /** Of the runs that have a truth, and how many they are. */
  readonly score?: (RunningReport & { readonly runs: number }) | undefined;
  /** Runs whose truth cannot be read: gathered, but not scored. */
  readonly notScored?: readonly UngatheredRun[] | undefined;
}

/** Collects what many processes have found in a project: says what is missing, writes one submission, and scores it. */
export async function gather(terminal: Terminal, input: GatherInput): Promise<Outcome> {
  const { signal } = terminal;
  const { userId = 'cryoet-picks', sessionId = '0' } = input;
  const project = await openCopick(terminal, input.config, { overlay: input.overlay });
  const outputs = await openOutputs(terminal, input);
  const { set = usualSet(input), numbers } = await askedThresholds(input);
  const runs = await wantedRuns(project, { names: input.run, signal });
  const gathering: GatherProjectOptions = {
    ...{ userId, sessionId, signal },
    runs: runs.map(({ name }) => name),
    from: input.fromPicks ? 'picks' : 'candidates',
    thresholds: input.fromPicks ? undefined : numbers,
    onWarning: ({ run, message }) => terminal.warn(`cryoet-picks: run "${run}": ${message}`),
  };
  const gathered = await gatherSet(project, gathering, set);
  const { expected, done, differing, thresholds } = gathered;
  const left = [...gathered.failed, ...gathered.missing];
  const claims = left.length === 0 ? new Set() : await claimedRuns(project, { userId, sessionId, signal });
  const isFree = ({ run }: UngatheredRun) => !claims.has(run);
  const [failed, missing] = [gathered.failed.filter(isFree), gathered.missing.filter(isFree)];
  const claimed = left.filter((one) => !isFree(one)).map(({ run }) => run);
  const state = { userId, sessionId, expected, done: done.length, failed, missing, differing, claimed };
  terminal.print(stateLine(state));
  // A process that has a run now may claim another one next.
  const isClaimed = claimed.length > 0;
  const command = left.length === 0 ? undefined : await detectCommand(project, gathered, { ...input, left, isClaimed });
  const replacing = { ...input, left: differing, overwrite: true };
  const replace = differing.length === 0 ? undefined : await detectCommand(project, gathered, replacing);
  tellLeft(terminal, state, { command, replace });
  const commands = { ...(command && { command: command.line }), ...(replace && { replaceCommand: replace.line }) };
  const document: GatherDocument = { ...state, ...commands, fromFiles: {} };
  const open = [
    ...(left.length > 0 ? [`${counted(left.length, 'run')} of ${expected} not done`] : []),
    ...(differing.length > 0 ? [`${counted(differing.length, 'run')} of ${expected} made otherwise`] : []),
  ].join(', ');
  if (open !== '' && !input.allowMissing) {
    const wrote = outputs.submission || outputs.out ? 'nothing was written: ' : '';
    terminal.warn(`cryoet-picks: ${wrote}${open}; --allow-missing gathers the others`);
    return { json: document, failed: true };
  }
  if (open !== '') terminal.warn(`cryoet-picks: gathered without ${open} (--allow-missing)`);
  const result = await collect(terminal, {
    ...{ project, gathered, set, outputs, input },
    runs: new Map(runs.map((run) => [run.name, run])),
  });
  return {
    json: { ...document, ...(thresholds && { thresholds, thresholdSet: set }), ...result },
    failed: result.notScored !== undefined,
  };
}

/**
 * The set of thresholds unless one is asked for: that of the competition, except for picks that go into a file for other programs.
 *
 * @throws {@link UsageError} for a submission and such a file at once, whose thresholds differ.
 */
function usualSet({ submission, out, thresholds, threshold, fromPicks }: GatherInput): ThresholdSet {
  if (out === undefined) return 'competition';
  if (submission === undefined || fromPicks || thresholds !== undefined) return 'balanced';
  throw new UsageError(
    'a submission has the thresholds of the competition, and the picks of --out balanced ones: gather them one after the other, or ' +
      `choose one set for both by --thresholds balanced or competition${threshold ? ', and numbers by a file' : ''}`,
  );
}

interface Outputs {
  readonly submission?: Output | undefined;
  /** The file of `--out`, unless it is a folder. */
  readonly out?: Output | undefined;
  readonly folder?: string | undefined;
  readonly to?: PicksFormatName | undefined;
}

/** Checks what shall be written, before any work. */
async function openOutputs(terminal: Terminal, input: GatherInput): Promise<Outputs> {
  const { submission, out, overwrite } = input;
  await requireApart({ 'the project file': input.config, '--submission': submission, '--out': out });
  const kind = picksKind('submission');
  const csv = submission === undefined ? undefined : await openOutput(terminal, submission, { kind, overwrite });
  if (out === undefined) {
    if (input.to !== undefined) throw new UsageError('--to is the format of --out; give a file or a folder');
    return { submission: csv };
  }
  const to = formatToWrite(out, input.to);
  if (to === 'relion4' && input.voxelSize === undefined) {
    throw new UsageError('RELION 4 counts in pixels of the tilt series; give their size in Å by --voxel-size');
  }
  if (/[/\\]$/.test(out) || (await isFolder(out))) return { submission: csv, folder: out, to };
  if (formatRequirements[to].rowsOfRuns) {
    return { submission: csv, to, out: await openOutput(terminal, out, { kind: picksKind(to), overwrite }) };
  }
  throw new UsageError(
    `a file of ${to} cannot be written run by run; write a file per run to a folder, --out ${out.replace(/\.[^./\\]+$/, '')}/`,
  );
}

type State = Pick<GatherDocument, 'expected' | 'done' | 'failed' | 'missing' | 'differing' | 'claimed'>;

function stateLine({ expected, done, failed, missing, differing, claimed }: State): string {
  const others = claimed.length === 0 ? '' : `, ${claimed.length} claimed by processes`;
  const otherwise = differing.length === 0 ? '' : `, ${differing.length} made otherwise`;
  const counts = `${done} done${others}, ${failed.length} failed, ${missing.length} missing${otherwise}`;
  return `${counted(expected, 'run')}: ${counts}`;
}

/** How many runs are told one by one. */
const MAX_TOLD = 20;

interface Commands {
  readonly command: DetectCommand | undefined;
  readonly replace: DetectCommand | undefined;
}

function tellLeft(
  terminal: Terminal,
  { failed, missing, differing, claimed }: State,
  { command, replace }: Commands,
): void {
  const lines = [
    ...failed.map(({ run, reason, attempt = 1 }) => {
      return failedRun(run, reason, attempt);
    }),
    ...missing.map(({ run, reason }) => `cryoet-picks: run "${run}" is missing: ${reason}`),
    ...differingLines(differing),
  ];
  for (const line of lines.slice(0, MAX_TOLD)) terminal.warn(line);
  if (lines.length > MAX_TOLD) terminal.warn(`cryoet-picks: and ${counted(lines.length - MAX_TOLD, 'run')} more`);
  if (claimed.length > 0) {
    terminal.warn(`cryoet-picks: a process works on ${listNames(claimed)}, or had claimed what it left when it died`);
  }
  if (command !== undefined) terminal.print('', 'to search them:', ...commandLines(command), '');
  if (replace === undefined) return;
  terminal.print(
    '',
    'to search those made otherwise as the others, which replaces their picks:',
    ...commandLines(replace),
    '',
  );
}

/** A line for each way in which picks were made otherwise. */
function differingLines(differing: readonly UngatheredRun[]): string[] {
  const byReason = new Map<string, UngatheredRun[]>();
  for (const one of differing) byReason.set(one.reason, [...(byReason.get(one.reason) ?? []), one]);
  return [...byReason].map(([reason, [first, ...more]]) => {
    const { run, path } = first!;
    const place = path === undefined || reason.includes(path) ? '' : `: ${path}`;
    if (more.length === 0) return `cryoet-picks: the picks of run "${run}" were made otherwise: ${reason}${place}`;
    const names = listNames([first!, ...more].map((one) => one.run));
    return `cryoet-picks: the picks of ${more.length + 1} runs were made otherwise: ${names}: ${reason}`;
  });
}

const commandLines = ({ line, notes }: DetectCommand): string[] => [`  ${line}`, ...notes.map((note) => `  (${note})`)];

interface Collecting {
  readonly project: Project;
  readonly runs: ReadonlyMap<string, Run>;
  readonly gathered: GatheredProject;
  readonly set: ThresholdSet;
  readonly outputs: Outputs;
  readonly input: GatherInput;
}

/** Writes and scores the picks, a few runs in memory at a time. */
async function collect(
  terminal: Terminal,
  { project, runs, gathered, set, outputs, input }: Collecting,
): Promise<Pick<GatherDocument, 'fromFiles' | 'picks' | 'submission' | 'out' | 'classes' | 'score' | 'notScored'>> {
  const { signal } = terminal;
  const fromFiles = new Map<string, Set<string>>();
  const picks: Record<string, number> = Object.fromEntries(gathered.objects.map((object) => [object, 0]));
  const scoring = scoringOf(project, { ...input, runs, signal });
  // What is counted and scored is what goes into the first file.
  async function* counting(): AsyncGenerator<GatheredRun> {
    const bar = terminal.startBar('gathering');
    let done = 0;
    try {
      for await (const one of gathered.picks({ signal })) {
        for (const { object } of one.picks) picks[object] = picks[object]! + 1;
        if (one.reason !== undefined) fromFiles.set(one.reason, (fromFiles.get(one.reason) ?? new Set()).add(one.run));
        await scoring?.add(one.run, one.picks);
        bar.update({ stage: 'runs', done: ++done, total: gathered.done.length });
        yield one;
      }
    } finally {
      bar.stop();
    }
  }
  let first: AsyncGenerator<GatheredRun> | undefined = counting();
  const next = () => {
    const stream = first ?? gathered.picks({ signal });
    first = undefined;
    return stream;
  };
  const { submission, out, folder, to } = outputs;
  if (submission !== undefined) {
    await submission.write(encodeRuns(next(), { formatOf: (_, rows) => submissionFormat({ firstId: rows }), signal }));
  }
  const writing = to && { project, runs, gathered, set, input, to, signal };
  if (writing && out) await out.write(oneFile(next(), writing));
  if (writing && folder !== undefined) await writeFolder(terminal, next(), { ...writing, folder });
  if (first !== undefined) for await (const _ of next());
  terminal.print(
    ...sourceLines(gathered, { fromFiles, set, fromPicks: input.fromPicks }),
    ...(scoring?.lines(whatIsScored(input, set)) ?? []),
  );
  const notScored = scoring?.notScored() ?? [];
  for (const { run, reason } of notScored) terminal.warn(`cryoet-picks: run "${run}" is not scored: ${reason}`);
  const where = (path: string | undefined) => (path === undefined || path === '-' ? path : resolve(path));
  const files = { submission: where(submission?.path), out: where(out?.path ?? folder) };
  terminal.print(`${counted(sumOf(picks), 'pick')} of ${counted(gathered.done.length, 'run')}`);
  for (const [what, path] of Object.entries(files)) if (path !== undefined) terminal.print(`${what.padEnd(12)}${path}`);
  const classes = writing && classesOf(writing.to, numbersOf(writing).objects);
  terminal.print(...classLines(classes));
  return {
    fromFiles: Object.fromEntries([...fromFiles].map(([reason, runs]) => [reason, runs.size])),
    picks,
    ...(files.submission && { submission: files.submission }),
    ...(files.out && { out: files.out }),
    ...(classes && { classes }),
    ...(scoring && scoring.runs() > 0 && { score: { ...scoring.report(), runs: scoring.runs() } }),
    ...(notScored.length > 0 && { notScored }),
  };
}

interface Writing extends Omit<Collecting, 'outputs'> {
  readonly to: PicksFormatName;
  readonly signal: AbortSignal;
}

/** What all files of a format share: the numbers of runs and objects. */
function numbersOf({ project, gathered, input }: Writing) {
  const order = project.objects.map(({ name }) => name).filter((name) => gathered.objects.includes(name));
  return { voxelSize: input.voxelSize, objects: numbered(new Set(order)), runs: numbered(new Set(gathered.done)) };
}

/** The voxels of a run, if the format needs them. */
async function gridsOf(run: string, { runs, input, to, signal }: Writing): Promise<ReadonlyMap<string, RunGrid>> {
  const { voxelSize, tomogram } = input;
  const grid = await neededGrid(runs.get(run)!, { to, voxelSize, tomogram, signal });
  return new Map(grid === undefined ? [] : [[run, grid]]);
}

function oneFile(runs: AsyncIterable<GatheredRun>, writing: Writing): AsyncIterable<Uint8Array> {
  const { to, signal } = writing;
  const options = numbersOf(writing);
  const formatOf = async (run: string, rows: number) =>
    formatFor([{ run }], { to, options: { ...options, firstId: rows }, grids: await gridsOf(run, writing) });
  return encodeRuns(runs, { formatOf, signal });
}

async function writeFolder(
  terminal: Terminal,
  runs: AsyncIterable<GatheredRun>,
  writing: Writing & { readonly folder: string },
): Promise<void> {
  const { to, folder, input, signal } = writing;
  const options = numbersOf(writing);
  const kind = picksKind(to);
  for await (const one of runs) {
    const plan = { runs: [one], to, output: folder, isFolder: true, options, grids: await gridsOf(one.run, writing) };
    for (const { path, format } of planFiles(plan)) {
      const output = await openOutput(terminal, path, { kind, overwrite: input.overwrite });
      await output.write(await format(signal));
    }
  }
}

/** What the score is of: a submission, unless the picks are others. */
function whatIsScored({ fromPicks, out }: GatherInput, set: ThresholdSet): string {
  if (fromPicks) return 'of the picks in the files';
  return out === undefined ? `of the submission, with ${set} thresholds` : `of the picks, with ${set} thresholds`;
}

/** Where picks come from. */
function sourceLines(
  { done, thresholds = {} }: GatheredProject,
  {
    fromFiles,
    set,
    fromPicks = false,
  }: {
    /** The runs, by the reason. */
    readonly fromFiles: ReadonlyMap<string, ReadonlySet<string>>;
    readonly set: ThresholdSet;
    readonly fromPicks?: boolean | undefined;
  },
): string[] {
  if (fromPicks) return ['picks as they are in the files'];
  const fromCandidates = done.length - [...fromFiles.values()].reduce((sum, { size }) => sum + size, 0);
  const scores = Object.entries(thresholds).map(([object, threshold]) => `${object} ${threshold}`);
  return [
    ...(fromCandidates === 0
      ? []
      : [
          `picks from the candidates of ${counted(fromCandidates, 'run')}, with ${set} thresholds: ${scores.join(', ')}`,
        ]),
    ...[...fromFiles].map(([reason, runs]) => {
      const names = runs.size === done.length ? '' : ` (${listNames([...runs])})`;
      return `picks of the files of ${counted(runs.size, 'run')}${names}: ${reason}`;
    }),
  ];
}

interface Scoring {
  add(run: string, picks: readonly ParticlePick[]): Promise<void>;
  runs(): number;
  /** Runs whose truth cannot be read. */
  notScored(): readonly UngatheredRun[];
  report(): RunningReport;
  /** @param what - What is scored. */
  lines(what: string): string[];
}

interface ScoringInput extends Pick<GatherInput, 'truthUserId' | 'truthSessionId' | 'userId'> {
  readonly runs: ReadonlyMap<string, Run>;
  readonly signal: AbortSignal;
}

/** Scores runs that have a truth; undefined if the truth would be the picks themselves. */
function scoringOf(
  project: Project,
  { runs, truthUserId, truthSessionId, userId = 'cryoet-picks', signal }: ScoringInput,
): Scoring | undefined {
  if (truthUserId === userId) return undefined;
  const rules = projectRules(project.objects);
  const running = runningScore(rules);
  const isScored = ({ object }: ParticlePick) => Object.hasOwn(rules.objects, object);
  const usual = truthUsers.filter((user) => user !== userId);
  let user = truthUserId;
  let session = truthSessionId;
  let count = 0;
  const notScored: UngatheredRun[] = [];
  return {
    async add(name, picks) {
      const candidates = truthUserId ?? [...usual];
      const all = await runs.get(name)!.pickSets({ userId: candidates, sessionId: truthSessionId, signal });
      const own = truthUserId ?? usual.find((one) => all.some((set) => set.userId === one));
      if (all.length === 0 || own === undefined) return;
      user ??= own;
      if (own !== user) {
        const users = `of the users "${user}" and "${own}"`;
        throw new UsageError(`the runs have a truth ${users}; choose one by --truth-user-id`);
      }
      const sets = truthUserId === undefined ? all.filter((set) => set.userId === own) : all;
      const sessions = new Set([
        ...(session === undefined ? [] : [session]),
        ...sets.map(({ sessionId }) => sessionId),
      ]);
      if (sessions.size > 1 && truthSessionId === undefined) {
        throw new UsageError(
          `the truth of user "${user}" has the sessions ${[...sessions].join(', ')}; choose one by --truth-session-id`,
        );
      }
      session ??= sets[0]!.sessionId;
      const truth: ParticlePick[] = [];
      try {
        for (const set of sets) for (const pick of (await set.read({ signal })).picks) truth.push(pick);
      } catch (error) {
        if (!isCryoetPicksError(error)) throw error;
        notScored.push({ run: name, reason: error.message });
        return;
      }
      running.add({ run: name, truth: truth.filter(isScored), picks: picks.filter(isScored) });
      count++;
    },
    runs: () => count,
    notScored: () => notScored,
    report: () => running.report(),
    lines: (what) =>
      count === 0
        ? []
        : [
            '',
            ...scoreLines(running.report(), rules),
            `${what}; of ${counted(count, 'run')} with a truth of user "${user}"`,
            '',
          ],
  };
}
