import { expect, it } from 'vitest';
import { killClaimers } from '../support/claims/kills.ts';
import { tempDir } from '../support/temp-dir.ts';

// `npm run claims` makes 60 kills in 500 runs.
it('too few runs for the kills that are planned are refused', async () => {
  const options = { runs: 31, processes: 3, kills: 4, stops: 1, sleep: 1, seed: 1 };
  await expect(killClaimers({ folder: await tempDir(), ...options })).rejects.toThrow('take at least 32 runs');
});

it('processes that share a project and are killed and stopped leave the files of one undisturbed process, and no others', async () => {
  const options = { runs: 60, processes: 3, kills: 6, stops: 2, sleep: 150, seed: 1 };
  const report = await killClaimers({ folder: await tempDir(), ...options });
  expect(report.problems).toEqual([]);
  expect([report.kills, report.stops]).toEqual([6, 2]);
  // Some were killed in the middle of a search.
  expect(report.searches).toBeGreaterThan(report.runs);
}, 120_000);
