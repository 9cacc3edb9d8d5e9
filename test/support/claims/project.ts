import { join } from 'node:path';
import { directoryStore } from '../../../src/entry/node.ts';
import { damageRun, writeRandom } from '../random-runs.ts';

/** What a process does. */
export interface WorkerOptions {
  /** The folder of the project. */
  readonly folder: string;
  readonly overlay: string;
  /** Milliseconds that the network takes for a run. */
  readonly sleep: number;
  /** How many runs it searches at once. @defaultValue 1 */
  readonly jobs?: number | undefined;
  /** Seconds; without it the process works alone. */
  readonly lease?: number | undefined;
}

/** The config of the project. */
export const configText: string = JSON.stringify({
  pickable_objects: [{ name: 'ribosome', is_particle: true, label: 1, radius: 100 }],
  overlay_root: 'overlay',
});

/** Writes the tomograms of a project, every twentieth of them broken unless `broken` is false; gives the names of the runs. */
export async function writeRuns(
  folder: string,
  count: number,
  { broken = true }: { readonly broken?: boolean } = {},
): Promise<string[]> {
  const store = directoryStore(join(folder, 'static'), { durable: false });
  const names = Array.from({ length: count }, (_, i) => `TS_${String(i).padStart(4, '0')}`);
  for (const [i, name] of names.entries()) {
    await writeRandom(store, name, { seed: i });
    if (broken && i % 20 === 7) await damageRun(store, name);
  }
  return names;
}
