import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { '#decode-pool': fileURLToPath(new URL('src/node/decode-pool.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/seed.ts'],
    testTimeout: 30_000,
    // A page in a browser may take a while on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    // vitest leaves one core idle, which of two is half of the machine.
    maxWorkers: '100%',
  },
});
