import { CryoetPicksError } from '../errors.ts';
import { checkExpected } from './expect.ts';
import type { Store, StoreKey, StoreOptions } from './store.ts';

/** A file to write with others. */
export interface FileToWrite {
  readonly key: StoreKey;
  readonly bytes: Uint8Array;
  /** See `WriteOptions.expect`. */
  readonly expect?: string | null | undefined;
}

/**
 * Writes files that belong together: nothing is written unless each is as expected.
 *
 * @throws {@link CryoetPicksError} `conflict` where one is not; `unsupported` where the store cannot tell; `read-only`.
 */
export async function setFiles(store: Store, files: readonly FileToWrite[], options: StoreOptions = {}): Promise<void> {
  for (const { key, expect } of files) await requireExpected(store, key, { ...options, expect });
  for (const { key, bytes, expect } of files) {
    options.signal?.throwIfAborted();
    await store.set(key, bytes, { ...options, expect });
  }
}

/**
 * Deletes a file if it is the expected one.
 *
 * @throws {@link CryoetPicksError} `conflict` where it is not; `unsupported` where the store cannot tell; `read-only`.
 */
export async function deleteFile(
  store: Store,
  key: StoreKey,
  options: StoreOptions & Pick<FileToWrite, 'expect'> = {},
): Promise<void> {
  await requireExpected(store, key, options);
  await store.delete(key, options);
}

async function requireExpected(
  store: Store,
  key: StoreKey,
  { expect, signal }: StoreOptions & Pick<FileToWrite, 'expect'>,
): Promise<void> {
  if (expect === undefined) return;
  const where = `${store.location.replace(/\/$/, '')}${key}`;
  if (!store.version) {
    throw new CryoetPicksError('unsupported', `${where}: its store keeps no versions, so none can be expected`);
  }
  checkExpected(where, expect, await store.version(key, { signal }));
}
