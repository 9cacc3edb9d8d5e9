import type { Run } from '../copick/run.ts';
import { listNames } from '../copick/tree.ts';
import { MAX_THREADS } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { fitsVoxelSize, isUnknownVoxelSize, requireVoxelSize } from '../detect/voxel-size.ts';
import { loadModel } from '../entry/node.ts';
import type { Model, ModelSpec } from '../inference/model.ts';
import type { OrtModule } from '../inference/onnx.ts';
import { usualThreads } from '../node/processors.ts';
import { formatZyx } from '../space/grid.ts';
import { resampled } from '../volume/resample.ts';
import { toFloat32, type VolumeSource } from '../volume/volume.ts';
import { type Terminal, UsageError } from './terminal.ts';

const howToInstall =
  'install it with "npm install onnxruntime-node --ignore-scripts": its install script downloads CUDA libraries, which are ' +
  'not needed, and fails without a network; ONNXRUNTIME_NODE_INSTALL=skip, or "allowScripts": {"onnxruntime-node": ' +
  'false} in package.json, skips that script too; "npm install onnxruntime-web" is the slower way that runs everywhere';

/** Options of {@link loadRuntime}. */
export interface LoadRuntimeOptions {
  /** Loads another runtime where the first one fails. @defaultValue no other */
  readonly fallback?: (() => Promise<OrtModule>) | undefined;
  /** Called with one line if the other runtime computes. */
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
  /** @defaultValue the processors that the scheduler gives this process; without a scheduler, all */
  readonly threads?: number | undefined;
  /** Objects that it must find. */
  readonly object?: readonly string[] | undefined;
}

/**
 * Loads the runtime, or the one in WebAssembly where it is not there, and a model; the caller disposes it.
 *
 * @throws {@link UsageError} naming the first of the objects that the model does not find.
 */
export async function openModel(
  terminal: Terminal,
  { model: path, threads: given, object: objects = [] }: OpenModelOptions = {},
): Promise<Model> {
  if (given !== undefined && given > MAX_THREADS)
    throw new UsageError(`--threads is ${given}, expected at most ${MAX_THREADS}: each thread takes memory`);
  const threads = given ?? usualThreads(process.env);
  const fallback = async () => {
    const web = await import('onnxruntime-web');
    web.env.wasm.numThreads = threads;
    return web;
  };
  const runtime = await loadRuntime(undefined, { fallback, warn: (line) => terminal.warn(line) });
  const model = await loadModel(runtime, path, { threads, signal: terminal.signal });
  const { name, classes } = model.spec;
  const unknown = objects.find((object) => !classes.includes(object));
  if (unknown === undefined) return model;
  await model.dispose();
  const known = listNames(classes.filter((one) => one !== null));
  throw new UsageError(`--object names "${unknown}", which model "${name}" does not find; it finds ${known}`);
}

/** Options of {@link fitting}. */
export interface FittingOptions {
  readonly spec: ModelSpec;
  readonly resample?: true | undefined;
  /** Search the negative, for bright protein. */
  readonly invert?: true | undefined;
}

/** The name of a tomogram for messages, and how its voxel size can be given. */
export interface NamedTomogram {
  /** `run "TS_5_4"` */
  readonly what: string;
  readonly voxelSizeRemedy: string;
}

/**
 * Makes a tomogram fit a model: with `invert` the negative; with `resample`, resamples a tomogram whose voxel size is not the
 * model's, and says so; otherwise throws, naming `--resample`.
 */
export function fitting(
  terminal: Terminal,
  { spec, resample, invert }: FittingOptions,
): (tomogram: VolumeSource, named: NamedTomogram) => VolumeSource {
  return (tomogram, { what, voxelSizeRemedy }) => {
    const { grid } = tomogram;
    if (resample !== true || isUnknownVoxelSize(grid)) {
      const warnings = tomogram.warnings?.();
      requireVoxelSize(grid, spec, { remedy: 'add --resample', voxelSizeRemedy, warnings });
    }
    const source = invert ? inverted(tomogram) : tomogram;
    if (fitsVoxelSize(grid, spec)) return source;
    const found = formatZyx(grid.voxelSize.map((length) => length.toFixed(3)));
    terminal.warn(`cryoet-picks: ${what} is resampled from voxels of ${found} Å (z×y×x) to ${spec.voxelSize} Å`);
    return resampled(source, spec.voxelSize);
  };
}

/** How a run of a project is called in messages. */
export function namedRun({ name }: Run): NamedTomogram {
  return { what: `run "${name}"`, voxelSizeRemedy: 'write it into the metadata of the tomogram' };
}

/** The negative of a volume: its bright voxels are dark. */
export function inverted(source: VolumeSource): VolumeSource {
  return {
    ...source,
    async read(box, { signal } = {}) {
      const volume = toFloat32(await source.read(box, { signal }));
      const { data } = volume;
      for (let i = 0; i < data.length; i++) data[i] = -data[i]!;
      return volume;
    },
  };
}
