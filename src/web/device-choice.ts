import { untilAborted } from '../core/concurrency.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { type DisposableModel, disposable, type Model, type ModelSpec, type TileBatch } from '../inference/model.ts';
import { createRandom } from '../simulate/random.ts';
import { voxelCount, type Zyx } from '../space/grid.ts';

/** Where a network computes in a browser, and why there. */
export interface DeviceChoice {
  readonly device: 'webgpu' | 'wasm';
  /** Why, in a sentence for people. */
  readonly reason: string;
  /** What both gave for the last patch that both have scored; absent if WebGPU has scored none. */
  readonly trial?: DeviceTrial | undefined;
}

/** How WebGPU and WebAssembly compare on a patch of noise. */
export interface DeviceTrial {
  /** Shape of the patch in voxels. */
  readonly shape: Zyx;
  /** Largest difference of two scores before the activation, as a part of the largest of WebAssembly. */
  readonly difference: number;
  /** Seconds that the patch took, on WebGPU after it had compiled its programs. */
  readonly seconds: { readonly webgpu: number; readonly wasm: number };
}

/** Options of {@link chooseDevice}. */
export interface ChooseDeviceOptions {
  readonly spec: ModelSpec;
  /** Called with each choice: at first, and again if WebGPU fails later. */
  readonly onDevice?: ((choice: DeviceChoice) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Largest difference, as a part of the largest score before the activation, at which WebGPU counts as right.
 *
 * Sums of float32 in another order differ by less than a hundredth of it (3e-7 was measured), and move no probability by a thousandth,
 * since logits reach some 20. Arithmetic in half precision differs by ten times as much, and a wrong kernel by far more.
 */
export const WEBGPU_TOLERANCE = 1e-4;

/** Edge in voxels of the patch on which a slow or wrong device is found out in no time. */
const SMALL = 32;

/**
 * Opens a network on WebGPU if it proves right and faster there, else in WebAssembly.
 *
 * Both score the same noise: a small patch, then a whole tile, since what is right for small arrays may be wrong for those beyond some
 * limit of the graphics card. Should WebGPU fail later, such as when the browser takes the card away, WebAssembly scores
 * the same tiles again and goes on.
 *
 * @param open - Opens the network on a device.
 * @returns The model; disposing it disposes all that was opened.
 * @throws What WebAssembly throws, and the abort reason of `signal`; no error of WebGPU.
 */
export async function chooseDevice(
  open: (device: DeviceChoice['device']) => Promise<Model>,
  { spec, onDevice, signal }: ChooseDeviceOptions,
): Promise<DisposableModel> {
  const wasm = await open('wasm');
  let tried: TriedWebGpu;
  try {
    tried = await tryWebGpu(() => open('webgpu'), wasm, { spec, signal });
  } catch (error) {
    await wasm.dispose();
    throw error;
  }
  const { webgpu, reason, trial } = tried;
  onDevice?.({ device: webgpu ? 'webgpu' : 'wasm', reason, trial });
  if (webgpu === undefined) return disposable(wasm);
  await wasm.dispose();
  return withSpare(webgpu, () => open('wasm'), {
    onFailure: (error) => onDevice?.({ device: 'wasm', reason: `WebGPU failed: ${messageOf(error)}`, trial }),
  });
}

interface TriedWebGpu extends Pick<DeviceChoice, 'reason' | 'trial'> {
  /** Absent if something speaks against it. */
  readonly webgpu?: Model | undefined;
}

async function tryWebGpu(
  open: () => Promise<Model>,
  wasm: Model,
  { spec, signal }: Pick<ChooseDeviceOptions, 'spec' | 'signal'>,
): Promise<TriedWebGpu> {
  const absence = await absenceOfWebGpu();
  if (absence !== undefined) return { reason: absence };
  let webgpu: Model | undefined;
  let trial: DeviceTrial | undefined;
  let reason: string | undefined;
  /** Does work of WebGPU; an error speaks against it. */
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      reason = `WebGPU cannot run the network: ${messageOf(error)}`;
      return undefined;
    }
  };
  try {
    webgpu = await attempt(open);
    for (const shape of webgpu ? patchesOf(spec) : []) {
      const tiles = noiseOf(shape);
      const expected = await timed(wasm, tiles, signal);
      const found = await attempt(async () => {
        // It compiles its programs when it runs for the first time.
        await timed(webgpu as Model, tiles, signal);
        return timed(webgpu as Model, tiles, signal);
      });
      if (found) {
        const seconds = { webgpu: found.seconds, wasm: expected.seconds };
        trial = { shape, difference: differenceOf(found.scores, expected.scores), seconds };
        reason = objectionTo(trial);
      }
      if (reason !== undefined) break;
    }
    if (webgpu && trial && reason === undefined) return { webgpu, reason: praiseOf(trial), trial };
  } catch (error) {
    await webgpu?.dispose();
    throw error;
  }
  await webgpu?.dispose();
  return { reason: reason as string, trial };
}

/** Why there is no WebGPU here; undefined if there is. */
async function absenceOfWebGpu(): Promise<string | undefined> {
  const { gpu } = navigator as { readonly gpu?: { requestAdapter(): Promise<unknown> } };
  if (gpu === undefined) return 'this browser has no WebGPU';
  try {
    return (await gpu.requestAdapter()) ? undefined : 'WebGPU finds no graphics card that it can use';
  } catch (error) {
    return `WebGPU finds no graphics card (${messageOf(error)})`;
  }
}

/** Shapes to compare: a small one, where the network takes it, and a tile. */
function patchesOf({ tile, tileMultiple }: ModelSpec): readonly Zyx[] {
  if (tileMultiple === undefined) return [tile];
  const edge = Math.ceil(SMALL / tileMultiple) * tileMultiple;
  return [tile.map((length) => Math.min(length, edge)) as unknown as Zyx, tile];
}

/** So many voxels of noise are drawn, and repeated: a prime number, so that no two rows of a tile are alike. */
const DRAWN = 65521;

/** A tile of noise like that of a normalised tomogram, always the same. */
function noiseOf(shape: Zyx): TileBatch {
  const data = new Float32Array(voxelCount(shape));
  const random = createRandom(1);
  const drawn = Float32Array.from({ length: Math.min(DRAWN, data.length) }, () => random.normal());
  for (let at = 0; at < data.length; at += DRAWN) data.set(drawn.subarray(0, data.length - at), at);
  return { data, shape: [1, ...shape] };
}

async function timed(
  model: Model,
  tiles: TileBatch,
  signal: AbortSignal | undefined,
): Promise<{ readonly scores: Float32Array; readonly seconds: number }> {
  const since = performance.now();
  const { data: scores } = await model.score(tiles, { signal });
  return { scores, seconds: (performance.now() - since) / 1000 };
}

/** Infinite if a score is no number, or scores are missing. */
function differenceOf(found: Float32Array, expected: Float32Array): number {
  let greatest = 0;
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    greatest = Math.max(greatest, Math.abs(expected[i]!));
    most = Math.max(most, Math.abs(found[i]! - expected[i]!));
  }
  const difference = most === 0 ? 0 : most / greatest;
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/** What speaks against WebGPU; undefined if nothing does. */
function objectionTo({ difference, seconds }: DeviceTrial): string | undefined {
  if (!Number.isFinite(difference)) return 'WebGPU gives scores that are no numbers';
  if (difference > WEBGPU_TOLERANCE) {
    return `WebGPU gives other scores: by ${percent(difference)} of the largest, ${percent(WEBGPU_TOLERANCE)} is allowed`;
  }
  if (seconds.webgpu < seconds.wasm) return undefined;
  return `WebGPU is slower here: ${seconds.webgpu.toFixed(2)} s for a patch that takes ${seconds.wasm.toFixed(2)} s`;
}

function praiseOf({ difference, seconds }: DeviceTrial): string {
  return `${(seconds.wasm / seconds.webgpu).toPrecision(2)} times as fast as WebAssembly, and its scores are equal to ${percent(difference)}`;
}

function percent(part: number): string {
  return `${Number((100 * part).toPrecision(2))} %`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Scores with a model until it fails, then with another, the same tiles again. */
function withSpare(
  model: Model,
  openSpare: () => Promise<Model>,
  { onFailure }: { readonly onFailure: (error: unknown) => void },
): DisposableModel {
  let spare: Promise<Model> | undefined;
  let isDisposed = false;
  const replace = (error: unknown): Promise<Model> => {
    onFailure(error);
    return model.dispose().then(openSpare);
  };
  return disposable({
    ...model,
    async score(tiles, options = {}) {
      const { signal, transfer, output } = options;
      if (spare === undefined) {
        try {
          // Its memory stays here, to be scored again.
          const scores = await model.score(tiles, { signal, output });
          return transfer ? { ...scores, tiles: tiles.data } : scores;
        } catch (error) {
          if (isDisposed || signal?.aborted || !isCryoetPicksError(error, 'model-failed')) throw error;
          spare ??= replace(error);
        }
      }
      return (await untilAborted(spare, signal)).score(tiles, options);
    },
    async dispose() {
      isDisposed = true;
      await Promise.all([
        model.dispose(),
        spare?.then(
          (other) => other.dispose(),
          () => undefined,
        ),
      ]);
    },
  });
}
