import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { croissantFixture, expectedOfCroissant } from '../support/croissant-fixture.ts';
import { openPageSite, type PageSite } from '../support/page-site.ts';
import { bundleForBrowser } from './bundle.ts';
import type { CroissantPageResult } from './croissant-page.ts';

describe('the copick entry', () => {
  it('the copick entry builds for browsers and evaluates no code of its own', async () => {
    const entry = fileURLToPath(new URL('../../src/entry/portal.ts', import.meta.url));
    const { outputFiles, metafile } = await bundleForBrowser(entry, ['numcodecs', 'numcodecs/*']);
    expect(Object.keys(metafile!.inputs).filter((path) => path.includes('node:'))).toEqual([]);
    expect(outputFiles!.map((file) => file.text).join('\n')).not.toMatch(/\bnew Function\b|\beval\(/);
  });
});

describe.skipIf(chromiumPath === undefined)('a Croissant in Chromium under a strict policy (needs Chromium)', () => {
  let site: PageSite;
  /** The files of the project beside the page; folders are not listed. */
  beforeAll(async () => {
    site = await openPageSite('croissant-page', {
      file: async (path) => {
        if (!path.startsWith('/data/')) return undefined;
        return readFile(join(croissantFixture, path.slice('/data/'.length))).catch(() => undefined);
      },
    });
  }, 60_000);
  afterAll(() => site?.close());

  it('a page under a strict policy reads the runs, picks and voxels of a Croissant as copick does', async () => {
    const { result, problems } = await site.visit<CroissantPageResult>();
    const runs = Object.entries(expectedOfCroissant.runs);
    const [tomogram] = expectedOfCroissant.runs.TS_5_4!.tomograms;
    const counts = runs.map(([name, { picks }]) => [name, picks.reduce((sum, { scores }) => sum + scores.length, 0)]);
    expect(result).toEqual({
      runs: runs.map(([name]) => name).sort(),
      sum: expect.closeTo(tomogram![3], 3),
      picks: Object.fromEntries(counts),
      refusal: 'read-only',
    });
    expect(problems).toEqual([]);
  }, 60_000);
});
