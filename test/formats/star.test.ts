import { describe, expect, it } from 'vitest';
import { parsePicks, relion4Format } from '../../src/entry/formats.ts';

const format = relion4Format({ voxelSize: 10, object: 'ribosome' });

function read(text: string) {
  const warnings: string[] = [];
  const runs = parsePicks(text, { format, source: 'a.star', onWarning: ({ message }) => warnings.push(message) });
  return { rows: runs.map(({ run, picks }) => [run, ...picks.map(({ position }) => position.x)]), warnings };
}

const loop = 'data_particles\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n';

describe('a STAR loop', () => {
  it.each<[string, string, unknown]>([
    [
      'begins with data_',
      'data_001 10 20 30\ndata_002 11 21 31\n',
      [
        ['data_001', 100],
        ['data_002', 110],
      ],
    ],
    [
      'begins with data_ between others',
      'TS_1 10 20 30\ndata_1 11 21 31\n',
      [
        ['TS_1', 100],
        ['data_1', 110],
      ],
    ],
    [
      'begins with an underscore',
      '_a 10 20 30\n_b 11 21 31\n',
      [
        ['_a', 100],
        ['_b', 110],
      ],
    ],
    ['is loop_', 'loop_ 10 20 30\n', [['loop_', 100]]],
  ])(
    'A STAR loop has a row wherever a line has as many cells as labels, even if its first cell %s',
    (_, rows, found) => {
      expect(read(loop + rows)).toEqual({ rows: found, warnings: [] });
    },
  );

  it('A STAR loop ends where a line is the name of a block', () => {
    const next = 'data_optics\nloop_\n_rlnOpticsGroup\n1\n';
    expect(read(`${loop}TS_1 10 20 30\n${next}`)).toEqual({ rows: [['TS_1', 100]], warnings: [] });
    // A loop of one label ends there only after an empty line.
    expect(read(`data_a\nloop_\n_a\ndata_1\n\n${loop}TS_1 10 20 30\n`)).toEqual({
      rows: [['TS_1', 100]],
      warnings: [],
    });
  });

  it('A STAR loop that goes on after an empty line is read, with a warning that names the line', () => {
    const { rows, warnings } = read(`${loop}TS_1 10 20 30\n\nTS_2 11 21 31\n\nTS_3 12 22 32\n`);
    expect(rows.map(([run]) => run)).toEqual(['TS_1', 'TS_2', 'TS_3']);
    expect(warnings).toEqual([expect.stringMatching(/^a\.star, line 10: rows of data_particles go on after an empty/)]);
  });

  it('A STAR loop of 300,000 labels is read in a time that grows with their number, not with its square', () => {
    const labels = Array.from({ length: 300_000 }, (_, i) => `_l${i}\n`).join('');
    expect(() => read(`data_\nloop_\n${labels}`)).toThrow(expect.objectContaining({ code: 'invalid-picks' }));
  });

  it.each([
    ['a row that lacks a cell', 'TS_1 10 20\n', 'line 8: 3 values; expected 4, one per label of data_particles'],
    ['a first row that reads like a label and lacks a cell', '_a 10 20\nTS_2 1 2 3\n', 'line 8: 3 values; expected 4'],
    ['a row with a cell too many', 'data_1 10 20 30 40\n', 'line 8: 5 values; expected 4'],
  ])('A STAR loop with %s is refused', (_, rows, message) => {
    expect(() => read(loop + rows)).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringContaining(message) }),
    );
  });
});
