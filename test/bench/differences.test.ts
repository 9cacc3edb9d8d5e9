import { describe, expect, it } from 'vitest';
import { differenceLines, differences } from '../../bench/differences.ts';
import type { BenchRun } from '../../bench/medians.ts';

const machine = { cpu: 'a processor', cores: 2, node: 'v20', load: 0, commit: 'abc', rounds: 1 };

/** A run of timings, each with the seconds of its rounds. */
function run(seconds: Readonly<Record<string, readonly number[]>>): BenchRun {
  const timings = Object.entries(seconds).map(([name, rounds]) => [
    name,
    rounds.map((one) => ({ name, seconds: one, runs: [one], cpu: one, memory: 1e6 })),
  ]);
  return { machine, timings: Object.fromEntries(timings) };
}

const worse = (before: BenchRun, after: BenchRun, peers?: ReadonlySet<string>) =>
  differences(before, after, { peers }).flatMap(({ name, worse }) => (worse ? [name] : []));

describe('differences', () => {
  it('flags what takes more than 5 % longer, by the medians of the rounds', () => {
    const before = run({ same: [1], slower: [2, 1, 9], faster: [1], outlier: [1, 1, 1], edge: [1] });
    const after = run({ same: [1.04], slower: [2.2, 2.11, 2], faster: [0.5], outlier: [1, 1, 50], edge: [1.05] });
    expect(worse(before, after)).toEqual(['slower']);
    expect(differences(before, after).map(({ ratio }) => ratio)).toEqual([1.04, 2.11 / 2, 0.5, 1, 1.05]);
  });

  it('lists what only one run has, and never flags it', () => {
    const found = differences(run({ gone: [1], kept: [1] }), run({ kept: [1], added: [9] }));
    expect(found.map(({ name, before, after, ratio }) => [name, before, after, ratio])).toEqual([
      ['gone', 1, undefined, undefined],
      ['kept', 1, 1, 1],
      ['added', undefined, 9, undefined],
    ]);
    expect(found.some(({ worse }) => worse)).toBe(false);
  });

  it('never flags a peer', () => {
    expect(worse(run({ ours: [1], scipy: [1] }), run({ ours: [2], scipy: [2] }), new Set(['scipy']))).toEqual(['ours']);
  });

  it('prints a line per timing, and marks the worse ones', () => {
    const found = differences(run({ reading: [1], b: [1], gone: [1] }), run({ reading: [1.5], b: [0.9] }));
    expect(differenceLines(found)).toEqual([
      'reading     1.000 s     1.500 s  1.50 ×  worse',
      'b           1.000 s     0.900 s  0.90 ×',
      'gone        1.000 s         – s',
    ]);
    expect(differenceLines([])).toEqual([]);
  });
});
