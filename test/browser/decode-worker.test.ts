import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { openPageSite, type PageSite } from '../support/page-site.ts';
import type { DecodePageResult } from './decode-page.ts';

const workerEntry = fileURLToPath(new URL('../../src/web-decode-worker.ts', import.meta.url));

describe.skipIf(chromiumPath === undefined)('decoding in a worker of Chromium (needs Chromium)', () => {
  let site: PageSite;
  let worker: Uint8Array | undefined;

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [workerEntry],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
    });
    worker = outputFiles[0]!.contents;
    site = await openPageSite('decode-page', { file: (path) => (path === '/decode-worker.js' ? worker : undefined) });
  }, 60_000);

  afterAll(() => site?.close());

  it('reads bit for bit what was written, by the script that lies beside the bundle', async () => {
    const { result, asked } = await site.visit<DecodePageResult>();
    expect(result.right).toBe(true);
    expect(asked).toContain('/decode-worker.js');
  }, 60_000);

  it('decodes on the page where the bundler left the script behind', async () => {
    worker = undefined;
    const { result, asked } = await site.visit<DecodePageResult>();
    expect(result.right).toBe(true);
    expect(asked).toContain('/decode-worker.js');
  }, 60_000);
});
