// Runs the packed package as a program of a user's would.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import {
  competition,
  detectParticles,
  formatPicks,
  isCryoetPicksError,
  parsePicks,
  scorePicks,
  sourceFromArray,
} from 'cryoet-picks';
import { cmmFormat } from 'cryoet-picks/formats';
import { toNdarray } from 'cryoet-picks/ndarray';
import { loadModel, openProject } from 'cryoet-picks/node';
import { simulateTomogram } from 'cryoet-picks/simulate';
import * as ort from 'onnxruntime-node';

const { volume, grid, picks: truth } = await simulateTomogram({ shape: [64, 160, 160], seed: 1 });
assert.deepEqual(toNdarray(volume).shape, [64, 160, 160]);
const model = await loadModel(ort);
const picks = await detectParticles(sourceFromArray(volume, grid), { model });
await model.dispose();
const report = scorePicks([{ run: 'TS_1', truth, picks }], competition);
// Measured: 0.84 with 2 ribosomes of 2; a network, a grid or a pipeline that is wrong gives next to nothing.
const { tp, fn } = report.objects.ribosome;
assert.ok(fn === 0 && report.score > 0.5, `score ${report.score}, ${tp} ribosomes found, ${fn} missed`);
await assert.rejects(openProject('nowhere.json'), (error) => isCryoetPicksError(error, 'not-found'));
const required = createRequire(import.meta.url).resolve('cryoet-picks/models/default.json');
assert.ok(required.endsWith('default.json'));
const runs = [{ run: 'TS_1', picks: truth.slice(0, 1).map(({ transform: _, ...pick }) => pick) }];
assert.deepEqual(parsePicks(formatPicks(runs, { format: cmmFormat() }), { format: cmmFormat() }), runs);
console.log(`consumer: ${picks.length} picks of ${truth.length} particles, score ${report.score.toFixed(3)}`);
