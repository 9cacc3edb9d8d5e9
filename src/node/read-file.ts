import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CryoetPicksError } from '../core/errors.ts';
import { type ByteRange, spanOf, tooLarge, type ValueBound } from '../storage/store.ts';

/** The flag that lets neither opening nor reading wait; Windows has none. */
const NO_WAIT: number = constants.O_NONBLOCK ?? 0;

/** True for a path that the system makes, such as `/dev/stdin`: behind it may be a file, a pipe, or a device. */
export function isOfSystem(path: string): boolean {
  return /^\/(?:dev|proc)\//.test(resolve(path));
}

interface Opened {
  readonly handle: FileHandle;
  readonly size: number;
  /** What it is, unless it is a regular file. */
  readonly stream?: 'a pipe' | 'a device' | undefined;
}

/**
 * Opens a file or stream without waiting: opening a pipe would otherwise wait for its writer, in a thread that nothing can end.
 *
 * @throws The error of the system; `EISDIR` for a folder.
 */
async function openToRead(file: string): Promise<Opened> {
  const handle = await open(file, constants.O_RDONLY | NO_WAIT);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    const stream = stats.isFile() ? undefined : stats.isFIFO() ? 'a pipe' : 'a device';
    return { handle, size: stats.size, stream };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens a regular file. @throws {@link CryoetPicksError} `corrupt-data` for a pipe or a device, which has no end and no size. */
export async function openRegular(file: string): Promise<Opened> {
  const opened = await openToRead(file);
  if (opened.stream === undefined) return opened;
  await opened.handle.close();
  throw new CryoetPicksError('corrupt-data', `cannot read ${file}: it is ${opened.stream}, expected a file`, {
    path: file,
  });
}

/** Bytes that are read without a look at the signal. */
const PART = 2 ** 24;

/**
 * The bytes of a regular file, as it was when it was opened: what is written to it meanwhile is not read.
 *
 * @throws {@link CryoetPicksError} as {@link openRegular} does, and if the file exceeds its bound; the abort reason of `signal`.
 */
export async function readRegular(
  file: string,
  bound: ValueBound = { bytes: Infinity },
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { handle, size } = await openRegular(file);
  try {
    if (size > bound.bytes) throw tooLarge(file, bound);
    return await readAt(handle, { offset: 0, length: size }, signal);
  } finally {
    await handle.close();
  }
}

/** The length of a file in bytes. */
export async function sizeOf(file: string): Promise<number> {
  const stats = await stat(file);
  if (stats.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
  return stats.size;
}

/** Reads the part of a range that is within a regular file; allocates no more than that. */
export async function readRange(file: string, range: ByteRange): Promise<Uint8Array> {
  const { handle, size } = await openRegular(file);
  try {
    return await readAt(handle, spanOf(range, size));
  } finally {
    await handle.close();
  }
}

/** Bytes of a file; fewer where it has become shorter. */
async function readAt(
  handle: FileHandle,
  { offset, length }: { readonly offset: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(bytes, done, Math.min(PART, length - done), offset + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
}

/** Options of {@link readInput}. */
export interface ReadInputOptions {
  readonly maxBytes: number;
  /** What to do if it has more, for the message. @defaultValue split it into several files */
  readonly remedy?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of what a user names as input: a file, a pipe or a device. A named pipe is waited for until a program writes into it.
 *
 * @throws {@link CryoetPicksError} `unsupported` if it has more than `maxBytes`; the error of the system; the abort reason of
 *   `signal`, also while it waits.
 */
export async function readInput(file: string, options: ReadInputOptions): Promise<Uint8Array> {
  const { maxBytes, remedy = 'split it into several files', signal } = options;
  signal?.throwIfAborted();
  const { handle, size, stream } = await openToRead(file);
  try {
    const tooMuch = () => {
      const message = `cannot read ${file}: ${stream ?? 'it'} has more than ${maxBytes} bytes; ${remedy}`;
      return new CryoetPicksError('unsupported', message, { path: file });
    };
    if (size > maxBytes) throw tooMuch();
    // Files of the system, such as those of /proc, have the size 0.
    if (stream === undefined && size > 0) return await readAt(handle, { offset: 0, length: size }, signal);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of partsOf(handle, { isNamedPipe: stream === 'a pipe' && !isOfSystem(file), signal })) {
      parts.push(part);
      length += part.length;
      if (length > maxBytes) throw tooMuch();
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

interface StreamOptions {
  readonly isNamedPipe: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What comes from a stream until its end. To wait means to look again, since a thread that waits cannot be ended. */
async function* partsOf(handle: FileHandle, { isNamedPipe, signal }: StreamOptions): AsyncGenerator<Uint8Array> {
  // Of a pipe that no program has opened to write into, the system says that it is at its end.
  let hasWriter = !isNamedPipe;
  let wait = 1;
  for (;;) {
    signal?.throwIfAborted();
    const part = new Uint8Array(2 ** 16);
    const count = await orNotYet(() => handle.read(part, 0, part.length, null).then(({ bytesRead }) => bytesRead));
    if (count === 0 && hasWriter) return;
    if (count !== 0) hasWriter = true;
    if (count) {
      yield part.subarray(0, count);
      wait = 1;
    } else wait = await pauseFor(wait, signal);
  }
}

/** Milliseconds between two looks at a stream, at most. */
const MAX_PAUSE = 20;

/** Waits some milliseconds, and gives the next time to wait. @throws The abort reason of `signal`. */
export async function pauseFor(wait: number, signal: AbortSignal | undefined): Promise<number> {
  await delay(wait, undefined, { signal }).catch(() => signal?.throwIfAborted());
  return Math.min(2 * wait, MAX_PAUSE);
}

/** The result of a call of the system; undefined where it would have to wait. */
export async function orNotYet<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Opens a device or a pipe to write into, and waits for a program that reads the pipe. */
export async function openStream(file: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  for (let wait = 1; ; wait = await pauseFor(wait, signal)) {
    try {
      return await open(file, constants.O_WRONLY | constants.O_APPEND | NO_WAIT);
    } catch (error) {
      // Nobody reads the pipe yet.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
  }
}

/** Writes bytes into a stream. @throws The error of the system; the abort reason of `signal`, also while it waits. */
export async function writeToStream(
  handle: FileHandle,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  let wait = 1;
  for (let done = 0; done < bytes.length; ) {
    signal?.throwIfAborted();
    const written = await orNotYet(() => handle.write(bytes, done, Math.min(PART, bytes.length - done), null));
    if (written === undefined) wait = await pauseFor(wait, signal);
    else {
      done += written.bytesWritten;
      wait = 1;
    }
  }
}
