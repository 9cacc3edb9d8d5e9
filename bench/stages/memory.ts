// Peak memory of a detection with 7 classes at stride 1 in tiles of 96³, and its prediction: the process before it reads, the
// cache of decoded chunks, the buffers of the decoding threads, and the plan. Argument: number of repetitions of the volume along y.
import { availableParallelism } from 'node:os';
import { detectParticles, functionModel, type Model, planTiles } from 'cryoet-picks';
import { peakMemory, print } from '../measure.ts';
import { openLong } from './files.ts';

const times = Number(process.argv[2] ?? 1);
/** The default cache of `openTomogram` for chunks of 128³, and the memory of chunks that are being decoded. */
const CACHE_BYTES = (128 + 64) * 2 ** 20;
/** Four chunks in each thread. */
const THREAD_BYTES = Math.min(4, availableParallelism()) * 4 * 8 * 2 ** 20;
const classes = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const tile = [96, 96, 96] as const;
const thresholds = Object.fromEntries(classes.map((name) => [name, 5]));

const { spec } = functionModel((voxels) => voxels, { classes, tile, thresholds });
const spare: Float32Array[] = [];
/** As one of `loadModel` does, it takes two calls at once, keeps no tile and writes into memory that was released. */
const model: Model = {
  spec,
  callsAtOnce: 2,
  async score({ data: voxels, shape: [n, z, y, x] }) {
    // Asynchronous, like the reply of a thread.
    await new Promise((resolve) => setImmediate(resolve));
    const data = spare.pop() ?? new Float32Array(classes.length * voxels.length);
    for (let index = 0; index < classes.length; index++) {
      for (let i = 0; i < voxels.length; i++) data[index * voxels.length + i] = voxels[i]! - index;
    }
    return { data, shape: [n, classes.length, z, y, x], release: () => spare.push(data), tiles: voxels };
  },
  dispose: async () => {},
};
const tomogram = await openLong(times);
const { shape } = tomogram.grid;
const plan = planTiles(shape, spec);
const cache = Math.min(CACHE_BYTES, 4 * shape[0] * shape[1] * shape[2]);
const before = process.memoryUsage().rss;

const started = performance.now();
const { user, system } = process.cpuUsage();
const picks = await detectParticles(tomogram, { model });
const seconds = (performance.now() - started) / 1000;
const used = process.cpuUsage({ user, system });
print({
  name: `memory, volume ×${times}`,
  seconds,
  runs: [seconds],
  cpu: (used.user + used.system) / 1e6,
  memory: peakMemory(),
  predicted: before + cache + THREAD_BYTES + plan.memory.total,
  result: { picks: picks.length, before, cache, threads: THREAD_BYTES, plan: plan.memory },
});
