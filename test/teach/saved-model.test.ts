import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  addHead,
  computeFeatures,
  formatModelSpec,
  type Model,
  type ModelSpec,
  measureIntensity,
  planTiles,
  type ScoreBatch,
  type ScoreSlab,
  scoreSlabs,
  teach,
  zScore,
} from '../../src/entry/index.ts';
import { loadModel } from '../../src/entry/node.ts';
import type { TaughtResult } from '../browser/taught-page.ts';
import { chromiumPath } from '../support/chromium.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { joinSlabs } from '../support/score-map.ts';
import { visitModule } from '../support/served-module.ts';
import { tempDir } from '../support/temp-dir.ts';
import { blobs, card, radius } from './blobs.ts';

const repository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const [taughtOn, { tomogram }] = [blobs(1), blobs(2)];

/** A network that was taught, in a folder as `mine.onnx` and `mine.json`. */
interface Saved {
  readonly folder: string;
  readonly spec: ModelSpec;
  /** The scores of the object in the tomogram that `teach` showed. */
  readonly shown: Float32Array;
}

async function save(path: string, spec: ModelSpec | undefined): Promise<Saved> {
  const folder = await tempDir();
  const network = await loadModel(ort, path, { threads: 1, spec });
  const features = await computeFeatures(taughtOn.tomogram, { model: network, run: 'a' });
  const taught = await teach([features], [{ run: 'a', picks: taughtOn.particles.slice(0, 5) }], { radius });
  const { data: shown } = await joinSlabs(taught.scoreSlabs(await computeFeatures(tomogram, { model: network })));
  await network.dispose();
  await writeFile(join(folder, 'mine.onnx'), await addHead(await readFile(path), taught));
  await writeFile(join(folder, 'mine.json'), formatModelSpec(taught.spec));
  return { folder, spec: taught.spec, shown };
}

/** The greatest difference of the scores of the last class from those that were shown. */
async function difference(slabs: AsyncIterable<ScoreSlab> | Iterable<ScoreSlab>, shown: Float32Array): Promise<number> {
  const { data } = await joinSlabs(slabs);
  const own = data.subarray(data.length - shown.length);
  return shown.reduce((greatest, score, i) => Math.max(greatest, Math.abs(score - own[i]!)), 0);
}

/** The scores of a model in the tomogram, which is one tile. */
async function slabsOf(model: Model): Promise<AsyncIterable<ScoreSlab>> {
  const plan = planTiles(tomogram.grid.shape, model.spec);
  expect(plan.tiles).toHaveLength(1);
  return scoreSlabs(tomogram, { plan, model, normalize: zScore(await measureIntensity(tomogram)) });
}

/** Runs a network as people do, without this package. */
const script = `
import sys, numpy, onnxruntime
folder, *shape = sys.argv[1:]
session = onnxruntime.InferenceSession(folder + "/mine.onnx", providers=["CPUExecutionProvider"])
tile = numpy.fromfile(folder + "/tile.raw", numpy.float32).reshape(1, 1, *map(int, shape))
scores = session.run(None, {session.get_inputs()[0].name: tile})[0]
scores.tofile(folder + "/scores.raw")
print(*scores.shape)
`;

function inPython({ folder, spec }: Saved): Model {
  return {
    spec,
    async score({ data, shape }): Promise<ScoreBatch> {
      await writeFile(join(folder, 'tile.raw'), data);
      const printed = runPython('onnxruntime', '-c', script, folder, ...shape.slice(1).map(String));
      const { buffer } = Uint8Array.from(await readFile(join(folder, 'scores.raw')));
      return {
        data: new Float32Array(buffer),
        shape: printed.split(' ').map(Number) as unknown as ScoreBatch['shape'],
      };
    },
    dispose: async () => {},
  };
}

describe.each<[string, string, ModelSpec | undefined]>([
  ['six features', 'test/fixtures/onnx/features.onnx', { ...card, normalization: 'z-score' }],
  ['this package', 'models/default.onnx', undefined],
])('a saved model that was taught on the network of %s', { timeout: 120_000 }, (_, path, spec) => {
  let saved: Saved;
  beforeAll(async () => {
    saved = await save(repository(path), spec);
    expect(Math.max(...saved.shown)).toBeGreaterThan(0.9);
  }, 120_000);

  it('has the scores that teach showed, in Node', async () => {
    const model = await loadModel(ort, join(saved.folder, 'mine.onnx'), { threads: 1 });
    expect(await difference(await slabsOf(model), saved.shown)).toBeLessThan(1e-3);
    await model.dispose();
  });

  it.skipIf(chromiumPath === undefined)('has the scores that teach showed, in Chromium (needs Chromium)', async () => {
    const { data } = await tomogram.read({ start: [0, 0, 0], end: tomogram.grid.shape });
    await writeFile(join(saved.folder, 'voxels.raw'), Float32Array.from(data as ArrayLike<number>));
    const folders = { ort: 'node_modules/onnxruntime-web/dist', saved: saved.folder };
    const { slabs } = await visitModule<TaughtResult>('taught-page', { folders });
    const scored = slabs.map(({ slab, shape, data: scores }): ScoreSlab => {
      const [, depth, height, width] = shape;
      const stride = [depth * height * width, height * width, width, 1] as const;
      return { ...slab, scores: { data: Float32Array.from(scores), shape, stride, offset: 0 } };
    });
    expect(await difference(scored, saved.shown)).toBeLessThan(1e-3);
  });

  it.skipIf(pythonMissing('onnxruntime'))(
    'has the scores that teach showed, in onnxruntime of Python (needs CRYOET_PICKS_ONNX_PYTHON with onnxruntime)',
    async () => {
      expect(await difference(await slabsOf(inPython(saved)), saved.shown)).toBeLessThan(1e-3);
    },
  );
});
