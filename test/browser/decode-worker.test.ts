import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../support/chromium.ts';
import { openPageSite, type PageSite } from '../support/page-site.ts';
import type { DecodePageResult } from './decode-page.ts';

const workerEntry = fileURLToPath(new URL('../../src/web/decode-worker.ts', import.meta.url));

/** Ends a thread at the second call, which is the first chunk: the call before it was whether it is ready. */
const leaving = `
  let calls = 0;
  addEventListener('message', (event) => {
    if (event.data?.type !== 'APPLY' || ++calls < 2) return;
    event.stopImmediatePropagation();
    close();
  });
`;

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
    const file = (path: string) => (path === '/decode-worker.js' ? worker : undefined);
    site = await openPageSite('decode-page', { file, patience: 60_000 });
  }, 60_000);

  afterAll(() => site?.close());

  it('a worker of Chromium reads bit for bit what was written, with the script beside the bundle', async () => {
    const { result, asked } = await site.visit<DecodePageResult>();
    expect(result.right).toBe(true);
    expect(asked).toContain('/decode-worker.js');
  }, 60_000);

  it('a page decodes what a worker leaves undone when it ends without an error', async () => {
    const whole = worker;
    worker = Buffer.concat([Buffer.from(leaving), whole!]);
    // A thread that says no more is waited for ten seconds, by the clock of the page.
    const { result } = await site.visit<DecodePageResult>('', { haste: 1000 });
    expect(result.right).toBe(true);
    worker = whole;
  }, 90_000);

  it('a page decodes by itself if the bundler left the script of the worker behind', async () => {
    worker = undefined;
    const { result, asked } = await site.visit<DecodePageResult>();
    expect(result.right).toBe(true);
    expect(asked).toContain('/decode-worker.js');
  }, 60_000);
});
