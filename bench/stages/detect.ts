// Detection end to end with the network of this package, beside the bare calls of the network on the same tiles.
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { detectParticles, openTomogram, planTiles } from 'cryoet-picks';
import { directoryStore, loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { measure } from '../measure.ts';
import { dataPath } from './files.ts';

process.env.ORT_DISABLE_TELEMETRY ??= '1';
const store = directoryStore(dataPath('lz4-128.zarr'), { readOnly: true });
const onnx = new URL('../../models/default.onnx', import.meta.url);

if (process.argv[2] !== 'bare') {
  const model = await loadModel(ort);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await measure(
    'detectParticles',
    async () => (await detectParticles(await openTomogram(store, { fallbackVoxelSize: 10 }), { model })).length,
    { runs: 1 },
  );
  delay.disable();
  const { spec } = model;
  await model.dispose();
  const { resourceUsage } = process;
  process.stderr.write(
    `longest stall of the event loop ${(delay.max / 1e6).toFixed(0)} ms, ` +
      `peak memory ${Math.round(resourceUsage.call(process).maxRSS / 1000)} MB, tile ${spec.tile.join('×')}\n`,
  );
} else {
  const session = await ort.InferenceSession.create(await readFile(onnx));
  const card = JSON.parse(await readFile(new URL('../../models/default.json', import.meta.url), 'utf8'));
  const [depth, height, width] = card.tile as [number, number, number];
  const { tiles } = planTiles([184, 630, 630], { tile: [depth, height, width], outputStride: 2 });
  const voxels = Float32Array.from({ length: depth * height * width }, (_, i) => Math.sin(i * 1.7) * 2);
  const input = session.inputNames[0]!;
  await measure(
    'bare session.run',
    async () => {
      let last = 0;
      for (const _ of tiles) {
        const outputs = await session.run({ [input]: new ort.Tensor('float32', voxels, [1, 1, depth, height, width]) });
        last = (outputs[session.outputNames[0]!]!.data as Float32Array)[0]!;
      }
      return last;
    },
    { runs: 1 },
  );
}
