import { InvalidArgumentError } from 'commander';
import type { PicksFormatName } from '../formats/by-name.ts';
import type { PointsColumn } from '../formats/format.ts';
import { parseNumber } from '../picks/csv.ts';
import type { Zyx } from '../space/grid.ts';
import type { ShardOption } from './scheduler.ts';
import type { Terminal } from './terminal.ts';

/** The arguments of `detect`. */
export interface DetectInput extends CommonFlags {
  /** A project file, or a volume. */
  readonly config: string;
  readonly run?: readonly string[] | undefined;
  /** Which share of the runs to work on. */
  readonly shard?: ShardOption | undefined;
  readonly object?: readonly string[] | undefined;
  readonly tomogram?: TomogramName | undefined;
  readonly model?: string | undefined;
  /** @defaultValue 'cryoet-picks' */
  readonly userId?: string | undefined;
  /** @defaultValue '0' */
  readonly sessionId?: string | undefined;
  readonly submission?: string | undefined;
  readonly figure?: string | undefined;
  readonly resume?: true | undefined;
  readonly overwrite?: true | undefined;
  /** Folder to write to in place of the project's overlay. */
  readonly overlay?: string | undefined;
  readonly invert?: true | undefined;
  readonly resample?: true | undefined;
  readonly allowMissingChunks?: true | undefined;
  readonly dryRun?: true | undefined;
  /** `balanced`, `competition`, or the path of a file with numbers by object. */
  readonly thresholds?: string | undefined;
  readonly threshold?: Readonly<Record<string, number>> | undefined;
  readonly threads?: number | undefined;
  /** Share the runs with other processes, each of which takes the next one that is free. */
  readonly claim?: true | undefined;
  /** Seconds for which a run stays claimed by a process that gives no sign of life. */
  readonly lease?: number | undefined;
  /** How many runs are searched at once. */
  readonly jobs?: number | undefined;
  /** How often a run that fails is searched again. */
  readonly retries?: number | undefined;
  /** Stop after the first run that fails. */
  readonly failFast?: true | undefined;
  /** Of tiles and the network, in bytes. */
  readonly memory?: number | 'low' | undefined;
  /** Pick from stored candidates, without the network. */
  readonly fromCandidates?: true | undefined;
  /** How many candidates of an object to keep; false for none. */
  readonly candidates?: number | false | undefined;
  /** Maximum share of the picks of an object that are false, by estimate. */
  readonly maxFalse?: number | undefined;
  /** Maximum number of picks of an object. */
  readonly max?: number | undefined;
  /** Whether a place holds one particle, or the distance in Å that this means. */
  readonly acrossObjects?: boolean | number | undefined;
  /** URI or path of labels that picks must lie in, or outside. */
  readonly inside?: string | undefined;
  readonly outside?: string | undefined;
  /** Minimum distances of picks in Å from the faces of the tomogram, and from the border of `inside` and `outside`. */
  readonly faceMargin?: number | undefined;
  readonly maskMargin?: number | undefined;
  /** This option and the next two are for volumes. */
  readonly out?: string | undefined;
  readonly to?: PicksFormatName | undefined;
  readonly voxelSize?: number | undefined;
}

/** A tomogram by type and, optionally, voxel spacing in Å: `denoised@10`. */
export interface TomogramName {
  readonly type: string;
  readonly voxelSpacing?: number | undefined;
}

/** The number that a whole text spells in decimal digits; NaN for anything else, such as an empty text or `0x10`. */
function decimalOf(text: string): number {
  return /\s/.test(text) ? Number.NaN : (parseNumber(text) ?? Number.NaN);
}

/** A parser of whole numbers of at least `minimum`. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = decimalOf(text);
    if (Number.isSafeInteger(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${minimum}.`);
  };
}

/** Parses a name. */
export function parseName(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('Expected a name of at least one character.');
}

/** A parser of numbers of at least `minimum`. */
export function numberFrom(minimum: number): (text: string) => number {
  return (text) => {
    const value = decimalOf(text);
    if (Number.isFinite(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`Expected a number of at least ${minimum}.`);
  };
}

/** Parses a share from 0 to 1. */
export function parseShare(text: string): number {
  const value = decimalOf(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a share from 0 to 1, such as 0.2 for one false pick of five.');
}

/** Parses an amount of memory into bytes. */
export function parseMemory(text: string): number | 'low' {
  if (text === 'low') return 'low';
  const [, value, unit] = /^([\d.]+) ?(MB|GB)$/i.exec(text) ?? [];
  const bytes = decimalOf(value ?? '') * (unit?.toUpperCase() === 'GB' ? 1e9 : 1e6);
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError('Expected low, or a size such as 700MB or 2GB.');
}

/** Parses a port; 0 is any that is free. */
export function parsePort(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0 && value < 65_536) return value;
  throw new InvalidArgumentError('Expected a port from 1 to 65535, or 0 for any that is free.');
}

/** Parses a distance in Å from a border; a negative one lies beyond it. */
export function parseMargin(text: string): number {
  const value = decimalOf(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a distance in Å, such as 100, or -100 for beyond the border.');
}

/** Parses a length in Å. */
export function parseLength(text: string): number {
  const value = decimalOf(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('Expected a length in Å, such as 10.012.');
}

/** In Å: no tomogram has smaller or larger voxels. The page has the same limits. */
const VOXEL_SIZES = { least: 0.01, most: 1000 };

/** Parses a voxel size in Å. */
export function parseVoxelSize(text: string): number {
  const value = parseLength(text);
  const { least, most } = VOXEL_SIZES;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`Expected a voxel size in Å, from ${least} to ${most}.`);
}

/** Parses `Z,Y,X`, in voxels. */
export function parseShape(text: string): Zyx {
  const [z, y, x, ...more] = text.split(',').map((count) => decimalOf(count.trim()));
  const counts = [z, y, x];
  if (more.length === 0 && counts.every((count) => Number.isSafeInteger(count) && count > 0)) return [z, y, x];
  throw new InvalidArgumentError('Expected three whole numbers of voxels, Z,Y,X, such as 64,128,128.');
}

/** Parses `FIRST,LAST`, in degrees. */
export function parseTilts(text: string): readonly [number, number] {
  const [first, last, ...more] = text.split(',').map((tilt) => decimalOf(tilt.trim()));
  if (more.length === 0 && first! >= -90 && first! < last! && last! <= 90) return [first!, last!];
  throw new InvalidArgumentError('Expected the first and the last tilt in degrees, such as -60,60.');
}

/** Parses `x,y,z,score,-`; the format checks the names. */
export function parseColumns(text: string): PointsColumn[] {
  return text.split(',').map((column) => column.trim()) as PointsColumn[];
}

/** Parses `TYPE` or `TYPE@SPACING`. */
export function parseTomogram(text: string): TomogramName {
  const at = text.lastIndexOf('@');
  if (at < 0 && text !== '') return { type: text };
  const voxelSpacing = decimalOf(text.slice(at + 1));
  if (at > 0 && voxelSpacing > 0 && Number.isFinite(voxelSpacing)) return { type: text.slice(0, at), voxelSpacing };
  throw new InvalidArgumentError('Expected a tomogram type and its voxel spacing in Å, such as denoised@10.');
}

/** Whose picks: a user and a session. */
export interface Owner {
  readonly userId: string;
  readonly sessionId: string;
}

/** Parses `USER/SESSION`. */
export function parseOwner(text: string): Owner {
  const [userId, sessionId, ...more] = text.split('/');
  if (userId && sessionId && more.length === 0) return { userId, sessionId };
  throw new InvalidArgumentError('Expected a user and a session, such as me/1.');
}

/** Parses `K/N`, `auto` or `auto/N`. */
export function parseShard(text: string): ShardOption {
  const [, which, shares] = /^(auto|\d{1,9})(?:\/(\d{1,9}))?$/.exec(text) ?? [];
  const count = shares === undefined ? undefined : Number(shares);
  if (which === 'auto' && count !== 0) return { scheduler: true, count };
  const index = Number(which);
  if (count !== undefined && index >= 1 && index <= count) return { index, count };
  throw new InvalidArgumentError('Expected K/N with K from 1 to N, such as 3/10, or auto or auto/N.');
}

/** Parses one `OBJECT=VALUE` and adds it to those before. */
export function collectThreshold(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const at = text.lastIndexOf('=');
  const value = decimalOf(text.slice(at + 1));
  if (at > 0 && Number.isFinite(value)) return { ...before, [text.slice(0, at)]: value };
  throw new InvalidArgumentError('Expected an object and the minimum score of its picks, such as ribosome=0.3.');
}

/** Parses one `NAME=RUN` and adds it to those before. */
export function collectRename(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at > 0 && text.length > at + 1) return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
  throw new InvalidArgumentError('Expected the name of a run in the file and in the project, such as 1=TS_001.');
}

/** What a command returns. */
export interface Outcome {
  /** The document that `--json` prints; undefined if it was printed before. */
  readonly json: object | undefined;
  /** True if a part of the work failed; exit code 1. */
  readonly failed?: boolean | undefined;
}

/** The function of a command. */
export type CommandBody<Input> = (terminal: Terminal, input: Input) => Promise<Outcome>;

/** Options that every command has. */
export interface CommonFlags {
  readonly json?: true | undefined;
  readonly verbose?: true | undefined;
}

/** Options of a {@link RunCommand}. */
export interface RunCommandOptions {
  /** True if `--json` prints a line for each event, the document as the last one. @defaultValue false: the document alone */
  readonly jsonLines?: boolean | undefined;
}

/** Loads a command and runs it, so that the program starts and prints its help without loading any. */
export type RunCommand = <Input extends CommonFlags>(
  load: () => Promise<CommandBody<Input>>,
  input: Input,
  options?: RunCommandOptions,
) => Promise<void>;
