import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { describeValue, filePath, modelSpec, optional, requireArgument, requireOptions } from '../core/arguments.ts';
import { MAX_THREADS } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { decodeText } from '../core/json.ts';
import { externalPaths, withWeights } from '../inference/external-data.ts';
import { type DisposableModel, type ModelSpec, requireSpec } from '../inference/model.ts';
import { parseModelSpec } from '../inference/model-card.ts';
import { type OnnxOptions, type OrtModule, onnxModel, requireOrt, sessionRules } from '../inference/onnx.ts';
import { readFailure } from './atomic-files.ts';
import { threadModel } from './onnx-thread.ts';
import { packageFile } from './package-file.ts';
import { usualThreads } from './processors.ts';
import { readRegular } from './read-file.ts';

/** Options of {@link loadModel}. */
export interface LoadModelOptions extends Omit<OnnxOptions, 'spec' | 'externalData'> {
  /** The model's card. @defaultValue the JSON file of the same name beside the ONNX file */
  readonly spec?: ModelSpec | undefined;
  /**
   * Threads per operator. @defaultValue in a thread of its own, as many as the scheduler gives processors (`SLURM_CPUS_PER_TASK`, `NCPUS`,
   * `PBS_NUM_PPN`, `NSLOTS`, `LSB_DJOB_NUMPROC`), without a scheduler one for each core that the process may use; else the runtime's own
   */
  readonly threads?: number | undefined;
}

/**
 * Loads an ONNX network and its card from files: `unet.onnx` and, beside it, `unet.json` and the files of weights that the network
 * refers to, such as `unet.onnx.data`. Where the path is a link, they lie beside the link.
 *
 * With onnxruntime-node the network computes in a thread of its own, so timers, servers and progress bars go on meanwhile;
 * an abort rejects at once and the thread finishes its batch in the background. Any other runtime, and a program that is
 * itself a worker thread, computes in the calling thread.
 *
 * @param ort - The runtime: `import * as ort from 'onnxruntime-node'`.
 * @param path - The ONNX file; without it, the network of this package.
 * @returns A model; the caller disposes it.
 * @throws {@link CryoetPicksError} `not-found` naming the file that is missing; `invalid-metadata` for a card that cannot be
 * understood; `invalid-option` for a device that the runtime does not offer; `model-failed` for a file that the runtime cannot load,
 * that does not fit its card, or whose weights are outside its folder.
 *
 * @example
 * ```ts
 * const model = await loadModel(ort, 'unet.onnx', { device: 'cpu' });
 * ```
 */
export async function loadModel(
  ort: OrtModule,
  path: string = defaultModel(),
  options: LoadModelOptions = {},
): Promise<DisposableModel> {
  requireOrt('loadModel', ort);
  requireArgument('loadModel', 'path', path, filePath);
  const { spec, ...session } = requireOptions('loadModel', options, { ...sessionRules, spec: optional(modelSpec) });
  if (spec !== undefined) requireSpec('loadModel', spec);
  const { signal, threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    const message = `threads is ${describeValue(threads)}, expected a whole number from 1 to ${MAX_THREADS}`;
    throw new CryoetPicksError('invalid-option', message, { option: 'threads' });
  }
  const bytes = await readModelFile(path, { what: 'model', signal });
  const onnxOptions: OnnxOptions = { ...session, spec: spec ?? (await readCard(path, signal)) };
  const script = await threadScript(ort);
  try {
    const network = await withWeightsBeside(path, bytes, { name: onnxOptions.spec.name, signal });
    // Before the thread takes the bytes.
    const sha256 = createHash('sha256').update(network).digest('hex');
    if (script === undefined) return { ...(await onnxModel(ort, network, onnxOptions)), sha256 };
    // With an explicit count, the runtime does not pin its threads to cores, where they would block other threads of this program.
    const model = await threadModel(script, network, {
      ...onnxOptions,
      threads: onnxOptions.threads ?? usualThreads(process.env),
    });
    return { ...model, sha256 };
  } catch (error) {
    if (!isCryoetPicksError(error, 'model-failed')) throw error;
    throw new CryoetPicksError('model-failed', `${path}: ${error.message}`, { cause: error.cause, path });
  }
}

/**
 * The bytes of a network with its weights inside, whose SHA-256 is that of the model.
 *
 * @param path - The ONNX file; without it, the network of this package.
 * @throws {@link CryoetPicksError} As {@link loadModel} does.
 */
export async function readNetwork(
  path: string = defaultModel(),
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array> {
  const bytes = await readModelFile(path, { what: 'model', signal });
  return withWeightsBeside(path, bytes, { name: path, signal });
}

/** The path of the network of this package. */
function defaultModel(): string {
  const path = packageFile('models/default.onnx');
  if (path !== undefined) return path;
  throw new CryoetPicksError(
    'not-found',
    'the network of this package is not beside this program, into which the package was bundled; pass the path of a copy of ' +
      'cryoet-picks/models/default.onnx with default.json beside it, or tell the bundler that cryoet-picks is external',
  );
}

/** The script of the thread, which imports onnxruntime-node itself; undefined unless that is the runtime of the caller. */
async function threadScript(ort: OrtModule): Promise<string | undefined> {
  // There is no built script where the sources run as they are, or were bundled into another program.
  const script = isMainThread ? packageFile('onnx-worker.js') : undefined;
  if (script === undefined) return undefined;
  try {
    return (await import('onnxruntime-node')).InferenceSession === ort.InferenceSession ? script : undefined;
  } catch {
    return undefined;
  }
}

/** The network with the weights in it that lie in other files, by paths from the folder of `path`, before links are resolved. */
async function withWeightsBeside(
  path: string,
  network: Uint8Array,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  const what = `file of weights of model ${path}`;
  const read = async (file: string) => ({
    path: file,
    data: await readModelFile(join(dirname(path), file), { what, signal }),
  });
  return withWeights(network, name, await Promise.all(externalPaths(network, name).map(read)));
}

const MAX_CARD_BYTES = 2 ** 24;

async function readCard(path: string, signal: AbortSignal | undefined): Promise<ModelSpec> {
  const card = `${path.replace(/\.onnx$/i, '')}.json`;
  const size = (await stat(card).catch(() => undefined))?.size ?? 0;
  if (size > MAX_CARD_BYTES) {
    const message = `${card} has ${size} bytes; a model card has at most ${MAX_CARD_BYTES}`;
    throw new CryoetPicksError('invalid-metadata', message, { path: card });
  }
  const bytes = await readModelFile(card, { what: `card of model ${path}`, signal });
  try {
    return parseModelSpec(decodeText(bytes, { what: card, code: 'invalid-metadata' }), { source: card });
  } catch (error) {
    if (!isCryoetPicksError(error)) throw error;
    throw new CryoetPicksError(error.code, error.message, { cause: error.cause, path: card });
  }
}

async function readModelFile(
  path: string,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal | undefined },
): Promise<Uint8Array> {
  try {
    return await readRegular(path, undefined, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    if (isCryoetPicksError(cause)) throw cause;
    const { code, reason } = readFailure(cause);
    const remedy = what.startsWith('card') ? '; a model needs its card beside it (docs/reference/models.md)' : '';
    throw new CryoetPicksError(code, `${what} ${reason}: ${path}${remedy}`, { cause, path });
  }
}
