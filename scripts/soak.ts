/**
 * Searches a project of 500 tomograms, 25 of them broken in different ways, with the built command line; once more with `--claim`, and
 * once more in a process that is killed ten times and resumed. Every run must end as its kind says, and the overlays must be the same,
 * byte by byte. From run 100 on, RSS may grow by 50 kB a run and the heap by 5 %; open files and threads may not.
 *
 *     npm run soak -- [--tomograms 500] [--broken 25] [--kills 10] [--seed 1]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { soak } from '../test/support/soak/harness.ts';

const { values } = parseArgs({
  options: {
    tomograms: { type: 'string', default: '500' },
    broken: { type: 'string', default: '25' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-soak-'));
try {
  const started = performance.now();
  const { rows, problems, done, failed, seconds, killedAfter, held } = await soak({
    folder,
    cli: fileURLToPath(new URL('../dist/cli.js', import.meta.url)),
    tomograms: Number(values.tomograms),
    broken: Number(values.broken),
    kills: Number(values.kills),
    seed: Number(values.seed),
  });
  console.table(rows);
  console.log(`${done} done and ${failed} failed in ${seconds.toFixed(1)} s`);
  for (const { what, residentPerRun, heap, files, threads } of held) {
    const memory = `RSS by ${residentPerRun.toFixed(1)} kB a run, the heap by ${(100 * heap).toFixed(1)} %`;
    console.log(`from run 100 on, ${what}: ${memory}; files ${files.join(' to ')}, threads ${threads.join(' to ')}`);
  }
  console.log(`killed after ${killedAfter.join(', ')} runs, and resumed`);
  console.log(`the whole soak took ${((performance.now() - started) / 1000).toFixed(0)} s`);
  for (const problem of problems) console.log(`FAILED: ${problem}`);
  console.log(problems.length === 0 ? 'no failures' : `${problems.length} failures`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
