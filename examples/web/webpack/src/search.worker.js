import { detectCandidates, sourceFromArray } from 'cryoet-picks';
import { simulateTomogram } from 'cryoet-picks/simulate';
import { loadModel } from 'cryoet-picks/web';

const tell = (message) => postMessage(message);

// A tomogram to search. Yours: `await openTomogram(httpStore('https://…/tomogram.zarr'))`.
tell({ progress: 'Simulating a tomogram …' });
const { volume, grid } = await simulateTomogram({ shape: [48, 128, 128], seed: 3 });

const runtime = new URL('/ort/ort.wasm.bundle.min.mjs', location.origin);
const model = await loadModel(runtime, new URL('/models/default.onnx', location.origin));
const candidates = await detectCandidates(sourceFromArray(volume, grid), {
  model,
  onProgress: ({ stage, done, total }) => tell({ progress: `${stage}: ${done} of ${total}` }),
});
tell({ candidates });
await model.dispose();
