import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Options of {@link writeWhole}. */
export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a file under a temporary name and renames it, making the folders above it: a reader sees the old file or the new
 * one, and nothing stays behind where the write fails or is aborted.
 */
export async function writeWhole(
  path: string,
  content: { readonly data: Uint8Array | string } & WriteOptions,
): Promise<void> {
  const { data, signal } = content;
  const target = resolve(path);
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, data, { signal });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    signal?.throwIfAborted();
    throw error;
  }
}
