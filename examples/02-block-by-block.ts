// The blocks one by one, one of them replaced: connected components take the place of local maxima.
import {
  chooseObjects,
  connectedComponents,
  cziiRules,
  formatSubmission,
  localMaxima,
  measureIntensity,
  type ParticlePick,
  planTiles,
  scorePicks,
  scoreSlabs,
  sourceFromArray,
  suppressNearby,
  toPick,
  zScore,
} from 'cryoet-picks';
import { loadModel } from 'cryoet-picks/node';
import { simulateTomogram } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

// %% A tomogram in memory. Anything with a grid and a `read` is a source; an array is the simplest.
const { volume, grid, picks: truth } = await simulateTomogram({ shape: [64, 128, 128], seed: 5 });
const tomogram = sourceFromArray(volume, grid);

// %% One streamed pass over the voxels: mean and deviation for the network's input.
const intensity = await measureIntensity(tomogram);
console.log(`mean ${intensity.mean.toFixed(3)}, deviation ${intensity.standardDeviation.toFixed(3)}`);

// %% The plan is a value: how many tiles, in which order, with how much memory, before anything is read.
const model = await loadModel(ort);
const plan = planTiles(grid.shape, model.spec);
console.log(`${plan.tiles.length} tiles of ${plan.tile.join('×')}, swept along axis ${'zyx'[plan.axis]}`);

// %% Scores stream in as slabs; local maxima are found while they do.
const scores = () => scoreSlabs(tomogram, { plan, model, normalize: zScore(intensity) });
const { thresholds, minDistances } = chooseObjects(model.spec);
const byMaxima: ParticlePick[] = [];
for await (const peak of localMaxima(scores(), { threshold: thresholds })) byMaxima.push(toPick(peak));
report('local maxima', suppressNearby(byMaxima, { minDistance: minDistances }));

// %% The same with one block replaced: blobs above the threshold, at their centroids.
const byComponents: ParticlePick[] = [];
for await (const blob of connectedComponents(scores(), { threshold: thresholds })) byComponents.push(toPick(blob));
report('connected components', suppressNearby(byComponents, { minDistance: minDistances }));
await model.dispose();

// %% What both are worth, and the first lines of the file that the competition would take.
function report(name: string, picks: readonly ParticlePick[]): void {
  const { score } = scorePicks([{ run: 'TS_1', truth, picks }], cziiRules);
  console.log(`${name}: ${picks.length} picks, official score ${score.toFixed(3)}`);
  console.log(
    formatSubmission([{ run: 'TS_1', picks }])
      .split('\n')
      .slice(0, 3)
      .join('\n'),
  );
}
