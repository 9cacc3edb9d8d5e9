import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gunzipSync, gzipSync } from 'node:zlib';
import { encodeRuns, submissionFormat } from '../../src/entry/formats.ts';
import {
  cziiRules,
  detectProject,
  type GatheredRun,
  gatherProject,
  memoryStore,
  runningScore,
  type Store,
  type StoreKey,
  subStore,
  writeTomogram,
} from '../../src/entry/index.ts';
import { projectOf } from './copick-tree.ts';
import { identityModel } from './identity-model.ts';
import { noise, sourceOf } from './volumes.ts';

/** What gathering a project of many runs takes. */
export interface GatherMemory {
  /** Bytes in use after collection, beside those before: the median of twenty looks while picks are written and scored. */
  readonly bytes: number;
  /** Of all runs. */
  readonly picks: number;
}

/** Gathers a project of so many runs into one submission and one score. All runs are the same but for their names, and made when read. */
export async function gatherMemory(runs: number): Promise<GatherMemory> {
  const { project } = projectOf({ overlay: await overlayOf(runs) });
  const running = runningScore(cziiRules);
  const [before, step] = [await bytesInUse(), Math.ceil(runs / 20)];
  const looks: number[] = [];
  let [picks, count] = [0, 0];
  const gathered = await gatherProject(project);
  async function* scored(): AsyncGenerator<GatheredRun> {
    for await (const one of gathered.picks()) {
      const truth = one.picks.filter(({ object }) => object === 'ribosome');
      running.add({ run: one.run, truth, picks: truth });
      picks += one.picks.length;
      if (count++ % step === 0) looks.push((await bytesInUse()) - before);
      yield one;
    }
  }
  for await (const _ of encodeRuns(scored(), { formatOf: (_, firstId) => submissionFormat({ firstId }) }));
  if (count !== runs || !(running.report().score > 0)) throw new Error(`${count} of ${runs} runs were gathered`);
  return { bytes: looks.sort((a, b) => a - b)[looks.length >> 1]!, picks };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function bytesInUse(): Promise<number> {
  // What the first collection lets go may hold buffers.
  for (let i = 0; i < 2; i++) {
    collect();
    await setImmediate();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** An overlay of so many searched runs, which holds one of them. */
async function overlayOf(runs: number): Promise<Store> {
  const [model, shape] = [
    { ...identityModel({ classes: ['ribosome', 'virus'] }), sha256: 'abc' },
    [16, 48, 48] as const,
  ];
  const [one, shared] = [memoryStore(), memoryStore()];
  const first = nameOf(0);
  const folder = subStore(shared, `/ExperimentRuns/${first}/VoxelSpacing10.000/denoised.zarr`);
  await writeTomogram(folder, sourceOf(noise(shape, 1), shape), { levels: 1 });
  const { project } = projectOf({ overlay: one, static: shared });
  for await (const result of detectProject(project, { model, thresholds: 0.5, minDistances: 10, max: 1000 }))
    if (result.status === 'failed') throw result.error;
  const runOf = (key: StoreKey) => key.split('/')[2];
  const ofFirst = (key: StoreKey) => key.replace(/^(\/ExperimentRuns\/)[^/]+/, `$1${first}`) as StoreKey;
  const get: Store['get'] = async (key, options) => {
    const [run, bytes] = [runOf(key), await one.get(ofFirst(key), options)];
    if (run === undefined || bytes === undefined) return bytes;
    if (key.endsWith('.json')) return renamed(bytes, first, run);
    if (key.endsWith('.candidates')) return gzipSync(renamed(gunzipSync(bytes), first, run), { level: 1 });
    const picks = renamed(
      (await one.get(ofFirst(key).replace(/\/\.([^/]*)\.provenance$/, '/$1.json') as StoreKey))!,
      first,
      run,
    );
    const record = JSON.parse(new TextDecoder().decode(bytes)) as object;
    const picksSha256 = createHash('sha256').update(picks).digest('hex');
    return new TextEncoder().encode(JSON.stringify({ ...record, picksSha256 }));
  };
  return {
    ...one,
    get,
    async getRange(key, range, options) {
      const bytes = await get(key, options);
      return bytes && memoryStore([[key, bytes]]).getRange(key, range, options);
    },
    async list(key, options) {
      const entries = await one.list(ofFirst(key), options);
      if (key !== '/ExperimentRuns') return entries;
      return Array.from({ length: runs }, (_, i) => ({ name: nameOf(i), kind: 'folder' as const }));
    },
  };
}

const nameOf = (run: number) => `TS_${String(run).padStart(5, '0')}`;

/** Bytes with one name in place of another of the same length, as often as it is there. */
function renamed(bytes: Uint8Array, from: string, to: string): Buffer<ArrayBuffer> {
  const changed = Buffer.from(bytes);
  for (let at = changed.indexOf(from); at >= 0; at = changed.indexOf(from, at + 1)) changed.write(to, at, 'latin1');
  return changed;
}
