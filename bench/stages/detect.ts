// Detection end to end with the network of this package.
import { detectParticles, openTomogram } from 'cryoet-picks';
import { directoryStore, loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { measure } from '../measure.ts';
import { dataPath } from './files.ts';

process.env.ORT_DISABLE_TELEMETRY ??= '1';
const store = directoryStore(dataPath('lz4-128.zarr'), { readOnly: true });
const model = await loadModel(ort);
await measure(
  'detectParticles',
  async () => (await detectParticles(await openTomogram(store, { fallbackVoxelSize: 10 }), { model })).length,
  { runs: 1 },
);
await model.dispose();
