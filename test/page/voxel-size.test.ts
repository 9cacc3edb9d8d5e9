import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sourceFromArray } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { expectMessage, press, settled } from '../support/page-hands.ts';
import { describePage, type Shown } from '../support/served-page.ts';
import { tempDir } from '../support/temp-dir.ts';
import { noise } from '../support/volumes.ts';

/** A folder with an MRC file whose header says 1 Å, as of programs that do not know it. */
async function unscaled(voxelSize?: number): Promise<Shown> {
  const folder = await tempDir();
  const source = sourceFromArray({ data: noise([8, 16, 24]), shape: [8, 16, 24] }, { voxelSize: [1, 1, 1] });
  await writeFile(join(folder, 'a.mrc'), encodeMrc(source));
  const volume = { name: 'a.mrc', format: 'mrc', store: './data/0', key: '/a.mrc' } as const;
  const volumes = [{ ...volume, ...(voxelSize && { voxelSize }) }];
  return { session: { open: { kind: 'volumes', volumes } }, folders: { 0: folder } };
}

describePage('a file without a voxel size', ({ open }) => {
  it('is shown in voxels, asks for it, and takes no picks, search or export until it is given', async () => {
    const { tab, problems } = await open(await unscaled());
    await settled(tab);
    await expectMessage(tab, /does not say its voxel size, so lengths are in voxels/);
    const caption = tab.locator('.slice-xy .caption');
    const place = tab.getByTitle('Where the slices meet', { exact: true });
    expect(await caption.textContent()).toMatch(/z \d voxels · slice/);
    expect(await place.textContent()).toMatch(/z \d voxels$/);
    const told = async (act: () => Promise<unknown>) => {
      await tab.getByRole('button', { name: 'Close the message' }).click();
      await act();
      await expectMessage(tab, /does not say its voxel size/);
    };
    await told(() => tab.getByRole('button', { name: 'Add a pick' }).click());
    expect(await tab.locator('.row').count()).toBe(0);
    await told(() => tab.getByRole('button', { name: 'Export' }).click());
    expect(await tab.locator('dialog[open]').count()).toBe(0);
    await press(tab, 'd');
    const dialog = tab.locator('dialog[open]');
    await expect
      .poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 })
      .toMatch(/voxel size of the tomogram is unknown.*give it under "Voxel size"/);
    expect(await dialog.getByRole('button', { name: 'Detect' }).isDisabled()).toBe(true);
    await press(tab, 'Escape');

    const size = tab.getByLabel('Voxel size (Å)');
    await size.fill('10.5');
    await size.press('Enter');
    await expect.poll(() => caption.textContent()).toMatch(/z 37 Å · slice 5 of 8/);
    await tab.getByRole('button', { name: 'Add a pick' }).click();
    await expect.poll(() => tab.locator('.row').count()).toBe(1);
    await settled(tab);
    await tab.reload();
    await settled(tab);
    expect(await caption.textContent()).toMatch(/z 37 Å · slice 5 of 8/);
    expect(await size.inputValue()).toBe('10.5');
    expect(problems).toEqual([]);
  }, 60_000);

  it('has the one that view was told', async () => {
    const { tab, problems } = await open(await unscaled(10.5));
    await settled(tab);
    expect(await tab.locator('.slice-xy .caption').textContent()).toMatch(/z 37 Å · slice 5 of 8/);
    expect(await tab.getByLabel('Voxel size (Å)').isVisible()).toBe(false);
    expect(problems).toEqual([]);
  }, 60_000);
});
