import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { CryoetPicksError } from '../errors.ts';
import { formatZyx, type Zyx } from '../space/zyx.ts';
import type { Model, ModelSpec, ScoreBatch, TileBatch } from './model.ts';
import type { OnnxOptions, OrtModule } from './onnx.ts';
import { checkMetadata, type OnnxPorts } from './onnx-metadata.ts';

/** A session behind the seam for models. */
export interface SessionModel extends Model {
  /** As of any model. Into `into`, where it has the length of the scores, the runtime writes them without a copy. */
  score(
    tiles: TileBatch,
    options?: { readonly signal?: AbortSignal | undefined; readonly into?: Float32Array | undefined },
  ): Promise<ScoreBatch>;
}

/** The work of `onnxModel`. */
export async function openSession(
  ort: OrtModule,
  file: Uint8Array | ArrayBuffer | string,
  { spec, executionProviders, threads, signal }: OnnxOptions,
): Promise<SessionModel> {
  signal?.throwIfAborted();
  const session = await createSession(ort, file, {
    name: spec.name,
    options: {
      // Its errors are thrown; printed too they would be noise.
      logSeverityLevel: 4,
      // Planned ahead, a run's memory is taken a second time beside that of the first run, and no faster: measured, 40 % more.
      enableMemPattern: false,
      // Its threads sleep while they wait: those of this program have work to do meanwhile.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      ...(executionProviders && { executionProviders }),
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    },
  });
  try {
    signal?.throwIfAborted();
    const ports = checkMetadata(session, spec);
    return {
      spec,
      score: (tiles, options = {}) => scoreTiles({ ort, session, spec, ports }, tiles, options),
      dispose: () => session.release(),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

async function createSession(
  { InferenceSession }: OrtModule,
  file: Uint8Array | ArrayBuffer | string,
  { name, options }: { readonly name: string; readonly options: InferenceSession.SessionOptions },
): Promise<InferenceSession> {
  try {
    // The three signatures of create() are separate overloads.
    if (typeof file === 'string') return await InferenceSession.create(file, options);
    const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
    return await InferenceSession.create(bytes, options);
  } catch (error) {
    const what = typeof file === 'string' ? file : `${file.byteLength} bytes`;
    throw failure(`cannot load model "${name}" from ${what}`, error);
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
  { signal, into }: NonNullable<Parameters<SessionModel['score']>[1]>,
): Promise<ScoreBatch> {
  const { spec, ports } = model;
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
    parts.push(await runOnce(model, slice(tiles, first, perRun), perRun === n ? into : undefined));
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
  into: Float32Array | undefined,
): Promise<ScoreBatch> {
  const [n, z, y, x] = shape;
  const tile: Zyx = [z, y, x];
  const { classes, outputStride: stride } = spec;
  const scoreShape = [n, classes.length, z / stride, y / stride, x / stride] as const;
  const fits = into?.length === scoreShape.reduce((product, edge) => product * edge);
  const fetches = fits ? { [ports.output]: new ort.Tensor('float32', into, scoreShape) } : { [ports.output]: null };
  const input = new ort.Tensor('float32', data, [n, 1, z, y, x]);
  let outputs: InferenceSession.OnnxValueMapType | undefined;
  try {
    outputs = await session.run({ [ports.input]: input }, fetches, { logSeverityLevel: 4 });
    const output = outputs[ports.output] as Tensor;
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
