import { beforeEach, expect, it } from 'vitest';
import { killWriters } from '../../support/kill/harness.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: string;

beforeEach(async () => {
  folder = await tempDir();
});

// `npm run kill` does it 200 times.
it('a killed writer leaves every file old or new, and what it left is removed later', {
  timeout: 120_000,
}, async () => {
  expect(await killWriters({ folder, kills: 10, seed: 3 })).toMatchObject({ kills: 10 });
});
