import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { cziiObjects } from '../../src/entry/copick.ts';
import { memoryStore, type ParticlePick } from '../../src/entry/index.ts';
import { openProject } from '../../src/entry/node.ts';
import { assumedRadii } from '../../src/page/page.ts';
import { captureCli } from '../support/capture-cli.ts';
import { leavePages, openPage, pause, stubBrowser } from '../support/page-workspace.ts';
import { tempDir } from '../support/temp-dir.ts';

beforeAll(stubBrowser);

interface GivenObject {
  readonly name: string;
  readonly radius?: number | undefined;
}

const czii = cziiObjects().map(({ name, radius }) => ({ name, radius: radius ?? undefined }));
const halfKnown = czii.map(({ name, radius }) => ({ name, radius: name === 'ribosome' ? undefined : radius }));
const projects: Readonly<Record<string, readonly GivenObject[]>> = {
  'one object of the competition': [{ name: 'ribosome', radius: 150 }],
  'two objects of the competition with other radii': [
    { name: 'ribosome', radius: 120 },
    { name: 'apo-ferritin', radius: 70 },
  ],
  'the objects of the competition': czii,
  'the objects of the competition, one without a radius': halfKnown,
  'the objects of the competition but that of weight 0': czii.filter(({ name }) => name !== 'beta-amylase'),
  'the objects of the competition and another': [...czii, { name: 'proteasome', radius: 75 }],
  'objects of no competition': [
    { name: 'virus', radius: 200 },
    { name: 'proteasome', radius: 75 },
  ],
};

/** A project on the disk, in which the truth has the first two objects and each pick lies some Å beside a particle. */
async function projectOf(objects: readonly GivenObject[]) {
  const folder = await tempDir();
  const config = join(folder, 'copick.json');
  await mkdir(join(folder, 'data'));
  const pickable = objects.map(({ name, radius }, i) => ({ name, label: i + 1, is_particle: true, radius }));
  const root = { config_type: 'filesystem', overlay_root: join(folder, 'data') };
  await writeFile(config, JSON.stringify({ ...root, pickable_objects: pickable }));
  const project = await openProject(config);
  const run = await project.createRun('TS_1');
  const at = (object: string, x: number): ParticlePick => ({ object, position: { x, y: 500, z: 500 }, score: 0.5 });
  const names = objects.slice(0, 2).map(({ name }) => name);
  const each = (shift: number) =>
    names.flatMap((name, i) => [1000, 3000, 5000].map((x, j) => at(name, 20_000 * i + x + shift * j)));
  await run.writePicks(each(0), { userId: 'curation', sessionId: '0' });
  await run.writePicks(each(33), { userId: 'cryoet-picks', sessionId: '0' });
  return { config, project, run };
}

async function pageOf(project: Awaited<ReturnType<typeof openProject>>) {
  const opened = await openPage({ project, overlay: memoryStore() });
  await pause(20);
  return opened;
}

describe('the score of the page', () => {
  it.each(Object.entries(projects))('is that of the command line for %s', async (_, objects) => {
    const { config, project } = await projectOf(objects);
    const { stdout } = await captureCli(['score', '--truth', config, '--submission', config, '--json']);
    const told = JSON.parse(stdout);
    expect(told.score).toBeGreaterThan(0);
    const { page } = await pageOf(project);
    const { report } = page.comparison()!;
    expect([report.score, report.objects]).toEqual([told.score, told.objects]);
    leavePages();
  });

  it('is 1 for a project of one object of the competition whose picks are the truth', async () => {
    const { project, run } = await projectOf(projects['one object of the competition']!);
    await run.writePicks(await run.picks({ userId: 'curation' }), { userId: 'me', sessionId: '1' });
    const { page } = await pageOf(project);
    expect([page.live.state.set, page.comparison()!.report.score]).toEqual(['me/1', 1]);
    leavePages();
  });

  it('is the same whether another set holds an object that the project does not have, which is named if the truth has it', async () => {
    const { config, project, run } = await projectOf(czii);
    const other = await openProject(config);
    const { page, workspace } = await pageOf(project);
    const { score } = page.comparison()!.report;
    const objects = [...other.objects, { ...other.objects[0]!, name: 'proteasome', label: 9 }];
    const wider = join(await tempDir(), 'copick.json');
    const { overlayRoot } = other.config as { overlayRoot: string };
    await writeFile(
      wider,
      JSON.stringify({
        config_type: 'filesystem',
        overlay_root: overlayRoot,
        pickable_objects: objects.map(({ name, label }) => ({ name, label, is_particle: true })),
      }),
    );
    const lab = { userId: 'lab', sessionId: '1' };
    const pick = { object: 'proteasome', position: { x: 10, y: 10, z: 10 }, score: 1 };
    await (await (await openProject(wider)).run('TS_1')).writePicks([pick], lab);
    expect((await run.pickSets(lab)).length).toBe(1);
    await workspace.openRun('TS_1');
    await pause(20);
    await workspace.openOther('lab/1');
    await pause(20);
    expect(page.difference()!.onlyThere).toMatchObject([pick]);
    expect(page.comparison()!.report.score).toBe(score);
    await workspace.openTruth('lab/1');
    await pause(20);
    expect(page.comparison()).toMatchObject({ unknown: ['proteasome'], report: { score: 0 } });
    leavePages();
  });
});

describe('radii that a project does not give', () => {
  it('are those that scores take: of the competition for its objects, else assumed', async () => {
    const shown = async (objects: readonly GivenObject[]) => {
      const { page } = await pageOf((await projectOf(objects)).project);
      const { objects: all } = page.live.state;
      leavePages();
      return [all.find(({ isRadiusAssumed }) => isRadiusAssumed)?.radius, assumedRadii(all)];
    };
    expect(await shown(halfKnown)).toEqual([
      150,
      expect.stringContaining('no radius of "ribosome": rings and scores take 150 Å'),
    ]);
    expect(await shown([{ name: 'ribosome' }, { name: 'virus', radius: 200 }])).toEqual([
      80,
      expect.stringContaining('no radius of "ribosome": rings and scores take 80 Å'),
    ]);
  });
});
