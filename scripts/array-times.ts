/**
 * Searches a project by `examples/batch/detect.sbatch` on a cluster of this machine alone, one task for each run and one task at a time,
 * and prints how many seconds each run took, and its score where the project has a truth. The project is not changed: the picks go into
 * a copy of its overlay, which is removed in the end.
 *
 *     npm run array-times -- PROJECT/copick.json [--cpus 2] [--tomogram denoised] [--model unet.onnx]
 *
 * Needs Debian's `slurm-wlm` and `munge`, and the user root.
 */
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { notInstalled, run, runWell } from '../test/support/batch/processes.ts';
import { slurmPrograms, startSlurm, submit, untilEnded } from '../test/support/batch/slurm.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cpus: { type: 'string', default: '2' },
    tomogram: { type: 'string', default: 'denoised' },
    model: { type: 'string' },
  },
});
const [given] = positionals;
if (given === undefined) throw new Error('give a project: npm run array-times -- PROJECT/copick.json');
const absent = await notInstalled(slurmPrograms);
if (absent.length > 0) throw new Error(`${absent.join(', ')} not installed: apt-get install slurm-wlm munge`);

const patience = 24 * 3_600_000;
const folder = await mkdtemp(join(tmpdir(), 'cryoet-picks-times-'));
try {
  const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
  const config = await copyProject(resolve(given));
  await installIn(folder, cli);
  const { runs } = JSON.parse(await runWell(process.execPath, [cli, 'info', config, '--names', '--json'])) as {
    readonly runs: readonly string[];
  };
  const seconds = await searchByArray(config, runs.length);
  const rows = [];
  for (const name of runs) {
    rows.push({ run: name, seconds: seconds.searched.get(name) ?? 'failed', score: await scoreOf(cli, config, name) });
  }
  console.table(rows);
  console.log(`score of all runs: ${await scoreOf(cli, config)}`);
  const mean = seconds.whole / runs.length;
  console.log(`${seconds.whole.toFixed(0)} s from the start of the array to its end, with ${values.cpus} processors`);
  console.log(`500 such tomograms, one at a time: ${((500 * mean) / 3600).toFixed(1)} hours`);
  if (seconds.searched.size < runs.length) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** A config beside a copy of the overlay without picks of this program; gives its path. */
async function copyProject(path: string): Promise<string> {
  const document = JSON.parse(await readFile(path, 'utf8')) as { overlay_root: string; static_root?: string };
  const overlay = join(folder, 'overlay');
  const isOthers = (file: string) => !/^\.?cryoet-picks/.test(basename(file));
  await cp(resolve(dirname(path), document.overlay_root), overlay, { recursive: true, filter: isOthers });
  const root = document.static_root && resolve(dirname(path), document.static_root);
  const config = join(folder, 'copick.json');
  await writeFile(config, JSON.stringify({ ...document, overlay_root: overlay, ...(root && { static_root: root }) }));
  return config;
}

/** Puts the program where `detect.sbatch` finds it, as npm does. */
async function installIn(place: string, cli: string): Promise<void> {
  await chmod(cli, 0o755);
  await mkdir(join(place, 'node_modules/.bin'), { recursive: true });
  await symlink(cli, join(place, 'node_modules/.bin/cryoet-picks'));
}

/** Seconds of the whole array, and of each run that was searched, as the logs tell. */
async function searchByArray(
  config: string,
  tasks: number,
): Promise<{ readonly whole: number; readonly searched: ReadonlyMap<string, number> }> {
  const script = fileURLToPath(new URL('../examples/batch/detect.sbatch', import.meta.url));
  const model = values.model === undefined ? [] : ['--model', resolve(values.model)];
  const cluster = await startSlurm(folder);
  try {
    const array = [`--array=1-${tasks}%1`, `--cpus-per-task=${values.cpus}`, '--mem=1'];
    const started = performance.now();
    const search = [script, config, '--tomogram', values.tomogram, '--json', ...model];
    const job = await submit(cluster, [...array, ...search], folder);
    await untilEnded(cluster, job, patience);
    const whole = (performance.now() - started) / 1000;
    const searched = new Map<string, number>();
    for (let task = 1; task <= tasks; task++) {
      const log = await readFile(join(folder, `cryoet-picks-${job}_${task}.log`), 'utf8');
      const lines = log.split('\n');
      for (const line of lines.filter((one) => one.startsWith('{"event":"done"'))) {
        const { run: name, seconds } = JSON.parse(line) as { readonly run: string; readonly seconds: number };
        searched.set(name, seconds);
      }
      const others = lines.filter((one) => one !== '' && !one.startsWith('{'));
      for (const line of others) console.log(`task ${task}: ${line}`);
    }
    return { whole, searched };
  } finally {
    await cluster.stop();
  }
}

/** The score of one run, or of all. */
async function scoreOf(cli: string, config: string, name?: string): Promise<string> {
  const which = name === undefined ? [] : ['--run', name];
  const { code, stdout, stderr } = await run(process.execPath, [cli, 'gather', config, '--json', ...which]);
  if (code !== 0) return `none: ${stderr.trim().split('\n')[0]}`;
  const { score } = JSON.parse(stdout) as { readonly score?: { readonly score: number } };
  return score === undefined ? 'no truth' : score.score.toFixed(3);
}
