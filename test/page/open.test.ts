import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { sourceFromArray } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { expectMessage, objectRow, press, settled } from '../support/page-hands.ts';
import { isotropic, makeProject, ribosomesIn, simulatedProject } from '../support/page-project.ts';
import { describePage, type Shown } from '../support/served-page.ts';
import { filesBelow } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { noise } from '../support/volumes.ts';
import { zipBytes } from '../support/zip-bytes.ts';

const nothing: Shown = { session: { open: { kind: 'nothing' } }, folders: {} };

/** Chooses files, or a folder, by a button of the dialog that stands open. */
async function choose(tab: Page, button: 'Folder…' | 'Files…', chosen: string | string[]): Promise<void> {
  const [chooser] = await Promise.all([
    tab.waitForEvent('filechooser'),
    tab.getByRole('button', { name: button }).click(),
  ]);
  await chooser.setFiles(chosen);
}

/** Drops files or folders from the file manager onto the page. */
async function drop(tab: Page, ...files: string[]): Promise<void> {
  const client = await tab.context().newCDPSession(tab);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await client.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  }
}

/** Writes a volume of noise as MRC. */
async function writeMrc(path: string): Promise<void> {
  const source = sourceFromArray({ data: noise([8, 16, 24]), shape: [8, 16, 24] }, { voxelSize: [10, 10, 10] });
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeMrc(source)) pieces.push(piece);
  await writeFile(path, Buffer.concat(pieces));
}

/** What the page shows of a simulated project. */
async function expectSimulated(tab: Page): Promise<void> {
  await settled(tab);
  expect(await tab.locator('header select').first().inputValue()).toBe('TS_1_3');
  expect(await tab.locator('.object .name').count()).toBe(6);
  expect(await tab.getByLabel('Truth').locator('option').allTextContents()).toContain('curation/0');
}

describePage('opening in the page of view', ({ open }) => {
  it('a folder that was chosen opens as its project', async () => {
    const { folder } = await simulatedProject();
    const { tab, problems } = await open(nothing);
    await tab.evaluate('delete globalThis.showDirectoryPicker');
    await choose(tab, 'Folder…', folder);
    await expectSimulated(tab);
    await press(tab, 's');
    await expectMessage(tab, /cannot be written from here; Export/);
    expect(problems).toEqual([]);
  }, 60_000);

  it('a folder that was dropped opens as its project', async () => {
    const { folder } = await simulatedProject();
    const { tab, problems } = await open(nothing);
    await tab.keyboard.press('Escape');
    await drop(tab, folder);
    await expectSimulated(tab);
    expect(problems).toEqual([]);
  }, 60_000);

  it('a zip of a project opens as the project, chosen or served', async () => {
    const { folder } = await simulatedProject();
    const entries = (await filesBelow(folder)).map(async (name) => ({
      name,
      data: await readFile(join(folder, name)),
      method: 8,
    }));
    const path = join(await tempDir(), 'project.zip');
    await writeFile(path, zipBytes(await Promise.all(entries)));
    const { tab, problems } = await open(nothing);
    await choose(tab, 'Files…', path);
    await expectSimulated(tab);
    expect(problems).toEqual([]);
    const session = { open: { kind: 'archive', store: './data/zip', key: '/project.zip' } } as const;
    const served = await open({ session, folders: { zip: dirname(path) } });
    await expectSimulated(served.tab);
    await press(served.tab, 's');
    await expectMessage(served.tab, /cannot be written from here; Export/);
    expect(served.problems).toEqual([]);
  }, 60_000);

  it('several volumes that were dropped or chosen are runs of their own', async () => {
    const folder = await tempDir();
    const names = ['a.mrc', 'b.rec'];
    for (const name of names) await writeMrc(join(folder, name));
    const { tab, problems } = await open(nothing);
    await choose(
      tab,
      'Files…',
      names.map((name) => join(folder, name)),
    );
    await settled(tab);
    expect(await tab.getByLabel('Run', { exact: true }).locator('option').allTextContents()).toEqual(names);
    await drop(tab, join(folder, 'b.rec'));
    await expect.poll(() => tab.locator('header .title').textContent()).toBe('b.rec');
    await settled(tab);
    expect(problems).toEqual([]);
  }, 60_000);

  it('a folder in which there is nothing to show is told, with what would do', async () => {
    const folder = await tempDir();
    await mkdir(join(folder, 'empty'));
    await writeFile(join(folder, 'empty/notes.txt'), 'x');
    const { tab } = await open(nothing);
    await tab.evaluate('delete globalThis.showDirectoryPicker');
    await choose(tab, 'Folder…', join(folder, 'empty'));
    await expectMessage(tab, /empty has nothing to show: no config of a copick project/);
  }, 60_000);

  it('a folder that may be written keeps what is saved', async () => {
    const { folder } = await simulatedProject();
    const { tab, problems } = await open(nothing);
    // The browser's own storage, since no test can answer the question of the real picker.
    const files = await Promise.all(
      (await filesBelow(folder)).map(async (name) => [name, (await readFile(join(folder, name))).toString('base64')]),
    );
    await tab.evaluate(async (all) => {
      const root = await navigator.storage.getDirectory();
      for (const [path, base64] of all as [string, string][]) {
        const names = path.split('/');
        let at = root;
        for (const name of names.slice(0, -1)) at = await at.getDirectoryHandle(name, { create: true });
        const file = await at.getFileHandle(names.at(-1)!, { create: true });
        const writer = await file.createWritable();
        await writer.write(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
        await writer.close();
      }
      Object.assign(globalThis, { showDirectoryPicker: async () => root });
    }, files);
    await tab.getByRole('button', { name: 'Folder…' }).click();
    await expectSimulated(tab);
    await tab.getByRole('button', { name: 'Add a pick' }).click();
    await press(tab, 's');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await expectMessage(tab, /Saved 1 pick as me\/1/);
    expect(await tab.getByLabel('Picks', { exact: true }).locator('option').allTextContents()).toContain('me/1');
    expect(problems).toEqual([]);
  }, 60_000);

  it('a root that does not lie in the chosen folder is asked for', async () => {
    const { overlay } = await makeProject({ picks: ribosomesIn(isotropic, 5, 3) });
    const folder = await tempDir();
    const objects = [{ name: 'ribosome', is_particle: true, label: 1, radius: 150 }];
    const config = { config_type: 'filesystem', overlay_root: '/data/elsewhere', pickable_objects: objects };
    await writeFile(join(folder, 'copick.json'), JSON.stringify(config));
    const { tab, problems } = await open(nothing);
    await tab.evaluate('delete globalThis.showDirectoryPicker');
    await choose(tab, 'Folder…', folder);
    const dialog = tab.getByRole('dialog', { name: 'Folder of the project' });
    await expect.poll(() => dialog.textContent()).toContain('The project keeps data in /data/elsewhere');
    await dialog.getByRole('button', { name: 'Go on without it' }).click();
    await expectMessage(tab, /The roots of .* were not found: \/data\/elsewhere/);
    await tab.locator('header .title').click();
    await choose(tab, 'Folder…', folder);
    const [chooser] = await Promise.all([
      tab.waitForEvent('filechooser'),
      dialog.getByRole('button', { name: 'Choose folder…' }).click(),
    ]);
    await chooser.setFiles(overlay);
    await settled(tab);
    expect(await objectRow(tab, 'ribosome').locator('.number').textContent()).toBe('5');
    expect(problems).toEqual([]);
  }, 60_000);
});
