import fc from 'fast-check';
import { expect, it } from 'vitest';
import { faults } from '../support/faults/cases.ts';
import { faultOf, kinds, tryFault } from '../support/faults/run.ts';
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts';

forbidUnhandledRejections();

it('there are at least 60 faults, each of another name, and the voxels may be wrong in few of them', () => {
  const names = faults.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(60);
  const untellable = faults.filter(({ isUntellable }) => isUntellable).map(({ name }) => name);
  expect(untellable).toEqual([
    'status 404 for all chunks',
    'a flipped bit in the middle',
    'another chunk',
    'another chunk in the second pass, without validators',
  ]);
});

it('an image on a faulty server gives the right voxels, an error of the library or a warning: a sample of npm run faults', async () => {
  const pairs = kinds.flatMap((kind) => faults.map((fault) => ({ kind, fault })));
  const seed = Number(process.env.FAST_CHECK_SEED ?? 1);
  const sample = fc.sample(fc.constantFrom(...pairs), { numRuns: 40, seed });
  for (const kind of kinds) sample.push({ kind, fault: faults[0]! });
  const failures: string[] = [];
  // Most of them wait for a server, so that some go side by side.
  const lanes = Array.from({ length: 4 }, (_, lane) => sample.filter((_, i) => i % 4 === lane));
  const tryAll = async (lane: typeof sample) => {
    for (const { kind, fault } of lane) {
      const verdict = await tryFault(fault, kind);
      const problem = faultOf(verdict);
      if (problem) failures.push(`${kind}, ${fault.name}: ${problem}: ${verdict.message}`);
    }
  };
  await Promise.all(lanes.map(tryAll));
  expect(failures).toEqual([]);
}, 180_000);
