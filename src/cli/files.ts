import { lstat, readdir, readFile, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { sanitizeName } from '../copick/layout.ts';
import type { Project } from '../copick/project.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../core/errors.ts';
import { decodeText, parseJson } from '../core/json.ts';
import { type Destination, destinationOf, readFailure, writeAtomically } from '../node/atomic-files.ts';
import { directoryStore } from '../node/directory-store.ts';
import { isHidden } from '../node/file-lock.ts';
import { type OpenProjectOptions, openProject } from '../node/open-project.ts';
import { readInput } from '../node/read-file.ts';
import { describeSystemError, errnoOf } from '../node/system-error.ts';
import { requireWritable } from '../storage/store.ts';
import { type Terminal, UsageError, warningsTo } from './terminal.ts';

/** Options of {@link readBytes}. */
export interface ReadFileOptions {
  /** The kind of file, for messages: `truth table`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link readText}. */
export interface ReadTextOptions extends ReadFileOptions {
  /** Code of the error for a file that is not text. */
  readonly code: ErrorCode;
}

/** Files that are read whole have this many bytes at most. */
const MAX_FILE = 2 ** 30;

/**
 * The text of a file.
 *
 * @throws {@link CryoetPicksError} As {@link readBytes} does; of the given code if it is not UTF-8, or too long for one text.
 */
export async function readText(path: string, { code, ...options }: ReadTextOptions): Promise<string> {
  return decodeText(await readBytes(path, options), { what: `${options.what} ${path}`, code, path });
}

/**
 * The bytes of a file, a pipe or a device.
 *
 * @throws {@link CryoetPicksError} `not-found` if it is absent, or a folder; `unavailable` if it cannot be read; `unsupported` if it
 *   has more than 1 GiB.
 */
export async function readBytes(path: string, { what, signal }: ReadFileOptions): Promise<Uint8Array> {
  try {
    return await readInput(path, { maxBytes: MAX_FILE, signal });
  } catch (cause) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(cause)) throw cause;
    const { code, reason } = readFailure(cause);
    throw new CryoetPicksError(code, `${what} ${path} ${reason}`, { cause, path });
  }
}

/** Bytes at the beginning of a file that tell what it is. */
const BEGINNING = 2 ** 22;

/** The text at the beginning of a file, whatever its bytes are. */
export function beginningOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, BEGINNING));
}

/** Opens a project for a command: what it warns of later, such as a write that waits for another process, is printed at once. */
export function openCopick(
  terminal: Terminal,
  path: string,
  options: Pick<OpenProjectOptions, 'overlay' | 'onProblem'> = {},
): Promise<Project> {
  return openProject(path, { ...options, signal: terminal.signal, onWarning: warningsTo(terminal) });
}

/**
 * Writes a file atomically, and creates the folders above it. A reader sees the old file or the new one; nothing stays behind
 * if the write fails or is aborted.
 *
 * @throws {@link CryoetPicksError} `write-failed` where it cannot be written.
 */
export async function writeWhole(terminal: Terminal, path: string, data: OutputData): Promise<void> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const { signal } = terminal;
  const onWarning = warningsTo(terminal);
  await writeAtomically(resolve(path), bytes, { signal, onWarning, durable: true, mayStream: true });
}

/** A kind of file, by which {@link openOutput} decides what it may replace. */
export interface FileKind {
  /** With its article, for messages: `a figure (PNG)`. */
  readonly name: string;
  /** Whether bytes are a file of this kind. */
  holds(bytes: Uint8Array): boolean | Promise<boolean>;
}

/** Options of {@link openOutput}. */
export interface OutputOptions {
  /** The kind that is written: a file of it is replaced. @defaultValue no file is */
  readonly kind?: FileKind | undefined;
  /** Replace any other file too; the config of a project is never replaced. */
  readonly overwrite?: true | undefined;
}

/** The content of a file, or its pieces, which are written one after the other. */
export type OutputData = Uint8Array | string | AsyncIterable<Uint8Array>;

/** Where a command writes a file to. */
export interface Output {
  /** The path as it was given. */
  readonly path: string;
  /** Writes the whole content. @throws {@link CryoetPicksError} As {@link openOutput} does, `write-failed`. */
  write(data: OutputData): Promise<void>;
}

/**
 * Checks, before any work, that a file can be written, and that nothing is lost by it: a regular file is replaced if it is of the
 * kind that is written, or empty. `-` is standard output; devices and FIFOs are written into.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a folder, the config of a project, and, without `overwrite`, anything else
 *   that is not of the kind; `write-failed` if it cannot be written.
 */
export async function openOutput(terminal: Terminal, path: string, options: OutputOptions): Promise<Output> {
  const { signal } = terminal;
  if (path === '-') {
    const write = async (data: OutputData) => {
      for await (const piece of typeof data === 'string' || data instanceof Uint8Array ? [data] : data) {
        await terminal.write(piece);
      }
    };
    return { path, write };
  }
  const { file, kind } = await requireReplaceable(path, options);
  if (kind !== 'stream') await requireWritable(directoryStore(dirname(file)), '/', { signal });
  return {
    path,
    async write(data) {
      // Something else may have taken the place while the command worked.
      await requireReplaceable(path, options);
      await writeWhole(terminal, path, data);
    },
  };
}

async function requireReplaceable(path: string, { kind, overwrite }: OutputOptions): Promise<Destination> {
  const found = await destinationOf(resolve(path));
  const refuse = (message: string) =>
    new CryoetPicksError('invalid-option', `cannot write ${path}: ${message}`, { path });
  if (found.kind === 'folder') throw refuse('it is a folder; give a file name');
  if (found.kind === 'absent' || found.kind === 'stream') return found;
  const bytes = found.kind === 'file' ? await readFile(found.file).catch(() => undefined) : undefined;
  if (bytes !== undefined && isProjectConfig(bytes)) {
    throw refuse(
      'it is the config of a copick project, which is never replaced; give another name, or add picks to the project by ' +
        '"cryoet-picks import FILE CONFIG --user-id NAME"',
    );
  }
  if (overwrite || (bytes !== undefined && (bytes.length === 0 || (await kind?.holds(bytes))))) return found;
  const what = kind === undefined ? 'a file is there already' : `what is there is not ${kind.name}`;
  throw refuse(`${what}; give another name, or --overwrite to replace it`);
}

/**
 * True for the config of a copick project, whose keys no picks file has: JSON as Python writes it, and also text that has such a key
 * but is damaged, which the user may still want.
 */
export function isProjectConfig(bytes: Uint8Array): boolean {
  if (bytes.length > MAX_CONFIG) return false;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!/^\s*\{/.test(buffer.toString('utf8', 0, 1000)) || !configKeys.some((key) => buffer.includes(`"${key}"`))) {
    return false;
  }
  try {
    const json = parseJson(bytes, { what: 'config', code: 'invalid-config' });
    return typeof json === 'object' && json !== null && configKeys.some((key) => key in json);
  } catch {
    return true;
  }
}

/** Bytes of a config at most: a larger file is never read as one. */
const MAX_CONFIG = 2 ** 26;

const configKeys = ['pickable_objects', 'config_type'];

/**
 * Throws if one file would be both read and written, or written twice.
 *
 * @param names - Paths by the name of their option, for the message: `--figure`; undefined paths are ignored.
 * @throws {@link CryoetPicksError} `invalid-option` if two are the same file.
 */
export async function requireApart(names: Readonly<Record<string, string | undefined>>): Promise<void> {
  const seen = new Map<string, string>();
  for (const [name, path] of Object.entries(names)) {
    if (path === undefined || path === '-' || (await destinationOf(resolve(path))).kind === 'stream') continue;
    const file = await realpath(path).catch(() => resolve(path));
    const other = seen.get(file);
    if (other !== undefined) {
      throw new CryoetPicksError('invalid-option', `${other} and ${name} are both ${path}; give each its own file`);
    }
    seen.set(file, name);
  }
}

/** Whose picks are written, as files name it. */
interface WrittenNames {
  readonly names: { readonly userId: string; readonly sessionId: string };
  /** One for each name that is written otherwise than it was given. */
  readonly warnings: readonly Warning[];
}

/**
 * User and session as copick writes them into the names of files.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if nothing is left of one.
 */
export function namesAsWritten({ userId, sessionId }: WrittenNames['names']): WrittenNames {
  const names = { userId: sanitizeName(userId), sessionId: sanitizeName(sessionId) };
  const warningOf = (what: string, given: string, written: string): Warning[] =>
    given === written
      ? []
      : [{ code: 'name-changed', message: `${what} "${given}" is written as "${written}", as copick writes names` }];
  const warnings = [...warningOf('user', userId, names.userId), ...warningOf('session', sessionId, names.sessionId)];
  return { names, warnings };
}

/** A line for each file that was written. */
export function fileLines(files: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(files).flatMap(([what, path]) => (path === undefined ? [] : [`${what.padEnd(12)}${path}`]));
}

/** True if the path is a folder. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Options of {@link buildFolder}. */
export interface BuildFolderOptions {
  readonly build: (folder: string) => Promise<void>;
}

/**
 * Fills a new folder under a temporary name and then renames it: it appears with everything in it, or not at all. An empty folder
 * that exists stays the same folder, and gets its entries one after the other when all are complete, files last.
 *
 * @param path - Must be absent, or an empty folder.
 * @throws {@link CryoetPicksError} `invalid-option` if something is there already, `conflict` if something appears meanwhile;
 *   {@link UsageError} for an empty path.
 */
export async function buildFolder(path: string, { build }: BuildFolderOptions): Promise<void> {
  if (path === '') throw new UsageError('the folder to write to is "", expected its path; . is the current folder');
  const target = resolve(path);
  const [first, ...more] = (await entriesOf(target)) ?? [];
  if (first !== undefined) {
    const found = [first, ...more.slice(0, 2)].join(', ') + (more.length > 2 ? ', …' : '');
    throw new CryoetPicksError('invalid-option', `${target} is not empty: it holds ${found}; choose a new folder`);
  }
  const isThere = await isFolder(target);
  const parent = isThere ? target : dirname(target);
  const staged = await directoryStore(parent).stage?.(`/${basename(target) || 'project'}`);
  // The folder cannot be written, which the work says better.
  if (staged === undefined) return build(target);
  try {
    await build(staged.store.location);
    if (isThere) await moveEntries(staged.store.location, target);
    else await moveFolder(staged.store.location, target);
  } finally {
    await staged.discard();
  }
}

/** The entries of a folder, without temporary files; undefined if it is absent. */
async function entriesOf(folder: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(folder)).filter((name) => !isHidden(name));
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') throw new CryoetPicksError('invalid-option', `${folder} is a file, expected a folder`);
    const message = `${folder} cannot be read: ${describeSystemError(error)}`;
    throw new CryoetPicksError('unavailable', message, { cause: error, path: folder });
  }
}

/** Renames a folder to a name that is free, or that of an empty folder, which the system replaces in one step. */
async function moveFolder(from: string, target: string): Promise<void> {
  try {
    await rename(from, target);
  } catch (cause) {
    if ((await lstat(target).catch(() => undefined)) !== undefined) throw appeared(target, cause);
    const message = `cannot write ${target}: ${describeSystemError(cause)}`;
    throw new CryoetPicksError('write-failed', message, { cause, path: target });
  }
}

/** Moves what is in a folder into another, folders first, unless something has appeared there. */
async function moveEntries(from: string, target: string): Promise<void> {
  const [first] = (await entriesOf(target)) ?? [];
  if (first !== undefined) throw appeared(join(target, first));
  const entries = await readdir(from, { withFileTypes: true });
  for (const { name } of entries.sort((a, b) => Number(b.isDirectory()) - Number(a.isDirectory()))) {
    if (await lstat(join(target, name)).catch(() => undefined)) throw appeared(join(target, name));
    await moveFolder(join(from, name), join(target, name));
  }
}

function appeared(path: string, cause?: unknown): CryoetPicksError {
  const message = `${path} has appeared while its content was made; it stays as it is, choose a new folder`;
  return new CryoetPicksError('conflict', message, { cause, path });
}
