import { describe, expect, it } from 'vitest';
import { relion5Format } from '../../src/entry/formats.ts';
import type { RunPicks } from '../../src/entry/index.ts';

const pick = { object: 'ribosome', position: { x: 100, y: 200, z: 300 }, score: 1 };
const runs: RunPicks[] = ['TS_1', 'TS_2', 'TS_3'].map((run) => ({ run, picks: [pick] }));
const shapes = { TS_1: [10, 20, 30], TS_2: [40, 20, 30] } as const;

describe('RELION 5 of tomograms of several shapes', () => {
  it('RELION 5 of tomograms of several shapes uses the centre of each run, and reads that back', () => {
    const format = relion5Format({ shapes, shape: [60, 20, 30], voxelSize: 10, object: 'ribosome' });
    const text = format.format(runs);
    const rows = text.split('\n').filter((line) => line.startsWith('TS_'));
    expect(rows.map((row) => row.split('\t').slice(0, 4))).toEqual([
      ['TS_1', '-50', '100', '250'],
      ['TS_2', '-50', '100', '100'],
      ['TS_3', '-50', '100', '0'],
    ]);
    expect(format.parse(text, 'picks.star')).toEqual(runs);
  });

  it('RELION 5 of tomograms of several shapes refuses a run of unknown shape, and a shape that is not valid', () => {
    expect(() => relion5Format({ shapes, voxelSize: 10 }).format(runs)).toThrow(/give the option shape/);
    expect(() => relion5Format({ shapes: { TS_1: [0, 1, 1] } })).toThrow(/expected voxels along z, y, x/);
  });
});
