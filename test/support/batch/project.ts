import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SoakProject, type SoakProjectOptions, writeOverlay, writeSoakProject } from '../soak/project.ts';
import { differences, treeOf } from '../soak/tree.ts';
import { run } from './processes.ts';

/** A project of small runs, some of them broken, and what one process that is let alone makes of it. */
export interface BatchProject extends SoakProject {
  readonly folder: string;
  /** How long an engine may take, in ms. */
  readonly patience: number;
  /** Codes of the runs whose search fails, by name. */
  readonly failing: ReadonlyMap<string, string>;
  /** A new folder to work in, in which the program is installed. */
  workFolder(engine: string): Promise<string>;
  /** A config of the project with an empty overlay of its own. */
  configFor(engine: string): Promise<string>;
  /** How many of some runs, or of all, have picks in an overlay. */
  done(engine: string, names?: readonly string[]): Promise<number>;
  /** What is not as in the undisturbed overlay, a line each. */
  compare(engine: string): Promise<string[]>;
}

/** How large the project is, and the script of the command line. */
export interface BatchProjectOptions extends SoakProjectOptions {
  readonly cli: string;
}

const undisturbed = 'undisturbed';

/** Writes the project into an empty folder, and searches it once. */
export async function writeBatchProject({ cli, ...options }: BatchProjectOptions): Promise<BatchProject> {
  const { folder } = options;
  const project = await writeSoakProject(options);
  const { runs, model } = project;
  const failing = new Map(
    runs.flatMap(({ name, kind }) =>
      kind === undefined || ['done', 'warned'].includes(kind.expected) ? [] : [[name, kind.expected]],
    ),
  );
  // Picks of somebody else are no result of a search, and gather refuses to mix them with others.
  const gathered = runs.map(({ name }) => name).filter((name) => failing.get(name) !== 'conflict');
  // npm makes it executable.
  await chmod(cli, 0o755);
  const patience = 240_000 + runs.length * 15_000;
  const config = JSON.parse(await readFile(project.config, 'utf8'));
  const overlayOf = (engine: string) => join(folder, `overlay-${engine}`);
  const configFor = async (engine: string) => {
    await writeOverlay(overlayOf(engine), runs);
    const path = join(folder, `${engine}.json`);
    await writeFile(path, JSON.stringify({ ...config, overlay_root: overlayOf(engine) }));
    return path;
  };
  const gather = async (engine: string) => {
    const path = join(folder, `${engine}.json`);
    const csv = join(folder, `${engine}.csv`);
    const args = ['gather', path, '--allow-missing', '--submission', csv, '--overwrite', '--run', ...gathered];
    const { code, stdout, stderr } = await run(process.execPath, [cli, ...args], { timeout: patience });
    return { code, said: stdout + stderr, text: await readFile(csv, 'utf8').catch(() => '') };
  };
  const args = ['detect', await configFor(undisturbed), '--model', model, '--threads', '1'];
  const alone = await run(process.execPath, [cli, ...args], { timeout: patience });
  if (alone.code !== 1) throw new Error(`one process ended with ${alone.code}, expected 1: ${alone.stderr}`);
  const expected = { tree: await treeOf(overlayOf(undisturbed)), ...(await gather(undisturbed)) };
  const [state] = expected.said.split('\n') as [string];
  if (!state.startsWith(`${gathered.length} runs: ${runs.length - failing.size} done, `))
    throw new Error(`one process has ${state}, expected ${failing.size} runs to fail`);
  return {
    ...project,
    ...{ folder, patience, failing, configFor },
    async workFolder(engine) {
      const path = join(folder, engine);
      await mkdir(join(path, 'node_modules/.bin'), { recursive: true });
      await symlink(cli, join(path, 'node_modules/.bin/cryoet-picks'));
      return path;
    },
    async done(engine, names = runs.map(({ name }) => name)) {
      const isDone = async (name: string) => {
        const picks = join(overlayOf(engine), 'ExperimentRuns', name, 'Picks');
        return (await readdir(picks).catch((): string[] => [])).includes('cryoet-picks_0_virus-like-particle.json');
      };
      return (await Promise.all(names.map(isDone))).filter(Boolean).length;
    },
    async compare(engine) {
      const problems = differences(expected.tree, await treeOf(overlayOf(engine)), `after ${engine}`);
      const { code, said, text } = await gather(engine);
      if (code !== 0) problems.push(`gather ended with ${code}: ${said}`);
      if (!said.startsWith(`${state}\n`)) problems.push(`gather says ${said.split('\n')[0]}, expected ${state}`);
      if (text !== expected.text || text === '') problems.push('the submission is not that of one process');
      return problems;
    },
  };
}
