import { describe, expect, it } from 'vitest';
import { fuzz } from '../support/fuzz/harness.ts';
import { targets } from '../support/fuzz/targets.ts';

// `npm run fuzz` runs 10,000 per parser.
describe('300 mutants of valid files, each within 2 s and 256 MiB', () => {
  it.each(targets.map(({ name }) => name))(
    '300 mutants of valid files each give a value or a CryoetPicksError, within 2 s and 256 MiB: %s',
    async (parser) => {
      const { failures, outcomes, count } = await fuzz({ parser, seed: 7, first: 0, count: 300 });
      expect(failures).toEqual([]);
      expect(Object.values(outcomes).reduce((a, b) => a + b, 0)).toBe(count);
      expect(Object.keys(outcomes)).not.toEqual(['value']);
    },
    120_000,
  );
});

describe('the harness', () => {
  const script = new URL('../support/fuzz/bad-child.ts', import.meta.url);

  it.each([
    ['throws something else', /TypeError/],
    ['dies', /died with 3/],
    ['hangs', /hung for/, 1000],
    ['allocates a gigabyte', /took 1024 MiB/],
    ['touches a prototype', /a prototype was changed/],
  ])(
    'the harness reports a parser that %s, and continues after it',
    async (parser, reason, patience = 10_000) => {
      const report = await fuzz({ parser, seed: 1, first: 0, count: 4, script, patience });
      expect(report.failures).toEqual([{ parser, index: 2, reason: expect.stringMatching(reason) }]);
    },
    120_000,
  );
});
