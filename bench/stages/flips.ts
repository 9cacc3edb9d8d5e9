// Detection end to end with the network of this package, each tile scored with its mirror images along y and x.
import { contiguousVolume, detectParticles, openTomogram, sourceFromArray, withFlips } from 'cryoet-picks';
import { directoryStore, loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { measure } from '../measure.ts';
import { dataPath } from './files.ts';

process.env.ORT_DISABLE_TELEMETRY ??= '1';
const store = directoryStore(dataPath('lz4-128.zarr'), { readOnly: true });
const model = withFlips(await loadModel(ort), ['y', 'x']);
// A small volume to warm up: the whole one takes minutes.
const shape = [64, 160, 160] as const;
const waves = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => Math.sin(i));
const small = sourceFromArray(contiguousVolume(waves, shape), { voxelSize: [10, 10, 10] });
await measure(
  'four mirror images',
  async () => (await detectParticles(await openTomogram(store, { fallbackVoxelSize: 10 }), { model })).length,
  { runs: 1, warmUp: () => detectParticles(small, { model }) },
);
await model.dispose();
