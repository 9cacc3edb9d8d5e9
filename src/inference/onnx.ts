import type { Env, InferenceSession, InferenceSessionFactory, Tensor, TensorConstructor } from 'onnxruntime-common';
import {
  abortSignal,
  isFields,
  modelSpec,
  optional,
  optionalList,
  positiveCount,
  quotedNames,
  type Rule,
  type RulesFor,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatZyx, type Zyx } from '../space/grid.ts';
import { type ExternalData, withWeights } from './external-data.ts';
import { withoutFeatures } from './feature-model.ts';
import {
  type DisposableModel,
  disposable,
  type ModelSpec,
  requireScoreCall,
  requireSpec,
  type ScoreBatch,
  type ScoreCallOptions,
  type TileBatch,
} from './model.ts';

/** Any build of ONNX Runtime: `import * as ort from 'onnxruntime-node'`, `-web` or `-web/webgpu`. */
export interface OrtModule {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly env?: Env | undefined;
  /** Of onnxruntime-node: the devices it offers; libraries of those that are not bundled must be installed. */
  readonly listSupportedBackends?: (() => readonly { readonly name: string; readonly bundled: boolean }[]) | undefined;
}

/** Where a network computes: processors in Node, processors in a browser, or a graphics card by one of four interfaces. */
export type Device = 'cpu' | 'wasm' | 'webgpu' | 'cuda' | 'dml' | 'coreml';

const devices: readonly Device[] = ['cpu', 'wasm', 'webgpu', 'cuda', 'dml', 'coreml'];

/** Options of {@link onnxModel}. */
export interface OnnxOptions {
  /** The model card; its rank, sizes and class count are checked against the file. */
  readonly spec: ModelSpec;
  /**
   * Where to compute; a device that the runtime does not offer, or that lacks an operator of the network, is an error.
   * @defaultValue the runtime's own choice
   */
  readonly device?: Device | undefined;
  /** Instead of `device`: execution providers of the runtime with their options, in order of preference. */
  readonly executionProviders?: readonly InferenceSession.ExecutionProviderConfig[] | undefined;
  /** Threads per operator. @defaultValue the runtime's own */
  readonly threads?: number | undefined;
  /**
   * The files of weights that a network given as bytes refers to, such as `unet.onnx.data`. The runtime reads those of a path or URL
   * itself. @defaultValue none
   */
  readonly externalData?: readonly ExternalData[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads an ONNX network: one float32 input `[n, 1, z, y, x]`, one output `[n, class, z, y, x]`, the sizes fixed or symbolic. A second
 * output named `features`, `[n, feature, z, y, x]`, makes it a {@link FeatureModel}; it is computed for those who ask for it.
 *
 * A session blocks the thread it runs on, in Node and in single-threaded wasm, so cancellation and progress act between
 * calls; keep the model in a worker where that matters. A file of fixed batch size is run as often as it takes.
 *
 * @param ort - The runtime, which this library does not import.
 * @param file - The `.onnx` file's bytes, or its path or URL where the runtime can open it.
 * @returns A model; the caller disposes it, which releases the session.
 * @throws {@link CryoetPicksError} `invalid-option` if the runtime does not offer the device, or a file of weights was not given;
 * `model-failed` if it cannot load the file, or the file does not fit its card: the message names both. Later, `score` throws `model-failed` with the runtime's error
 * as `cause`.
 *
 * @example
 * ```ts
 * import * as ort from 'onnxruntime-node';
 * const spec = parseModelSpec(await readFile('unet.json', 'utf8'), { source: 'unet.json' });
 * const model = await onnxModel(ort, await readFile('unet.onnx'), { spec });
 * ```
 */
export async function onnxModel(
  ort: OrtModule,
  file: Uint8Array | ArrayBuffer | string,
  options: OnnxOptions,
): Promise<DisposableModel> {
  requireOrt('onnxModel', ort);
  requireArgument('onnxModel', 'file', file, modelFile);
  requireOptions('onnxModel', options, { spec: modelSpec, ...sessionRules });
  requireSpec('onnxModel', options.spec);
  return openSession(ort, file, options);
}

const modelFile: Rule = {
  expected: 'the bytes of an .onnx file, or its path',
  isValid: (value) => typeof value === 'string' || value instanceof Uint8Array || value instanceof ArrayBuffer,
};

/** @throws {@link CryoetPicksError} `invalid-option` for anything but a build of ONNX Runtime. */
export function requireOrt(call: string, ort: OrtModule): void {
  const {
    InferenceSession: session,
    Tensor: tensor,
    listSupportedBackends: list,
  } = Object(ort ?? {}) as Partial<OrtModule>;
  const isList = list === undefined || typeof list === 'function';
  if (typeof session?.create === 'function' && typeof tensor === 'function' && isList) return;
  requireArgument(call, 'ort', ort, {
    expected: "ONNX Runtime, import * as ort from 'onnxruntime-node' or 'onnxruntime-web'",
    isValid: () => false,
  });
}

const fileBytes: Rule = {
  expected: 'a Uint8Array or an ArrayBuffer',
  isValid: (value) => value instanceof Uint8Array || value instanceof ArrayBuffer,
};

/** What the options of a session must be. */
export const sessionRules: RulesFor<Omit<OnnxOptions, 'spec'>> = {
  device: /* @__PURE__ */ optional(text),
  executionProviders: /* @__PURE__ */ optionalList('a list of execution providers'),
  threads: /* @__PURE__ */ optional(positiveCount),
  externalData: /* @__PURE__ */ optionalList('a list of files { path, data }', {
    expected: 'a file { path, data }',
    isValid: isFields,
    fields: { path: text, data: fileBytes },
  }),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** Options of the `score` of a {@link SessionModel}. */
export interface SessionCallOptions extends ScoreCallOptions {
  /** Memory of the length of the scores, into which the runtime writes them without a copy. */
  readonly into?: Float32Array | undefined;
}

/** A session as a model. */
export interface SessionModel extends DisposableModel {
  score(tiles: TileBatch, options?: SessionCallOptions): Promise<ScoreBatch>;
}

/** The work of `onnxModel`. */
export async function openSession(
  ort: OrtModule,
  file: Uint8Array | ArrayBuffer | string,
  { spec, device, executionProviders, threads, externalData, signal }: OnnxOptions,
): Promise<SessionModel> {
  signal?.throwIfAborted();
  const providers = providersOf(ort, { device, executionProviders });
  const network = wholeNetwork(file, { name: spec.name, externalData });
  // The runtime adds its processor to every list of providers, and gives it each operator that the device lacks.
  const isAccelerator = device !== undefined && device !== 'cpu' && device !== 'wasm';
  const session = await createSession(ort, network, {
    name: spec.name,
    device,
    options: {
      // The runtime's errors are thrown, so it need not print them.
      logSeverityLevel: 4,
      // A memory plan takes a run's memory a second time beside that of the first run, 40 % more as measured, and saves no time.
      enableMemPattern: false,
      // Its threads sleep while they wait, since other threads of this program have work to do.
      extra: { session: { intra_op: { allow_spinning: '0' }, ...(isAccelerator && { disable_cpu_ep_fallback: '1' }) } },
      ...(providers && { executionProviders: providers }),
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    },
  });
  try {
    signal?.throwIfAborted();
    const ports = checkMetadata(session, spec);
    const model = { ort, session, spec, ports };
    return disposable({
      spec,
      featureCount: ports.features?.count,
      async score(tiles, options: SessionCallOptions = {}) {
        const scores = await scoreTiles(model, tiles, requireScoreCall(tiles, options));
        return options.transfer ? { ...scores, tiles: tiles.data } : scores;
      },
      dispose: () => session.release(),
    });
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** What the runtime is told: the one device that was asked for, or the caller's own list. */
function providersOf(
  ort: OrtModule,
  { device, executionProviders }: Pick<OnnxOptions, 'device' | 'executionProviders'>,
): OnnxOptions['executionProviders'] {
  if (device === undefined) return executionProviders;
  if (executionProviders !== undefined) {
    throw new CryoetPicksError(
      'invalid-option',
      'device and executionProviders both say where to compute; pass one of them',
      { option: 'device' },
    );
  }
  if (!devices.includes(device)) {
    const message = `device "${device}" is unknown; known: ${quotedNames(devices)}`;
    throw new CryoetPicksError('invalid-option', message, { option: 'device', available: devices });
  }
  if (ort.listSupportedBackends?.().some(({ name }) => name === device) ?? true) return [device];
  throw new CryoetPicksError(
    'invalid-option',
    `this ONNX runtime does not compute on device "${device}"; ${offersOf(ort)}`,
    { option: 'device' },
  );
}

/** What a runtime offers, for messages. */
function offersOf({ listSupportedBackends }: OrtModule): string {
  const offers = listSupportedBackends?.().filter(({ name }) => devices.includes(name as Device));
  if (offers === undefined)
    return 'it does not say what it offers: onnxruntime-web offers "wasm" and, in some browsers, "webgpu"';
  const bundled = offers.filter((one) => one.bundled).map(({ name }) => name);
  const others = offers.filter((one) => !one.bundled).map(({ name }) => name);
  return `it offers ${quotedNames(bundled)}${others.length === 0 ? '' : `, and ${quotedNames(others)} once their libraries are installed`}`;
}

/** A path or URL as it is; bytes with the weights of other files inside. */
function wholeNetwork(
  file: Uint8Array | ArrayBuffer | string,
  { name, externalData }: Pick<OnnxOptions, 'externalData'> & { readonly name: string },
): Uint8Array | string {
  if (typeof file !== 'string') {
    return withWeights(file instanceof Uint8Array ? file : new Uint8Array(file), name, externalData);
  }
  if (externalData === undefined) return file;
  throw new CryoetPicksError(
    'invalid-option',
    `externalData goes with the bytes of a network, found its path or URL ${JSON.stringify(file)}; pass its bytes instead`,
    { option: 'externalData' },
  );
}

async function createSession(
  ort: OrtModule,
  file: Uint8Array | string,
  { name, device, options }: Pick<OnnxOptions, 'device'> & { name: string; options: InferenceSession.SessionOptions },
): Promise<InferenceSession> {
  const { InferenceSession } = ort;
  try {
    // The three signatures of create() are separate overloads.
    if (typeof file === 'string') return await InferenceSession.create(file, options);
    return await InferenceSession.create(file, options);
  } catch (error) {
    const what = typeof file === 'string' ? file : `${file.byteLength} bytes`;
    if (device === undefined) throw failure(`cannot load model "${name}" from ${what}`, error);
    const { message, cause } = failure(`cannot load model "${name}" from ${what} on device "${device}"`, error);
    throw new CryoetPicksError('model-failed', `${message}; of this ONNX runtime: ${offersOf(ort)}`, { cause });
  }
}

interface LoadedModel {
  readonly ort: OrtModule;
  readonly session: InferenceSession;
  readonly spec: ModelSpec;
  readonly ports: OnnxPorts;
}

async function scoreTiles(
  model: LoadedModel,
  tiles: TileBatch,
  { signal, into, output = 'scores' }: SessionCallOptions,
): Promise<ScoreBatch> {
  const { spec, ports } = model;
  const port = output === 'scores' ? { name: ports.output, count: spec.classes.length } : ports.features;
  if (port === undefined) throw withoutFeatures(spec);
  const [n, ...tile] = tiles.shape;
  const wrongAxis = ports.fixedTile.findIndex((edge, i) => edge !== undefined && edge !== tile[i]);
  if (wrongAxis >= 0) {
    const takes = formatZyx(ports.fixedTile.map((edge) => edge ?? 'any'));
    throw new CryoetPicksError(
      'model-failed',
      `model "${spec.name}" takes tiles of ${takes} voxels only, found ${formatZyx(tile)}`,
    );
  }
  const perRun = ports.fixedBatch ?? n;
  const parts: ScoreBatch[] = [];
  for (let first = 0; first < n; first += perRun) {
    signal?.throwIfAborted();
    parts.push(await runOnce(model, slice(tiles, first, perRun), { port, into: perRun === n ? into : undefined }));
  }
  if (parts.length === 1 && perRun === n) return parts[0];
  return join(parts, n);
}

/** `count` tiles from `first` on; zeros where the batch has no more. */
function slice({ data, shape: [n, z, y, x] }: TileBatch, first: number, count: number): TileBatch {
  const size = z * y * x;
  if (first === 0 && count === n) return { data, shape: [n, z, y, x] };
  const part = new Float32Array(count * size);
  part.set(data.subarray(first * size, Math.min(n, first + count) * size));
  return { data: part, shape: [count, z, y, x] };
}

/** The first `n` tiles of several runs. */
function join(parts: readonly ScoreBatch[], n: number): ScoreBatch {
  const [perRun, classes, z, y, x] = parts[0].shape;
  const size = classes * z * y * x;
  const data = new Float32Array(n * size);
  parts.forEach((part, i) => {
    const first = i * perRun;
    data.set(part.data.subarray(0, Math.min(perRun, n - first) * size), first * size);
  });
  return { data, shape: [n, classes, z, y, x] };
}

async function runOnce(
  { ort, session, spec, ports }: LoadedModel,
  { data, shape }: TileBatch,
  { port, into }: { readonly port: OutputPort; readonly into: Float32Array | undefined },
): Promise<ScoreBatch> {
  const [n, z, y, x] = shape;
  const tile: Zyx = [z, y, x];
  const { outputStride: stride } = spec;
  const scoreShape = [n, port.count, z / stride, y / stride, x / stride] as const;
  const fits = into?.length === scoreShape.reduce((product, edge) => product * edge);
  const fetches = fits ? { [port.name]: new ort.Tensor('float32', into, scoreShape) } : { [port.name]: null };
  const input = new ort.Tensor('float32', data, [n, 1, z, y, x]);
  let outputs: InferenceSession.OnnxValueMapType | undefined;
  try {
    outputs = await session.run({ [ports.input]: input }, fetches, { logSeverityLevel: 4 });
    const output = outputs[port.name] as Tensor;
    const { dims } = output;
    if (dims.length !== 5) {
      throw new CryoetPicksError(
        'model-failed',
        `model "${spec.name}" gave scores of ${dims.length} dimensions (${formatZyx(dims)}) for a tile of ` +
          `${formatZyx(tile)}; expected 5: [n, class, z, y, x]`,
      );
    }
    const scores = (await output.getData()) as Float32Array;
    return { data: scores, shape: [dims[0], dims[1], dims[2], dims[3], dims[4]] };
  } catch (error) {
    if (error instanceof CryoetPicksError) throw error;
    throw failure(`model "${spec.name}" failed on ${n} tile(s) of ${formatZyx(tile)} voxels`, error);
  } finally {
    input.dispose();
    for (const value of Object.values(outputs ?? {})) value.dispose();
  }
}

function failure(what: string, cause: unknown): CryoetPicksError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CryoetPicksError('model-failed', `${what}: ${reason}`, { cause });
}

/** Names of the input and the output, and the sizes that the file fixes. */
interface OnnxPorts {
  readonly input: string;
  readonly output: string;
  readonly features: OutputPort | undefined;
  /** Tiles per run, if the file fixes it. */
  readonly fixedBatch: number | undefined;
  /** Edges of a tile, if the file fixes them. */
  readonly fixedTile: readonly (number | undefined)[];
}

/** An output, and its channels. */
interface OutputPort {
  readonly name: string;
  readonly count: number;
}

/** What a file says about one tensor; a dimension is a size, or the name of one that is free. */
type Metadata = InferenceSession.ValueMetadata;

/**
 * Checks, before anything runs, that a network has one input `[n, 1, z, y, x]` and one output `[n, class, z, y, x]`, both
 * float32, and that what the file fixes of these agrees with the card.
 *
 * @throws {@link CryoetPicksError} `model-failed`
 */
function checkMetadata(
  { inputMetadata, outputMetadata }: Pick<InferenceSession, 'inputMetadata' | 'outputMetadata'>,
  spec: ModelSpec,
): OnnxPorts {
  const { tile, outputStride, classes } = spec;
  const input = onlyTensor('input', inputMetadata, spec);
  const output = onlyTensor('output', scoresAmong(outputMetadata), spec);
  requireDimensions('input', input, [undefined, 1, ...tile], spec);
  const scores = tile.map((edge) => edge / outputStride);
  requireDimensions('output', output, [undefined, classes.length, ...scores], spec);
  const fixed = input.shape.map((size) => (isFixed(size) ? size : undefined));
  const fixedEdges = fixed.slice(2).filter((size) => size !== undefined);
  if (spec.tileMultiple !== undefined && fixedEdges.length > 0) {
    fail(
      `model "${spec.name}": its card has a tileMultiple, so tiles may be smaller than ${formatZyx(tile)}, but input ` +
        `"${input.name}" has shape [${input.shape.join(', ')}]; leave tileMultiple out of the card, or export with symbolic sizes`,
    );
  }
  return {
    input: input.name,
    output: output.name,
    features: featuresAmong(outputMetadata),
    fixedBatch: fixed[0],
    fixedTile: fixed.slice(2),
  };
}

/** The output of features, which is computed for those who ask for it. */
const FEATURES = 'features';

function scoresAmong(outputs: readonly Metadata[]): readonly Metadata[] {
  return outputs.length === 2 ? outputs.filter(({ name }) => name !== FEATURES) : outputs;
}

/** The features of a network, if it has some and says how many. Others do not keep it from giving scores. */
function featuresAmong(outputs: readonly Metadata[]): OutputPort | undefined {
  const features = outputs.length === 2 ? outputs.find(({ name }) => name === FEATURES) : undefined;
  if (!features?.isTensor || features.type !== 'float32' || features.shape.length !== 5) return undefined;
  const [, count] = features.shape;
  return count !== undefined && isFixed(count) ? { name: FEATURES, count } : undefined;
}

type TensorPort = Extract<Metadata, { isTensor: true }>;

function onlyTensor(port: 'input' | 'output', all: readonly Metadata[], { name }: ModelSpec): TensorPort {
  const [first] = all;
  if (all.length !== 1 || first === undefined) {
    const names = all.map((value) => `"${value.name}"`).join(', ');
    fail(`model "${name}" has ${all.length} ${port}s${names && ` (${names})`}; expected one`);
  }
  if (!first.isTensor || first.type !== 'float32') {
    const found = first.isTensor ? first.type : 'not a tensor';
    fail(`model "${name}": ${port} "${first.name}" is ${found}; expected a float32 tensor`);
  }
  return first;
}

/** What each axis of a port is, for messages. */
const AXES = {
  input: ['n', 'channel', 'z', 'y', 'x'],
  output: ['n', 'class', 'z', 'y', 'x'],
} as const;

function requireDimensions(
  port: 'input' | 'output',
  { name: tensor, shape }: TensorPort,
  expected: readonly (number | undefined)[],
  { name, tile, classes }: ModelSpec,
): void {
  const axes = AXES[port];
  // Some runtimes give an empty shape if the file does not say it.
  if (port === 'output' && shape.length === 0) return;
  const found = `model "${name}": ${port} "${tensor}" has shape [${shape.join(', ')}]`;
  if (shape.length !== 5) fail(`${found}, ${shape.length} dimensions; expected 5: [${axes.join(', ')}]`);
  expected.forEach((size, i) => {
    const dimension = shape[i];
    if (size === undefined || !isFixed(dimension) || dimension === size) return;
    const card =
      i > 1
        ? `the card's tile is ${formatZyx(tile)} voxels`
        : `its card names ${classes.length === 1 ? '1 class' : `${classes.length} classes`}`;
    const why = port === 'input' && i === 1 ? 'tomograms have one channel' : card;
    fail(`${found}; ${why}, so ${axes[i]} must be ${size}, not ${dimension}`);
  });
}

/** Symbolic dimensions are names; some runtimes give -1 or 0 for one without a name. */
function isFixed(dimension: number | string): dimension is number {
  return typeof dimension === 'number' && dimension > 0;
}

function fail(message: string): never {
  throw new CryoetPicksError('model-failed', message);
}
