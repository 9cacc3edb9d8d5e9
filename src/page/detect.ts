import {
  type Candidates,
  type ModelSpec,
  type PlanMemory,
  type Progress,
  parseModelSpec,
  planTiles,
  requireVoxelSize,
  toFloat32,
  type VolumeSource,
} from '../entry/index.ts';
import type { ViewSession } from '../entry/web.ts';
import type { FromWorker, SearchStart, ToWorker } from './detect-messages.ts';

/** A network with its card. */
export interface Network {
  readonly bytes: ArrayBuffer;
  readonly spec: ModelSpec;
}

/** The network of the package, as the server gives it. */
export async function defaultNetwork({ model }: Pick<ViewSession, 'model'>): Promise<Network> {
  const [network, card] = await Promise.all([fetch(model.network), fetch(model.card)]);
  if (!network.ok || !card.ok) throw new Error(`The network of the package is not on this server: ${model.network}.`);
  return { bytes: await network.arrayBuffer(), spec: parseModelSpec(await card.text(), { source: model.card }) };
}

/** The level that a network was made for, and the memory that a search of it takes. */
export interface SearchPlan {
  readonly source: VolumeSource;
  readonly memory: PlanMemory;
}

/** Chooses the level. @throws An error that says which voxel size the network needs, if no level has it. */
export function planSearch(sources: readonly VolumeSource[], spec: ModelSpec): SearchPlan {
  const misfit = ({ grid }: VolumeSource) => Math.abs(Math.log(grid.voxelSize[2] / spec.voxelSize));
  const source = [...sources].sort((a, b) => misfit(a) - misfit(b))[0];
  if (source === undefined) throw new Error('Open a tomogram first.');
  requireVoxelSize(source.grid, spec, { remedy: 'resample it first' });
  return { source, memory: planTiles(source.grid.shape, spec).memory };
}

/** Options of {@link searchIn}. */
export interface SearchOptions {
  readonly network: Network;
  /** Address of the module of onnxruntime-web. */
  readonly runtime: string;
  readonly objects: readonly { readonly name: string; readonly radius: number }[];
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Searches a tomogram in a worker; the page only reads voxels.
 *
 * @throws The abort reason of `signal`, at once; what the search throws, with its message.
 */
export async function searchIn(source: VolumeSource, options: SearchOptions): Promise<Candidates> {
  const { network, runtime, objects, signal, onProgress } = options;
  const worker = new Worker(new URL('./detect-worker.js', import.meta.url), { type: 'module' });
  const send = (message: ToWorker, moved: Transferable[] = []) => worker.postMessage(message, moved);
  try {
    return await new Promise<Candidates>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      worker.addEventListener('error', (event) =>
        reject(new Error(event.message || 'The worker of the search failed.')),
      );
      worker.addEventListener('message', ({ data: message }: MessageEvent<FromWorker>) => {
        if (message.type === 'progress') onProgress(message.progress);
        else if (message.type === 'found') resolve(message.candidates);
        else if (message.type === 'error') reject(new Error(message.message));
        else void answer(source, message, send, signal);
      });
      const start: SearchStart = {
        type: 'start',
        grid: source.grid,
        chunkShape: source.chunkShape,
        runtime,
        script: new URL('./model-worker.js', import.meta.url).href,
        network: network.bytes,
        // A card is plain JSON; a copy of it can be sent.
        spec: JSON.parse(JSON.stringify(network.spec)),
        objects,
      };
      send(start);
    });
  } finally {
    worker.terminate();
  }
}

async function answer(
  source: VolumeSource,
  { id, box }: Extract<FromWorker, { type: 'read' }>,
  send: (message: ToWorker, moved?: Transferable[]) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { data, shape } = toFloat32(await source.read(box, { signal }));
    const own = data.slice();
    send({ type: 'voxels', id, data: own, shape }, [own.buffer]);
  } catch (error) {
    if (!signal.aborted) send({ type: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
}
