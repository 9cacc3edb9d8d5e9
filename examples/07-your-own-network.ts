// Bring your own network: a segmentation, a heat-map and an anchor-free one, each trained and exported by a script of models/.
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  averageOf,
  cziiRules,
  detectParticles,
  type Model,
  matchPicks,
  type ParticlePick,
  sourceFromArray,
  withFlips,
} from 'cryoet-picks';
import { loadModel } from 'cryoet-picks/node';
import { difficulties, simulateTomogram } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

// %% A tomogram that none of them has seen: like those of models/make-data.ts, but of another seed.
const counts = { 'apo-ferritin': 8, ribosome: 10, thyroglobulin: 6, 'virus-like-particle': 8 };
const {
  volume,
  grid,
  picks: truth,
} = await simulateTomogram({
  ...difficulties.clean,
  counts,
  seed: 42,
  shape: [64, 160, 160],
});
const tomogram = sourceFromArray(volume, grid);

// %% Each network is an ONNX file with its card beside it. They know two of the particles.
const pathOf = (name: string): string => fileURLToPath(new URL(`models/${name}.onnx`, import.meta.url));
const [segmentation, heatmap, anchorFree] = await Promise.all(
  ['segmentation', 'heatmap', 'anchor-free'].map((name) => loadModel(ort, pathOf(name))),
);
for (const { spec } of [segmentation!, heatmap!, anchorFree!]) {
  const { size } = await stat(pathOf(spec.name));
  const what = `${spec.activation}${spec.offsets ? ', offsets' : ''}`;
  console.log(`${spec.name.padEnd(13)} ${Math.round(size / 1000)} kB, output stride ${spec.outputStride}, ${what}`);
}

// %% Whatever the network, the call is the same. A hit is at most half a particle's radius off, as in the competition.
console.log(`\n${''.padEnd(32)} ribosome  virus-like  extra  mean distance from truth`);
await tell('segmentation', segmentation!);
await tell('heat-map', heatmap!);
await tell('anchor-free', anchorFree!);

// %% Without `offsets` in its card, the anchor-free network's picks stay on cells of 2×2×2 voxels, wherever its score peaks.
const { offsets: _, ...withoutOffsets } = anchorFree!.spec;
await tell('anchor-free, offsets left out', { ...anchorFree!, spec: withoutOffsets });

// %% Mirror images and ensembles are wrappers. Offsets along a mirrored axis are turned back, then averaged like scores.
// Averages of scores that peak here and there are lower, so thresholds are, too.
const lower = { ribosome: 0.5, 'virus-like-particle': 0.4 };
await tell('anchor-free, 4 mirror images', withFlips(anchorFree!, ['y', 'x']), lower);
await tell('heat-map, with its own mirror', averageOf(heatmap!, withFlips(heatmap!, ['x'])));

await Promise.all([segmentation, heatmap, anchorFree].map((model) => model!.dispose()));

async function tell(name: string, model: Model, thresholds: Record<string, number> = {}): Promise<void> {
  const picks = await detectParticles(tomogram, { model, thresholds });
  const ofClass = ['ribosome', 'virus-like-particle'].map((object) => {
    const centres = (all: readonly ParticlePick[]) =>
      all.filter((one) => one.object === object).map(({ position }) => position);
    const [known, found] = [centres(truth), centres(picks)];
    const { radius } = cziiRules.objects[object]!;
    const match = matchPicks(known, found, { radius: radius * cziiRules.matchFraction, matching: 'hungarian' });
    return { ...match, known: known.length };
  });
  const [ribosome, virusLike] = ofClass.map(({ tp, known }) => `${tp} of ${known}`);
  const extra = ofClass.reduce((sum, { fp }) => sum + fp, 0);
  const distances = ofClass.flatMap(({ pairs }) => pairs.map(({ distance }) => distance));
  const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
  console.log(
    `${name.padEnd(32)} ${ribosome!.padStart(8)}  ${virusLike!.padStart(10)}  ${`${extra}`.padStart(5)}  ${mean.toFixed(1)} Å`,
  );
  for (const { tp, known } of ofClass) {
    if (tp < 0.7 * known) throw new Error(`${name}: only ${tp} of ${known} were found`);
  }
}
