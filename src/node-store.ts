import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CryoetPicksError } from './errors.ts';
import { fileReader } from './node-files.ts';
import { directoryStore } from './storage/directory.ts';
import type { ListableStore } from './storage/store.ts';
import { zipStore } from './zip/zip-store.ts';

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
    throw new CryoetPicksError('not-found', `cannot open ${location}: ${(cause as Error).message}`, { cause });
  }
  return isFolder ? directoryStore(location, { readOnly: true }) : zipStore(await fileReader(location));
}
