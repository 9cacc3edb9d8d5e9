import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { beforeEach, describe, expect, it } from 'vitest';
import { type DemoDocument, demo } from '../../src/cli/demo.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { type CziiObject, cziiRules, type ParticlePick, parseSubmission, scorePicks } from '../../src/entry/index.ts';
import { openProject } from '../../src/entry/node.ts';
import { captureCli, TextSink } from '../support/capture-cli.ts';
import { filesBelow } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

describe('demo', () => {
  it('demo writes picks, submission and figure, prints the score, and can be run again', async () => {
    const stdout = new TextSink();
    const terminal = openTerminal({
      stdout,
      stderr: new TextSink(),
      json: false,
      signal: new AbortController().signal,
    });
    const directory = join(folder, 'demo');
    for (const _ of ['first', 'again']) {
      const { json } = await demo(terminal, { directory, runs: 1, shape: [24, 40, 40] });
      const { report, files } = json as DemoDocument;
      expect((await readdir(directory)).sort()).toEqual(['README.txt', 'picks.png', 'project', 'submission.csv']);
      expect(stdout.text).toContain(`score ${report.score.toFixed(4)}  (weighted mean of F4`);
      for (const path of Object.values(files)) expect(path.startsWith(directory)).toBe(true);
      expect(stdout.text).toContain(files.figure);
      expect(decode(await readFile(files.figure)).channels).toBe(3);
      expect(await readFile(files.submission, 'utf8')).toMatch(/^id,experiment,particle_type,x,y,z\n/);
    }
  });

  it('demo scores its submission; of the picks in the overlay, which are balanced, more are true and hardly fewer are found', async () => {
    const directory = join(folder, 'demo');
    const { signal } = new AbortController();
    const terminal = openTerminal({ stdout: new TextSink(), stderr: new TextSink(), json: true, signal });
    const { json } = await demo(terminal, { directory, runs: 1, shape: [64, 192, 192] });
    const { report, files } = json as DemoDocument;
    const project = await openProject(files.config);
    const [run] = await project.runs();
    const scored = async (picks: readonly ParticlePick[]) => {
      const truth = await run!.picks({ userId: 'curation' });
      const { objects, score } = scorePicks([{ run: run!.name, truth, picks }], cziiRules);
      const found = Object.entries(objects).filter(([name]) => cziiRules.objects[name as CziiObject].weight > 0);
      const sum = (field: 'tp' | 'fp' | 'fn') => found.reduce((all, [, one]) => all + one[field], 0);
      return { score, precision: sum('tp') / (sum('tp') + sum('fp')), recall: sum('tp') / (sum('tp') + sum('fn')) };
    };
    const [submitted] = parseSubmission(await readFile(files.submission, 'utf8'));
    const competition = await scored(submitted!.picks);
    const balanced = await scored(await run!.picks({ userId: 'cryoet-picks' }));
    expect(report.score).toBe(competition.score);
    expect(balanced.recall).toBeGreaterThan(0.8);
    expect(competition.recall).toBeGreaterThanOrEqual(balanced.recall);
    expect(balanced.precision).toBeGreaterThan(competition.precision);
  }, 120_000);

  it('demo changes nothing in a folder that no demo has written', async () => {
    await mkdir(join(folder, 'project'));
    await writeFile(join(folder, 'project', 'thesis.tex'), 'years of work');
    await writeFile(join(folder, 'README.txt'), 'my project');
    const { exitCode, stderr } = await captureCli(['demo', folder]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^cryoet-picks: \S+ is not empty and was not written by a demo, so nothing in it is changed[^\n]*\n$/,
    );
    expect(await filesBelow(folder)).toEqual(['README.txt', 'project/thesis.tex']);
  });
});

describe('simulate', () => {
  it('simulate writes the same project for the same seed', async () => {
    const flags = ['--seed', '4', '--shape', '16,24,24', '--json'];
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    const { exitCode, stdout } = await captureCli(['simulate', a, ...flags]);
    expect(exitCode).toBe(0);
    await captureCli(['simulate', b, ...flags]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ config: join(a, 'copick.json'), runs: [{ run: 'TS_1_4' }] });
    const files = await filesBelow(a);
    expect(await filesBelow(b)).toEqual(files);
    // Its roots are absolute.
    const others = files.filter((file) => file !== 'copick-here.json');
    expect(others).toHaveLength(files.length - 1);
    for (const file of others) expect(await readFile(join(b, file))).toEqual(await readFile(join(a, file)));
  });

  it('simulate takes runs and positions from a CSV', async () => {
    const csv = join(folder, 'picks.csv');
    await writeFile(csv, 'experiment,particle_type,x,y,z\nTS_7,ribosome,120,120,80\nTS_8,apo-ferritin,100,90,80\n');
    const args = ['simulate', join(folder, 'p'), '--shape', '16,24,24', '--positions', csv, '--noise', '0', '--json'];
    expect(JSON.parse((await captureCli(args)).stdout).runs).toEqual([
      { run: 'TS_7', truth: { ribosome: 1 } },
      { run: 'TS_8', truth: { 'apo-ferritin': 1 } },
    ]);
    const first = await captureCli(args.with(1, join(folder, 'q')).concat('--runs', '1'));
    expect(JSON.parse(first.stdout).runs).toEqual([{ run: 'TS_7', truth: { ribosome: 1 } }]);
  });

  it('simulate fails for a folder that is not empty', async () => {
    await writeFile(join(folder, 'data.txt'), '');
    const { exitCode, stderr } = await captureCli(['simulate', folder]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/is not empty: it holds data\.txt; choose a new folder\n$/);
  });
});
