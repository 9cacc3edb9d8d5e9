import { isCryoetPicksError } from '../errors.ts';
import { describeLosses } from '../picks/formats/losses.ts';
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
import type { CommonFlags, Outcome } from './command.ts';
import { counted } from './counts.ts';
import { UsageError } from './failure.ts';
import { readBytes, writeWhole } from './files.ts';
import type { Terminal } from './terminal.ts';

/** What `convert` was asked for. */
export interface ConvertInput extends CommonFlags {
  readonly input: string;
  readonly output: string;
  readonly from?: FormatName | undefined;
  readonly to?: FormatName | undefined;
  readonly voxelSize?: number | undefined;
  readonly shape?: Zyx | undefined;
  readonly run?: string | undefined;
  readonly object?: readonly string[] | undefined;
}

/** What `convert --json` prints. */
export interface ConvertDocument {
  readonly from: FormatName;
  readonly to: FormatName;
  readonly runs: number;
  readonly picks: number;
  /** What the new file does not hold. */
  readonly losses: readonly string[];
}

/** Reads picks in one format and writes them in another. */
export async function convert(terminal: Terminal, input: ConvertInput): Promise<Outcome> {
  const { signal } = terminal;
  const bytes = await readBytes(input.input, { what: 'picks', signal });
  const converted = inWordsOfOptions(() => convertBytes(bytes, input));
  await writeWhole(input.output, { data: converted.data, signal });
  const { from, to, runs, picks, losses } = converted.document;
  terminal.print(`${counted(picks, 'pick')} of ${counted(runs, 'run')}, ${from} to ${to}: ${input.output}`);
  if (input.verbose) terminal.print(...converted.notes);
  else if (losses.length > 0) terminal.print('not all of it has a place there; --verbose tells what');
  return { json: converted.document };
}

interface Converted {
  readonly data: Uint8Array | string;
  readonly document: ConvertDocument;
  /** What happens to the picks, a line each. */
  readonly notes: readonly string[];
}

function convertBytes(bytes: Uint8Array, input: ConvertInput): Converted {
  const { voxelSize, shape, run, object = [] } = input;
  const to = input.to ?? formatOfName(input.output);
  const text = new TextDecoder().decode(bytes);
  const from = input.from ?? formatOfFile(input.input, text);
  const common: FormatOptions = { voxelSize, shape, run, object: object.length === 1 ? object[0] : undefined };
  const given = object.length > 1 ? numbersOf(object) : undefined;
  const source = formatNamed(from, { ...common, objects: given });
  const content = { bytes, text, source: input.input };
  const runs = chosen(read(source, content), input);
  const objects = given ?? numbered(new Set(runs.flatMap(({ picks }) => picks.map((pick) => pick.object))));
  const names = numbered(new Set(runs.map((one) => one.run)));
  const format = formatNamed(to, { ...common, objects, runs: names });
  const picks = runs.reduce((sum, one) => sum + one.picks.length, 0);
  const losses = [...leftOut(source, content), ...describeLosses(runs, { format })];
  const parts = new Set(format.losses.map(({ part }) => part));
  const notes = [
    ...losses,
    ...(parts.has('object') ? numberLines('class', objects) : []),
    ...(parts.has('run') ? numberLines('tomogram', names) : []),
  ];
  const document = { from, to, runs: runs.length, picks, losses };
  return { data: format.format(runs), document, notes };
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

/** Which number means which name, where there are several. */
function numberLines(what: string, names: NamesByNumber): string[] {
  const entries = Object.entries(names).filter(([number, name]) => number !== name);
  return entries.length < 2 ? [] : entries.map(([number, name]) => `${what} ${number} is ${name}`);
}

/** The picks of the run and the objects that were named, or all. */
function chosen(runs: readonly RunPicks[], { run, object, input }: ConvertInput): RunPicks[] {
  const some = runs.filter((one) => run === undefined || one.run === run);
  if (some.length === 0 && runs.length > 0) {
    throw new UsageError(`${input} has no run "${run}"; there are ${runs.map((one) => one.run).join(', ')}`);
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
function inWordsOfOptions<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    throw new UsageError(
      optionNames.reduce((message, [pattern, name]) => message.replace(pattern, name), error.message),
      { cause: error },
    );
  }
}
