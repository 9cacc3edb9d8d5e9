// Score a submission three ways, then ask which threshold per object would have been best.
import {
  cziiRules,
  formatSubmission,
  type ParticlePick,
  parseSubmission,
  scorePicks,
  sweepThresholds,
} from 'cryoet-picks';
import { simulateTomogram } from 'cryoet-picks/simulate';

// %% Truth, and a made-up finder: it misses some, is off by a few Å, invents others, and is unsure about what it invents.
const truth = (await simulateTomogram({ shape: [64, 256, 256], seed: 4 })).picks;
const wobble = (i: number, k: number): number => 20 * Math.sin(i * 12.9898 + k * 78.233);
const hits: ParticlePick[] = truth
  .filter((_, i) => i % 6 !== 0)
  .map(({ object, position: { x, y, z } }, i) => ({
    object,
    position: { x: x + wobble(i, 1), y: y + wobble(i, 2), z: z + wobble(i, 3) },
    score: 0.6 + 0.4 * Math.abs(Math.sin(i)),
  }));
const inventions: ParticlePick[] = truth.map(({ object, position: { x, y, z } }, i) => ({
  object,
  position: { x: x + 400, y: y - 300, z },
  score: 0.7 * Math.abs(Math.cos(i)),
}));
const picks = [...hits, ...inventions];

// %% Out as the competition's CSV and in again: nothing is lost.
const csv = formatSubmission([{ run: 'TS_1', picks }]);
const [submitted] = parseSubmission(csv);
console.log(csv.split('\n').slice(0, 2).join('\n'));
console.log(`${submitted!.picks.length} of ${picks.length} rows read back`);

// %% The official count lets one pick serve several truths and vice versa; the two others pair one to one.
for (const matching of ['official', 'greedy', 'hungarian'] as const) {
  const report = scorePicks([{ run: 'TS_1', truth, picks }], { ...cziiRules, matching });
  console.log(`${matching.padEnd(10)} score ${report.score.toFixed(4)}`);
}

// %% F4 forgives extra picks and punishes missed ones, so the best threshold is a low one.
const { objects: swept } = sweepThresholds([{ run: 'TS_1', truth, picks }], cziiRules);
for (const [name, { best }] of Object.entries(swept)) {
  if (best) console.log(`${name.padEnd(22)} best threshold ${best.threshold.toFixed(3)}, F4 ${best.fbeta.toFixed(3)}`);
}
