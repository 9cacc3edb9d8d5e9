/**
 * Shares projects among processes by claims, and checks what must hold: kills and stops processes at random moments, and compares what
 * they leave with the files of an undisturbed one; measures how long 8 processes take for runs whose network sleeps for a second,
 * what a claim costs among 5,000 runs, and what a tomogram takes beside reading and network.
 *
 *     npm run claims -- [--runs 500] [--kills 60] [--stops 10] [--seed 1] [--scaling 200] [--cost 5000] [--overhead 400]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { claimCost, killClaimers, leastRuns, runOverhead, scaling } from '../test/support/claims/kills.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    kills: { type: 'string', default: '60' },
    stops: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    scaling: { type: 'string', default: '200' },
    cost: { type: 'string', default: '5000' },
    overhead: { type: 'string', default: '400' },
  },
});
const counts = { kills: Number(values.kills), stops: Number(values.stops), processes: 3 };
const least = leastRuns(counts);
if (Number(values.runs) < least) {
  console.error(
    `${counts.kills} kills and ${counts.stops} stops take at least ${least} runs, found --runs ${values.runs}`,
  );
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-claims-'));
try {
  const { problems, searches, runs, kills, stops, seconds } = await killClaimers({
    folder: join(folder, 'kills'),
    ...counts,
    runs: Number(values.runs),
    sleep: 300,
    seed: Number(values.seed),
  });
  console.log(
    `3 processes, ${kills} kills, ${stops} stops: ${runs} runs in ${searches} searches, ${seconds.toFixed(1)} s`,
  );
  const count = Number(values.scaling);
  if (count > 0) {
    const took = await scaling({ folder: join(folder, 'scaling'), runs: count, processes: 8, sleep: 1000 });
    const ideal = count / 8;
    console.log(`8 processes, ${count} runs of 1 s: ${took.toFixed(1)} s, ${(took / ideal).toFixed(2)} of ${ideal} s`);
    if (took > 1.2 * ideal) problems.push('8 processes take more than 1.2 times as long as they should');
  }
  const among = Number(values.cost);
  if (among > 0) {
    const cost = await claimCost({ folder: join(folder, 'cost'), runs: among });
    console.log(`a claim among ${among} runs: ${cost.toFixed(2)} ms`);
    if (cost > 5) problems.push('a claim takes more than 5 ms');
  }
  const small = Number(values.overhead);
  if (small > 0) {
    const { wall, cpu } = await runOverhead({ folder: join(folder, 'overhead'), runs: small });
    const took = `${wall.toFixed(1)} ms by the clock, ${cpu.toFixed(1)} ms of the processors`;
    console.log(`a tomogram of 32×64×64 voxels beside reading and network: ${took}`);
    // A busy machine takes longer by the clock.
    if (Math.min(wall, cpu) > 20) problems.push('a tomogram takes more than 20 ms beside reading and network');
  }
  for (const problem of problems) console.log(`FAILED: ${problem}`);
  console.log(problems.length === 0 ? 'no failures' : `${problems.length} failures`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
