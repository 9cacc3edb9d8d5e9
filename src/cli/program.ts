import { Command, CommanderError, Option } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { picksFormatNames } from '../formats/by-name.ts';
import { describeSystemError } from '../node/system-error.ts';
import type { DetectInput } from './command.ts';
import {
  type CommandBody,
  type CommonFlags,
  collectRename,
  collectThreshold,
  numberFrom,
  parseColumns,
  parseLength,
  parseMargin,
  parseMemory,
  parseName,
  parseOwner,
  parsePort,
  parseShape,
  parseShard,
  parseShare,
  parseTilts,
  parseTomogram,
  parseVoxelSize,
  type RunCommand,
  wholeNumber,
} from './command.ts';
import type { ConvertInput } from './convert.ts';
import type { DemoInput } from './demo.ts';
import type { GatherInput } from './gather.ts';
import type { ImportInput } from './import.ts';
import type { InfoInput } from './info.ts';
import type { MatchInput } from './match.ts';
import type { ScoreInput } from './score.ts';
import type { SimulateInput } from './simulate.ts';
import type { TeachInput } from './teach.ts';
import {
  describeFailure,
  detailsOf,
  eventLine,
  openTerminal,
  type TextStream,
  UsageError,
  visible,
  visibleJson,
} from './terminal.ts';
import type { ViewInput } from './view.ts';
import type { ExportInput } from './view-export.ts';

/** Options of {@link runCli}. */
export interface CliOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Aborts the command. */
  readonly signal: AbortSignal;
}

/** Exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs the command line.
 *
 * @param args - The arguments, without those of Node.
 * @returns The exit code: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted. Never rejects.
 */
export async function runCli(args: readonly string[], options: CliOptions): Promise<number> {
  const { stdout, stderr } = options;
  const errors = [stdout, stderr].map(watch);
  const exitCode = await runProgram(args, options);
  const [lost] = await Promise.all(errors.map((read) => read()));
  // The reader of the output has closed it, as `| head` does, or the terminal was closed.
  if (lost === undefined || lost.code === 'EPIPE' || lost.code === 'EIO') return exitCode;
  stderr.write(`cryoet-picks: cannot write to standard output: ${describeSystemError(lost)}\n`);
  return exitCode === exitCodes.done ? exitCodes.failed : exitCode;
}

/** Keeps the first error of a stream, which would otherwise end the process in the middle of its work; the function reads it. */
function watch(stream: TextStream): () => Promise<NodeJS.ErrnoException | undefined> {
  let first: NodeJS.ErrnoException | undefined;
  stream.on('error', (error) => {
    first ??= error;
  });
  return async () => {
    // After what was written before.
    await new Promise<void>((resolve) => stream.write('', () => setImmediate(resolve)));
    return first;
  };
}

async function runProgram(args: readonly string[], options: CliOptions): Promise<number> {
  const { stdout, stderr } = options;
  let exitCode: number = exitCodes.done;
  const program: Command = new Command('cryoet-picks')
    .description('Finds protein particles in cryo-electron tomograms.')
    .version(manifest.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(`cryoet-picks: ${visible(usageMessage(text, program, args))}\n`),
    });
  defineCommands(program, async (load, input, { jsonLines = false } = {}) => {
    exitCode = await execute(await load(), input, { ...options, jsonLines });
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return reportFailure(error, { ...options, jsonLines: false, flags: {} });
  }
}

/** The arguments and options that name a file to write; `-` is standard output. */
const outputs = ['output', 'out', 'submission', 'figure'];

/** Options of {@link execute}. */
interface ExecuteOptions extends CliOptions {
  readonly jsonLines: boolean;
}

async function execute<Input extends CommonFlags>(
  body: CommandBody<Input>,
  input: Input,
  options: ExecuteOptions,
): Promise<number> {
  const { stdout, signal } = options;
  try {
    signal.throwIfAborted();
    const json = input.json === true;
    const filesToStdout = Object.entries(input).some(([name, value]) => value === '-' && outputs.includes(name));
    if (json && filesToStdout)
      throw new UsageError('--json and a file "-" both go to standard output; give one a name');
    const outcome = await body(openTerminal({ ...options, json, filesToStdout }), input);
    if (json && outcome.json !== undefined) stdout.write(documentText(outcome.json, options));
    return outcome.failed ? exitCodes.failed : exitCodes.done;
  } catch (error) {
    return reportFailure(error, { ...options, flags: input });
  }
}

/** What `--json` prints in the end: the document, or an event of that has its fields. */
function documentText(document: object, { jsonLines }: Pick<ExecuteOptions, 'jsonLines'>): string {
  return jsonLines ? eventLine({ event: 'finished', ...document }) : `${visibleJson(document)}\n`;
}

/** Writes one line to stderr; with `--json` also a document to stdout, and with `--verbose` stack, fields and causes. */
function reportFailure(error: unknown, options: ExecuteOptions & { readonly flags: CommonFlags }): number {
  const { stdout, stderr, signal, flags } = options;
  const interrupted = signal.aborted;
  const failure = interrupted
    ? { code: 'interrupted', message: 'interrupted; no file is incomplete' }
    : describeFailure(error);
  stderr.write(`cryoet-picks: ${visible(failure.message)}\n`);
  if (flags.verbose && !interrupted) stderr.write(`${detailsOf(error)}\n`);
  if (flags.json) stdout.write(documentText({ error: failure }, options));
  if (interrupted) return exitCodes.interrupted;
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}

/** Commander's message on one line, with a pointer to the help. */
function usageMessage(text: string, program: Command, args: readonly string[]): string {
  const message = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ');
  const command = program.commands.find((one) => one.name() === args[0]);
  const lists = command?.options.filter(({ long, variadic }) => variadic && args.includes(long!)) ?? [];
  const isTaken = message.startsWith('missing required argument') && lists.length > 0;
  const hint = isTaken
    ? ` ${lists.map(({ long }) => long).join(' and ')} takes all values that follow: give it last.`
    : '';
  const end = /[.)?]$/.test(message) ? '' : '.';
  return `${message}${end}${hint} See cryoet-picks ${command ? `${command.name()} ` : ''}--help.`;
}

const examples = `
Examples:
  npx cryoet-picks demo
  npx cryoet-picks info copick.json
  npx cryoet-picks view copick.json
  npx cryoet-picks detect copick.json --tomogram denoised@10 --submission submission.csv --figure picks.png
  npx cryoet-picks detect tomogram.mrc --voxel-size 10.012 --out picks.csv
  npx cryoet-picks score --truth truth.csv --submission submission.csv --per-run
  npx cryoet-picks teach copick.json --object proteasome --picks me/1 --out mine.onnx
  npx cryoet-picks match copick.json --template ribosome.mrc --object ribosome --tilt-range -60,60
  cryoet-picks simulate project --runs 2 --seed 1 --shape 96,320,320
  cryoet-picks convert submission.csv picks.star --to relion5 --voxel-size 10.012 --shape 184,630,630
  cryoet-picks convert copick.json picks.star --to relion5 --object ribosome
  cryoet-picks import picks.tbl copick.json --user-id dynamo --object ribosome --rename 1=TS_001

Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.`;

/** Defines all commands; the code of a command is loaded when it runs. */
function defineCommands(program: Command, run: RunCommand): void {
  program.addHelpText('after', examples);
  defineDemo(program, run);
  defineView(program, run);
  defineInfo(program, run);
  defineDetect(program, run);
  defineMatch(program, run);
  defineTeach(program, run);
  defineGather(program, run);
  defineScore(program, run);
  defineSimulate(program, run);
  defineConvert(program, run);
  defineImport(program, run);
}

function command(program: Command, name: string, description: string, { json = 'one JSON document' } = {}): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', `print ${json} instead of text and progress bars`)
    .option('--verbose', 'show the stack and causes of an error');
}

function defineDemo(program: Command, run: RunCommand): void {
  command(program, 'demo', 'Simulate a small project, detect its particles, draw them and score them.')
    .argument('[directory]', 'folder to write to', 'demo')
    .action((directory: string, options: Omit<DemoInput, 'directory'>) =>
      run(async () => (await import('./demo.ts')).demo, { directory, ...options }),
    );
}

function defineView(program: Command, run: RunCommand): void {
  command(program, 'view', 'Look at tomograms and their picks in the browser, and correct them.')
    .argument(
      '[path]',
      'copick project file, Croissant, folder of a project or of volumes, a volume (MRC, TIFF, OME-Zarr), or a zip of these',
    )
    .option('--port <number>', 'port of this machine to serve at (default: 7313, or the next free one)', parsePort)
    .option('--no-open', 'print the address, and do not open the browser')
    .option('--user-id <name>', 'user to save picks as (default: that of the project, or your user name)', parseName)
    .option('--session-id <name>', 'session to save picks as', parseName, '1')
    .option('--voxel-size <length>', 'voxel size in Å of volumes that do not say theirs', parseVoxelSize)
    .option('--follow-links', 'also read and write behind links that lead out of the folders of the project')
    .addOption(
      new Option(
        '--export <folder>',
        'write the page with a simulated project as files for any web server, and serve nothing',
      ).conflicts(['port', 'userId', 'voxelSize', 'followLinks']),
    )
    .action((path: string | undefined, options: Omit<ViewInput, 'path'> & Partial<ExportInput>) => {
      const { export: folder, ...rest } = options;
      if (folder === undefined) return run(async () => (await import('./view.ts')).view, { ...rest, path });
      return run(async () => (await import('./view-export.ts')).exportPage, { ...rest, export: folder, path });
    });
}

function defineInfo(program: Command, run: RunCommand): void {
  command(program, 'info', 'List the runs, tomograms and picks of a copick project, and report problems.')
    .argument('<config>', 'copick project file, such as copick.json, or the path or URL of a Croissant')
    .option('--run <name...>', 'list only these runs, and open them: names, or globs such as "TS_*" (default: all)')
    .addOption(
      new Option('--all', 'open the tomograms and picks of all runs, even of more than 200').conflicts(['names']),
    )
    .option('--names', 'print the names of the runs, one per line, and nothing else')
    .addOption(
      new Option(
        '--progress',
        'print how far a detection is: runs that are done, claimed by processes, failed and missing',
      ).conflicts(['names', 'all']),
    )
    .option('--user-id <name>', 'user of the detection, with --progress (default: cryoet-picks)', parseName)
    .option('--session-id <name>', 'session of the detection, with --progress (default: 0)', parseName)
    .option('--overlay <folder>', 'overlay of the detection, with --progress, in place of that of the project')
    .action((config: string, options: Omit<InfoInput, 'config'>) =>
      run(async () => (await import('./info.ts')).info, { config, ...options }),
    );
}

function defineDetect(program: Command, run: RunCommand): void {
  const json = 'a line of JSON per event, started, done, failed and finished,';
  command(program, 'detect', 'Detect particles in the tomograms of a copick project, or in a single volume.', { json })
    .argument('<config>', 'copick project file, such as copick.json, or a volume: MRC, TIFF or OME-Zarr')
    .addOption(ofSearches.run())
    .addOption(ofSearches.shard())
    .addOption(ofSearches.claim())
    .addOption(ofSearches.lease())
    .option('--object <name...>', 'look only for these objects; picks of others are not touched (default: all)')
    .addOption(ofSearches.tomogram())
    .addOption(ofSearches.model())
    .addOption(ofSearches.userId())
    .addOption(ofSearches.sessionId())
    .addOption(ofSearches.overlay())
    .option(
      '--submission <file>',
      'also write a competition CSV, made of the candidates with competition thresholds; - is standard output',
    )
    .option('--figure <file>', 'also draw the first run with its picks, as .png or .svg')
    .option('--resume', 'skip runs that already have picks of this user and session, made with the same settings')
    .option(
      '--overwrite',
      'replace picks that another model or somebody else made, with --resume also those of other settings, and files of other kinds',
    )
    .addOption(ofSearches.resample())
    .option('--allow-missing-chunks', 'search tomograms of which more than half of the chunks are missing, too')
    .addOption(ofSearches.invert())
    .addOption(thresholdsOption('balanced for picks, competition for --submission'))
    .option('--threshold <object=value...>', 'minimum score of the picks of an object', collectThreshold)
    .option(
      '--max-false <share>',
      'maximum share of the picks of an object that are false, such as 0.2, by estimate: chooses the thresholds of picks that --threshold does not; a submission has none of it',
      parseShare,
    )
    .option('--max <number>', 'maximum number of picks of an object: the best ones', wholeNumber(1))
    .option(
      '--across-objects',
      'one particle, one label: of picks of different objects that are closer than the smallest minimum distance, keep the best (default with ' +
        'balanced thresholds, if the model card has two sets; a submission then has none)',
    )
    .option('--no-across-objects', 'let picks of different objects lie at one place')
    .option('--across-distance <length>', 'the distance of --across-objects in Å, which it switches on', parseLength)
    .option(
      '--inside <uri>',
      'keep only picks inside this segmentation of the run, a copick URI, or in the labels of a volume',
    )
    .option('--outside <uri>', 'keep only picks outside this segmentation or volume')
    .option('--face-margin <length>', 'minimum distance of picks in Å from the faces of the tomogram', numberFrom(0))
    .option(
      '--mask-margin <length>',
      'minimum distance of picks in Å from the border of --inside and --outside; a negative one lets them lie beyond it',
      parseMargin,
    )
    .option('--candidates <number>', 'keep only so many candidates of an object, the best ones', wholeNumber(1))
    .option('--no-candidates', 'keep no candidates beside the picks')
    .option('--from-candidates', 'pick from the candidates of an earlier detection, without the network')
    .option(
      '--jobs <number>',
      'search so many runs at once: the next ones are read while the network works on one (default: 1)',
      wholeNumber(1),
    )
    .addOption(ofSearches.retries())
    .addOption(new Option('--fail-fast', 'stop after the first run that fails').conflicts(['keepGoing']))
    .option('--keep-going', 'search the other runs, too, when one has failed (default)')
    .option('--dry-run', 'estimate run time and peak memory from three tiles; writes nothing')
    .addOption(ofSearches.threads())
    .addOption(ofSearches.memory())
    .addOption(ofSearches.out())
    .addOption(ofSearches.to())
    .addOption(ofSearches.voxelSize())
    .action(
      (config: string, { acrossDistance, ...options }: Omit<DetectInput, 'config' | 'acrossObjects'> & AcrossFlags) =>
        run(
          () => detectBody(config),
          { config, ...options, acrossObjects: acrossOf({ acrossDistance, acrossObjects: options.acrossObjects }) },
          { jsonLines: true },
        ),
    );
}

/** Two flags for one option of the library, since a flag whose value may be left out would take the argument that follows it. */
interface AcrossFlags {
  readonly acrossObjects?: boolean | undefined;
  /** In Å. */
  readonly acrossDistance?: number | undefined;
}

function acrossOf({ acrossObjects, acrossDistance }: AcrossFlags): DetectInput['acrossObjects'] {
  if (acrossDistance === undefined) return acrossObjects;
  if (acrossObjects !== false) return acrossDistance;
  throw new UsageError('--across-distance is a distance of --across-objects, which --no-across-objects switches off');
}

/** A volume is searched alone, a project run by run. */
async function detectBody(config: string): Promise<CommandBody<DetectInput>> {
  const { isVolume } = await import('../node/open-project.ts');
  if (await isVolume(config)) return (await import('./detect-file.ts')).detectFile;
  return (await import('./detect.ts')).detect;
}

/** The option `--thresholds` of commands that make picks. */
function thresholdsOption(usual: string): Option {
  const what = `minimum scores of all that is written: balanced, competition, or a JSON file of numbers by object (default: ${usual})`;
  return new Option('--thresholds <set>', what).conflicts('threshold');
}

/** Options that more than one command has. */
const ofSearches = {
  run: () => new Option('--run <name...>', 'search only these runs: names, or globs such as "TS_*" (default: all)'),
  shard: () =>
    new Option(
      '--shard <k/n>',
      'search only share K of N of the runs; auto: that of the task of a job array, auto/N: of N shares',
    ).argParser(parseShard),
  claim: () =>
    new Option(
      '--claim',
      'share the runs with other processes that see the overlay: each takes the next run that is neither done nor taken',
    ),
  lease: () =>
    new Option(
      '--lease <seconds>',
      'take over a run of --claim from a process that gave no sign of life for so long (default: 300)',
    ).argParser(numberFrom(1.5)),
  tomogram: () =>
    new Option(
      '--tomogram <type@spacing>',
      'tomogram type; add the voxel spacing in Å if there are several (default: the only type, or denoised)',
    ).argParser(parseTomogram),
  userId: () =>
    new Option('--user-id <name>', 'user to write the picks as (default: cryoet-picks)').argParser(parseName),
  sessionId: () => new Option('--session-id <name>', 'session to write the picks as (default: 0)').argParser(parseName),
  overlay: () => new Option('--overlay <folder>', 'write to this folder in place of the overlay of the project'),
  model: () =>
    new Option(
      '--model <file>',
      'path of an ONNX model; its model card must be next to it as .json (default: the bundled model)',
    ),
  resample: () => new Option('--resample', 'resample tomograms whose voxel size differs from that of the model'),
  invert: () =>
    new Option('--invert', 'search the negative: protein is bright where the model expects dark, or the reverse'),
  threads: () =>
    new Option(
      '--threads <number>',
      'threads of the model (default: the processors that the scheduler gives; without one, all cores)',
    ).argParser(wholeNumber(1)),
  memory: () =>
    new Option(
      '--memory <size>',
      'memory of the network and its tiles: low, or a size such as 700MB or 2GB (default: 1GB); reading takes 300 MB more',
    ).argParser(parseMemory),
  retries: () =>
    new Option('--retries <number>', 'search a run that fails again, so many times (default: 0)').argParser(
      wholeNumber(0),
    ),
  out: () =>
    new Option('--out <file>', 'file for the picks of a volume; its ending names the format; - is standard output'),
  to: () => new Option('--to <format>', 'format of --out (default: from its name)').choices(picksFormatNames),
  voxelSize: () =>
    new Option(
      '--voxel-size <length>',
      'voxel size in Å of a volume that does not know it, or has a wrong one',
    ).argParser(parseVoxelSize),
};

function defineMatch(program: Command, run: RunCommand): void {
  const json = 'a line of JSON per event, started, done, failed and finished,';
  command(program, 'match', 'Look for a density map in tomograms, and find its orientations.', { json })
    .argument('<config>', 'copick project file, such as copick.json, or a volume: MRC, TIFF or OME-Zarr')
    .requiredOption('--template <file>', 'density map of the particle, such as an MRC file of EMDB')
    .requiredOption('--object <name>', 'object that the map shows; in a project, one of its objects')
    .option('--template-voxel-size <length>', 'voxel size in Å of a map that does not know it', parseVoxelSize)
    .addOption(
      new Option(
        '--contrast <kind>',
        'inverted for a bright map, kept for an average of a tomogram (default: inverted)',
      ).choices(['inverted', 'kept']),
    )
    .option(
      '--radius <length>',
      'radius in Å of the ball that holds the particle (default: that of the object in the project, else half of the map)',
      parseLength,
    )
    .option('--symmetry <group>', 'symmetry of the map, such as C1, D2, T, O or I (default: C1)')
    .option(
      '--angle-step <degrees>',
      'maximum angle to the nearest orientation of the coarse search (default: 20)',
      numberFrom(3.5),
    )
    .option(
      '--tilt-range <first,last>',
      'first and last tilt in degrees, such as -60,60 (default: no missing wedge)',
      parseTilts,
    )
    .addOption(new Option('--tilt-axis <axis>', 'axis of the tilts (default: y)').choices(['x', 'y']))
    .option(
      '--defocus <length>',
      'underfocus in µm of tomograms that were not corrected for contrast transfer (default: corrected)',
      numberFrom(-100),
    )
    .option('--voltage <kilovolts>', 'of the microscope, with --defocus (default: 300)', numberFrom(1))
    .option('--spherical-aberration <mm>', 'of the microscope, with --defocus (default: 2.7)', numberFrom(0))
    .option('--amplitude-contrast <share>', 'of the contrast, with --defocus (default: 0.07)', parseShare)
    .option('--phases-flipped', 'the reconstruction has flipped phases, with --defocus')
    .option('--whiten', 'let all resolutions count alike, by the spectrum of the tomogram')
    .option(
      '--peaks <number>',
      'peaks of the coarse search that are refined, the best ones (default: 2000)',
      wholeNumber(1),
    )
    .option(
      '--max-false <share>',
      'maximum share of the picks that noise is expected to make (default: 0.05)',
      parseShare,
    )
    .option('--threshold <score>', 'minimum score of a pick, from 0 to 1, in place of --max-false', parseShare)
    .option('--min-distance <length>', 'minimum distance of two picks in Å (default: the radius)', parseLength)
    .option('--max <number>', 'maximum number of picks of a tomogram: the best ones', wholeNumber(1))
    .addOption(ofSearches.run())
    .addOption(ofSearches.shard())
    .addOption(ofSearches.claim())
    .addOption(ofSearches.lease())
    .addOption(ofSearches.tomogram())
    .addOption(ofSearches.userId())
    .addOption(ofSearches.sessionId())
    .addOption(ofSearches.overlay())
    .option(
      '--resume',
      'skip runs that already have picks of this user and session, made with the same map and settings',
    )
    .option('--overwrite', 'replace picks that were found otherwise, and files of other kinds')
    .addOption(ofSearches.retries())
    .option('--dry-run', 'tell orientations, memory and time; writes nothing')
    .option(
      '--threads <number>',
      'threads of the search (default: the processors that the scheduler gives; without one, all)',
      wholeNumber(1),
    )
    .option(
      '--memory <size>',
      'memory of the coarse search: a size such as 700MB or 2GB (default: 1GB); larger tomograms are searched in parts',
      parseMemory,
    )
    .addOption(ofSearches.out())
    .addOption(ofSearches.to())
    .addOption(ofSearches.voxelSize())
    .action((config: string, options: Omit<MatchInput, 'config'>) =>
      run(async () => (await import('./match.ts')).match, { config, ...options }, { jsonLines: true }),
    );
}

function defineTeach(program: Command, run: RunCommand): void {
  const json = 'a line of JSON per event, started, done and finished,';
  command(program, 'teach', 'Teach a network to find your particle, by a few picks in a copick project.', { json })
    .argument('<config>', 'copick project file, such as copick.json')
    .requiredOption('--object <name...>', 'objects to teach, which are in the project')
    .requiredOption('--picks <user/session>', 'whose picks to learn from: at least three of each object', parseOwner)
    .option('--rejects <user/session>', 'whose picks are places that hold no particle of their object', parseOwner)
    .requiredOption('--out <file>', 'the network to write, such as mine.onnx; its card goes beside it as .json')
    .option('--run <name...>', 'learn only from these runs: names, or globs such as "TS_*" (default: all with picks)')
    .addOption(ofSearches.tomogram())
    .addOption(ofSearches.model())
    .option('--radius <length>', 'radius of the objects in Å (default: as the project says)', parseLength)
    .option('--objects-only', 'leave out the objects that the model finds already')
    .option('--overlay <folder>', 'read from this folder in place of the overlay of the project')
    .option('--overwrite', 'replace a network and a card that are there')
    .addOption(ofSearches.resample())
    .addOption(ofSearches.invert())
    .option('--dry-run', 'check the picks, and estimate time and memory from three tiles; writes nothing')
    .addOption(ofSearches.threads())
    .addOption(ofSearches.memory())
    .action((config: string, options: Omit<TeachInput, 'config'>) =>
      run(async () => (await import('./teach.ts')).teachObjects, { config, ...options }, { jsonLines: true }),
    );
}

function defineGather(program: Command, run: RunCommand): void {
  command(
    program,
    'gather',
    'Collect what any number of processes have detected in a project: what is missing, one submission, one score.',
  )
    .argument('<config>', 'copick project file, such as copick.json')
    .option('--run <name...>', 'expect only these runs: names, or globs such as "TS_*" (default: all)')
    .option('--user-id <name>', 'user of the picks (default: cryoet-picks)', parseName)
    .option('--session-id <name>', 'session of the picks (default: 0)', parseName)
    .option('--overlay <folder>', 'read from this folder in place of the overlay of the project, as detect wrote to it')
    .option('--allow-missing', 'gather the runs that are done although others are missing or failed; exit code 0')
    .option(
      '--submission <file>',
      'write a competition CSV, made of the candidates with competition thresholds; - is standard output',
    )
    .option(
      '--out <file>',
      'write all picks to a file of another format, or to a folder, such as picks/, a file per run',
    )
    .addOption(ofSearches.to())
    .addOption(thresholdsOption('competition, and balanced for --out'))
    .option('--threshold <object=value...>', 'minimum score of the picks of an object', collectThreshold)
    .addOption(
      new Option(
        '--from-picks',
        'take the picks files as they are (default: pick again from the candidates)',
      ).conflicts(['threshold', 'thresholds']),
    )
    .option(
      '--truth-user-id <name>',
      'user of the ground truth (default: the first of curation, simulation, ground-truth, truth, data-portal that has picks)',
    )
    .option('--truth-session-id <name>', 'session of the ground truth')
    .addOption(
      new Option(
        '--tomogram <type@spacing>',
        'tomogram to take voxel size and shape from, for formats that count in voxels (default: the finest)',
      ).argParser(parseTomogram),
    )
    .option('--voxel-size <length>', 'voxel size in Å, for formats that count in voxels', parseVoxelSize)
    .option('--overwrite', 'replace a file that is not of the format; the config of a project is never replaced')
    .action((config: string, options: Omit<GatherInput, 'config'>) =>
      run(async () => (await import('./gather.ts')).gather, { config, ...options }),
    );
}

function defineScore(program: Command, run: RunCommand): void {
  const matchings = ['official', 'greedy', 'hungarian'];
  command(program, 'score', 'Score picks against the ground truth with the metric of the CZII competition.')
    .requiredOption('--truth <file>', 'ground truth: a CSV, or a copick project file')
    .requiredOption('--submission <file>', 'picks to score: a CSV, or a copick project file')
    .addOption(
      new Option('--matching <name>', 'how picks are matched with true particles')
        .choices(matchings)
        .default('official'),
    )
    .option('--truth-user-id <name>', 'user of the ground truth, if it is a project')
    .option('--truth-session-id <name>', 'session of the ground truth, if it is a project')
    .option('--user-id <name>', 'user of the picks to score, if they are in a project')
    .option('--session-id <name>', 'session of the picks to score, if they are in a project')
    .option('--per-run', 'also show the score of each run')
    .option('--run <name...>', 'score only these runs: names, or globs such as "TS_*" (default: all of the truth)')
    .option('--sweep', 'also show the best threshold of each object')
    .action((options: ScoreInput) => run(async () => (await import('./score.ts')).score, options));
}

function defineSimulate(program: Command, run: RunCommand): void {
  command(program, 'simulate', 'Write a copick project of simulated tomograms with known particles.')
    .argument('<directory>', 'folder to write to; must be empty or absent')
    .option('--runs <number>', 'number of runs (default: 1, or all runs in --positions)', wholeNumber(1))
    .option('--seed <number>', 'random seed; the same seed gives the same project', wholeNumber(0), 0)
    .option('--shape <z,y,x>', 'number of voxels along z, y and x', parseShape)
    .option('--positions <csv>', 'take runs and positions from a picks CSV instead of random positions')
    .option('--noise <number>', 'strength of the noise', numberFrom(0))
    .addOption(
      new Option('--difficulty <name>', 'amount of contaminants and noise')
        .choices(['clean', 'default', 'hard'])
        .default('default'),
    )
    .addOption(
      new Option('--filter <name>', 'kind of reconstruction (default: denoised)').choices([
        'denoised',
        'ctfdeconvolved',
        'wbp',
      ]),
    )
    .action((directory: string, options: Omit<SimulateInput, 'directory'>) =>
      run(async () => (await import('./simulate.ts')).simulate, { directory, ...options }),
    );
}

function defineConvert(program: Command, run: RunCommand): void {
  command(program, 'convert', 'Convert picks to another format; --verbose lists what the format cannot hold.')
    .argument('<in>', 'picks file, copick project file, or the path or URL of a Croissant')
    .argument('<out>', 'file to write, - for standard output, or a folder, such as picks/, for one file per run')
    .addOption(
      new Option('--from <format>', 'format of the input (default: from its name and content)').choices(
        picksFormatNames,
      ),
    )
    .addOption(new Option('--to <format>', 'format of the output (default: from its name)').choices(picksFormatNames))
    .option('--voxel-size <length>', 'voxel size in Å, for formats that count in voxels', parseVoxelSize)
    .option('--shape <z,y,x>', 'voxels of the tomogram, for formats that count from its centre', parseShape)
    .option(
      '--run <name...>',
      'run name, if the input does not contain one; otherwise convert only these runs: names, or globs such as "TS_*"',
    )
    .option(
      '--object <name...>',
      'object name, if the input does not contain one, or names for class numbers 1, 2, …; otherwise convert only these objects',
    )
    .option(
      '--columns <names>',
      'columns of a plain table: x,y,z,score,object,run,instance in their order, - for one to skip',
      parseColumns,
    )
    .addOption(
      new Option(
        '--coordinates <kind>',
        'what coordinates of RELION are, if all lie between 0 and 1 (default: fractions, unless all are whole)',
      ).choices(['voxels', 'fractions']),
    )
    .option('--user-id <name>', 'user of the picks, if the input is a project')
    .option('--session-id <name>', 'session of the picks, if the input is a project')
    .addOption(
      new Option('--uri <object:user/session>', 'copick URI of the picks, if the input is a project').conflicts([
        'userId',
        'sessionId',
      ]),
    )
    .addOption(
      new Option(
        '--tomogram <type@spacing>',
        'tomogram to take voxel size and shape from, if the input is a project (default: the finest)',
      ).argParser(parseTomogram),
    )
    .option('--overwrite', 'replace a file that is not of the format; the config of a project is never replaced')
    .action((input: string, output: string, options: Omit<ConvertInput, 'input' | 'output'>) =>
      run(async () => (await import('./convert.ts')).convert, { input, output, ...options }),
    );
}

function defineImport(program: Command, run: RunCommand): void {
  command(
    program,
    'import',
    'Write the picks of a file into the runs of a copick project that it names; --verbose lists what is left out.',
  )
    .argument('<file>', 'picks file')
    .argument('<config>', 'copick project file, such as copick.json')
    .requiredOption('--user-id <name>', 'user to write the picks as')
    .option('--session-id <name>', 'session to write the picks as; 0 means by a tool', '0')
    .addOption(
      new Option('--from <format>', 'format of the file (default: from its name and content)').choices(
        picksFormatNames,
      ),
    )
    .option(
      '--columns <names>',
      'columns of a plain table: x,y,z,score,object,run,instance in their order, - for one to skip',
      parseColumns,
    )
    .addOption(
      new Option(
        '--coordinates <kind>',
        'what coordinates of RELION are, if all lie between 0 and 1 (default: fractions, unless all are whole)',
      ).choices(['voxels', 'fractions']),
    )
    .option('--run <name...>', 'run of the picks, if the file does not name one; otherwise import only these runs')
    .option('--rename <name=run...>', 'name in the project of a run of the file, such as 1=TS_001', collectRename)
    .option(
      '--object <name...>',
      'object of the picks, if the file does not name one, or names for class numbers 1, 2, …',
    )
    .addOption(
      new Option(
        '--tomogram <type@spacing>',
        'tomogram to take voxel size and shape from, if the file has none (default: the finest)',
      ).argParser(parseTomogram),
    )
    .option('--voxel-size <length>', 'voxel size in Å, instead of that of the file or the tomogram', parseVoxelSize)
    .option('--shape <z,y,x>', 'voxels of the tomogram, instead of its own', parseShape)
    .option('--overwrite', 'replace picks of this user and session')
    .action((input: string, config: string, options: Omit<ImportInput, 'input' | 'config'>) =>
      run(async () => (await import('./import.ts')).importPicks, { input, config, ...options }),
    );
}
