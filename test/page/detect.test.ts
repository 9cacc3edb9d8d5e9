import { expect, it } from 'vitest';
import { picksFromCandidates } from '../../src/entry/index.ts';
import { openProject } from '../../src/entry/node.ts';
import { cutAt, expectMessage, objectRow, press, save, settled } from '../support/page-hands.ts';
import { simulatedProject } from '../support/page-project.ts';
import { describePage } from '../support/served-page.ts';

describePage('What Detect finds in the page of view', ({ open }) => {
  it('is told with the device, moves by sliders, and Save keeps it as a set of the network, with sliders after a reload', async () => {
    const { folder, shown } = await simulatedProject();
    const { tab, problems } = await open(shown);
    await settled(tab);
    await press(tab, 'd');
    const dialog = tab.locator('dialog[open]');
    await expect.poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 }).toMatch(/MB of memory/);
    await dialog.getByRole('button', { name: 'Detect' }).click();
    await expect
      .poll(() => tab.locator('.work .where').textContent(), { timeout: 60_000 })
      .toMatch(/WebAssembly: .*WebGPU/);
    await expectMessage(tab, /Found \d+ picks? among \d+ candidates. Save keeps them/, 90_000);
    const sets = tab.getByLabel('Picks', { exact: true }).and(tab.locator('select'));
    expect(await sets.inputValue()).toBe('found, not saved');

    await press(tab, 'j', 'x');
    await cutAt(tab, 'beta-galactosidase', 0.3);
    const count = await objectRow(tab, 'beta-galactosidase').locator('.number').textContent();
    // Another set, and back: what a person did is still there.
    await sets.selectOption('— none —');
    await settled(tab);
    await sets.selectOption('found, not saved');
    await settled(tab);
    expect(await objectRow(tab, 'beta-galactosidase').locator('.number').textContent()).toBe(count);
    // A search does not replace them unasked.
    await press(tab, 'd');
    await expect.poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 }).toMatch(/MB of memory/);
    const asked = new Promise<string>((resolve) => {
      tab.once('dialog', (question) => question.dismiss().then(() => resolve(question.message())));
    });
    await dialog.getByRole('button', { name: 'Detect' }).click();
    expect(await asked).toMatch(/is not saved, and what is found now will replace it/);
    expect(await tab.locator('.work').isVisible()).toBe(false);
    expect(await objectRow(tab, 'beta-galactosidase').locator('.number').textContent()).toBe(count);
    await save(tab);
    await expectMessage(tab, /Saved \d+ picks? as me\/1, 1 rejected; what the network found as cryoet-picks\/0/);
    await expect.poll(() => sets.inputValue()).toBe('me/1');

    const [run] = await (await openProject(`${folder}/copick.json`)).runs();
    const author = { userId: 'cryoet-picks', sessionId: '0' };
    const { candidates, provenance } = await run!.readCandidates(author);
    expect(provenance).toMatchObject({ program: 'cryoet-picks', tomogramUri: expect.stringMatching(/^denoised@/) });
    expect(await run!.picks(author)).toHaveLength(picksFromCandidates(candidates).length);
    expect(await run!.picks({ userId: 'me-rejected' })).toHaveLength(1);

    await tab.waitForTimeout(1500);
    await tab.reload();
    await settled(tab);
    await expect.poll(() => sets.inputValue()).toBe('me/1');
    expect(await objectRow(tab, 'beta-galactosidase').locator('.number').textContent()).toBe(count);
    await cutAt(tab, 'beta-galactosidase', 0.1);
    const picks = picksFromCandidates(candidates, { thresholds: { ribosome: 0.1 } });
    expect(await objectRow(tab, 'ribosome').locator('.number').textContent()).toBe(
      String(picks.filter(({ object }) => object === 'ribosome').length),
    );
    expect(problems).toEqual([]);
  }, 180_000);
});
