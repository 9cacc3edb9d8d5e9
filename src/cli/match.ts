import { basename, resolve } from 'node:path';
import { pathToWrite } from '../copick/layout.ts';
import type { Warning } from '../core/concurrency.ts';
import {
  forecastMatch,
  type MatchCandidatesOptions,
  type MatchForecast,
  matchCandidates,
} from '../detect/match-candidates.ts';
import { type MatchProjectOptions, matchProject } from '../detect/match-project.ts';
import { inShard } from '../detect/project-runs.ts';
import { isUnknownVoxelSize } from '../detect/voxel-size.ts';
import { type PicksFormatName, picksFormat } from '../formats/by-name.ts';
import { numbered } from '../formats/file-context.ts';
import type { MissingWedge } from '../match/transfer.ts';
import { matchThreads } from '../node/match-threads.ts';
import { isVolume } from '../node/open-project.ts';
import { overlayClaims } from '../node/overlay-claims.ts';
import { tomogramNameOf } from '../page/tomogram-name.ts';
import { picksFromCandidates } from '../picks/candidates.ts';
import { formatZyx } from '../space/grid.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { requireObjects, tomogramOf, wantedRuns } from './choose.ts';
import type { CommonFlags, DetectInput, Outcome } from './command.ts';
import { picksKind } from './convert-write.ts';
import { fileLines, namesAsWritten, openCopick, openOutput, requireApart } from './files.ts';
import { openVolume } from './masks.ts';
import { maxFalseLines } from './max-false.ts';
import { formatToWrite } from './picks-file.ts';
import { runBars } from './run-bars.ts';
import { collectRuns, type RunSummary, startsOf } from './run-results.ts';
import { chosenShard } from './scheduler.ts';
import { commandLine, countByObject, countTable, formatTable, type Terminal, UsageError } from './terminal.ts';

/** The arguments of `match`. */
export interface MatchInput
  extends CommonFlags,
    Pick<
      DetectInput,
      | 'config'
      | 'run'
      | 'shard'
      | 'claim'
      | 'lease'
      | 'memory'
      | 'tomogram'
      | 'userId'
      | 'sessionId'
      | 'overlay'
      | 'resume'
      | 'overwrite'
      | 'maxFalse'
      | 'max'
      | 'retries'
      | 'dryRun'
      | 'threads'
      | 'out'
      | 'to'
      | 'voxelSize'
    > {
  /** Path of the density map. */
  readonly template: string;
  readonly object: string;
  /** In Å, of a map that does not know its own. */
  readonly templateVoxelSize?: number | undefined;
  readonly contrast?: MatchCandidatesOptions['contrast'];
  readonly radius?: number | undefined;
  readonly symmetry?: MatchCandidatesOptions['symmetry'];
  readonly angleStep?: number | undefined;
  readonly tiltRange?: readonly [number, number] | undefined;
  readonly tiltAxis?: MissingWedge['tiltAxis'];
  /** In µm. */
  readonly defocus?: number | undefined;
  readonly voltage?: number | undefined;
  readonly sphericalAberration?: number | undefined;
  readonly amplitudeContrast?: number | undefined;
  readonly phasesFlipped?: true | undefined;
  readonly whiten?: true | undefined;
  /** Peaks of the coarse search that the fine one looks at. */
  readonly peaks?: number | undefined;
  readonly threshold?: number | undefined;
  readonly minDistance?: number | undefined;
}

/** What is told of the microscope beside the defocus. */
const ofTransfer = {
  voltage: '--voltage',
  sphericalAberration: '--spherical-aberration',
  amplitudeContrast: '--amplitude-contrast',
  phasesFlipped: '--phases-flipped',
} as const;

/** Options of a project, which a single volume has not. */
const ofProjects = {
  run: '--run',
  shard: '--shard',
  claim: '--claim',
  lease: '--lease',
  tomogram: '--tomogram',
  userId: '--user-id',
  sessionId: '--session-id',
  overlay: '--overlay',
  resume: '--resume',
  retries: '--retries',
} as const;

/** Looks for a density map in the tomograms of a project, or in a single volume. */
export async function match(terminal: Terminal, input: MatchInput): Promise<Outcome> {
  if (input.threshold !== undefined && input.maxFalse !== undefined) {
    throw new UsageError('--threshold is the minimum score, which --max-false would choose; give one of them');
  }
  if (input.tiltAxis !== undefined && input.tiltRange === undefined) {
    throw new UsageError('--tilt-axis is that of --tilt-range; give both');
  }
  if (input.lease !== undefined && input.claim === undefined) {
    throw new UsageError('--lease is that of --claim; give both');
  }
  if (input.memory === 'low') throw new UsageError('--memory of match is a size, such as 700MB or 2GB');
  for (const [option, flag] of Object.entries(ofTransfer)) {
    if (input.defocus !== undefined || input[option as keyof typeof ofTransfer] === undefined) continue;
    throw new UsageError(`${flag} is that of --defocus; give both`);
  }
  return (await isVolume(input.config)) ? matchFile(terminal, input) : matchRuns(terminal, input);
}

/** Opens the map. @throws {@link UsageError} if the file is not a map, or has no voxel size. */
async function openMap(
  { signal }: Terminal,
  { template: path, templateVoxelSize: voxelSize }: MatchInput,
): Promise<VolumeSource> {
  if (!(await isVolume(path))) {
    throw new UsageError(
      `--template ${path} is not a density map: expected .mrc, .map, .ccp4 (also .gz), .tif or OME-Zarr`,
    );
  }
  const map = await openVolume(path, { voxelSize, signal });
  if (voxelSize !== undefined || !isUnknownVoxelSize(map.grid)) return map;
  throw new UsageError(`--template ${path}: its voxel size is unknown; give it by --template-voxel-size, in Å`);
}

/** The options of the search itself. */
function searchOptions(
  input: MatchInput,
  radius: number | undefined,
): Omit<MatchCandidatesOptions, 'mask' | 'onProgress'> {
  const { object, contrast, symmetry, angleStep, tiltRange, tiltAxis, whiten, threshold, maxFalse, minDistance } =
    input;
  const { defocus, voltage, sphericalAberration, amplitudeContrast, phasesFlipped, memory } = input;
  return {
    ...{ object, contrast, symmetry, angleStep, whiten, threshold, maxFalse, minDistance },
    radius: input.radius ?? radius,
    wedge: tiltRange && { tiltRange, tiltAxis },
    ctf:
      defocus === undefined ? undefined : { defocus, voltage, sphericalAberration, amplitudeContrast, phasesFlipped },
    memory: memory === 'low' ? undefined : memory,
    candidatesPerObject: input.peaks,
    threads: matchThreads({ threads: input.threads }),
  };
}

// A project

async function matchRuns(terminal: Terminal, input: MatchInput): Promise<Outcome> {
  const { config, template, object, userId = 'cryoet-picks', sessionId = '0', overlay, run: names } = input;
  const { signal } = terminal;
  for (const option of ['out', 'to', 'voxelSize'] as const) {
    if (input[option] === undefined) continue;
    const flag = option === 'voxelSize' ? '--voxel-size' : `--${option}`;
    const convert = commandLine([
      'convert',
      config,
      'picks.star',
      '--to',
      'relion5',
      '--user-id',
      userId,
      '--object',
      object,
    ]);
    throw new UsageError(
      `${flag} applies to a single volume; picks of a project go to its overlay, and from there by ${convert}`,
    );
  }
  const project = await openCopick(terminal, config, { overlay });
  requireObjects(project, { flag: '--object', names: [object] });
  const written = namesAsWritten({ userId, sessionId });
  pathToWrite('picks', { run: 'run', object, ...written.names });
  for (const { message } of written.warnings) terminal.warn(`cryoet-picks: ${message}`);
  const map = await openMap(terminal, input);
  const radius = project.objects.find(({ name }) => name === object)?.radius;
  const shard = input.shard && chosenShard(input.shard, process.env);
  const runs = await wantedRuns(project, { names, signal });
  const { type: tomogram, voxelSpacing } = await tomogramOf(runs, input.tomogram, signal);
  const searching = searchOptions(input, radius);
  if (input.dryRun) {
    const sources = inShard(runs, { shard }).map(
      (run) => [run.name, () => run.tomogram(tomogram, { voxelSpacing, signal })] as const,
    );
    return forecast(terminal, sources, { map, searching });
  }
  const warnings: Warning[] = [...written.warnings];
  const bars = runBars(terminal);
  const starts = startsOf(terminal);
  const { resume, overwrite, retries, max } = input;
  const options: MatchProjectOptions = {
    ...searching,
    ...{ runs: names && runs.map(({ name }) => name), shard, tomogram, voxelSpacing, userId, sessionId },
    claim: input.claim && overlayClaims(project, { lease: input.lease }),
    ...{ resume, overwrite, retries, max, signal, templateName: basename(template) },
    onStart: starts.onStart,
    onProgress: bars.update,
    onWarning: (warning) => {
      warnings.push(warning);
      terminal.warn(`cryoet-picks: run "${warning.run}": ${warning.message}`);
    },
  };
  const { summaries } = await collectRuns(terminal, matchProject(project, map, options), {
    ...{ bars, starts, afterwards: () => [], keepPicksOf: 0 },
  });
  const counts = summaries.flatMap(({ run, picks }) => (picks === undefined ? [] : [{ run, counts: picks }]));
  const failed = summaries.length - counts.length;
  const picks = counts.length > 0 ? project.overlayLocation : undefined;
  if (counts.length > 0) terminal.print('', ...countTable('picks', { runs: counts }), '', ...estimateLines(summaries));
  terminal.print(...fileLines({ picks }), ...(failed > 0 ? [`${failed} of ${summaries.length} runs failed`] : []));
  const document: MatchDocument = { runs: summaries, ...written.names, ...(picks && { picks }), warnings };
  return { json: document, failed: failed > 0 };
}

/** The thresholds that were chosen, and what they do not count. */
function estimateLines(summaries: readonly RunSummary[]): string[] {
  const lines = maxFalseLines(summaries);
  if (lines.length === 0) return [];
  return [
    ...lines,
    'the estimate is of noise alone: where there are membranes, gold or similar particles, look at the picks, or give a --threshold',
    '',
  ];
}

/** The fields of `finished`, the last line of `match --json`. */
interface MatchDocument {
  readonly runs: readonly RunSummary[];
  /** As files have it, and the next one; absent for a single volume. */
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** The overlay, if any run was searched. */
  readonly picks?: string | undefined;
  /** The file of a single volume. */
  readonly out?: string | undefined;
  readonly warnings: readonly Warning[];
}

// A single volume

async function matchFile(terminal: Terminal, input: MatchInput): Promise<Outcome> {
  const { config: path, template, object, out, to, overwrite, max } = input;
  const { signal } = terminal;
  for (const [option, flag] of Object.entries(ofProjects)) {
    if (input[option as keyof typeof ofProjects] === undefined) continue;
    throw new UsageError(`${flag} applies to copick projects, but ${path} is a single volume`);
  }
  if (out === undefined && !input.dryRun) {
    throw new UsageError(
      `where should the picks of ${path} go? give --out picks.star --to relion5, or a file of another format`,
    );
  }
  const format: PicksFormatName = out === undefined ? 'csv' : formatToWrite(out, to);
  await requireApart({ 'the volume': path, '--template': template, '--out': out });
  const output =
    out === undefined ? undefined : await openOutput(terminal, out, { kind: picksKind(format), overwrite });
  const map = await openMap(terminal, input);
  const volume = await openVolume(path, { voxelSize: input.voxelSize, signal });
  if (input.voxelSize === undefined && isUnknownVoxelSize(volume.grid)) {
    throw new UsageError(`the voxel size of ${path} is unknown; give it by --voxel-size, in Å`);
  }
  const run = tomogramNameOf(basename(resolve(path)));
  const searching = searchOptions(input, undefined);
  if (input.dryRun) return forecast(terminal, [[run, async () => volume]], { map, searching });
  const started = performance.now();
  terminal.event({ event: 'started', run, runsDone: 0, runsTotal: 1 });
  const bar = terminal.startBar(run);
  const found = await matchCandidates(volume, map, { ...searching, signal, onProgress: bar.update }).finally(() =>
    bar.stop(),
  );
  const picks = picksFromCandidates(found, { max });
  const { shape, voxelSize } = volume.grid;
  const objects = numbered(new Set([object]));
  await output?.write(picksFormat(format, { shape, voxelSize, run, objects }).format([{ run, picks }]));
  const counts = countByObject(picks, [object]);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const summary: RunSummary = {
    ...{ run, status: 'detected', picks: counts, seconds },
    ...(input.threshold === undefined && { maxFalse: { [object]: found.chosen } }),
  };
  terminal.event({ event: 'done', run, status: 'detected', picks: counts, seconds });
  const file = out === '-' ? out : resolve(out!);
  terminal.print(
    ...countTable('picks', { runs: [{ run, counts }] }),
    '',
    ...estimateLines([summary]),
    ...fileLines({ out: file }),
  );
  const document: MatchDocument = { runs: [summary], out: file, warnings: [] };
  return { json: document };
}

// Beforehand

interface ForecastOptions {
  readonly map: VolumeSource;
  readonly searching: MatchCandidatesOptions;
}

/** Says what the search of each run takes: of those of one size, the first one is timed. */
async function forecast(
  terminal: Terminal,
  sources: readonly (readonly [run: string, open: () => Promise<VolumeSource>])[],
  { map, searching }: ForecastOptions,
): Promise<Outcome> {
  const { signal } = terminal;
  const bySize = new Map<string, MatchForecast>();
  const runs: ({ readonly run: string } & MatchForecast)[] = [];
  for (const [run, open] of sources) {
    const volume = await open();
    const { shape, voxelSize } = volume.grid;
    const size = [...shape, ...voxelSize].join(' ');
    const timed = bySize.get(size) ?? (await forecastMatch(volume, map, { ...searching, signal }));
    bySize.set(size, timed);
    runs.push({ run, ...timed });
  }
  const total = runs.reduce((sum, { seconds }) => sum + seconds, 0);
  terminal.print(
    ...formatTable({
      header: ['run', 'voxels z×y×x', 'orientations', 'per peak', 'memory MB', 'seconds'],
      rows: runs.map(({ run, coarseShape, rotations, rotationsPerPeak, memory, seconds }) => [
        ...[run, formatZyx(coarseShape), rotations, rotationsPerPeak, Math.round(memory / 1e6), Math.ceil(seconds)],
      ]),
    }),
    `about ${Math.ceil(total / 60)} min in all; nothing was written`,
  );
  return { json: { runs, total: { seconds: total } } };
}
