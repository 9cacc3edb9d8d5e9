import { type Remote, transfer, wrap } from 'comlink';
import {
  callback,
  isFields,
  modelSpec,
  optional,
  type Rule,
  requireArgument,
  requireOptions,
  url as urlRule,
} from '../core/arguments.ts';
import { untilAborted } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { sha256Hex } from '../core/sha256.ts';
import { type ExternalData, externalPaths, withWeights } from '../inference/external-data.ts';
import {
  type DisposableModel,
  disposable,
  type ModelSpec,
  ownsItsBuffer,
  requireOwned,
  requireScoreCall,
  requireSpec,
  type ScoreBatch,
  type ScoreCallOptions,
  type TileBatch,
} from '../inference/model.ts';
import { parseModelSpec } from '../inference/model-card.ts';
import { type Device, type OnnxOptions, sessionRules } from '../inference/onnx.ts';
import { receivedError } from '../inference/thread.ts';
import { folderAndName } from '../storage/address.ts';
import { httpStore } from '../storage/http.ts';
import type { ReadableStore } from '../storage/store.ts';
import { chooseDevice, type DeviceChoice } from './device-choice.ts';
import type { ModelThread, ThreadReply, ThreadStart } from './model-worker.ts';

/** Options of {@link loadModel}. */
export interface LoadModelOptions extends Omit<OnnxOptions, 'spec' | 'device'> {
  /**
   * Where to compute. `auto` tries the network on WebGPU and takes it where it is right and faster, else WebAssembly; any other
   * device that the browser does not offer is an error. @defaultValue `auto` if `ort` has two modules, else the runtime's own choice
   */
  readonly device?: Device | 'auto' | undefined;
  /** Of `auto`: called with what was chosen and why, and again if WebGPU fails later, so that WebAssembly goes on. */
  readonly onDevice?: ((choice: DeviceChoice) => void) | undefined;
  /** The model's card. @defaultValue the JSON file of the same name beside the ONNX file, if that is an address */
  readonly spec?: ModelSpec | undefined;
  /**
   * Threads per operator in WebAssembly, in a page that is isolated from others (`crossOriginIsolated`); any other has one.
   * @defaultValue one fewer than the cores
   */
  readonly threads?: number | undefined;
  /** The address of the built `model-worker.js`, where a bundler does not find it. */
  readonly script?: string | URL | undefined;
}

/** Addresses of two modules of onnxruntime-web: what `cryoet-picks view` serves is such an object. */
export interface RuntimeModules {
  /** A module with WebAssembly alone, such as its `dist/ort.wasm.bundle.min.mjs`: smaller, and faster in WebAssembly. */
  readonly wasm: string | URL;
  /** A module with WebGPU, such as its `dist/ort.webgpu.bundle.min.mjs`. */
  readonly webgpu: string | URL;
}

/**
 * Loads an ONNX network in a Web Worker: `loadModel` of `cryoet-picks/node` for browsers. The page stays free while it computes.
 *
 * An aborted call rejects at once, and the worker finishes its batch in the background. `dispose` ends the worker, whatever it does.
 *
 * @param ort - The address of a module of onnxruntime-web, such as its `dist/ort.wasm.bundle.min.mjs`, or that with `webgpu`; the
 *   worker imports it, and from its folder the WebAssembly. Or both: then each device has its own.
 * @param network - The bytes of an `.onnx` file, or its address; files of weights are then found beside it.
 * @returns A model; the caller disposes it. Its `sha256` is that of the network.
 * @throws {@link CryoetPicksError} As `loadModel` of `cryoet-picks/node` does: `not-found`, `invalid-metadata`, `invalid-option`,
 *   `model-failed`; `unavailable` if a server cannot be reached.
 * @example
 * ```ts
 * const ort = new URL('./ort/ort.wasm.bundle.min.mjs', document.baseURI);
 * const model = await loadModel(ort, new URL('./unet.onnx', document.baseURI));
 *
 * const both = { wasm: ort, webgpu: new URL('./ort/ort.webgpu.bundle.min.mjs', document.baseURI) };
 * const onDevice = ({ device, reason }: DeviceChoice) => console.log(`${device}: ${reason}`);
 * const faster = await loadModel(both, new URL('./unet.onnx', document.baseURI), { onDevice });
 * ```
 */
export async function loadModel(
  ort: string | URL | RuntimeModules,
  network: string | URL | Uint8Array | ArrayBuffer,
  options: LoadModelOptions = {},
): Promise<DisposableModel> {
  requireArgument('loadModel', 'ort', ort, runtimeRule);
  requireArgument('loadModel', 'network', network, networkRule);
  const rules = {
    ...sessionRules,
    spec: optional(modelSpec),
    script: optional(urlRule),
    onDevice: optional(callback),
  };
  const { spec: given, externalData, onDevice, ...session } = requireOptions('loadModel', options, rules);
  if (given !== undefined) requireSpec('loadModel', given);
  const { signal } = session;
  const modules = isModules(ort) ? ort : { wasm: ort, webgpu: ort };
  const device = options.device ?? (isModules(ort) ? 'auto' : undefined);
  if (device === 'auto' && session.executionProviders !== undefined) {
    const message = 'device "auto" and executionProviders both say where to compute; pass one of them';
    throw new CryoetPicksError('invalid-option', message, { option: 'device' });
  }
  const { bytes: file, spec } = await readNetwork(network, { spec: given, externalData, signal });
  const sha256 = await sha256Hex(file);
  const open = (on: Device | undefined) => {
    const runtime = absolute(on === 'webgpu' ? modules.webgpu : modules.wasm).href;
    return openThread({ ...session, device: on, spec, runtime, file });
  };
  const model = await (device === 'auto' ? chooseDevice(open, { spec, onDevice, signal }) : open(device));
  return sha256 === undefined ? model : { ...model, sha256 };
}

interface OpenThreadOptions extends ThreadStart, Pick<LoadModelOptions, 'script' | 'signal'> {}

/** A session in a worker of its own, as a model. */
async function openThread({ script, signal, ...start }: OpenThreadOptions): Promise<DisposableModel> {
  const { spec } = start;
  const thread = new SessionWorker(spec, script);
  let opened: ThreadReply;
  try {
    // Cards hold functions nowhere, and go as far as JSON holds them.
    const sent = { ...start, spec: JSON.parse(JSON.stringify(spec)) as ModelSpec };
    opened = await untilAborted(
      thread.ask((remote) => remote.open(sent)),
      signal,
    );
  } catch (error) {
    thread.end();
    throw error;
  }
  return disposable({
    spec,
    featureCount: 'done' in opened ? opened.featureCount : undefined,
    callsAtOnce: CALLS_AHEAD,
    score: (tiles, call) => thread.score(tiles, call),
    dispose: async () => thread.end(),
  });
}

/** Calls that are sent to the worker before the first of them is answered. */
const CALLS_AHEAD = 2;

const runtimeRule: Rule = {
  expected:
    'the address of a module of onnxruntime-web, as a string or a URL, or two of them, { wasm, webgpu }; the worker imports it',
  isValid: (value) => urlRule.isValid(value) || isModules(value),
};

function isModules(ort: unknown): ort is RuntimeModules {
  if (!isFields(ort) || ort instanceof URL) return false;
  const { wasm, webgpu } = ort as Partial<RuntimeModules>;
  return urlRule.isValid(wasm) && urlRule.isValid(webgpu);
}

const networkRule: Rule = {
  expected: 'the bytes of an .onnx file, or its address',
  isValid: (value) => urlRule.isValid(value) || value instanceof Uint8Array || value instanceof ArrayBuffer,
};

function absolute(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new CryoetPicksError('invalid-option', `${JSON.stringify(String(url))} is not a URL`, { cause });
  }
}

interface Network {
  /** With all weights inside. */
  readonly bytes: Uint8Array;
  readonly spec: ModelSpec;
}

async function readNetwork(
  network: string | URL | Uint8Array | ArrayBuffer,
  { spec, externalData, signal }: Pick<LoadModelOptions, 'spec' | 'externalData' | 'signal'>,
): Promise<Network> {
  if (network instanceof Uint8Array || network instanceof ArrayBuffer) {
    if (spec === undefined) {
      const message = 'a network that is given as bytes needs its card as `spec`: parseModelSpec(text, { source })';
      throw new CryoetPicksError('invalid-option', message, { option: 'spec' });
    }
    // A copy, since it moves to the worker.
    const bytes = new Uint8Array(network).slice();
    return { bytes: withWeights(bytes, spec.name, externalData), spec };
  }
  const address = absolute(network);
  const { folder: above, name } = folderAndName(address);
  const folder = httpStore(above);
  const [bytes, card] = await Promise.all([
    readFile(folder, name, { what: 'model', signal }),
    spec ?? readCard(folder, name, signal),
  ]);
  const beside = async (path: string): Promise<ExternalData> => ({
    path,
    data: await readFile(folder, path, { what: `file of weights of model ${name}`, signal }),
  });
  const weights = externalData ?? (await Promise.all(externalPaths(bytes, card.name).map(beside)));
  return { bytes: withWeights(bytes, card.name, weights), spec: card };
}

async function readCard(folder: ReadableStore, network: string, signal: AbortSignal | undefined): Promise<ModelSpec> {
  const name = `${network.replace(/\.onnx$/i, '')}.json`;
  const bytes = await readFile(folder, name, { what: `card of model ${network}`, signal });
  const card = parseJson(bytes, { what: name, code: 'invalid-metadata', path: `${folder.location}/${name}` });
  return parseModelSpec(card, { source: name });
}

async function readFile(
  folder: ReadableStore,
  name: string,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  const bytes = await folder.get(`/${name}`, { signal });
  if (bytes !== undefined) return bytes;
  const path = `${folder.location}/${name}`;
  throw new CryoetPicksError('not-found', `${what} not found: ${path}`, { path });
}

/** A session of onnxruntime-web in a worker. */
class SessionWorker {
  readonly #worker: Worker;
  readonly #remote: Remote<ModelThread>;
  readonly #spec: ModelSpec;
  /** Rejects when the worker dies or is ended: then no reply comes any more. */
  readonly #ended: Promise<never>;
  #fail: (error: CryoetPicksError) => void = () => {};

  constructor(spec: ModelSpec, script: string | URL | undefined) {
    this.#spec = spec;
    this.#worker = startWorker(script);
    this.#remote = wrap<ModelThread>(this.#worker);
    this.#ended = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Callers that wait get the error; if nobody waits, it is not an unhandled rejection.
    this.#ended.catch(() => {});
    for (const event of ['error', 'messageerror']) {
      this.#worker.addEventListener(event, (error) => {
        const { message = 'its script cannot be loaded' } = error as Partial<ErrorEvent>;
        this.#stop(`the worker of model "${spec.name}" died: ${message || 'its script cannot be loaded'}`);
      });
    }
  }

  /** @throws What the worker replies; {@link CryoetPicksError} `model-failed` if it dies or was ended. */
  async ask(question: (remote: Remote<ModelThread>) => Promise<ThreadReply>): Promise<ThreadReply> {
    const reply = await Promise.race([this.#ended, question(this.#remote)]);
    if ('error' in reply) throw receivedError(reply.error);
    return reply;
  }

  /** Moves the tiles' memory to the worker: their own if they were given away, else that of a copy. */
  async score(tiles: TileBatch, options: ScoreCallOptions = {}): Promise<ScoreBatch> {
    const { signal, transfer: isGiven = false, output } = requireScoreCall(tiles, options);
    signal?.throwIfAborted();
    requireOwned(tiles);
    const data = isGiven && ownsItsBuffer(tiles.data) ? tiles.data : tiles.data.slice();
    const sent = { data, shape: tiles.shape };
    const scored = this.ask((remote) => remote.score(transfer(sent, [data.buffer as ArrayBuffer]), output));
    const reply = await untilAborted(scored, signal);
    const { scores, tiles: memory } = reply as Extract<ThreadReply, { scores: unknown }>;
    return isGiven ? { ...scores, tiles: memory } : scores;
  }

  end(): void {
    this.#stop(`model "${this.#spec.name}" was disposed`);
  }

  #stop(message: string): void {
    this.#worker.terminate();
    this.#fail(new CryoetPicksError('model-failed', message));
  }
}

function startWorker(script: string | URL | undefined): Worker {
  if (typeof Worker === 'undefined') {
    throw new CryoetPicksError(
      'unsupported',
      'there are no Web Workers here; in Node, loadModel of cryoet-picks/node keeps a network in a thread',
    );
  }
  // Written out in this form so that bundlers find the script and include it.
  return script
    ? new Worker(script, { type: 'module' })
    : new Worker(new URL('./model-worker.js', import.meta.url), { type: 'module' });
}
