import type { Project } from '../copick/project.ts';
import type { Provenance } from '../copick/provenance.ts';
import { parseUri } from '../copick/uri.ts';
import { isFields } from '../core/arguments.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import type { GatheredProject, UngatheredRun } from '../detect/gather-project.ts';
import type { ContrastTransfer, MissingWedge } from '../match/transfer.ts';
import type { DetectInput } from './command.ts';
import { commandLine } from './terminal.ts';

/** The command that searches some runs as the others were. */
export interface DetectCommand {
  readonly line: string;
  /** What the command line cannot say, or does not know. */
  readonly notes: readonly string[];
}

/** Which project and runs a command is for, and whose picks. */
export interface DetectCommandInput extends Pick<DetectInput, 'config' | 'run' | 'overlay' | 'userId' | 'sessionId'> {
  /** The runs to search. */
  readonly left: readonly UngatheredRun[];
  /** Other processes are at work, or were when they died: the command shares the runs with them. */
  readonly isClaimed?: boolean | undefined;
  /** The runs have picks that were made otherwise. */
  readonly overwrite?: boolean | undefined;
}

/** More runs are not named: `--resume` and `--claim` skip those that are done. */
const MAX_NAMED = 50;

/**
 * The command that searches runs of a project as those were that are done, by the records of their picks.
 */
export async function detectCommand(
  project: Project,
  gathered: GatheredProject,
  { config, run, overlay, userId, sessionId, left, isClaimed, overwrite }: DetectCommandInput,
): Promise<DetectCommand> {
  // A search that resumes would skip them.
  const again = left.some(({ hasPicks }) => hasPicks);
  const names = again || left.length <= MAX_NAMED ? left.map((one) => one.run) : (run ?? []);
  const records = gathered.objects.flatMap((object): [string, PicksRecord][] => {
    const record = gathered.records[object];
    return record === undefined ? [] : [[object, record as PicksRecord]];
  });
  const notes: string[] = [];
  const authorWords = [
    ...runWords(names),
    ...(overlay === undefined ? [] : ['--overlay', overlay]),
    ...(userId === undefined ? [] : ['--user-id', userId]),
    ...(sessionId === undefined ? [] : ['--session-id', sessionId]),
  ];
  const repeating = [
    ...(again ? [] : isClaimed ? ['--claim', ...retryWords(left)] : ['--resume']),
    ...(overwrite ? ['--overwrite'] : []),
  ];
  const [matched] = records.filter(([, { model }]) => model.card !== undefined && 'angleStep' in model.card);
  if (matched !== undefined) {
    const line = commandLine([
      'match',
      config,
      ...matchWords(matched),
      ...(await tomogramWords(project, gathered, matched[1])),
      ...authorWords,
      ...repeating,
    ]);
    return {
      line,
      notes: [
        `of the map only the name is recorded: ${matched[1].model.name}, SHA-256 of its voxels ${matched[1].model.sha256}`,
      ],
    };
  }
  const words = [
    ...['detect', config],
    ...authorWords,
    ...(await searchWords(project, gathered, records, notes)),
    ...pickingWords(records, notes),
    ...repeating,
  ];
  return { line: commandLine(words), notes };
}

/** The options of `match`, by the record of picks that it found. */
function matchWords([object, record]: PicksRecords[number]): string[] {
  const { model, threshold, maxFalse, minDistance, max } = record;
  const { radius, contrast, symmetry, angleStep, wedge, ctf, whiten, peaks } = model.card as unknown as MatchCard;
  return [
    ...['--template', String(model.name), '--object', object, '--radius', String(radius), '--contrast', contrast],
    ...['--symmetry', symmetry, '--angle-step', String(angleStep), '--peaks', String(peaks)],
    // With `=`, since the first tilt begins with a dash.
    ...(wedge?.tiltRange ? [`--tilt-range=${wedge.tiltRange.join(',')}`] : []),
    ...(wedge?.tiltAxis ? ['--tilt-axis', wedge.tiltAxis] : []),
    ...transferWords(ctf),
    ...(whiten ? ['--whiten'] : []),
    ...(maxFalse === undefined ? ['--threshold', String(threshold)] : ['--max-false', String(maxFalse.share)]),
    ...['--min-distance', String(minDistance)],
    ...(max === null ? [] : ['--max', String(max)]),
  ];
}

function transferWords(ctf: ContrastTransfer | null): string[] {
  if (ctf === null) return [];
  const { defocus, voltage, sphericalAberration, amplitudeContrast, phasesFlipped } = ctf;
  const numbers = {
    '--defocus': defocus,
    '--voltage': voltage,
    '--spherical-aberration': sphericalAberration,
    '--amplitude-contrast': amplitudeContrast,
  };
  return [
    ...Object.entries(numbers).flatMap(([flag, value]) => (value === undefined ? [] : [`${flag}=${value}`])),
    ...(phasesFlipped ? ['--phases-flipped'] : []),
  ];
}

/** What `matchProject` records of a search. */
interface MatchCard {
  readonly radius: number;
  readonly contrast: string;
  readonly symmetry: string;
  readonly angleStep: number;
  readonly wedge: MissingWedge | null;
  readonly ctf: ContrastTransfer | null;
  readonly whiten: boolean;
  readonly peaks: number;
}

/** The option that names runs: one that begins with a dash would be taken for an option of its own. */
function runWords(names: readonly string[]): string[] {
  const plain = names.filter((name) => !name.startsWith('-'));
  const others = names.filter((name) => name.startsWith('-')).map((name) => `--run=${name}`);
  return [...(plain.length === 0 ? [] : ['--run', ...plain]), ...others];
}

/** With `--claim`, runs that have failed are searched again only as often as `--retries` says, over all processes. */
function retryWords(left: readonly UngatheredRun[]): string[] {
  const attempts = Math.max(0, ...left.map(({ attempt = 0 }) => attempt));
  return attempts === 0 ? [] : ['--retries', String(attempts)];
}

/** What a record of picks says, as far as options of `detect` do. */
interface PicksRecord extends Provenance {
  readonly userId: string;
  readonly sessionId: string;
  readonly model: {
    readonly name?: string;
    readonly sha256?: string | null;
    readonly card?: { classes?: readonly (string | null)[] };
  };
  readonly threshold: number;
  readonly competitionThreshold?: number;
  readonly maxFalse?: { readonly share: number };
  readonly overlap: unknown;
  readonly memory?: number | 'low';
  readonly average: string;
  readonly mask: unknown;
  readonly acrossObjects: boolean | number;
  readonly max: number | null;
  readonly minDistance: number;
  readonly settings: unknown;
  readonly tomogram: { readonly type?: string };
}

type PicksRecords = readonly (readonly [object: string, record: PicksRecord])[];

/** How the runs were searched: tomogram, model, objects. */
async function searchWords(
  project: Project,
  { done, objects }: GatheredProject,
  records: PicksRecords,
  notes: string[],
): Promise<string[]> {
  const [first] = records;
  if (first === undefined) return [];
  const { model, settings, overlap, memory, average } = first[1];
  if (model.name !== 'default') {
    notes.push(`${model.name}.onnx stands for the model "${model.name}"; SHA-256 ${model.sha256 ?? 'unknown'}`);
  }
  if (overlap !== null || average !== 'probabilities') {
    notes.push('overlap or average of the tiles were set in a program; detect has no option for them');
  }
  const {
    resampled = false,
    inverted = false,
    ...others
  } = (isFields(settings) ? settings : {}) as { readonly [name: string]: unknown };
  if (Object.keys(others).length > 0)
    notes.push(`the tomograms were changed by a program: ${Object.keys(others).join(', ')}`);
  const particles = new Set(project.objects.filter(({ isParticle }) => isParticle).map(({ name }) => name));
  const usual = (model.card?.classes ?? []).filter((name) => name !== null && particles.has(name));
  return [
    ...(await tomogramWords(project, { done }, first[1])),
    ...(model.name === 'default' ? [] : ['--model', `${model.name}.onnx`]),
    ...(usual.length === objects.length ? [] : ['--object', ...objects]),
    ...(memory === undefined ? [] : ['--memory', memory === 'low' ? memory : `${memory / 1e6}MB`]),
    ...(resampled === true ? ['--resample'] : []),
    ...(inverted === true ? ['--invert'] : []),
  ];
}

async function tomogramWords(
  project: Project,
  { done }: Pick<GatheredProject, 'done'>,
  record: PicksRecord,
): Promise<string[]> {
  return record.tomogram.type === undefined ? [] : ['--tomogram', await tomogramWord(project, done[0], record)];
}

/** `denoised@10`: the record has the type, the candidates have the folder too. */
async function tomogramWord(
  project: Project,
  name: string | undefined,
  { userId, sessionId, tomogram }: PicksRecord,
): Promise<string> {
  try {
    const { provenance } = await (await project.run(name ?? '')).readCandidates({ userId, sessionId });
    const { type, voxelSpacing } = parseUri('tomogram', String(provenance.tomogramUri));
    if (type === tomogram.type && voxelSpacing !== undefined) return `${type}@${Number(voxelSpacing)}`;
  } catch (error) {
    if (!isCryoetPicksError(error)) throw error;
  }
  return tomogram.type!;
}

/** What became of candidates: thresholds, masks, numbers. */
function pickingWords(records: PicksRecords, notes: string[]): string[] {
  const [first] = records;
  if (first === undefined) return [];
  const { mask, acrossObjects } = first[1];
  // One that differs from that of a submission is the balanced one of the card; a number that was given is in both.
  const fixed = records.filter(([, { threshold, competitionThreshold = threshold, maxFalse }]) => {
    return maxFalse === undefined && competitionThreshold === threshold;
  });
  const hasTwoSets = first[1].competitionThreshold !== undefined;
  const shares = new Set(records.flatMap(([, { maxFalse }]) => (maxFalse === undefined ? [] : [maxFalse.share])));
  const numbers = new Set(records.map(([, { max }]) => max));
  if (shares.size > 1 || numbers.size > 1) notes.push('limits differ from object to object, as a program set them');
  const [share, max] = [[...shares][0], [...numbers][0]];
  return [
    ...(fixed.length === 0 ? [] : ['--threshold', ...fixed.map(([object, { threshold }]) => `${object}=${threshold}`)]),
    ...(share === undefined ? [] : ['--max-false', String(share)]),
    ...(max === undefined || max === null ? [] : ['--max', String(max)]),
    ...(acrossObjects === true && !hasTwoSets ? ['--across-objects'] : []),
    ...(acrossObjects === false && hasTwoSets ? ['--no-across-objects'] : []),
    ...(typeof acrossObjects === 'number' ? ['--across-distance', String(acrossObjects)] : []),
    ...maskWords(mask, notes),
  ];
}

const maskFlags: Readonly<{ [name: string]: string }> = {
  inside: '--inside',
  outside: '--outside',
  faceMargin: '--face-margin',
  maskMargin: '--mask-margin',
};

function maskWords(mask: unknown, notes: string[]): string[] {
  const settings = Object.entries(isFields(mask) ? mask : {});
  const unknown = settings.filter(([name]) => !(name in maskFlags) && !/^(?:in|out)sideSha256$/.test(name));
  if (unknown.length > 0) notes.push(`picks lie in a mask of a program: ${unknown.map(([name]) => name).join(', ')}`);
  for (const [name, value] of settings) {
    if (name.endsWith('Sha256') && !unknown.some(([one]) => one === name)) {
      notes.push(
        `of the file of --${name.replace('Sha256', '')} only the name is recorded; its labels have SHA-256 ${value}`,
      );
    }
  }
  return settings.flatMap(([name, value]) => (name in maskFlags ? [maskFlags[name]!, String(value)] : []));
}
