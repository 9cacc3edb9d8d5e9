import { describe, expect, it } from 'vitest';
import { countByObject, countTable, formatTable } from '../../src/cli/terminal.ts';
import { counted } from '../../src/page/counted.ts';

describe('formatTable', () => {
  it('formatTable aligns words to the left and numbers to the right, with totals below a rule', () => {
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

  it('formatTable shows the header if there are no rows', () => {
    expect(formatTable({ header: ['name', 'hits'], rows: [] })).toEqual(['name  hits', '──────────']);
  });
});

it('counted chooses between singular and plural', () => {
  expect([counted(0, 'run'), counted(1, 'run'), counted(2, 'run')]).toEqual(['0 runs', '1 run', '2 runs']);
});

it('countTable counts objects whose names are properties of every JavaScript object', () => {
  const pick = (object: string) => ({ object, position: { x: 0, y: 0, z: 0 }, score: 1 });
  const counts = countByObject(['constructor', '__proto__', 'constructor'].map(pick));
  expect(Object.entries(counts)).toEqual([
    ['constructor', 2],
    ['__proto__', 1],
  ]);
  const runs = [
    { run: 'A', counts },
    { run: 'B', counts: {} },
  ];
  expect(countTable('picks', { runs }).find((line) => line.startsWith('constructor'))).toMatch(/ 2 +0 +2$/);
});
