import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { cziiRules, sourceFromArray, type VoxelGrid, type Zyx } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { addressed, cutAt, objectRow, press, settled } from '../support/page-hands.ts';
import { anisotropic, isotropic, makeProject, picksIn } from '../support/page-project.ts';
import { drawingOf, expectRings, planeNames, viewOf } from '../support/page-rings.ts';
import { describePage } from '../support/served-page.ts';
import { tempDir } from '../support/temp-dir.ts';

const radii = { ribosome: 150, 'apo-ferritin': 60 };
const colors = { ribosome: [86, 180, 233], 'apo-ferritin': [230, 159, 0] } as const;

/** Moves all three slices, each by another number of planes, with a key and with the sliders. */
async function moveOn(tab: Page): Promise<void> {
  await press(tab, '.', '.', '.', '.');
  for (const [plane, planes] of [['xz', 12] as const, ['zy', -7] as const]) {
    await tab.locator(`.slice-${plane} input`).evaluate((slider: HTMLInputElement, by) => {
      if (by > 0) slider.stepUp(by);
      else slider.stepDown(-by);
      slider.dispatchEvent(new Event('input'));
    }, planes);
  }
  await addressed(tab);
}

describePage('rings in the page of view', ({ open }) => {
  it.each([
    ['a tomogram of cubes', isotropic, 'zarr2'],
    ['an anisotropic tomogram with an origin', anisotropic, 'zarr2'],
    ['a tomogram in Zarr v3', isotropic, 'zarr3'],
  ] as const)(
    'every pick of the library is ringed at its place, in its colour, in three slices of all three planes, and nothing else, for %s',
    async (_, grid, format) => {
      const { shown, project } = await makeProject({ grid, format, picks: picksIn(grid, 24, 5) });
      const { tab, problems } = await open(shown);
      await settled(tab);
      const picks = await (await project.run('TS_1')).picks({ userId: 'cryoet-picks' });
      let drawn = 0;
      for (let slice = 0; slice < 3; slice++) {
        for (const plane of planeNames) drawn += await expectRings(tab, plane, { picks, grid, radii, colors });
        if (slice < 2) await moveOn(tab);
      }
      expect(drawn).toBeGreaterThan(20);
      expect(await tab.locator('details').isVisible()).toBe(false);
      expect(problems).toEqual([]);
    },
    90_000,
  );

  it('a run of 3,000 picks of 40 objects among 500 runs has a ring for each of them, and a slider still counts as the library', async () => {
    const objects = Array.from({ length: 40 }, (_, i) => ({
      name: `object-${i + 1}`,
      is_particle: true,
      label: i + 1,
      radius: 25,
    }));
    const many = picksIn(isotropic, 3000, 13).map((pick, i) => ({ ...pick, object: `object-${(i % 40) + 1}` }));
    const { overlay, shown, project } = await makeProject({ picks: many, objects });
    for (let i = 2; i <= 500; i++) await mkdir(join(overlay, `ExperimentRuns/TS_${i}`), { recursive: true });
    const { tab, problems } = await open(shown);
    await settled(tab);
    const picks = await (await project.run('TS_1')).picks();
    expect(await tab.locator('header .count').textContent()).toBe('1 / 500');
    const counts = (await tab.locator('.object .number').allTextContents()).map(Number);
    expect(counts).toHaveLength(40);
    expect(counts.reduce((a, b) => a + b)).toBe(3000);
    const small = Object.fromEntries(objects.map(({ name, radius }) => [name, radius]));
    let drawn = 0;
    for (const plane of planeNames) drawn += await expectRings(tab, plane, { picks, grid: isotropic, radii: small });
    expect(drawn).toBeGreaterThan(500);
    await cutAt(tab, 'object-7', 0.5);
    const expected = picks.filter(({ object, score }) => object === 'object-7' && score >= 0.5);
    expect(await objectRow(tab, 'object-7').locator('.number').textContent()).toBe(String(expected.length));
    expect(problems).toEqual([]);
  }, 90_000);

  it('a project without objects, picks or a truth shows its slices, and no ring', async () => {
    const { shown } = await makeProject({ objects: [] });
    const { tab, problems } = await open(shown);
    await settled(tab);
    expect(await tab.locator('.object').count()).toBe(0);
    expect(await tab.locator('details').isVisible()).toBe(false);
    const { width, height, colorAt } = await drawingOf(tab, 'xy');
    const greys = Array.from({ length: 100 }, (_, i) => colorAt(width / 2 - 50 + i, Math.floor(height / 3))[0]);
    expect(new Set(greys).size).toBeGreaterThan(8);
    for (const plane of planeNames) await expectRings(tab, plane, { picks: [], grid: isotropic, radii });
    expect(problems).toEqual([]);
  }, 60_000);

  it('an object that the project does not know is listed, and ringed with a radius of 80 Å', async () => {
    const picks = [{ object: 'stranger', position: { x: 600, y: 500, z: 200 }, score: 1 }];
    const { overlay } = await makeProject({
      picks,
      objects: [{ name: 'stranger', is_particle: true, label: 1, radius: 200 }],
    });
    const { shown } = await makeProject();
    const open2 = { ...shown.session.open, static: './data/static' };
    const { tab, problems } = await open({
      session: { open: open2 },
      folders: { ...shown.folders, static: overlay },
    });
    await settled(tab);
    expect(await objectRow(tab, 'stranger').locator('.number').textContent()).toBe('1');
    const expected = { picks, grid: isotropic, radii: { stranger: 80 }, saturation: 10 };
    for (const plane of planeNames) expect(await expectRings(tab, plane, expected)).toBe(1);
    expect(problems).toEqual([]);
  }, 60_000);

  it('an MRC file of int16 shows its own voxels, and a ring where a pick is added', async () => {
    const folder = await tempDir();
    const shape: Zyx = [16, 32, 48];
    const data = Float32Array.from({ length: 16 * 32 * 48 }, (_, i) => (i % 48 < 24 ? -1000 : 1000));
    const source = sourceFromArray({ data, shape: [...shape] }, { voxelSize: [10, 10, 10] });
    const bytes: Uint8Array[] = [];
    for await (const piece of encodeMrc(source, { mode: 1 })) bytes.push(piece);
    await directoryStore(folder).set('/TS_7.mrc', Buffer.concat(bytes));
    const volume = { name: 'TS_7.mrc', format: 'mrc' as const, store: './data/0', key: '/TS_7.mrc' };
    const { tab, problems } = await open({
      session: { open: { kind: 'volumes', volumes: [volume] } },
      folders: { 0: folder },
      fragment: '#at=130,180,60',
    });
    await settled(tab);
    const { width, height, colorAt } = await drawingOf(tab, 'xy');
    const row = Math.floor(height / 2) - 30;
    const grey = (share: number) => colorAt(Math.floor(width * share), row)[0];
    expect([grey(0.35), grey(0.65)]).toEqual([0, 255]);
    await tab.getByRole('button', { name: 'Add a pick' }).click();
    await addressed(tab);
    const [object, { radius, color }] = Object.entries(cziiRules.objects)[0]!;
    const picks = [{ object, position: { x: 130, y: 180, z: 60 }, score: 1 }];
    expect(viewOf(tab).at).toEqual([130, 180, 60]);
    const grid: VoxelGrid = { shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
    const expected = { picks, grid, radii: { [object]: radius }, colors: { [object]: color } };
    for (const plane of planeNames) expect(await expectRings(tab, plane, expected)).toBe(1);
    expect(problems).toEqual([]);
  }, 60_000);
});
