import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { sourceFromArray, writeTomogram } from '../../src/entry/index.ts';
import { directoryStore, openProject } from '../../src/entry/node.ts';
import { cutAt, expectMessage, objectRow, press, save, settled } from '../support/page-hands.ts';
import { isotropic, makeProject, picksOfNode, simulatedProject, twoObjects } from '../support/page-project.ts';
import { describePage } from '../support/served-page.ts';
import { noise } from '../support/volumes.ts';

/** Starts a search with the network of the package, after the memory that it takes was told. */
async function startSearch(tab: Page): Promise<void> {
  await settled(tab);
  await press(tab, 'd');
  const dialog = tab.locator('dialog[open]');
  await expect.poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 }).toMatch(/MB of memory/);
  await press(tab, 'Enter');
}

describePage('Detect in the page of view', ({ open }) => {
  it('finds in WebAssembly the picks of Node, with scores equal to 1e-3, and Save keeps them', async () => {
    const { folder, shown } = await simulatedProject();
    const project = await openProject(`${folder}/copick.json`);
    const [run] = await project.runs();
    const expected = await picksOfNode(project);
    expect(expected.length).toBeGreaterThan(0);
    const { tab, problems } = await open(shown);
    await startSearch(tab);
    await expectMessage(tab, new RegExp(`Found ${expected.length} picks`), 90_000);
    await save(tab);
    await expectMessage(tab, /Saved/);
    const found = await run!.picks({ userId: 'me' });
    expect(found).toHaveLength(expected.length);
    for (const pick of expected) {
      const same = found.find(
        ({ object, position: { x, y, z } }) =>
          object === pick.object && Math.hypot(x - pick.position.x, y - pick.position.y, z - pick.position.z) < 0.01,
      );
      expect(same?.score).toBeCloseTo(pick.score, 3);
    }
    expect(problems).toEqual([]);
  }, 180_000);

  it('tells when a project is opened, and before a search, of which objects the radius is assumed', async () => {
    const [ribosome, { radius: _, ...other }] = twoObjects as readonly [object, { readonly radius?: number }];
    const { shown } = await makeProject({ objects: [ribosome, other] });
    const { tab, problems } = await open(shown);
    const told = /^The project gives no radius of "apo-ferritin": rings and scores take 80 Å\. A search takes /;
    await expectMessage(tab, told);
    await settled(tab);
    await press(tab, 'd');
    const dialog = tab.locator('dialog[open]');
    await expect.poll(() => dialog.getByRole('status').textContent(), { timeout: 20_000 }).toMatch(told);
    expect(problems).toEqual([]);
  }, 90_000);

  it('of a single volume leaves candidates in the page, for sliders and other runs, and Export gives the picks that show', async () => {
    const { shown } = await simulatedProject();
    const run = join(shown.folders.static!, 'ExperimentRuns/TS_1_3/VoxelSpacing10.000');
    const volume = (name: string) => ({ name, format: 'ome-zarr', store: './data/volume', key: '/' }) as const;
    const { tab, problems } = await open({
      session: { open: { kind: 'volumes', volumes: [volume('a.zarr'), volume('b.zarr')] } },
      folders: { volume: join(run, 'denoised.zarr') },
    });
    await startSearch(tab);
    await expectMessage(
      tab,
      /They stay, with their sliders, until this page is closed; Export gives the picks/,
      90_000,
    );
    const count = async () => Number(await objectRow(tab, 'beta-galactosidase').locator('.number').textContent());
    await cutAt(tab, 'beta-galactosidase', 0.998);
    const few = await count();
    await cutAt(tab, 'beta-galactosidase', 0.0043);
    const many = await count();
    expect(many).toBeGreaterThan(few);
    const runs = tab.getByLabel('Run', { exact: true });
    await runs.selectOption('b.zarr');
    await settled(tab);
    expect(await count()).toBe(0);
    await runs.selectOption('a.zarr');
    await settled(tab);
    expect(await count()).toBe(many);
    await press(tab, 's');
    await expectMessage(tab, /cannot be written from here; Export/);
    await tab.getByRole('button', { name: 'Export' }).click();
    const dialog = tab.locator('dialog[open]');
    await dialog.getByLabel('Format').selectOption('csv');
    const [file] = await Promise.all([
      tab.waitForEvent('download'),
      dialog.getByRole('button', { name: 'Download' }).click(),
    ]);
    const table = await readFile(await file.path(), 'utf8');
    expect(table.match(/^a,beta-galactosidase,/gm)).toHaveLength(many);
    expect(problems).toEqual([]);
  }, 180_000);

  it('tells after a search what looked wrong with the voxels', async () => {
    const { overlay, shown } = await makeProject();
    const image = directoryStore(join(overlay, 'ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr'));
    const data = noise(isotropic.shape).fill(Number.NaN, 5000, 5007);
    await writeTomogram(image, sourceFromArray({ data, shape: isotropic.shape }, isotropic), {
      levels: 1,
      overwrite: true,
    });
    const { tab, problems } = await open(shown);
    await startSearch(tab);
    await expectMessage(tab, /Found .*\sWhile searching: 7 of 480000 voxels are not finite numbers;/, 90_000);
    expect(problems).toEqual([]);
  }, 120_000);

  it('ends at once when it is cancelled, and shows nothing new', async () => {
    const { shown } = await simulatedProject();
    const { tab, problems } = await open(shown);
    await startSearch(tab);
    await tab.getByRole('button', { name: 'Cancel' }).click();
    await expectMessage(tab, /Cancelled/);
    expect(await tab.locator('.work').isVisible()).toBe(false);
    expect(await tab.locator('.row').count()).toBe(0);
    expect(problems).toEqual([]);
  }, 90_000);
});
