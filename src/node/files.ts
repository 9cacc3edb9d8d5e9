import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CryoetPicksError } from '../core/errors.ts';
import { type EncodeMrcOptions, encodeMrc } from '../mrc/encode.ts';
import { type MrcVolume, type OpenMrcOptions, openMrc } from '../mrc/open.ts';
import type { RandomAccessReader } from '../storage/random-access.ts';
import type { ListableStore } from '../storage/store.ts';
import { zipStore } from '../storage/zip.ts';
import type { OpenTiffStackOptions, TiffStack } from '../tiff/stack.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { directoryStore } from './directory-store.ts';
import { removeLeftovers, temporaryBeside } from './file-lock.ts';

/**
 * Opens an MRC, CCP4, `.rec` or `.map` file; reads its header, and voxels when they are asked for. No file stays open.
 *
 * @throws As {@link openMrc} does; `not-found` if the file is not there.
 * @example
 * ```ts
 * const tomogram = await openMrcFile('TS_5_4.mrc');
 * ```
 */
export async function openMrcFile(path: string, options: OpenMrcOptions = {}): Promise<MrcVolume> {
  return openMrc(await fileReader(path), options);
}

/**
 * Opens a TIFF stack; the file is read into memory.
 *
 * @throws As `openTiffStack` does; `not-found` if the file is not there.
 */
export async function openTiffStackFile(path: string, options: OpenTiffStackOptions = {}): Promise<TiffStack> {
  const { signal } = options;
  const bytes = await orNotFound(path, () => readFile(path, { signal }), signal);
  // The decoder is loaded only by those who open TIFF files.
  const { openTiffStack } = await import('../tiff/stack.ts');
  return openTiffStack(bytes, { source: path, ...options });
}

/** A reader of a file, which it opens anew for each read. @throws {@link CryoetPicksError} `not-found`. */
export async function fileReader(path: string): Promise<RandomAccessReader> {
  const location = resolve(path);
  const found = await orNotFound(location, () => stat(location));
  if (!found.isFile()) throw new CryoetPicksError('not-found', `${location} is not a file`, { path: location });
  return {
    location,
    size: found.size,
    read: async (offset, length, { signal } = {}) => {
      signal?.throwIfAborted();
      return orNotFound(location, () => readPart(location, { offset, length, size: found.size }), signal);
    },
  };
}

/**
 * Writes a volume as an MRC file, streaming. A reader sees the old file or the new one: the bytes go to a temporary file
 * beside it, which is renamed, or removed where the write fails or is aborted.
 *
 * @throws As {@link encodeMrc} does; `write-failed` where the file cannot be written.
 * @example
 * ```ts
 * await writeMrcFile('denoised.mrc', tomogram);
 * ```
 */
export async function writeMrcFile(path: string, source: VolumeSource, options: EncodeMrcOptions = {}): Promise<void> {
  const file = resolve(path);
  const folder = dirname(file);
  const temporary = temporaryBeside(file);
  const pieces = encodeMrc(source, options);
  try {
    const made = await orWriteFailed(file, () => mkdir(folder, { recursive: true }));
    if (made === undefined) await removeLeftovers(folder);
    const handle = await orWriteFailed(file, () => open(temporary, 'wx'));
    try {
      for await (const piece of pieces) await orWriteFailed(file, () => writeAll(handle, piece));
      await orWriteFailed(file, () => handle.datasync());
    } finally {
      await handle.close();
    }
    options.signal?.throwIfAborted();
    await orWriteFailed(file, () => rename(temporary, file));
  } catch (error) {
    // Where a file stands for the folder, there is nothing to remove; the first error counts.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

type FileHandle = Awaited<ReturnType<typeof open>>;

/** A single write may take only a part. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

interface Part {
  readonly offset: number;
  readonly length: number;
  readonly size: number;
}

/** Reads what lies within the file; the buffer is never larger than the file. */
async function readPart(file: string, { offset, length, size }: Part): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
  const handle = await open(file, 'r');
  try {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await handle.close();
  }
}

/** True for an error of the file system that says that nothing is at the path, or a folder. */
function isAbsence(error: unknown): boolean {
  return /^(ENOENT|ENOTDIR|EISDIR)$/.test((error as NodeJS.ErrnoException).code ?? '');
}

async function orNotFound<T>(file: string, read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new CryoetPicksError(
      isAbsence(cause) ? 'not-found' : 'unavailable',
      `cannot read ${file}: ${(cause as Error).message}`,
      { cause, path: file },
    );
  }
}

async function orWriteFailed<T>(file: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    throw new CryoetPicksError('write-failed', `cannot write ${file}: ${(cause as Error).message}`, {
      cause,
      path: file,
    });
  }
}

/**
 * Opens what is at a path for reading: a folder such as `….zarr`, or a zip file of one, `….zip` or `….ozx`.
 *
 * @throws {@link CryoetPicksError} `not-found` if nothing is there; reads of a zip file as `zipStore` does.
 * @example
 * ```ts
 * const tomogram = await openTomogram(await openStore('denoised.ozx'));
 * ```
 */
export async function openStore(path: string): Promise<ListableStore> {
  const location = resolve(path);
  let isFolder: boolean;
  try {
    isFolder = (await stat(location)).isDirectory();
  } catch (cause) {
    throw new CryoetPicksError(
      isAbsence(cause) ? 'not-found' : 'unavailable',
      `cannot open ${location}: ${(cause as Error).message}`,
      { cause, path: location },
    );
  }
  return isFolder ? directoryStore(location, { readOnly: true }) : zipStore(await fileReader(location));
}
