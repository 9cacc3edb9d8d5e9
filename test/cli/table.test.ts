import { describe, expect, it } from 'vitest';
import { counted } from '../../src/cli/counts.ts';
import { formatTable } from '../../src/cli/table.ts';

describe('formatTable', () => {
  it('puts words to the left, numbers to the right, totals below a rule', () => {
    const rows = [
      ['ribosome', 7, '0.50'],
      ['apo', 120, '–'],
    ];
    expect(formatTable({ header: ['name', 'hits', 'F4'], rows, footer: [['all', 127, '']] })).toEqual([
      'name      hits    F4',
      '────────────────────',
      'ribosome     7  0.50',
      'apo        120     –',
      '────────────────────',
      'all        127',
    ]);
  });

  it('shows the header where there are no rows', () => {
    expect(formatTable({ header: ['name', 'hits'], rows: [] })).toEqual(['name  hits', '──────────']);
  });
});

it('counts things in words', () => {
  expect([counted(0, 'run'), counted(1, 'run'), counted(2, 'run')]).toEqual(['0 runs', '1 run', '2 runs']);
});
