import {
  measureIntensity,
  planTiles,
  type ScoreSlab,
  scoreSlabs,
  sourceFromArray,
  zScore,
} from '../../src/entry/index.ts';
import { loadModel } from '../../src/entry/web.ts';

/** What the page computes with a network that was taught: its scores of the tomogram beside it. */
export interface TaughtResult {
  readonly slabs: readonly {
    readonly slab: Omit<ScoreSlab, 'scores' | 'release'>;
    readonly shape: ScoreSlab['scores']['shape'];
    readonly data: readonly number[];
  }[];
}

async function run(): Promise<TaughtResult> {
  const model = await loadModel(new URL('./ort/ort.wasm.bundle.min.mjs', document.baseURI), './saved/mine.onnx');
  const data = new Float32Array(await (await fetch('./saved/voxels.raw')).arrayBuffer());
  const length = Math.round(Math.cbrt(data.length));
  const tomogram = sourceFromArray({ data, shape: [length, length, length] }, { voxelSize: [10, 10, 10] });
  const plan = planTiles(tomogram.grid.shape, model.spec);
  const normalize = zScore(await measureIntensity(tomogram));
  const slabs: TaughtResult['slabs'][number][] = [];
  for await (const { scores, release, ...slab } of scoreSlabs(tomogram, { plan, model, normalize })) {
    // A slab is contiguous.
    const [size] = [scores.shape.reduce((product, count) => product * count, 1)];
    slabs.push({ slab, shape: scores.shape, data: [...scores.data.subarray(scores.offset, scores.offset + size)] });
    release?.();
  }
  await model.dispose();
  return { slabs };
}

run().then(
  (result) => Object.assign(globalThis, { pageResult: result }),
  (error: Error) => Object.assign(globalThis, { pageResult: { error: `${error.message}\n${error.stack}` } }),
);
