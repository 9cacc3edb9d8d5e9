import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type DifferencesOptions, differenceLines, differences } from '../../bench/differences.ts';
import type { BenchRun } from '../../bench/medians.ts';
import { tempDir } from '../support/temp-dir.ts';

const machine = { cpu: 'a processor', cores: 2, node: 'v20', load: 0, commit: 'abc', rounds: 1 };

/** A run of stages, each with the values of its rounds: seconds, and megabytes if they are to differ from 100. */
function run(
  seconds: Readonly<Record<string, readonly number[]>>,
  megabytes: Readonly<Record<string, readonly number[]>> = {},
): BenchRun {
  const timings = Object.entries(seconds).map(([name, rounds]) => [
    name,
    rounds.map((one, round) => ({
      name,
      seconds: one,
      runs: [one],
      cpu: one,
      memory: (megabytes[name]?.[round] ?? 100) * 1e6,
    })),
  ]);
  return { machine, timings: Object.fromEntries(timings) };
}

const failures = (before: BenchRun, after: BenchRun, options?: DifferencesOptions) =>
  differences(before, after, options).flatMap(({ name, failure }) => (failure ? [`${name} ${failure}`] : []));

describe('differences', () => {
  it('differences marks a stage as failed if its median over the rounds takes more than 5 % longer', () => {
    const before = run({ same: [1], slower: [2, 1, 9], faster: [1], outlier: [1, 1, 1], edge: [1] });
    const after = run({ same: [1.04], slower: [2.2, 2.11, 2], faster: [0.5], outlier: [1, 1, 50], edge: [1.05] });
    expect(failures(before, after)).toEqual(['slower slower']);
    const times = differences(before, after).filter(({ measure }) => measure === 'seconds');
    expect(times.map(({ ratio }) => ratio)).toEqual([1.04, 2.11 / 2, 0.5, 1, 1.05]);
  });

  it('differences marks a stage as failed if its median peak memory is more than 5 % larger', () => {
    const times = { larger: [1, 1, 1], smaller: [1], outlier: [1, 1, 1] };
    const before = run(times, { larger: [500, 100, 200], smaller: [300] });
    const after = run(times, { larger: [211, 300, 100], smaller: [100], outlier: [100, 900, 100] });
    expect(failures(before, after)).toEqual(['larger larger']);
  });

  it('differences marks a stage as failed if only one of the runs has it', () => {
    const [before, after] = [run({ gone: [1], kept: [1] }), run({ kept: [1], added: [9] })];
    expect(failures(before, after)).toEqual(['gone missing', 'added missing']);
    const found = differences(before, after).filter(({ measure }) => measure === 'seconds');
    expect(found.map(({ name, before, after, ratio }) => [name, before, after, ratio])).toEqual([
      ['gone', 1, undefined, undefined],
      ['kept', 1, 1, 1],
      ['added', undefined, 9, undefined],
    ]);
  });

  it('differences never marks a peer as failed, even if it is missing', () => {
    const before = run({ ours: [1], scipy: [1], numpy: [1] });
    const after = run({ ours: [2], scipy: [2] }, { scipy: [900] });
    expect(failures(before, after, { peers: new Set(['scipy', 'numpy']) })).toEqual(['ours slower']);
  });

  it('differences tolerates what two runs of the same code differ by', () => {
    const before = run({ quiet: [1], noisy: [1], tooSlow: [1], unknown: [1], big: [1], tooBig: [1] });
    const after = run(
      { quiet: [1.06], noisy: [1.19], tooSlow: [1.21], unknown: [1.06], big: [1], tooBig: [1] },
      { big: [109], tooBig: [111] },
    );
    const times = { quiet: [1], tooSlow: [1], big: [1], tooBig: [1] };
    const sameCode: [BenchRun, BenchRun] = [
      run({ ...times, noisy: [1] }, { big: [100], tooBig: [110] }),
      run({ ...times, noisy: [1.2], tooSlow: [1.2] }, { big: [110], tooBig: [100] }),
    ];
    expect(failures(before, after, { sameCode })).toEqual([
      'quiet slower',
      'tooSlow slower',
      'unknown slower',
      'tooBig larger',
    ]);
  });

  it('differences skips the memory of a run that measured none', () => {
    const found = differences(run({ a: [1] }, { a: [0] }), run({ a: [1] }));
    expect(found.map(({ measure }) => measure)).toEqual(['seconds']);
  });
});

describe('differenceLines', () => {
  it('differenceLines prints a line for the time and one for the memory of each stage, and marks what fails', () => {
    const before = run({ reading: [1], b: [1], gone: [1] });
    const after = run({ reading: [1.5], b: [0.9] }, { b: [120] });
    expect(differenceLines(differences(before, after))).toEqual([
      'reading      1.000 s      1.500 s  1.50 ×  slower',
      'reading       100 MB       100 MB  1.00 ×',
      'b            1.000 s      0.900 s  0.90 ×',
      'b             100 MB       120 MB  1.20 ×  larger',
      'gone         1.000 s          – s  missing',
    ]);
    expect(differenceLines([])).toEqual([]);
  });

  it('differenceLines prints the spread of two runs of the same code', () => {
    const found = differences(run({ a: [1] }), run({ a: [1.1] }), { sameCode: [run({ a: [1.2] }), run({ a: [1] })] });
    expect(differenceLines(found)[0]).toBe('a      1.000 s      1.100 s  1.10 ×  ±20 %');
  });
});

describe('npm run bench:compare', () => {
  const script = fileURLToPath(new URL('../../bench/compare.ts', import.meta.url));
  const tsx = fileURLToPath(new URL('../../node_modules/.bin/tsx', import.meta.url));

  it('bench:compare exits with 1 on a slower stage, and with 0 if the noise explains it', async () => {
    const folder = await tempDir();
    const files = { before: [1], after: [1.1], noisy: [1.2] };
    for (const [name, seconds] of Object.entries(files)) {
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(run({ reading: seconds })));
    }
    const compare = (...args: string[]) => spawnSync(tsx, [script, ...args], { cwd: folder, encoding: 'utf8' });
    const failed = compare('before.json', 'after.json');
    expect(failed.stdout).toMatch(/slower\n[\s\S]*1 of 2 comparisons failed\n$/);
    expect(failed.status).toBe(1);
    const passed = compare('before.json', 'after.json', '--noise', 'before.json', '--noise', 'noisy.json');
    expect(passed.stdout).toMatch(/±20 %\n[\s\S]*nothing is worse\n$/);
    expect(passed.status).toBe(0);
  });
});
