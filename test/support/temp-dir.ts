import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const folders: string[] = [];

afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** Makes a temporary folder, which is removed after the last test of the file. */
export async function tempDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-'));
  folders.push(folder);
  return folder;
}

/** Calls a function with a temporary folder, which is removed when the function is done. */
export async function withTempDir<T>(fn: (folder: string) => Promise<T>): Promise<T> {
  const folder = await tempDir();
  try {
    return await fn(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
