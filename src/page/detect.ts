import {
  type Candidates,
  type DetectableObject,
  type ModelSpec,
  type Progress,
  parseModelSpec,
  planTiles,
  requireVoxelSize,
  type VolumeSource,
  type Warning,
} from '../entry/index.ts';
import type { DeviceChoice, RuntimeModules, ViewSession } from '../entry/web.ts';
import type { FromWorker, SearchStart } from './detect-messages.ts';
import { CACHE_BYTES } from './volume-file.ts';
import { lendPlace, type VolumePlace } from './volume-place.ts';

/** A network with its card. */
export interface Network {
  readonly bytes: ArrayBuffer;
  readonly spec: ModelSpec;
}

/** The card of the network of the package. */
export async function defaultCard({ model }: Pick<ViewSession, 'model'>): Promise<ModelSpec> {
  const card = await fetch(model.card);
  if (!card.ok) throw new Error(`The network of the package is not on this server: ${model.network}.`);
  return parseModelSpec(await card.text(), { source: model.card });
}

/** The network of the package, as the server gives it. */
export async function defaultNetwork({ model }: Pick<ViewSession, 'model'>): Promise<Network> {
  const [network, spec] = await Promise.all([fetch(model.network), defaultCard({ model })]);
  if (!network.ok) throw new Error(`The network of the package is not on this server: ${model.network}.`);
  return { bytes: await network.arrayBuffer(), spec };
}

/** The level that a network was made for, and the memory that a search of it takes. */
export interface SearchPlan {
  /** From the finest. */
  readonly level: number;
  readonly voxelSize: number;
  /** How many the level has. */
  readonly voxels: number;
  /** How large its tiles are: as in a program, or smaller ones, whose scores may differ where tiles meet. */
  readonly tiles: 'low' | undefined;
  /** Bytes that it takes beside what is shown: tiles, scores, and what the runtime takes for a tile. */
  readonly memory: number;
}

/**
 * Bytes that the runtime takes for each voxel of a tile: 180 were measured with the network of the package in WebAssembly. Another network may take more.
 */
const RUNTIME_BYTES = 180;

/** GB of memory: a device that says it has less gets smaller tiles than a program takes. Some browsers do not say. */
const MUCH_MEMORY = 8;

/** Chooses the level and the tiles. @throws An error that says which voxel size the network needs, if no level has it. */
export function planSearch(sources: readonly VolumeSource[], spec: ModelSpec): SearchPlan {
  const misfit = ({ grid }: VolumeSource) => Math.abs(Math.log(grid.voxelSize[2] / spec.voxelSize));
  const source = [...sources].sort((a, b) => misfit(a) - misfit(b))[0];
  if (source === undefined) throw new Error('Open a tomogram first.');
  requireVoxelSize(source.grid, spec, {
    remedy: 'resample it first',
    warnings: source.warnings?.(),
    voxelSizeRemedy: 'give it under "Voxel size", beside the slices',
  });
  const { shape, voxelSize } = source.grid;
  const { deviceMemory = MUCH_MEMORY } = navigator as { readonly deviceMemory?: number };
  const usual = planTiles(shape, spec);
  const { tile, memory } = deviceMemory < MUCH_MEMORY ? planTiles(shape, spec, { memory: 'low' }) : usual;
  return {
    level: sources.indexOf(source),
    voxelSize: voxelSize[2],
    voxels: shape[0] * shape[1] * shape[2],
    // A small volume has the same tiles either way.
    tiles: tile.some((edge, axis) => edge !== usual.tile[axis]) ? 'low' : undefined,
    memory: memory.total + CACHE_BYTES + RUNTIME_BYTES * tile[0] * tile[1] * tile[2],
  };
}

/** Options of {@link searchIn}. */
export interface SearchOptions {
  readonly network: Network;
  readonly level: number;
  readonly tiles: SearchPlan['tiles'];
  /** Addresses of the modules of onnxruntime-web. */
  readonly runtime: RuntimeModules;
  readonly objects: readonly DetectableObject[];
  readonly signal: AbortSignal;
  readonly onDevice: (choice: DeviceChoice) => void;
  readonly onProgress: (progress: Progress) => void;
  readonly onWarning: (warning: Warning) => void;
}

/** What a search found. */
export interface Found {
  readonly candidates: Candidates;
  /** Of the network. */
  readonly sha256: string | undefined;
}

/**
 * Searches a tomogram in a worker; the page only passes on the bytes of its store.
 *
 * @throws The abort reason of `signal`, at once; what the search throws, with its message.
 */
export async function searchIn(place: VolumePlace, options: SearchOptions): Promise<Found> {
  const { objects } = options;
  const { answer, end } = startWorker<Found>(
    './detect-worker.js',
    place,
    options,
    (start): SearchStart => ({
      ...start,
      objects: objects.map(({ name, radius }) => ({ name, radius })),
    }),
  );
  try {
    return await answer;
  } finally {
    end();
  }
}

/** A worker on a tomogram. */
export interface StartedWorker<Answer> {
  readonly worker: Worker;
  /** The first of its messages that is no report. Rejects with the abort reason, and with what the worker fails of. */
  readonly answer: Promise<Answer>;
  end(): void;
}

/** Starts a worker with what a search needs. The caller ends it. */
export function startWorker<Answer>(
  script: './detect-worker.js' | './teach-worker.js',
  place: VolumePlace,
  { network, level, tiles, runtime, signal, onDevice, onProgress, onWarning }: Omit<SearchOptions, 'objects'>,
  messageOf: (start: Omit<SearchStart, 'objects'>) => unknown,
): StartedWorker<Answer> {
  const worker = new Worker(new URL(script, import.meta.url), { type: 'module' });
  const loan = new AbortController();
  const answer = new Promise<Answer>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    worker.addEventListener('error', (event) => reject(new Error(event.message || 'The worker of the search failed.')));
    worker.addEventListener('message', ({ data: message }: MessageEvent<FromWorker>) => {
      if (message.type === 'device') onDevice(message.choice);
      else if (message.type === 'progress') onProgress(message.progress);
      else if (message.type === 'warning') onWarning(message.warning);
      else if (message.type === 'error') reject(new Error(message.message));
      else resolve(message as Answer);
    });
  });
  const lent = lendPlace(place, loan.signal);
  const start = {
    place: lent.place,
    level,
    tiles,
    runtime: { wasm: absolute(runtime.wasm), webgpu: absolute(runtime.webgpu) },
    network: network.bytes,
    // A card is plain JSON; a copy of it can be sent.
    spec: JSON.parse(JSON.stringify(network.spec)) as ModelSpec,
  };
  worker.postMessage(messageOf(start), lent.ports);
  return {
    worker,
    answer,
    end() {
      worker.terminate();
      loan.abort(new Error('The search has ended.'));
    },
  };
}

function absolute(address: string | URL): string {
  return new URL(address, document.baseURI).href;
}
