import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { abortSignal, filePath, optional, record, requireArgument, requireOptions } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type EncodeMrcOptions, encodeMrc } from '../mrc/encode.ts';
import { type MrcVolume, mrcRules, type OpenMrcOptions, openMrc } from '../mrc/open.ts';
import { checkRead, type RandomAccessReader } from '../storage/random-access.ts';
import type { ListableStore } from '../storage/store.ts';
import { zipStore } from '../storage/zip.ts';
import type { OpenTiffStackOptions, TiffStack } from '../tiff/stack.ts';
import type { VolumeSource } from '../volume/volume.ts';
import { orReadError, writeAtomically } from './atomic-files.ts';
import { directoryStore } from './directory-store.ts';
import { readRange, readRegular } from './read-file.ts';

/**
 * Opens an MRC, CCP4, `.rec` or `.map` file. Reads its header now, and voxels on demand; the file does not stay open.
 *
 * @throws As {@link openMrc} does; `not-found` if there is no such file.
 * @example
 * ```ts
 * const tomogram = await openMrcFile('TS_5_4.mrc');
 * ```
 */
export async function openMrcFile(path: string, options: OpenMrcOptions = {}): Promise<MrcVolume> {
  requireArgument('openMrcFile', 'path', path, filePath);
  requireOptions('openMrcFile', options, mrcRules);
  return openMrc(await fileReader(path), options);
}

/**
 * Opens a TIFF stack; the file is read into memory.
 *
 * @throws As `openTiffStack` does; `not-found` if there is no such file.
 */
export async function openTiffStackFile(path: string, options: OpenTiffStackOptions = {}): Promise<TiffStack> {
  requireArgument('openTiffStackFile', 'path', path, filePath);
  requireArgument('openTiffStackFile', 'options', options, record);
  const { signal } = options;
  requireArgument('openTiffStackFile', 'signal', signal, optional(abortSignal));
  const bytes = await orReadError(path, () => readRegular(path, undefined, signal), signal);
  // The decoder is loaded only where a TIFF file is opened.
  const { openTiffStack } = await import('../tiff/stack.ts');
  return openTiffStack(bytes, { source: path, ...options });
}

/**
 * A reader of a file, which opens the file for each read.
 *
 * @throws {@link CryoetPicksError} `not-found` if there is no such file; `unavailable` if it cannot be read.
 */
export async function fileReader(path: string): Promise<RandomAccessReader> {
  requireArgument('fileReader', 'path', path, filePath);
  const location = resolve(path);
  const found = await orReadError(location, () => stat(location));
  if (!found.isFile()) throw new CryoetPicksError('not-found', `${location} is not a file`, { path: location });
  return {
    location,
    size: found.size,
    read: async (offset, length, options) => {
      const { signal } = checkRead(offset, length, options);
      return orReadError(location, () => readRange(location, { offset, length }), signal);
    },
  };
}

/**
 * Writes a volume as an MRC file, streaming. A reader sees the old file or the new one: the bytes go to a temporary file beside
 * it, which is renamed when it is complete, and deleted if the write fails or is aborted.
 *
 * @throws As {@link encodeMrc} does; `write-failed` if the file cannot be written.
 * @example
 * ```ts
 * await writeMrcFile('denoised.mrc', tomogram);
 * ```
 */
export async function writeMrcFile(path: string, source: VolumeSource, options: EncodeMrcOptions = {}): Promise<void> {
  requireArgument('writeMrcFile', 'path', path, filePath);
  requireArgument('writeMrcFile', 'options', options, record);
  requireArgument('writeMrcFile', 'signal', options.signal, optional(abortSignal));
  await writeAtomically(resolve(path), encodeMrc(source, options), {
    signal: options.signal,
    durable: true,
    mayStream: true,
  });
}

/**
 * Opens a folder such as `….zarr`, or a zip file of one, `….zip` or `….ozx`, for reading.
 *
 * @throws {@link CryoetPicksError} `not-found` if there is neither; reads of a zip file as `zipStore` does.
 * @example
 * ```ts
 * const tomogram = await openTomogram(await openStore('denoised.ozx'));
 * ```
 */
export async function openStore(path: string): Promise<ListableStore> {
  requireArgument('openStore', 'path', path, filePath);
  const location = resolve(path);
  const isFolder = (await orReadError(location, () => stat(location))).isDirectory();
  return isFolder ? directoryStore(location, { readOnly: true }) : zipStore(await fileReader(location));
}
