import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { builtPage } from '../support/served-page.ts';

it('the page takes at most 400 kB gzipped, all of it, without network and runtime', async () => {
  const sizes = [...(await builtPage())].map(([, bytes]) => gzipSync(bytes, { level: 9 }).length);
  const total = sizes.reduce((a, b) => a + b, 0);
  process.stdout.write(`  the page: ${total} bytes gzipped\n`);
  expect(total).toBeGreaterThan(50_000);
  expect(total).toBeLessThanOrEqual(400_000);
}, 60_000);
