import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { openPageSite, type PageSite } from '../support/page-site.ts';
import type { PageResult } from './page.ts';

describe.skipIf(chromiumPath === undefined)('the core in Chromium under a strict policy (needs Chromium)', () => {
  let site: PageSite;
  beforeAll(async () => {
    site = await openPageSite('page');
  }, 60_000);
  afterAll(() => site?.close());

  it('the core runs in Chromium under a strict policy: it reads uncompressed and blosc-lz4 stores, plans, scores, and finds and scores the planted peak', async () => {
    const { result, problems } = await site.visit<PageResult[]>();
    expect(problems).toEqual([]);
    const expected = { position: { x: 170, y: 90, z: 50 }, picks: 1, score: 1, evalRefused: true };
    expect(result).toEqual([expected, expected]);
  }, 60_000);
});
