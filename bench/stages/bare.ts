// Measures the network alone: calls session.run with the options and threads that loadModel uses, on the same tiles as
// detectParticles, which are read and normalised before the clock starts.
import { availableParallelism } from 'node:os';
import { detectParticles, type Model, type OrtModule, type TileBatch } from 'cryoet-picks';
import { loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { measure } from '../measure.ts';
import { openLong } from './files.ts';

process.env.ORT_DISABLE_TELEMETRY ??= '1';
let session: ort.InferenceSession | undefined;
/** The runtime; it records the session that loadModel creates, with its options. */
const watched = {
  ...ort,
  InferenceSession: {
    async create(file: Uint8Array, options: ort.InferenceSession.SessionOptions) {
      session = await ort.InferenceSession.create(file, options);
      return session;
    },
  },
} as unknown as OrtModule;

const model = await loadModel(watched, undefined, { threads: availableParallelism() });
const { spec } = model;
const batches: TileBatch[] = [];
const recorder: Model = {
  spec,
  async score({ data, shape }) {
    batches.push({ data: data.slice(), shape });
    const scores = [shape[1], shape[2], shape[3]].map((edge) => edge / spec.outputStride) as [number, number, number];
    const length = shape[0] * spec.classes.length * scores[0] * scores[1] * scores[2];
    return { data: new Float32Array(length), shape: [shape[0], spec.classes.length, ...scores] };
  },
  dispose: async () => {},
};
await detectParticles(await openLong(1), { model: recorder });

const { inputNames, outputNames } = session!;
const run = async ({ data, shape: [n, ...tile] }: TileBatch) => {
  const input = new ort.Tensor('float32', data, [n, 1, ...tile]);
  const outputs = await session!.run({ [inputNames[0]!]: input });
  return (outputs[outputNames[0]!]!.data as Float32Array)[0]!;
};
await measure(
  'bare session.run',
  async () => {
    let last = 0;
    for (const batch of batches) last = await run(batch);
    return [batches.length, last];
  },
  { runs: 1 },
);
await model.dispose();
