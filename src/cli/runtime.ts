import type * as OnnxRuntime from 'onnxruntime-node';
import { CryoetPicksError } from '../errors.ts';
import type { Model } from '../inference/model.ts';
import { loadModel } from '../node.ts';

const howToInstall =
  'install it with "npm install onnxruntime-node --ignore-scripts": its install script downloads CUDA libraries that are ' +
  'not needed here, and fails without a network; ONNXRUNTIME_NODE_INSTALL=skip, or "allowScripts": {"onnxruntime-node": ' +
  'false} in package.json, skips that script too';

/**
 * Loads the ONNX runtime, which is an optional peer of this package.
 *
 * @param load - How it is imported.
 * @throws {@link CryoetPicksError} `model-failed`, saying how to install it.
 */
export async function loadRuntime(
  load: () => Promise<typeof OnnxRuntime> = () => import('onnxruntime-node'),
): Promise<typeof OnnxRuntime> {
  // The runtime would keep a device id and a log of its use in the home folder.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  try {
    return await load();
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    const reason = missing
      ? 'is not installed'
      : `cannot be loaded (${error instanceof Error ? error.message : error})`;
    throw new CryoetPicksError('model-failed', `onnxruntime-node, which runs the network, ${reason}; ${howToInstall}`, {
      cause: error,
    });
  }
}

/** Options of {@link openModel}. */
export interface OpenModelOptions {
  /** Path of an ONNX file. @defaultValue the network that comes along */
  readonly model?: string | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Loads the runtime and a network; whoever asked for it disposes it. */
export async function openModel({ model, ...options }: OpenModelOptions): Promise<Model> {
  return loadModel(await loadRuntime(), model, options);
}
