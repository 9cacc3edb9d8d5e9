/**
 * Kills a writing process at random moments and checks that every file is old or new: `npm run kill -- --kills 200 --seed 1`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killWriters } from '../test/support/kill/harness.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});
const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-kill-'));
try {
  const started = performance.now();
  const report = await killWriters({ folder, kills: Number(values.kills), seed: Number(values.seed) });
  console.log({ ...report, seconds: Math.round((performance.now() - started) / 100) / 10 });
} finally {
  await rm(folder, { recursive: true, force: true });
}
