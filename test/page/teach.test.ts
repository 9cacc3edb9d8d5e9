import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import {
  detectParticles,
  formatModelSpec,
  type ParticlePick,
  parseModelSpec,
  picksFromCandidates,
  writeTomogram,
} from '../../src/entry/index.ts';
import { directoryStore, loadModel } from '../../src/entry/node.ts';
import { cutAt, expectMessage, objectRow, press, save, settled, twoFrames } from '../support/page-hands.ts';
import { twoObjects } from '../support/page-project.ts';
import { spotOf } from '../support/page-rings.ts';
import { describePage, type Shown } from '../support/served-page.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Blobs, blobs, card, network, radius } from '../teach/blobs.ts';

const blob = { name: 'blob', is_particle: true, label: 3, color: [0, 158, 115, 255], radius };

/** A project with a tomogram of blobs, and the small network that has features, as files. */
async function projectOfBlobs(objects: readonly object[] = [...twoObjects, blob]) {
  const overlay = await tempDir();
  const truth = blobs(1);
  const image = join(overlay, 'ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr');
  await mkdir(image, { recursive: true });
  await writeTomogram(directoryStore(image), truth.tomogram, { levels: 1 });
  const config = { config_type: 'filesystem', overlay_root: 'overlay', pickable_objects: objects };
  const project = projectFromStores({
    config: parseConfig(JSON.stringify(config), { source: 'test' }),
    overlay: directoryStore(overlay),
  });
  const open = { kind: 'project' as const, config, overlay: './data/overlay' };
  const shown: Shown = { session: { open }, folders: { overlay } };
  return { project, shown, truth, files: await networkFiles(network) };
}

async function networkFiles(bytes: Uint8Array, spec = card): Promise<string[]> {
  const folder = await tempDir();
  const files = [join(folder, 'six.onnx'), join(folder, 'six.json')] as const;
  await writeFile(files[0], bytes);
  await writeFile(files[1], formatModelSpec(spec));
  return [...files];
}

/** Goes to the slices of some picks, and clicks on each. */
async function clickOn(tab: Page, picks: readonly ParticlePick[]): Promise<void> {
  for (const { position } of picks) {
    const shown = /\bslice (\d+)/.exec((await tab.locator('.slice-xy .caption').textContent())!)!;
    const steps = Math.round(position.z / 10) - (Number(shown[1]) - FIRST_SLICE);
    for (let i = 0; i < Math.abs(steps); i++) await press(tab, steps > 0 ? '.' : ',');
    await settled(tab);
    const { left, top } = await spotOf(tab, position);
    await tab.keyboard.down('Alt');
    await tab.mouse.click(Math.round(left), Math.round(top));
    await tab.keyboard.up('Alt');
    await twoFrames(tab);
  }
}

/** The number of the first slice, as it is shown. */
const FIRST_SLICE = 1;

const countOf = async (tab: Page, object: string) =>
  Number(await objectRow(tab, object).locator('.number').textContent());

/** Presses T for the first time, with the small network. */
async function teachFirst(tab: Page, files: readonly string[]): Promise<void> {
  await press(tab, 't');
  const dialog = tab.locator('dialog[open]');
  await dialog.locator('input[type=file]').setInputFiles([...files]);
  await expect.poll(() => dialog.locator('p').first().textContent(), { timeout: 20_000 }).toMatch(/"six features".*MB/);
  await dialog.getByRole('button', { name: 'Teach' }).click();
}

/** Share of picks on particles. */
const hits = ({ particles }: Blobs, picks: readonly ParticlePick[]) =>
  picks.filter(({ position: { x, y, z } }) =>
    particles.some(({ position: p }) => Math.hypot(x - p.x, y - p.y, z - p.z) < 40),
  ).length / picks.length;

describePage('Teach in the page of view', ({ open }) => {
  it('finds an object by three clicks, learns from rejects, walks through the least sure, and gives a model that finds the same', async () => {
    const { project, shown, truth, files } = await projectOfBlobs();
    const { tab, problems } = await open({ ...shown, fragment: '#object=blob' });
    await settled(tab);
    const panel = tab.locator('.teach');
    await expect.poll(() => panel.innerText()).toMatch(/Teach: 3 more picks of blob/);
    await press(tab, 'e');
    await clickOn(tab, truth.particles.slice(0, 2));
    await press(tab, 't');
    await expectMessage(tab, /It takes 1 more pick of blob\. Press E/);
    await clickOn(tab, truth.particles.slice(2, 3));
    await expect.poll(() => panel.innerText()).toMatch(/Teach blob\s+3 picks, 0 rejected/);
    await teachFirst(tab, files);
    await expectMessage(tab, /blob, learned from 3 picks: \d+ picks\. F1 to expect: \d\.\d\d with 3 picks/, 60_000);
    const sets = tab.getByLabel('Picks', { exact: true }).and(tab.locator('select'));
    expect(await sets.inputValue()).toBe('found, not saved');
    expect(await objectRow(tab, 'blob').locator('.threshold').inputValue()).toBe('0.500');
    const found = await countOf(tab, 'blob');
    expect(found).toBeGreaterThan(10);
    await cutAt(tab, 'blob', 0.9);
    expect(await countOf(tab, 'blob')).toBeLessThan(found);
    await cutAt(tab, 'blob', 0.5);

    await press(tab, 'u', 'x');
    await expect.poll(() => panel.innerText()).toMatch(/3 picks, 1 rejected/);
    await press(tab, 't');
    await expectMessage(tab, /learned from 3 picks and 1 rejected: |The rejected picks were left out/);
    expect(await tab.locator('.row.rejected').count()).toBe(1);

    await press(tab, 'l');
    await expect.poll(() => tab.locator('.facts').textContent()).toMatch(/not decided/);
    const doubtful = Number(/Least sure: (\d+)/.exec(await panel.innerText())![1]);
    await press(tab, 'a');
    await expect.poll(() => panel.innerText()).toMatch(new RegExp(`Least sure: ${doubtful - 1}\\s`));
    await expect.poll(() => panel.innerText()).toMatch(/4 picks, 1 rejected/);
    await press(tab, 't');
    await expectMessage(tab, /learned from 4 picks/);

    const downloads: string[] = [];
    tab.on(
      'download',
      (file) => void file.path().then((path) => downloads.push(`${file.suggestedFilename()}=${path}`)),
    );
    await panel.getByRole('button', { name: 'Model' }).click();
    await expectMessage(tab, /npx cryoet-picks detect copick\.json --model blob\.onnx/);
    await expect.poll(() => downloads.length).toBe(2);
    const pathOf = (name: string) => downloads.find((one) => one.startsWith(`${name}=`))!.slice(name.length + 1);

    await save(tab);
    await expectMessage(tab, /Saved \d+ picks? as me\/1, 1 rejected; what the network found as cryoet-picks\/0/);
    const run = await project.run('TS_1');
    const { candidates, provenance } = await run.readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    const spec = parseModelSpec(await readFile(pathOf('blob.json'), 'utf8'));
    const model = await loadModel(ort, pathOf('blob.onnx'), { spec });
    try {
      expect(provenance.model).toMatchObject({ sha256: model.sha256 });
      const expected = await detectParticles(await run.tomogram('denoised'), {
        model,
        objects: [{ name: 'blob', radius }],
      });
      const picks = picksFromCandidates(candidates);
      expect(hits(truth, picks)).toBeGreaterThan(0.8);
      expect(picks).toHaveLength(expected.length);
      for (const [i, { position, score }] of picks.entries()) {
        expect(score).toBeCloseTo(expected[i]!.score, 3);
        for (const axis of ['x', 'y', 'z'] as const) expect(position[axis]).toBeCloseTo(expected[i]!.position[axis], 0);
      }
    } finally {
      await model.dispose();
    }
    const own = await run.picks({ userId: 'me', sessionId: '1' });
    expect(own.filter(({ unknown }) => unknown?.reviewed === 'added')).toHaveLength(3);
    expect(await run.picks({ userId: 'me-rejected' })).toHaveLength(1);

    await tab.waitForTimeout(1200);
    await tab.reload();
    await settled(tab);
    await expect.poll(() => sets.inputValue()).toBe('me/1');
    expect(await countOf(tab, 'blob')).toBe(own.length);
    expect(problems).toEqual([]);
  }, 240_000);

  it('takes a new object, whose clicks are there after a reload, and says that the project does not have it', async () => {
    const { shown, truth, files } = await projectOfBlobs(twoObjects);
    const { tab, problems } = await open(shown);
    await settled(tab);
    await expect.poll(() => tab.locator('.teach').isVisible()).toBe(false);
    await press(tab, 't');
    await expectMessage(tab, /The network finds ribosome by itself: press D\./);
    await tab.getByRole('button', { name: 'New object' }).click();
    const dialog = tab.locator('dialog[open]');
    await dialog.getByLabel('Name').fill('blob');
    await dialog.getByLabel('Radius').fill(String(radius));
    await dialog.getByRole('button', { name: 'Make it' }).click();
    await expectMessage(tab, /A click adds a pick of blob.*The project does not have it/);
    await clickOn(tab, truth.particles.slice(0, 4));
    await teachFirst(tab, files);
    await expectMessage(tab, /blob, learned from 4 picks/, 60_000);
    await press(tab, 's');
    await expectMessage(tab, /The project does not have "blob": add it to the pickable_objects/);
    await tab.waitForTimeout(1200);
    tab.once('dialog', (question) => void question.accept());
    await tab.reload();
    await settled(tab);
    expect(await countOf(tab, 'blob')).toBe(4);
    expect(problems).toEqual([]);
  }, 180_000);

  it('tells what is wrong with a network without features, picks at one place, and picks where rejects are', async () => {
    const { shown, truth, files } = await projectOfBlobs();
    const { tab, problems } = await open({ ...shown, fragment: '#object=blob' });
    await settled(tab);
    await press(tab, 'e');
    for (let i = 0; i < 3; i++) await tab.getByRole('button', { name: 'Add a pick' }).click();
    const plain = {
      ...card,
      name: 'six features',
      outputStride: 2 as const,
      classes: ['a', 'b'],
      thresholds: { a: 0.5, b: 0.5 },
      minDistances: { a: 40, b: 40 },
    };
    const without = await readFile(new URL('../fixtures/onnx/two-classes-stride-two.onnx', import.meta.url));
    await teachFirst(tab, await networkFiles(without, plain));
    await expectMessage(tab, /this network gives no features: it needs a second output "features"/, 60_000);
    await teachFirst(tab, files);
    await expectMessage(tab, /cannot learn: all 3 picks of "blob" lie at one place/, 60_000);
    await clickOn(tab, truth.particles.slice(0, 2));
    await tab.getByRole('button', { name: 'Add a pick' }).click();
    await press(tab, 'x', 't');
    await expectMessage(tab, /cannot learn: 1 of 1 rejects of "blob" lie where a pick is/, 60_000);
    expect(problems).toEqual([]);
  }, 180_000);
});
