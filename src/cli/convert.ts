import { isCryoetPicksError } from '../errors.ts';
import { openProject } from '../node.ts';
import { configOfCroissant } from '../node-croissant.ts';
import {
  type AnyPicksFormat,
  type FormatOptions,
  formatNamed,
  formatOfFile,
  formatOfName,
} from '../picks/formats/named.ts';
import type { FormatName } from '../picks/formats/names.ts';
import { type NamesByNumber, numbered } from '../picks/formats/numbered-names.ts';
import type { RunPicks } from '../picks/run-picks.ts';
import type { Zyx } from '../space/zyx.ts';
import type { TomogramName } from './arguments.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { gridLines, readProjectPicks } from './convert-project.ts';
import { type Source, writePicks } from './convert-write.ts';
import { describeProblem, UsageError } from './failure.ts';
import { isFolder, readBytes } from './files.ts';
import { objectsOf } from './picks-files.ts';
import { describeGrid } from './run-grids.ts';
import type { Terminal } from './terminal.ts';

/** What `convert` was asked for. */
export interface ConvertInput extends CommonFlags {
  readonly input: string;
  readonly output: string;
  readonly from?: FormatName | undefined;
  readonly to?: FormatName | undefined;
  readonly voxelSize?: number | undefined;
  readonly shape?: Zyx | undefined;
  readonly run?: readonly string[] | undefined;
  readonly object?: readonly string[] | undefined;
  /** These four are of projects. */
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly uri?: string | undefined;
  readonly tomogram?: TomogramName | undefined;
}

/** Reads picks in one format, or of a project, and writes them in another. */
export async function convert(terminal: Terminal, input: ConvertInput): Promise<Outcome> {
  const isNoFile = input.from === undefined && (await configOfCroissant(input.input)) !== undefined;
  const bytes = isNoFile ? undefined : await readBytes(input.input, { what: 'picks', signal: terminal.signal });
  const text = new TextDecoder().decode(bytes);
  const ofProject = bytes === undefined || (input.from === undefined && isProjectConfig(text));
  return inWordsOfOptions(async () => {
    const to = input.to ?? formatOfName(input.output);
    const source = ofProject
      ? await projectSource(terminal, { ...input, to })
      : fileSource({ bytes: bytes!, text, source: input.input }, input);
    const folder = /[/\\]$/.test(input.output) || (await isFolder(input.output));
    return writePicks(terminal, source, { ...input, to, isFolder: folder });
  });
}

/** True for a config of copick, which picks files have nothing in common with. */
function isProjectConfig(text: string): boolean {
  if (!/"(pickable_objects|config_type)"/.test(text)) return false;
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null && ('pickable_objects' in json || 'config_type' in json);
  } catch {
    return false;
  }
}

async function projectSource(terminal: Terminal, input: ConvertInput & { readonly to: FormatName }): Promise<Source> {
  if (input.to === 'relion4' && input.voxelSize === undefined) {
    throw new UsageError(
      'RELION 4 counts in pixels of the tilt series, whose size no tomogram tells; give the option --voxel-size, in Å',
    );
  }
  const project = await openProject(input.input, { signal: terminal.signal });
  const { runs, objects, owners, grids, failures } = await readProjectPicks(terminal, project, input);
  const told = failures.map(({ error }) => error.message);
  const problems = project.problems.filter(({ path }) => !told.some((message) => message.includes(path)));
  for (const problem of problems) terminal.warn(`cryoet-picks: ${describeProblem(problem)}`);
  if (owners.length > 0) terminal.print(`picks of user/session ${owners.join(', ')}`);
  terminal.print(...gridLines(grids, describeGrid));
  const { voxelSize, shape } = input;
  const names = numbersOf(input.object ?? objects);
  return { from: 'project', runs, objects: names, grids, failures, options: { voxelSize, shape }, leftOut: [] };
}

/** The picks of a file, and what the options say of them. */
function fileSource(content: Content, input: ConvertInput): Source {
  const { voxelSize, shape, run = [], object = [] } = input;
  const alien = (['userId', 'sessionId', 'uri', 'tomogram'] as const).find((option) => input[option] !== undefined);
  if (alien !== undefined) {
    const flag = alien.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${flag} chooses in a copick project, and ${input.input} is a file of picks`);
  }
  const from = input.from ?? formatOfFile(input.input, content.text);
  const [onlyRun, onlyObject] = [run, object].map((names) => (names.length === 1 ? names[0] : undefined));
  const options: FormatOptions = { voxelSize, shape, run: onlyRun, object: onlyObject };
  const given = object.length > 1 ? numbersOf(object) : undefined;
  const format = formatNamed(from, { ...options, objects: given });
  const runs = chosen(read(format, content), input);
  const objects = given ?? numbered(new Set(objectsOf(runs)));
  return { from, runs, objects, grids: new Map(), failures: [], options, leftOut: leftOut(format, content) };
}

interface Content {
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly source: string;
}

function read(format: AnyPicksFormat, { bytes, text, source }: Content): RunPicks[] {
  return format.content === 'bytes' ? format.parse(bytes, source) : format.parse(text, source);
}

/** What the file holds that its picks do not. */
function leftOut(format: AnyPicksFormat, { bytes, text, source }: Content): readonly string[] {
  return (format.content === 'bytes' ? format.leftOut?.(bytes, source) : format.leftOut?.(text, source)) ?? [];
}

function numbersOf(names: readonly string[]): NamesByNumber {
  return Object.fromEntries(names.map((name, index) => [index + 1, name]));
}

/** The picks of the run and the objects that were named, or all. */
function chosen(runs: readonly RunPicks[], { run, object, input }: ConvertInput): RunPicks[] {
  const some = runs.filter((one) => run?.includes(one.run) ?? true);
  const missing = run?.find((name) => runs.every((one) => one.run !== name));
  if (missing !== undefined && runs.length > 0) {
    throw new UsageError(`${input} has no run "${missing}"; there are ${runs.map((one) => one.run).join(', ')}`);
  }
  if (object === undefined) return some;
  const kept = some.map((one) => ({ ...one, picks: one.picks.filter((pick) => object.includes(pick.object)) }));
  if (some.length === 0 || kept.some(({ picks }) => picks.length > 0))
    return kept.filter(({ picks }) => picks.length > 0);
  const found = new Set(some.flatMap(({ picks }) => picks.map((pick) => pick.object)));
  throw new UsageError(`${input} has no object "${object.join('", "')}"; there are ${[...found].join(', ')}`);
}

const optionNames: readonly (readonly [RegExp, string])[] = [
  [/\bvoxelSize\b/g, '--voxel-size'],
  [/\boption (run|object)s?\b/g, 'option --$1'],
  [/\boptions shape\b/g, 'options --shape'],
  [/; name the format$/, '; name it with --to'],
  [/; name one of /, '; name one with --from or --to: '],
];

/** What a format needs to be told is wrong usage here, and has other names than in the library. */
async function inWordsOfOptions<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    throw new UsageError(
      optionNames.reduce((message, [pattern, name]) => message.replace(pattern, name), error.message),
      { cause: error },
    );
  }
}
