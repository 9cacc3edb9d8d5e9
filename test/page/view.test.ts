import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from 'fast-png';
import * as ort from 'onnxruntime-node';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import {
  collectCandidates,
  detectParticles,
  type ParticlePick,
  picksFromCandidates,
  scorePicks,
  sourceFromArray,
  suppressNearby,
  type VoxelGrid,
  writeTomogram,
  type Zyx,
} from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { directoryStore, loadModel, openProject } from '../../src/entry/node.ts';
import { chromiumPath } from '../support/chromium.ts';
import { openPageBench, type PageBench, type Visit } from '../support/served-page.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { noise } from '../support/volumes.ts';

const objects = [
  { name: 'ribosome', is_particle: true, label: 1, color: [86, 180, 233, 255], radius: 150 },
  { name: 'apo-ferritin', is_particle: true, label: 2, color: [230, 159, 0, 255], radius: 60 },
];
const radii: Readonly<Record<string, number>> = { ribosome: 150, 'apo-ferritin': 60 };

const isotropic: VoxelGrid = { shape: [40, 100, 120], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } };
const anisotropic: VoxelGrid = { shape: [20, 160, 60], voxelSize: [20, 8, 20], origin: { x: -300, y: 55, z: 1000 } };

/** Picks inside a grid that look random. */
function picksIn({ shape, voxelSize, origin }: VoxelGrid, count: number, seed: number): ParticlePick[] {
  const random = noise([count, 1, 5], seed).map((value) => (value + 1) / 2);
  return Array.from({ length: count }, (_, i) => ({
    object: random[5 * i]! < 0.5 ? 'ribosome' : 'apo-ferritin',
    position: {
      x: origin.x + random[5 * i + 1]! * shape[2] * voxelSize[2],
      y: origin.y + random[5 * i + 2]! * shape[1] * voxelSize[1],
      z: origin.z + random[5 * i + 3]! * shape[0] * voxelSize[0],
    },
    score: random[5 * i + 4]!,
  }));
}

interface ProjectOptions {
  readonly grid?: VoxelGrid;
  readonly format?: 'zarr2' | 'zarr3';
  readonly runs?: readonly string[];
  readonly picks?: readonly ParticlePick[];
  readonly truth?: readonly ParticlePick[];
  readonly objects?: readonly object[];
}

/** A project on disk whose tomograms are even grey, but for a little noise. */
async function makeProject(options: ProjectOptions = {}) {
  const { grid = isotropic, format = 'zarr2', runs = ['TS_1'], picks = [], truth = [] } = options;
  const overlay = await tempDir();
  const config = { config_type: 'filesystem', overlay_root: 'overlay', pickable_objects: options.objects ?? objects };
  const project = projectFromStores({
    config: parseConfig(JSON.stringify(config), { source: 'test' }),
    overlay: directoryStore(overlay),
  });
  const data = noise(grid.shape).map((value) => 100 + 0.01 * value);
  for (const name of runs) {
    const image = join(overlay, `ExperimentRuns/${name}/VoxelSpacing10.000/denoised.zarr`);
    await mkdir(image, { recursive: true });
    const source = sourceFromArray(
      { data, shape: [...grid.shape] },
      { voxelSize: grid.voxelSize, origin: grid.origin },
    );
    await writeTomogram(directoryStore(image), source, { levels: 2, format });
    const run = await project.run(name);
    if (picks.length > 0) await run.writePicks(picks, { userId: 'cryoet-picks', sessionId: '0' });
    if (truth.length > 0) await run.writePicks(truth, { userId: 'curation', sessionId: '0' });
  }
  return { overlay, project, open: { kind: 'project' as const, config, overlay: './data/overlay' } };
}

/** Waits until everything is read and drawn. */
async function settled(tab: Page): Promise<void> {
  await expect.poll(() => tab.locator('.slice-xy .caption').textContent(), { timeout: 20_000 }).toMatch(/nm/);
  await expect.poll(() => tab.locator('.work').isVisible(), { timeout: 20_000 }).toBe(false);
  await tab.waitForTimeout(400);
}

/** What a panel shows, by the address that the page keeps. */
interface View {
  readonly at: readonly [x: number, y: number, z: number];
  readonly center: readonly [x: number, y: number, z: number];
  readonly zoom: number;
}

function viewOf(tab: Page): View {
  const query = new URLSearchParams(new URL(tab.url()).hash.slice(1));
  const numbers = (name: string) => query.get(name)!.split(',').map(Number) as [number, number, number];
  return { at: numbers('at'), center: numbers('center'), zoom: Number(query.get('zoom')) };
}

/** The drawing of a slice, without what lies over it. */
async function drawingOf(tab: Page, plane: string) {
  const address = await tab
    .locator(`.slice-${plane} canvas`)
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL('image/png'));
  return decode(Buffer.from(address.slice(address.indexOf(',') + 1), 'base64'));
}

/** Indices into x, y, z of what runs right, down and across. */
const axes = { xy: [0, 1, 2], xz: [0, 2, 1], zy: [2, 1, 0] } as const;

interface Circle {
  readonly left: number;
  readonly top: number;
  readonly radius: number;
}

/** The circles that a plane cuts out of the spheres of picks, in screen pixels, computed without the page's own code. */
function circlesOf(
  picks: readonly ParticlePick[],
  plane: keyof typeof axes,
  view: View,
  grid: VoxelGrid,
  size: readonly [number, number],
): Circle[] {
  const [right, down, across] = axes[plane];
  const origin = [grid.origin.x, grid.origin.y, grid.origin.z][across]!;
  const step = grid.voxelSize[2 - across]!;
  const cut = origin + Math.round((view.at[across]! - origin) / step) * step;
  const circles: Circle[] = [];
  for (const { object, position } of picks) {
    const at = [position.x, position.y, position.z];
    const away = Math.abs(at[across]! - cut);
    const sphere = radii[object]!;
    if (away >= sphere) continue;
    circles.push({
      left: size[0] / 2 + (at[right]! - view.center[right]!) * view.zoom,
      top: size[1] / 2 + (at[down]! - view.center[down]!) * view.zoom,
      radius: Math.sqrt(sphere ** 2 - away ** 2) * view.zoom,
    });
  }
  return circles;
}

/** Checks that coloured pixels lie on the circles, on all of them, and nowhere else but on the cross-hair. */
async function expectRings(
  tab: Page,
  plane: keyof typeof axes,
  picks: readonly ParticlePick[],
  grid: VoxelGrid,
): Promise<number> {
  const { data, width, height, channels } = await drawingOf(tab, plane);
  const view = viewOf(tab);
  const [right, down] = axes[plane];
  const cross = [
    width / 2 + (view.at[right]! - view.center[right]!) * view.zoom,
    height / 2 + (view.at[down]! - view.center[down]!) * view.zoom,
  ] as const;
  const isColored = (x: number, y: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return false;
    const at = (y * width + x) * channels;
    const parts = [data[at]!, data[at + 1]!, data[at + 2]!];
    return Math.max(...parts) - Math.min(...parts) > 30;
  };
  const circles = circlesOf(picks, plane, view, grid, [width, height]);
  let drawn = 0;
  for (const { left, top, radius } of circles) {
    let seen = 0;
    let hit = 0;
    for (let angle = 0; angle < 2 * Math.PI; angle += 0.1) {
      const [x, y] = [left + radius * Math.cos(angle), top + radius * Math.sin(angle)];
      if (x < 2 || y < 2 || x > width - 3 || y > height - 3) continue;
      seen++;
      const around = [-1, 0, 1].flatMap((dy) =>
        [-1, 0, 1].map((dx) => [Math.floor(x) + dx, Math.floor(y) + dy] as const),
      );
      if (around.some(([px, py]) => isColored(px, py))) hit++;
    }
    if (seen > 0) drawn++;
    expect(hit, `ring at ${left.toFixed(1)}, ${top.toFixed(1)} of radius ${radius.toFixed(1)}`).toBeGreaterThanOrEqual(
      0.9 * seen,
    );
  }
  const astray: string[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!isColored(x, y) || Math.abs(x - cross[0]) < 2 || Math.abs(y - cross[1]) < 2) continue;
      const isOnRing = circles.some(
        ({ left, top, radius }) => Math.abs(Math.hypot(x + 0.5 - left, y + 0.5 - top) - radius) < 3,
      );
      if (!isOnRing) astray.push(`${x}, ${y}`);
    }
  }
  expect(astray).toEqual([]);
  return drawn;
}

describe.skipIf(chromiumPath === undefined)('the page of view in Chromium (needs Chromium)', () => {
  let bench: PageBench;
  const visits: Visit[] = [];
  beforeAll(async () => {
    bench = await openPageBench();
  }, 60_000);
  afterAll(async () => {
    for (const visit of visits) await visit.close();
    await bench?.close();
  });

  const open = async (shown: Parameters<PageBench['open']>[0]): Promise<Visit> => {
    const visit = await bench.open(shown);
    visits.push(visit);
    return visit;
  };

  it.each([
    ['a tomogram of cubes', isotropic, 'zarr2'],
    ['an anisotropic tomogram with an origin', anisotropic, 'zarr2'],
    ['a tomogram in Zarr v3', isotropic, 'zarr3'],
  ] as const)(
    'every pick of the library is ringed at its place in three slices of all three planes, and nothing else, for %s',
    async (_, grid, format) => {
      const picks = picksIn(grid, 24, 5);
      const { overlay, open: opened, project } = await makeProject({ grid, format, picks });
      const { tab, problems } = await open({ session: { open: opened }, folders: { overlay } });
      await settled(tab);
      const read = await (await project.run('TS_1')).picks({ userId: 'cryoet-picks' });
      let drawn = 0;
      for (let slice = 0; slice < 3; slice++) {
        for (const plane of ['xy', 'xz', 'zy'] as const) drawn += await expectRings(tab, plane, read, grid);
        for (let i = 0; i < 4; i++) await tab.keyboard.press('.');
        await tab.locator('.slice-xz input').evaluate((slider: HTMLInputElement) => {
          slider.stepUp(12);
          slider.dispatchEvent(new Event('input'));
        });
        await tab.locator('.slice-zy input').evaluate((slider: HTMLInputElement) => {
          slider.stepDown(7);
          slider.dispatchEvent(new Event('input'));
        });
        await tab.waitForTimeout(700);
      }
      expect(drawn).toBeGreaterThan(20);
      expect(problems).toEqual([]);
    },
    90_000,
  );

  it('moving a slider changes counts and score as the library computes them', async () => {
    const truth = picksIn(isotropic, 20, 9);
    const picks = [...truth.map((pick, i) => ({ ...pick, score: (i + 1) / 21 })), ...picksIn(isotropic, 30, 11)];
    const { overlay, open: opened, project } = await makeProject({ picks, truth });
    const { tab } = await open({ session: { open: opened }, folders: { overlay }, height: 900 });
    await settled(tab);
    const run = await project.run('TS_1');
    const [all, known] = [await run.picks({ userId: 'cryoet-picks' }), await run.picks({ userId: 'curation' })];
    for (const cut of [0.2, 0.55, 0.9]) {
      const row = tab.locator('.object', { hasText: 'ribosome' });
      await row.locator('.name').click();
      await row.locator('.threshold').fill(String(cut));
      await row.locator('.threshold').press('Enter');
      await tab.waitForTimeout(300);
      const kept = all.filter(({ object, score }) => object !== 'ribosome' || score >= cut);
      const expected = suppressNearby(kept, { minDistance: 0 });
      const { score } = scorePicks([{ run: 'TS_1', truth: known, picks: expected }]);
      const count = expected.filter(({ object }) => object === 'ribosome').length;
      expect(await row.locator('.number').textContent()).toBe(String(count));
      expect(await tab.locator('.score').textContent()).toBe(score.toFixed(4));
    }
  }, 60_000);

  it('picks that were accepted, rejected and added are saved as sets of their own, found again after a reload, and undone by key', async () => {
    const picks = picksIn(isotropic, 12, 3).map((pick) => ({ ...pick, object: 'ribosome' }));
    const { overlay, open: opened, project } = await makeProject({ picks });
    const { tab, problems } = await open({ session: { open: opened }, folders: { overlay } });
    await settled(tab);
    for (const key of ['j', 'a', 'x', 'x', 'z']) await tab.keyboard.press(key);
    await tab.getByRole('button', { name: 'Add a pick' }).click();
    await tab.waitForTimeout(1500);
    await tab.reload();
    await settled(tab);
    expect(await tab.locator('.row.accepted').count()).toBe(2);
    expect(await tab.locator('.row.rejected').count()).toBe(1);
    await tab.keyboard.press('s');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => tab.locator('.message').textContent()).toMatch(/Saved 12 picks as me\/1, 1 rejected/);
    const run = await project.run('TS_1');
    const kept = await run.picks({ userId: 'me' });
    const rejected = await run.picks({ userId: 'me-rejected' });
    const best = [...picks].sort((a, b) => b.score - a.score);
    expect(rejected.map(({ position }) => position.x)).toEqual([best[1]!.position.x]);
    expect(kept.length).toBe(12);
    expect(kept.map(({ unknown }) => unknown?.reviewed).sort()).toEqual([
      'accepted',
      'added',
      ...Array(10).fill(undefined),
    ]);
    expect(await run.picks({ userId: 'cryoet-picks' })).toHaveLength(12);
    expect(problems).toEqual([]);
  }, 60_000);

  it('saving over picks that somebody else wrote meanwhile writes nothing, and offers a session that is free', async () => {
    const picks = picksIn(isotropic, 6, 3).map((pick) => ({ ...pick, object: 'ribosome' }));
    const { overlay, open: opened, project } = await makeProject({ picks });
    const { tab } = await open({ session: { open: opened }, folders: { overlay } });
    await settled(tab);
    const run = await project.run('TS_1');
    await run.writePicks(picks.slice(0, 1), { userId: 'me', sessionId: '1' });
    await tab.keyboard.press('s');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => tab.locator('.problem').textContent()).toMatch(/Nothing was written/);
    expect(await run.picks({ userId: 'me' })).toHaveLength(1);
    expect(await tab.getByLabel('Session').inputValue()).toBe('2');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => tab.locator('.message').textContent()).toMatch(/as me\/2/);
    expect(await run.picks({ userId: 'me', sessionId: '2' })).toHaveLength(6);
  }, 60_000);

  it('picks are exported to RELION 5 as the library formats them', async () => {
    const picks = picksIn(isotropic, 6, 3).map((pick) => ({ ...pick, object: 'ribosome' }));
    const { overlay, open: opened } = await makeProject({ picks });
    const { tab } = await open({ session: { open: opened }, folders: { overlay } });
    await settled(tab);
    await tab.getByRole('button', { name: 'Export' }).click();
    const [file] = await Promise.all([
      tab.waitForEvent('download'),
      tab.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(file.suggestedFilename()).toBe('TS_1.star');
    const text = await readFile(await file.path(), 'utf8');
    expect(text).toContain('_rlnCenteredCoordinateXAngst');
    expect(text.match(/^\s*TS_1\s/gm)).toHaveLength(6);
  }, 60_000);

  it('names with markup are shown as text, and an object that the project does not know is listed', async () => {
    const name = '<img src=x onerror=alert(1)>';
    const picks = [{ object: 'ribosome', position: { x: 600, y: 500, z: 200 }, score: 1 }];
    const { overlay, open: opened } = await makeProject({ picks, runs: ['TS_1', name] });
    const { overlay: other } = await makeProject({
      picks: [{ ...picks[0]!, object: 'stranger' }],
      objects: [{ name: 'stranger', is_particle: true, label: 1, radius: 90 }],
    });
    const { tab, problems } = await open({
      session: { open: { ...opened, static: './data/static' }, title: name },
      folders: { overlay, static: other },
      fragment: '#run=TS_1',
    });
    await settled(tab);
    expect(await tab.locator('header .title').textContent()).toBe(name);
    expect(await tab.locator('img').count()).toBe(0);
    expect(await tab.locator('header select').first().locator('option').allTextContents()).toContain(name);
    expect(await tab.locator('.object .name').allTextContents()).toContain('stranger');
    expect(problems).toEqual([]);
  }, 60_000);

  it('a run of 3,000 picks of 40 objects among 500 runs shows them all, and a slider still counts as the library', async () => {
    const many = Array.from({ length: 40 }, (_, i) => ({
      name: `object-${i + 1}`,
      is_particle: true,
      label: i + 1,
      radius: 40,
    }));
    const picks = picksIn(isotropic, 3000, 13).map((pick, i) => ({ ...pick, object: `object-${(i % 40) + 1}` }));
    const { overlay, open: opened, project } = await makeProject({ picks, objects: many });
    for (let i = 2; i <= 500; i++) await mkdir(join(overlay, `ExperimentRuns/TS_${i}`), { recursive: true });
    const { tab, problems } = await open({ session: { open: opened }, folders: { overlay } });
    await settled(tab);
    expect(await tab.locator('header .count').textContent()).toBe('1 / 500');
    const counts = (await tab.locator('.object .number').allTextContents()).map(Number);
    expect(counts).toHaveLength(40);
    expect(counts.reduce((a, b) => a + b)).toBe(3000);
    const row = tab.locator('.object').nth(6);
    await row.locator('.name').click();
    await row.locator('.threshold').fill('0.5');
    await row.locator('.threshold').press('Enter');
    await tab.waitForTimeout(300);
    const read = await (await project.run('TS_1')).picks();
    const expected = read.filter(({ object, score }) => object === 'object-7' && score >= 0.5);
    expect(await row.locator('.number').textContent()).toBe(String(expected.length));
    expect(problems).toEqual([]);
  }, 90_000);

  it('a project without objects, picks or a truth shows its slices', async () => {
    const { overlay, open: opened } = await makeProject({ objects: [] });
    const { tab, problems } = await open({ session: { open: opened }, folders: { overlay } });
    await settled(tab);
    expect(await tab.locator('.object').count()).toBe(0);
    expect(await tab.locator('details').isVisible()).toBe(false);
    const { data } = await drawingOf(tab, 'xy');
    expect(new Set(data).size).toBeGreaterThan(8);
    expect(problems).toEqual([]);
  }, 60_000);

  it('an MRC file of int16 shows its own voxels, and its picks go to a download', async () => {
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
    });
    await settled(tab);
    const { data: pixels, width, height, channels } = await drawingOf(tab, 'xy');
    const row = Math.floor(height / 2) - 30;
    const grey = (share: number) => pixels[(row * width + Math.floor(width * share)) * channels];
    expect([grey(0.35), grey(0.65)]).toEqual([0, 255]);
    await tab.keyboard.press('s');
    await expect.poll(() => tab.locator('.message').textContent()).toMatch(/Export/);
    expect(problems).toEqual([]);
  }, 60_000);

  it('detection in WebAssembly finds the picks of Node, with scores equal to 1e-3, and Save keeps them', async () => {
    const folder = await tempDir();
    const project = await openProject(await smallProject(folder, { runs: 1 }));
    const [run] = await project.runs();
    const tomogram = await run!.tomogram('denoised');
    const model = await loadModel(ort);
    const expected = await detectParticles(tomogram, { model, objects: project.objects });
    expect(expected.length).toBeGreaterThan(0);
    await model.dispose();
    const config = JSON.parse(await readFile(join(folder, 'copick.json'), 'utf8'));
    const { tab, problems } = await open({
      session: { open: { kind: 'project', config, overlay: './data/overlay', static: './data/static' } },
      folders: { overlay: join(folder, config.overlay_root), static: join(folder, config.static_root) },
    });
    await settled(tab);
    await tab.keyboard.press('d');
    await expect
      .poll(() => tab.locator('dialog[open] p').first().textContent(), { timeout: 20_000 })
      .toMatch(/MB of memory/);
    await tab.locator('dialog[open]').getByRole('button', { name: 'Detect' }).click();
    await expect
      .poll(() => tab.locator('.message').textContent(), { timeout: 90_000 })
      .toMatch(new RegExp(`Found ${expected.length} picks`));
    await tab.keyboard.press('s');
    await tab.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => tab.locator('.message').textContent()).toMatch(/Saved/);
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

  it('a detection that is cancelled ends at once and shows nothing new', async () => {
    const folder = await tempDir();
    await smallProject(folder, { runs: 1 });
    const config = JSON.parse(await readFile(join(folder, 'copick.json'), 'utf8'));
    const { tab } = await open({
      session: { open: { kind: 'project', config, overlay: './data/overlay', static: './data/static' } },
      folders: { overlay: join(folder, config.overlay_root), static: join(folder, config.static_root) },
    });
    await settled(tab);
    await tab.keyboard.press('d');
    await expect
      .poll(() => tab.locator('dialog[open] p').first().textContent(), { timeout: 20_000 })
      .toMatch(/MB of memory/);
    await tab.locator('dialog[open]').getByRole('button', { name: 'Detect' }).click();
    await tab.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => tab.locator('.message').textContent()).toMatch(/Cancelled/);
    expect(await tab.locator('.work').isVisible()).toBe(false);
    expect(await tab.locator('.row').count()).toBe(0);
  }, 90_000);

  it('with stored candidates a slider gives the picks of the library at each threshold, and the next run has the same one', async () => {
    const runs = ['TS_1', 'TS_2'];
    const { overlay, open: opened, project } = await makeProject({ picks: picksIn(isotropic, 4, 2), runs });
    const given = picksIn(isotropic, 400, 7);
    const candidates = await collectCandidates(
      given.map(({ object, position: { x, y, z }, score }) => ({
        grid: isotropic,
        object,
        voxel: [z / 10, y / 10, x / 10] as Zyx,
        score,
      })),
      {
        grid: isotropic,
        objects: ['ribosome', 'apo-ferritin'],
        thresholds: { ribosome: 0.5, 'apo-ferritin': 0.5 },
        minDistances: { ribosome: 120, 'apo-ferritin': 48 },
        floors: { ribosome: 0.1, 'apo-ferritin': 0.1 },
      },
    );
    for (const name of runs) {
      const run = await project.run(name);
      await run.writeCandidates(candidates, { userId: 'cryoet-picks', sessionId: '0' });
    }
    const { tab } = await open({ session: { open: opened }, folders: { overlay } });
    await settled(tab);
    const row = tab.locator('.object', { hasText: 'ribosome' });
    for (const ribosome of [0.5, 0.2, 0.85]) {
      await row.locator('.threshold').fill(String(ribosome));
      await row.locator('.threshold').press('Enter');
      await tab.waitForTimeout(300);
      const picks = picksFromCandidates(candidates, { thresholds: { ribosome } });
      expect(await row.locator('.number').textContent()).toBe(
        String(picks.filter(({ object }) => object === 'ribosome').length),
      );
    }
    await tab.getByRole('button', { name: 'Next run' }).click();
    await settled(tab);
    expect(await row.locator('.threshold').inputValue()).toBe('0.850');
  }, 60_000);

  it('a folder that was chosen opens as its project, without a server', async () => {
    const folder = await tempDir();
    await smallProject(folder, { runs: 1 });
    const { tab, problems } = await open({ session: { open: { kind: 'nothing' } }, folders: {} });
    await tab.evaluate('delete globalThis.showDirectoryPicker');
    const [chooser] = await Promise.all([
      tab.waitForEvent('filechooser'),
      tab.getByRole('button', { name: 'Folder…' }).click(),
    ]);
    await chooser.setFiles(folder);
    await settled(tab);
    expect(await tab.locator('header select').first().inputValue()).toBe('TS_1_3');
    expect(await tab.locator('.object .name').count()).toBe(6);
    expect(problems).toEqual([]);
  }, 60_000);
});
