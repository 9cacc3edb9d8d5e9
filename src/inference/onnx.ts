import type { Env, InferenceSession, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import type { Model, ModelSpec } from './model.ts';

/** Any flavour of ONNX Runtime: `import * as ort from 'onnxruntime-node'`, `-web` or `-web/webgpu`. */
export interface OrtModule {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly env?: Env | undefined;
}

/** Options of {@link onnxModel}. */
export interface OnnxOptions {
  /** The network's card; its rank, sizes and class count are checked against the file. */
  readonly spec: ModelSpec;
  /** Where to compute, in order of preference. @defaultValue the runtime's own */
  readonly executionProviders?: readonly InferenceSession.ExecutionProviderConfig[] | undefined;
  /** Threads per operator. @defaultValue the runtime's own */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads an ONNX network: one float32 input `[n, 1, z, y, x]`, one output `[n, class, z, y, x]`, the sizes fixed or symbolic.
 *
 * A session blocks the thread it runs on, in Node and in single-threaded wasm, so cancellation and progress act between
 * calls; keep the model in a worker where that matters. A file of fixed batch size is run as often as it takes.
 *
 * @param ort - The runtime, handed in; this library imports none.
 * @param file - The `.onnx` file's bytes, or its path or URL where the runtime can open it.
 * @returns A model; whoever opened it disposes it, which releases the session.
 * @throws {@link CryoetPicksError} `model-failed` if the runtime cannot load the file, or the file does not fit its card:
 * the message names both. Later, `score` throws `model-failed` with the runtime's error as `cause`.
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
): Promise<Model> {
  // Loaded with the first network, so that a page that brings a function as a model never fetches it.
  const { openSession } = await import('./onnx-session.ts');
  return openSession(ort, file, options);
}
