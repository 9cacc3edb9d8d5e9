import { describe, expect, it } from 'vitest';
import type { BenchRun } from '../../bench/medians.ts';
import { report } from '../../bench/report.ts';
import { comparisons, growths, limits, stages } from '../../bench/targets.ts';

const machine = { cpu: 'a processor', cores: 2, node: 'v20', load: 0.25, commit: 'abc', rounds: 3 };
const timing = (seconds: number, more: object = {}) => [{ name: '', seconds, runs: [], cpu: 0, memory: 2e8, ...more }];
const run = (timings: BenchRun['timings']): BenchRun => ({ machine, timings });

describe('report', () => {
  it('the report prints ratios beside their targets, and scales a peer that did a part of the work', () => {
    const lines = report(
      run({
        'openTomogram lz4-64': timing(0.5),
        'zarr-python lz4-64': timing(0.25),
        'scoreTables, 500 tomograms': timing(2),
        'pandas + scipy': timing(10),
      }),
    );
    expect(lines).toEqual([
      'a processor, 2 cores, Node v20, commit abc, 3 rounds, load 0.3 before the first.',
      '',
      '| this library | s | MB | peer | s | MB | times as fast | target |  |',
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      '| openTomogram lz4-64 | 0.500 | 200 | zarr-python lz4-64 | 0.250 | 200 | 0.50 | ≥ 1.00 | **missed** |',
      '| scoreTables, 500 tomograms | 2.000 | 200 | pandas + scipy × 10 | 10.000 × 10 | 200 | 50.00 | ≥ 20.00 | holds |',
    ]);
  });

  it('the report prints bounds of memory and stalls, the worst of several rounds', () => {
    const lines = report(
      run({
        detectParticles: [20, 70].flatMap((longest) => timing(1, { stall: { longest, above: 0 } })),
        'memory, volume ×1': timing(1, { memory: 9e8, predicted: 1e9 }),
        'memory, volume ×4': timing(1, { memory: 9.9e8, predicted: 1e9 }),
      }),
    );
    expect(lines.slice(4).map((line) => line.split(' | ').slice(1).join(' | '))).toEqual([
      '70 ms | ≤ 50 ms | **missed** |',
      '0.90 | 0.85 … 1.15 | holds |',
      '900 MB | ≤ 900 MB | holds |',
      '1.10 | ≤ 1.05 | **missed** |',
    ]);
  });

  it('the report prints how cost grows', () => {
    const lines = report(run({ 'reading, volume ×1': timing(1), 'reading, volume ×4': timing(5) }));
    expect(lines.at(-1)).toBe('| reading, volume ×1 | 1.000 | reading, volume ×4 | 5.000 | 4 | 5.00 |');
  });

  it('the report lists every timing under one name', () => {
    const names = [
      ...comparisons.flatMap(({ ours, peer }) => [ours, peer]),
      ...limits.flatMap(({ of }) => of),
      ...growths.flatMap(({ from, to }) => [from, to]),
    ];
    const lines = report(run(Object.fromEntries(names.map((name) => [name, timing(1, { predicted: 1 })]))));
    expect(lines.filter((line) => line.startsWith('|')).length).toBe(
      comparisons.length + limits.length + growths.length + 6,
    );
    expect(new Set(stages.map(({ name }) => name)).size).toBe(stages.length);
  });
});
