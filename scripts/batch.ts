/**
 * Takes each engine of `examples/batch` through a project of twelve small runs, one of them broken: Slurm, Snakemake by itself and
 * through Slurm, BullMQ on Redis. Each is brought up on this machine, killed on the way, and goes on; in the end the overlay must be
 * that of one process, byte by byte, and `gather` must tell the broken run and write the same submission.
 *
 *     npm run test:batch -- [--only slurm,snakemake,snakemake-slurm,bullmq] [--require] [--seed 1] [--tomograms 12] [--broken 1]
 *     npm run test:batch -- --soak                     # 500 tomograms, 25 broken in different ways; takes hours on two cores
 *
 * An engine that is not installed is skipped, and the reason told; with `--require` that is a failure. `SNAKEMAKE` is the path of
 * Snakemake, such as that of an environment of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engines } from '../test/support/batch/engines.ts';
import { writeBatchProject } from '../test/support/batch/project.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    require: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    tomograms: { type: 'string' },
    broken: { type: 'string' },
    soak: { type: 'boolean', default: false },
  },
});
const wanted = new Set(values.only?.split(','));
const unknown = [...wanted].filter((name) => !engines.some((engine) => engine.name === name));
if (unknown.length > 0)
  throw new Error(`there is no engine ${unknown.join(', ')}; there are ${engines.map(({ name }) => name).join(', ')}`);
const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-batch-'));
let failures = 0;
try {
  const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
  const [tomograms, broken] = values.soak ? [500, 25] : [12, 1];
  const project = await writeBatchProject({
    ...{ folder, cli, seed: Number(values.seed) },
    tomograms: Number(values.tomograms ?? tomograms),
    broken: Number(values.broken ?? broken),
  });
  for (const engine of engines.filter(({ name }) => wanted.size === 0 || wanted.has(name))) {
    const missing = await engine.missing();
    if (missing !== undefined) {
      console.log(`${engine.name}: skipped, because of ${missing}`);
      if (values.require) failures++;
      continue;
    }
    const started = performance.now();
    let problems: string[];
    try {
      problems = [...(await engine.search(project)), ...(await project.compare(engine.name))];
    } catch (error) {
      problems = [error instanceof Error ? error.message : String(error)];
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.log(`${engine.name}: ${problems.length === 0 ? 'as one process' : 'FAILED'}, ${seconds} s`);
    for (const problem of problems.slice(0, 10)) console.log(`  ${problem}`);
    if (problems.length > 10) console.log(`  and ${problems.length - 10} more`);
    failures += problems.length;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
