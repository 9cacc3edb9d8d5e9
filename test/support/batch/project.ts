import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SoakProject, writeOverlay, writeSoakProject } from '../soak/project.ts';
import { differences, treeOf } from '../soak/tree.ts';
import { run } from './processes.ts';

/** A project of twelve small runs, one of them broken, and what one process that is let alone makes of it. */
export interface BatchProject extends SoakProject {
  readonly folder: string;
  /** The script of the command line. */
  readonly cli: string;
  readonly broken: string;
  /** A config of the project with an empty overlay of its own. */
  configFor(engine: string): Promise<string>;
  /** Whether a run has been searched in an overlay. */
  isDone(engine: string, run: string): Promise<boolean>;
  /** What is not as in the undisturbed overlay, a line each. */
  compare(engine: string): Promise<string[]>;
}

const undisturbed = 'undisturbed';

/** Writes the project into an empty folder, and searches it once. */
export async function writeBatchProject(
  folder: string,
  { cli, seed }: { readonly cli: string; readonly seed: number },
): Promise<BatchProject> {
  const project = await writeSoakProject({ folder, tomograms: 12, broken: 1, seed });
  const { runs, model } = project;
  const broken = runs.find(({ kind }) => kind !== undefined && !['done', 'warned'].includes(kind.expected))!;
  const config = JSON.parse(await readFile(project.config, 'utf8'));
  const overlayOf = (engine: string) => join(folder, `overlay-${engine}`);
  const configFor = async (engine: string) => {
    await writeOverlay(overlayOf(engine), runs);
    const path = join(folder, `${engine}.json`);
    await writeFile(path, JSON.stringify({ ...config, overlay_root: overlayOf(engine) }));
    return path;
  };
  const submissionOf = async (engine: string) => {
    const path = join(folder, `${engine}.json`);
    const csv = join(folder, `${engine}.csv`);
    const args = ['gather', path, '--allow-missing', '--submission', csv, '--overwrite'];
    const { code, stdout, stderr } = await run(process.execPath, [cli, ...args]);
    return { code, said: stdout + stderr, text: await readFile(csv, 'utf8').catch(() => '') };
  };
  const alone = await run(process.execPath, [
    cli,
    'detect',
    await configFor(undisturbed),
    '--model',
    model,
    '--threads',
    '1',
  ]);
  if (alone.code !== 1) throw new Error(`one process ended with ${alone.code}, expected 1: ${alone.stderr}`);
  const expected = { tree: await treeOf(overlayOf(undisturbed)), ...(await submissionOf(undisturbed)) };
  const state = `${runs.length} runs: ${runs.length - 1} done, 1 failed, 0 missing`;
  return {
    ...project,
    ...{ folder, cli, broken: broken.name, configFor },
    async isDone(engine, name) {
      const picks = join(overlayOf(engine), 'ExperimentRuns', name, 'Picks', 'cryoet-picks_0_virus-like-particle.json');
      return stat(picks).then(
        () => true,
        () => false,
      );
    },
    async compare(engine) {
      const problems = differences(expected.tree, await treeOf(overlayOf(engine)), `after ${engine}`);
      const { code, said, text } = await submissionOf(engine);
      if (code !== 0) problems.push(`gather ended with ${code}: ${said}`);
      if (!said.includes(state)) problems.push(`gather says ${said.split('\n')[0]}, expected ${state}`);
      if (text !== expected.text || text === '') problems.push('the submission is not that of one process');
      return problems;
    },
  };
}
