import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryStore } from '../../src/entry/node.ts';
import { difficulties, simulateProject } from '../../src/entry/simulate.ts';

/** A small simulated project of the runs `TS_1_3`, `TS_2_3`, … in a folder; gives the path of its config. */
export async function smallProject(folder: string, { runs = 2 }: { readonly runs?: number } = {}): Promise<string> {
  await simulateProject(directoryStore(folder), {
    ...difficulties.clean,
    runs,
    seed: 3,
    shape: [24, 40, 40],
    decoys: 0,
  });
  return join(folder, 'copick.json');
}

/** The paths of all files below a folder, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
