import { detectCandidates, sourceFromArray, type Volume, type VolumeSource } from '../entry/index.ts';
import { loadModel } from '../entry/web.ts';
import type { FromWorker, SearchStart, ToWorker } from './detect-messages.ts';

/** Searches a tomogram away from the page, which reads the voxels and stays free. The page ends this worker to cancel. */

const tell = (message: FromWorker) => postMessage(message);

interface Waiting {
  readonly resolve: (volume: Volume) => void;
  readonly reject: (error: Error) => void;
}

const waiting = new Map<number, Waiting>();
let asked = 0;

addEventListener('message', ({ data: message }: MessageEvent<ToWorker>) => {
  if (message.type === 'start') {
    search(message).catch((error) =>
      tell({ type: 'error', message: error instanceof Error ? error.message : String(error) }),
    );
    return;
  }
  const { resolve, reject } = waiting.get(message.id) as Waiting;
  waiting.delete(message.id);
  if (message.type === 'failed') reject(new Error(message.message));
  else {
    const { data, shape } = message;
    resolve({ data, shape, stride: [shape[1] * shape[2], shape[2], 1], offset: 0 });
  }
});

async function search({ grid, chunkShape, runtime, script, network, spec, objects }: SearchStart): Promise<void> {
  const source: VolumeSource = {
    ...sourceFromArray({ data: new Float32Array(1), shape: [1, 1, 1] }),
    grid,
    ...(chunkShape && { chunkShape }),
    read: (box) =>
      new Promise((resolve, reject) => {
        const id = asked++;
        waiting.set(id, { resolve, reject });
        tell({ type: 'read', id, box });
      }),
  };
  const model = await loadModel(runtime, network, { spec, script });
  try {
    const onProgress = (progress: Parameters<NonNullable<Parameters<typeof detectCandidates>[1]['onProgress']>>[0]) =>
      tell({ type: 'progress', progress });
    tell({ type: 'found', candidates: await detectCandidates(source, { model, objects, onProgress }) });
  } finally {
    await model.dispose();
  }
}
