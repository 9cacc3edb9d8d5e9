import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Download, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import {
  type FormatOptions,
  formatRequirements,
  type PicksFormatName,
  picksFormat,
  picksFormatNames,
} from '../../src/entry/formats.ts';
import type { ParticlePick, RunPicks } from '../../src/entry/index.ts';
import { exportNotes, filesOf, ofObject } from '../../src/page/export.ts';
import { cutAt, expectMessage, press, settled } from '../support/page-hands.ts';
import { anisotropic, isotropic, makeProject, picksIn } from '../support/page-project.ts';
import { describePage } from '../support/served-page.ts';

/** The objects of the project by their numbers. */
const numbered = { 1: 'ribosome', 2: 'apo-ferritin' };

/** Exports in a format; gives the files as they come. */
async function exported(tab: Page, format: PicksFormatName, { runs }: { readonly runs?: 'all' } = {}) {
  const files: Download[] = [];
  const keep = (file: Download) => files.push(file);
  tab.on('download', keep);
  await tab.getByRole('button', { name: 'Export' }).click();
  const dialog = tab.locator('dialog[open]');
  await dialog.getByLabel('Format').selectOption(format);
  if (runs === 'all') await dialog.getByLabel('Runs').selectOption({ index: 1 });
  if (format === 'relion4') await dialog.getByLabel('Pixel size').fill('1.54');
  await dialog.getByRole('button', { name: 'Download' }).click();
  await expectMessage(tab, new RegExp(`Exported \\d+ picks as ${format}:`));
  const told = (await tab.locator('.message').textContent())!;
  const count = Number(/: (\d+) files/.exec(told)?.[1] ?? 1);
  await expect.poll(() => files.length).toBe(count);
  tab.off('download', keep);
  await tab.getByRole('button', { name: 'Close the message' }).click();
  return Promise.all(
    files.map(async (file) => ({ name: file.suggestedFilename(), bytes: await readFile(await file.path()) })),
  );
}

/** Reads files back, with what the format does not say. */
function readBack(
  files: Awaited<ReturnType<typeof exported>>,
  name: PicksFormatName,
  options: FormatOptions,
): RunPicks[] {
  return files.flatMap((file) => {
    const { oneObject } = formatRequirements[name];
    const object = oneObject ? /_(ribosome|apo-ferritin)\./.exec(file.name)![1] : undefined;
    const format = picksFormat(name, { run: 'TS_1', ...options, object });
    return format.content === 'text'
      ? format.parse(file.bytes.toString(), file.name)
      : format.parse(new Uint8Array(file.bytes), file.name);
  });
}

/** What survives in every format: the places, to a hundredth of an Å, in order. */
function placesOf(runs: readonly RunPicks[]): string[] {
  return runs
    .flatMap(({ run, picks }) => picks.map(({ position: { x, y, z } }) => [run, x, y, z]))
    .map(([run, ...at]) => `${run} ${at.map((value) => Number(value).toFixed(2)).join(' ')}`)
    .sort();
}

/** Picks on places that single precision holds, of which a half lies above a threshold of 0.5. */
const picks: readonly ParticlePick[] = picksIn(isotropic, 12, 3).map((pick, i) => ({
  ...pick,
  position: { x: Math.round(pick.position.x), y: Math.round(pick.position.y), z: Math.round(pick.position.z) },
  score: (i + 0.5) / 12,
}));

describePage('Export in the page of view', ({ open }) => {
  it('gives the kept picks in every format of convert: what is read back lies where it lay, and rejected picks are left out', async () => {
    const { shown, project } = await makeProject({ picks });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await press(tab, 'j', 'x');
    const run = await project.run('TS_1');
    const { grid } = await run.tomogram('denoised');
    const best = [...picks].filter(({ object }) => object === 'ribosome').sort((a, b) => b.score - a.score)[0]!;
    const kept = [{ run: 'TS_1', picks: picks.filter((pick) => pick !== best) }];
    for (const name of picksFormatNames) {
      const files = await exported(tab, name);
      const { extension } = formatRequirements[name];
      for (const file of files) expect(basename(file.name)).toMatch(new RegExp(`^TS_1(_[\\w-]+)?\\.${extension}$`));
      const options = {
        shape: grid.shape,
        voxelSize: name === 'relion4' ? 1.54 : grid.voxelSize,
        objects: numbered,
        runs: { 1: 'TS_1' },
      };
      expect({ name, places: placesOf(readBack(files, name, options)) }).toEqual({ name, places: placesOf(kept) });
    }
    expect(problems).toEqual([]);
  }, 90_000);

  it('gives all runs with the same thresholds in one file, and what was decided in their reviews', async () => {
    const { shown } = await makeProject({ picks, runs: ['TS_1', 'TS_2', 'TS_3'] });
    const { tab, problems } = await open(shown);
    await settled(tab);
    await tab.getByRole('button', { name: 'Next run' }).click();
    await settled(tab);
    await cutAt(tab, 'ribosome', 0.5);
    await cutAt(tab, 'apo-ferritin', 0.5);
    await tab.locator('.objects .name').first().click();
    await press(tab, 'j', 'x');
    // The review is kept a second later.
    await tab.waitForTimeout(1500);
    const files = await exported(tab, 'relion5', { runs: 'all' });
    expect(files.map(({ name }) => name)).toEqual(['picks.star']);
    const read = readBack(files, 'relion5', {
      run: undefined,
      shape: isotropic.shape,
      voxelSize: 10,
      objects: numbered,
    });
    const kept = picks.filter(({ score }) => score >= 0.5);
    const best = [...kept].filter(({ object }) => object === 'ribosome').sort((a, b) => b.score - a.score)[0]!;
    const expected = ['TS_1', 'TS_2', 'TS_3'].map((run) => ({
      run,
      picks: run === 'TS_2' ? kept.filter((pick) => pick !== best) : kept,
    }));
    expect(placesOf(read)).toEqual(placesOf(expected));
    expect(problems).toEqual([]);
  }, 60_000);

  it('counts from the centre of an anisotropic tomogram with an origin in RELION 5, as the library does', async () => {
    const given = picksIn(anisotropic, 6, 4);
    const { shown } = await makeProject({ grid: anisotropic, picks: given });
    const { tab } = await open(shown);
    await settled(tab);
    const [file] = await exported(tab, 'relion5');
    const { shape, voxelSize } = anisotropic;
    const format = picksFormat('relion5', { shape, voxelSize, objects: numbered });
    const kept = [...given].sort((a, b) => b.score - a.score);
    expect(file!.bytes.toString()).toBe(format.format([{ run: 'TS_1', picks: kept }]));
  }, 60_000);
});

describe('a file of several runs', () => {
  const runs = [10, 13].map((length, i) => ({
    run: `TS_${i + 1}`,
    picks,
    grid: { ...isotropic, voxelSize: [length, length, length] as const },
  }));

  it('is refused in voxels where tomograms differ in voxel size, and written in Å', async () => {
    await expect(filesOf(runs, 'relion3', { objects: [] })).rejects.toThrow(
      /different voxel sizes \(10 Å in TS_1, 13 Å in TS_2\).*run by run/,
    );
    expect(await filesOf(runs, 'csv', { objects: [] })).toMatchObject([{ name: 'picks.csv' }]);
    const [star] = await filesOf([runs[1]!], 'relion3', { objects: [] });
    expect(new TextDecoder().decode(star!.content)).toContain('13');
  });
});

describe('notes about an export', () => {
  const run = { run: 'TS_1', picks, grid: isotropic };
  const needs = { objects: ['apo-ferritin', 'ribosome'] };

  it('say which class number is which object, of the objects that are in the file', () => {
    expect(exportNotes([run], 'relion5', needs)).toContain('Its classes: 1 is apo-ferritin, 2 is ribosome');
    expect(exportNotes([ofObject(run, 'ribosome')], 'relion5', needs)).toContain('Its classes: 2 is ribosome');
    for (const name of ['points', 'ndjson'] as const) {
      expect(exportNotes([ofObject(run, 'ribosome')], name, needs).join()).not.toContain('classes');
    }
  });

  it('say how many picks were added, and that their score is none of a network, where the file has scores', () => {
    const added = { ...picks[0]!, score: 1, unknown: { reviewed: 'added' } };
    const one = { ...run, picks: [...picks, added] };
    expect(exportNotes([one], 'csv', needs)).toEqual([
      '1 added pick has the score 1, which no network gave, and "added" stands in the column "reviewed"',
    ]);
    expect(exportNotes([one], 'relion5', needs)).toContain('1 added pick has the score 1, which no network gave');
    expect(exportNotes([one], 'points', needs).join()).not.toContain('added pick');
  });

  it('say what a format cannot hold, and nothing where it holds all', () => {
    expect(exportNotes([run], 'points', needs).join()).toMatch(/Not in the file: .*of 12 picks/);
    expect(exportNotes([run], 'csv', needs)).toEqual([]);
  });
});

describe('the picks of these tests', () => {
  it('lie on both sides of the threshold, for both objects', () => {
    for (const object of ['ribosome', 'apo-ferritin']) {
      const scores = picks.filter((pick) => pick.object === object).map(({ score }) => score);
      expect(Math.min(...scores)).toBeLessThan(0.5);
      expect(Math.max(...scores)).toBeGreaterThan(0.5);
    }
  });
});
