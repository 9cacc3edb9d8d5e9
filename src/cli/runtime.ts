import { availableParallelism } from 'node:os';
import type { Run } from '../copick/run.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { fitsVoxelSize, requireVoxelSize } from '../detect/particles.ts';
import { loadModel } from '../entry/node.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import type { OrtModule } from '../inference/onnx.ts';
import { formatZyx } from '../space/zyx.ts';
import { resampled } from '../volume/resample.ts';
import type { VolumeSource } from '../volume/volume.ts';
import type { Terminal } from './terminal.ts';

const howToInstall =
  'install it with "npm install onnxruntime-node --ignore-scripts": its install script downloads CUDA libraries, which are ' +
  'not needed, and fails without a network; ONNXRUNTIME_NODE_INSTALL=skip, or "allowScripts": {"onnxruntime-node": ' +
  'false} in package.json, skips that script too; "npm install onnxruntime-web" is the slower way that runs everywhere';

/** Options of {@link loadRuntime}. */
export interface LoadRuntimeOptions {
  /** Loads another runtime where the first one fails. @defaultValue no other */
  readonly fallback?: (() => Promise<OrtModule>) | undefined;
  /** Is told, in one line, that the other runtime computes. */
  readonly warn?: ((line: string) => void) | undefined;
}

/**
 * Loads the ONNX runtime, which is an optional peer of this package.
 *
 * @param load - How it is imported.
 * @throws {@link CryoetPicksError} `model-failed`, saying how to install it.
 */
export async function loadRuntime(
  load: () => Promise<OrtModule> = () => import('onnxruntime-node'),
  { fallback, warn }: LoadRuntimeOptions = {},
): Promise<OrtModule> {
  // The runtime would keep a device id and a log of its use in the home folder.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  try {
    return await load();
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    const said = error instanceof Error ? error.message : String(error);
    const reason = missing ? 'is not installed' : `cannot be loaded (${said})`;
    const other = await fallback?.().catch(() => undefined);
    if (other !== undefined) {
      const why = missing ? reason : `cannot be loaded (${said.split('\n', 1)[0]!.slice(0, 200)})`;
      warn?.(
        `cryoet-picks: onnxruntime-node ${why}; the network runs in WebAssembly (onnxruntime-web), which is slower`,
      );
      return other;
    }
    throw new CryoetPicksError('model-failed', `onnxruntime-node, which runs the network, ${reason}; ${howToInstall}`, {
      cause: error,
    });
  }
}

/** Options of {@link openModel}. */
export interface OpenModelOptions {
  /** Path of an ONNX file. @defaultValue the bundled model */
  readonly model?: string | undefined;
  readonly threads?: number | undefined;
}

/** Loads the runtime, or the one in WebAssembly where it is not there, and a model; the caller disposes it. */
export async function openModel(terminal: Terminal, { model, threads }: OpenModelOptions = {}): Promise<Model> {
  const fallback = async () => {
    const web = await import('onnxruntime-web');
    web.env.wasm.numThreads = threads ?? availableParallelism();
    return web;
  };
  const runtime = await loadRuntime(undefined, { fallback, warn: (line) => terminal.warn(line) });
  return loadModel(runtime, model, { threads, signal: terminal.signal });
}

/** Options of {@link fitting}. */
export interface FittingOptions {
  readonly spec: ModelSpec;
  readonly resample?: true | undefined;
}

/** With `resample`, resamples tomograms whose voxel size is not the model's, and says so; otherwise throws, naming `--resample`. */
export function fitting(
  terminal: Terminal,
  { spec, resample }: FittingOptions,
): (tomogram: VolumeSource, run: Run) => VolumeSource {
  return (tomogram, run) => {
    if (resample !== true) requireVoxelSize(tomogram.grid, spec, { remedy: 'add --resample' });
    if (fitsVoxelSize(tomogram.grid, spec)) return tomogram;
    const found = formatZyx(tomogram.grid.voxelSize.map((length) => length.toFixed(3)));
    terminal.warn(
      `cryoet-picks: run "${run.name}" is resampled from voxels of ${found} Å (z×y×x) to ${spec.voxelSize} Å`,
    );
    return resampled(tomogram, spec.voxelSize);
  };
}
