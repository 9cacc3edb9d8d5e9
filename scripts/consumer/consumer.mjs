// Runs the packed package as a user's program would.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import {
  cziiRules,
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
const report = scorePicks([{ run: 'TS_1', truth, picks }], cziiRules);
// Measured: 0.98 with 2 ribosomes of 2; a wrong network, grid or pipeline finds almost nothing.
const { tp, fn } = report.objects.ribosome;
assert.ok(fn === 0 && report.score > 0.5, `score ${report.score}, ${tp} ribosomes found, ${fn} missed`);
await assert.rejects(openProject('nowhere.json'), (error) => isCryoetPicksError(error, 'not-found'));
const require = createRequire(import.meta.url);
assert.ok(require.resolve('cryoet-picks/models/default.json').endsWith('default.json'));
const entries = Object.keys(require('cryoet-picks/package.json').exports).filter((path) => !/[*]|json$/.test(path));
for (const entry of entries) {
  const values = Object.keys(await import(`cryoet-picks${entry.slice(1)}`));
  assert.ok(values.length > 0, `${entry} exports nothing`);
}
const runs = [{ run: 'TS_1', picks: truth.slice(0, 1).map(({ transform: _, ...pick }) => pick) }];
assert.deepEqual(parsePicks(formatPicks(runs, { format: cmmFormat() }), { format: cmmFormat() }), runs);
console.log(
  `consumer: ${picks.length} picks of ${truth.length} particles, score ${report.score.toFixed(3)}, ${entries.length} entries`,
);
