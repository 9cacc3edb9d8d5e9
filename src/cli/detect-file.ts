import { basename, resolve } from 'node:path';
import type { PickableObject } from '../copick/object.ts';
import type { Warning } from '../core/concurrency.ts';
import { checkTomogram } from '../detect/check-tomogram.ts';
import { type DetectOptions, detectWithThresholds, type PicksWithThresholds } from '../detect/particles.ts';
import { figureFormat, figureObjects, renderFigure } from '../figure/figure.ts';
import { type PicksFormatName, picksFormat } from '../formats/by-name.ts';
import { type NamesByNumber, numbered } from '../formats/file-context.ts';
import type { Model } from '../inference/model.ts';
import { type CziiObject, cziiRules } from '../metric/rules.ts';
import { tomogramNameOf } from '../page/tomogram-name.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { formatSubmission } from '../picks/submission.ts';
import type { Intensity } from '../volume/intensity.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { coarseIntensity, isToldLater } from './coarse-intensity.ts';
import type { DetectInput, Outcome } from './command.ts';
import { classesOf, classLines, picksKind } from './convert-write.ts';
import { type Outputs, openOutputs } from './detect.ts';
import { fileLines, type Output, openOutput, requireApart } from './files.ts';
import { type InputMask, maskOfInput, openVolume } from './masks.ts';
import { maxFalseLines } from './max-false.ts';
import { formatToWrite } from './picks-file.ts';
import { eventOf, type RunSummary } from './run-results.ts';
import { fitting, openModel } from './runtime.ts';
import { countByObject, countTable, describeFailure, type Terminal, UsageError } from './terminal.ts';
import {
  type AskedThresholds,
  askedThresholds,
  submissionPicks,
  type ThresholdsDocument,
  thresholdsDocument,
  thresholdsLine,
} from './thresholds.ts';

/** The fields of `finished`, the last line of `detect VOLUME --json`. */
interface VolumeDocument {
  /** The only run: the volume, called after its file. */
  readonly runs: readonly [RunSummary];
  /** Paths of the files that were written. */
  readonly out?: string | undefined;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
  readonly thresholds: ThresholdsDocument;
  /** Which class number stands for which object in the file of `out`, where its format has numbers. */
  readonly classes?: NamesByNumber | undefined;
  readonly warnings: readonly Warning[];
}

/** Options of `detect` that only a project has. */
const ofProjects = {
  run: '--run',
  userId: '--user-id',
  sessionId: '--session-id',
  tomogram: '--tomogram',
  overlay: '--overlay',
  resume: '--resume',
  dryRun: '--dry-run',
  fromCandidates: '--from-candidates',
  candidates: '--candidates',
  shard: '--shard',
  claim: '--claim',
  lease: '--lease',
  jobs: '--jobs',
  retries: '--retries',
  failFast: '--fail-fast',
} as const;

/** Detects particles in a single volume, and writes them to a file. */
export async function detectFile(terminal: Terminal, input: DetectInput): Promise<Outcome> {
  const { config: path, out, to, submission, figure, overwrite } = input;
  for (const [option, flag] of Object.entries(ofProjects)) {
    if (input[option as keyof DetectInput] === undefined) continue;
    throw new UsageError(`${flag} applies to copick projects, but ${path} is a single volume`);
  }
  if (out === undefined && submission === undefined) {
    throw new UsageError(`where should the picks of ${path} go? give --out picks.csv, or a file of another format`);
  }
  const format = out === undefined ? 'csv' : formatToWrite(out, to);
  const asked = await askedThresholds(input);
  await requireApart({ 'the volume': path, '--out': out, '--submission': submission, '--figure': figure });
  const outputs = await openOutputs(terminal, input);
  const output =
    out === undefined ? undefined : await openOutput(terminal, out, { kind: picksKind(format), overwrite });
  const run = tomogramNameOf(basename(resolve(path)));
  const started = performance.now();
  const secondsSince = () => Math.round((performance.now() - started) / 100) / 10;
  terminal.event({ event: 'started', run, runsDone: 0, runsTotal: 1 });
  try {
    const { files, classes, ...searched } = await searchVolume(terminal, {
      input,
      asked,
      run,
      format,
      output,
      outputs,
    });
    const summary: RunSummary = { run, status: 'detected', ...searched.summary, seconds: secondsSince() };
    terminal.event(eventOf(summary));
    const { picks: counts = {}, maxFalse } = summary;
    terminal.print(
      ...countTable('picks', { runs: [{ run, counts }] }),
      '',
      ...maxFalseLines([{ run, picks: counts, maxFalse }]),
    );
    terminal.print(...fileLines(files), thresholdsLine(asked, input));
    terminal.print(...classLines(classes));
    const document: VolumeDocument = {
      ...{ runs: [summary], ...files, thresholds: thresholdsDocument(asked, input), warnings: searched.warnings },
      ...(classes && { classes }),
    };
    return { json: document };
  } catch (error) {
    if (!terminal.signal.aborted)
      terminal.event(eventOf({ run, status: 'failed', seconds: secondsSince(), error: describeFailure(error) }, error));
    throw error;
  }
}

interface SearchVolumeOptions {
  readonly input: DetectInput;
  readonly asked: AskedThresholds;
  readonly run: string;
  readonly format: PicksFormatName;
  readonly output: Output | undefined;
  readonly outputs: Outputs;
}

/** Searches a volume and writes what is found. */
async function searchVolume(
  terminal: Terminal,
  { input, asked, run, format, output, outputs }: SearchVolumeOptions,
): Promise<{
  readonly summary: Pick<RunSummary, 'picks' | 'maxFalse'>;
  readonly files: Readonly<Record<string, string>>;
  readonly classes: NamesByNumber | undefined;
  readonly warnings: readonly Warning[];
}> {
  const { signal } = terminal;
  const { config: path, out, submission, figure } = input;
  const open = (level?: number) => openVolume(path, { voxelSize: input.voxelSize, level, signal });
  const volume = await open();
  const intensity = await coarseIntensity(async (level) => (level === undefined ? volume : open(level)), {
    invert: input.invert,
    signal,
  });
  const mask = await maskOfInput(input, { onWarning: (message) => terminal.warn(`cryoet-picks: ${message}`), signal });
  const model = await openModel(terminal, input);
  const searching = { input, asked, volume, intensity, model, run, mask };
  const { picks, submitted, maxFalse, warnings } = await search(terminal, searching).finally(() => model.dispose());
  const { shape, voxelSize } = volume.grid;
  const classes = model.spec.classes.filter((name) => name !== null);
  const objects = numbered(new Set(input.object ?? classes));
  const options = { shape, voxelSize, run, objects };
  await output?.write(picksFormat(format, options).format([{ run, picks }]));
  await outputs.submission?.write(formatSubmission([{ run, picks: submitted }]));
  if (outputs.figure !== undefined) {
    const colorless: PickableObject['color'] = [100, 100, 100, 255];
    const drawn = figureObjects(
      classes.map((name) => ({
        name,
        isParticle: true,
        color: colorless,
        radius: Object.hasOwn(cziiRules.objects, name) ? cziiRules.objects[name as CziiObject].radius : undefined,
        metadata: {},
      })),
    );
    await outputs.figure.write(
      await renderFigure(volume, { picks, objects: drawn, title: run, format: figureFormat(figure!), signal }),
    );
  }
  const files = Object.fromEntries(
    Object.entries({ out, submission, figure }).flatMap(([what, file]) =>
      file === undefined ? [] : [[what, file === '-' ? file : resolve(file)]],
    ),
  );
  const summary = { picks: countByObject(picks, input.object ?? classes), ...(maxFalse && { maxFalse }) };
  return { summary, files, classes: output && classesOf(format, objects), warnings };
}

interface SearchOptions {
  readonly input: DetectInput;
  readonly asked: AskedThresholds;
  readonly volume: VolumeSource;
  /** Of few of its voxels, for the check of its contrast. */
  readonly intensity: Intensity | undefined;
  readonly model: Model;
  readonly run: string;
  readonly mask: InputMask | undefined;
}

async function search(
  terminal: Terminal,
  { input, asked, volume, intensity, model, run, mask: maskOfRun }: SearchOptions,
): Promise<
  Pick<PicksWithThresholds, 'picks' | 'maxFalse'> & {
    /** The picks of the submission; none without one. */
    readonly submitted: readonly ParticlePick[];
    readonly warnings: readonly Warning[];
  }
> {
  const { signal } = terminal;
  const { spec } = model;
  const warnings: Warning[] = [];
  // The volume's own warnings are told before the search, and by the search again.
  const told = new Set<string>();
  const warn = (warning: Warning) => {
    const { message } = warning;
    if (told.has(message)) return;
    told.add(message);
    warnings.push(warning);
    terminal.warn(`cryoet-picks: ${input.config}: ${message}`);
  };
  const fitted = fitting(terminal, { ...input, spec })(volume, {
    what: input.config,
    voxelSizeRemedy: 'give it by --voxel-size',
  });
  for (const finding of checkTomogram(volume, { spec, intensity })) {
    if (!isToldLater.has(finding.code)) warn({ ...finding, path: input.config });
  }
  const mask = await maskOfRun?.of(undefined, fitted.grid);
  const { acrossObjects, max, submission } = input;
  const bar = terminal.startBar(run);
  try {
    const detecting: DetectOptions = {
      model,
      objects: input.object?.map((name) => ({ name })),
      thresholds: asked.set ?? asked.numbers,
      maxFalse: input.maxFalse,
      allowMissingChunks: input.allowMissingChunks,
      memory: input.memory,
      ...{ mask, acrossObjects, max, signal },
      onProgress: bar.update,
      onWarning: warn,
    };
    const { candidates, ...found } = await detectWithThresholds(fitted, detecting, submission !== undefined);
    const how = { asked, objects: candidates.objects, mask, acrossObjects, max };
    return { ...found, submitted: submission === undefined ? [] : submissionPicks(candidates, how), warnings };
  } finally {
    bar.stop();
  }
}
