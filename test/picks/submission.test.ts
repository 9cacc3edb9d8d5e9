import { build } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSubmission, parseSubmission, parseSubmissionRows } from '../../src/entry/index.ts';

const header = 'id,experiment,particle_type,x,y,z\n';
const invalid = (message: string) => expect.objectContaining({ code: 'invalid-submission', message });

describe('parseSubmission', () => {
  const plain = [
    {
      run: 'TS_1',
      picks: [
        { object: 'ribosome', position: { x: 1, y: 2.5, z: 3 }, score: 1 },
        { object: 'thyroglobulin', position: { x: 7, y: 8, z: 9 }, score: 1 },
      ],
    },
    { run: 'TS_2', picks: [{ object: 'ribosome', position: { x: 4, y: 5, z: 6 }, score: 1 }] },
  ];

  it.each([
    ['plain', `${header}0,TS_1,ribosome,1,2.5,3\n1,TS_2,ribosome,4,5,6\n2,TS_1,thyroglobulin,7,8,9\n`],
    [
      'without a last line break',
      `${header}0,TS_1,ribosome,1,2.5,3\n1,TS_2,ribosome,4,5,6\n2,TS_1,thyroglobulin,7,8,9`,
    ],
    [
      'CRLF, byte-order mark and blank lines',
      `\uFEFF${header}\n0,TS_1,ribosome,1,2.5,3\n\n1,TS_2,ribosome,4,5,6\n  \n2,TS_1,thyroglobulin,7,8,9\n\n`.replaceAll(
        '\n',
        '\r\n',
      ),
    ],
    [
      'CR',
      `${header}0,TS_1,ribosome,1,2.5,3\n1,TS_2,ribosome,4,5,6\n2,TS_1,thyroglobulin,7,8,9\n`.replaceAll('\n', '\r'),
    ],
    [
      'quoted fields',
      `"id","experiment","particle_type","x","y","z"\n"0","TS_1","ribosome","1","2.5","3"\n1,"TS_2",ribosome,4,5,6\n2,TS_1,thyroglobulin,7,8,9\n`,
    ],
    [
      'any order, extra columns, no id, spaces in the header',
      'z,note, y,x,particle_type,experiment\n3,"a, b",2.5,1,ribosome,TS_1\n6,,5,4,ribosome,TS_2\n9,"""",8,7,thyroglobulin,TS_1\n',
    ],
    [
      'numbers of every spelling',
      `${header}0,TS_1,ribosome,+1.,.25e1,3e0\n1,TS_2,ribosome,40E-1,5.0, 6\n2,TS_1,thyroglobulin,7,8,9\n`,
    ],
  ])('parseSubmission reads %s', (_, text) => {
    expect(parseSubmission(text)).toEqual(plain);
  });

  it.each(['score', 'conf'])('parseSubmission reads the column %s as the score', (column) => {
    const [run] = parseSubmission(`experiment,particle_type,x,y,z,${column}\nr,ribosome,1,2,3,0.25\n`);
    expect(run?.picks[0]?.score).toBe(0.25);
  });

  it('parseSubmission keeps commas, quotes and line breaks of names', () => {
    expect(parseSubmission(`${header}0,"a,""b""\nc",ribosome,1,2,3\n`)[0]?.run).toBe('a,"b"\nc');
  });

  it('parseSubmission reads nan and inf as numbers, which the metric judges', () => {
    const [run] = parseSubmission(`${header}0,r,ribosome,NaN,-inf,Infinity\n`);
    expect(run?.picks[0]?.position).toEqual({
      x: Number.NaN,
      y: Number.NEGATIVE_INFINITY,
      z: Number.POSITIVE_INFINITY,
    });
  });

  it('parseSubmission finds no runs in a table with a header only', () => {
    expect(parseSubmission(header)).toEqual([]);
    expect(parseSubmission(header.trim())).toEqual([]);
  });

  it.each([
    ['an empty file', '', 'x.csv is empty; expected a header with experiment, particle_type, x, y, z'],
    ['blank lines only', '\uFEFF\r\n\r\n', 'x.csv is empty; expected a header with experiment, particle_type, x, y, z'],
    [
      'missing columns',
      'id,experiment,type,x,y\n',
      'x.csv: no columns "particle_type", "z"; found ["id","experiment","type","x","y"]',
    ],
    ['a column twice', 'experiment,particle_type,x,y,z,x\n', 'x.csv: column "x" occurs twice'],
    ['an empty coordinate', `${header}0,r,ribosome,1,,3\n`, 'x.csv, line 2: y is ""; expected a number'],
    ['half a number', `${header}0,r,ribosome,1,2,1e\n`, 'x.csv, line 2: z is "1e"; expected a number'],
    ['hexadecimal', `${header}0,r,ribosome,0x10,2,3\n`, 'x.csv, line 2: x is "0x10"; expected a number'],
    ['a thousands separator', `${header}0,r,ribosome,"1,000",2,3\n`, 'x.csv, line 2: x is "1,000"; expected a number'],
    ['an empty run', `${header}0,,ribosome,1,2,3\n`, 'x.csv, line 2: experiment is empty; expected a name'],
    ['an empty type', `${header}0,r," ",1,2,3\n`, 'x.csv, line 2: particle_type is empty; expected a name'],
    ['a short row', `${header}0,r,ribosome,1,2,3\n1,r,ribosome,1\n`, 'x.csv, line 3: 4 fields; expected 6'],
    ['a long row', `${header}0,r,ribosome,1,2,3,4\n`, 'x.csv, line 2: 7 fields; expected 6'],
    [
      'another delimiter',
      header.replaceAll(',', ';'),
      `x.csv: no columns "experiment", "particle_type", "x", "y", "z"; found ["${header.trim().replaceAll(',', ';')}"]`,
    ],
    ['an open quote', `${header}0,r,"ribosome,1,2,3\n`, 'x.csv, line 2: Quoted field unterminated'],
    [
      'text after a quote',
      `${header}0,r,"ribo"some,1,2,3\n`,
      'x.csv, line 2: Trailing quote on quoted field is malformed',
    ],
    [
      'a NaN score',
      'experiment,particle_type,x,y,z,score\nr,ribosome,1,2,3,nan\n',
      'x.csv, line 2: score is NaN; expected a number that can be ordered',
    ],
    [
      'an empty score',
      'experiment,particle_type,x,y,z,conf\nr,ribosome,1,2,3,\n',
      'x.csv, line 2: conf is ""; expected a number',
    ],
  ])('parseSubmission refuses %s', (_, text, message) => {
    expect(() => parseSubmission(text, { source: 'x.csv' })).toThrow(invalid(message));
  });

  it.each([
    ['blank lines', `${header}\n\n0,r,ribosome,1,2,3\n\n1,r,ribosome,bad,2,3\n`, 6],
    ['CRLF', `${header}\n0,r,ribosome,1,2,3\n1,r,ribosome,bad,2,3\n`.replaceAll('\n', '\r\n'), 4],
    ['line breaks in quotes', `${header}0,"r\n\nr",ribosome,1,2,3\n1,"r",ribosome,"bad",2,3\n`, 5],
    ['line breaks in the bad row', `${header}0,r,ribosome,1,2,3\n1,"r\nr",ribosome,bad,2,3\n`, 3],
    ['the last line without a break', `${header}0,r,ribosome,1,2,3\n1,r,ribosome,bad,2,3`, 3],
  ])('parseSubmission names the line of the file after %s', (_, text, line) => {
    expect(() => parseSubmission(text)).toThrow(invalid(`submission, line ${line}: x is "bad"; expected a number`));
  });

  it('parseSubmission gives rows in the order of the file, with their lines', () => {
    const rows = parseSubmissionRows(`${header}0,b,ribosome,1,2,3\n\n1,a,ribosome,1,2,3\n2,b,ribosome,4,5,6\n`);
    expect(rows.map(({ run, line, pick }) => [run, line, pick.position.x])).toEqual([
      ['b', 2, 1],
      ['a', 4, 1],
      ['b', 5, 4],
    ]);
  });
});

describe('formatSubmission', () => {
  const pick = (x: number, score = 0.5) => ({ object: 'ribosome', position: { x, y: 2, z: 3 }, score });

  it('formatSubmission numbers rows from 0 across runs, in the order given', () => {
    const runs = [
      { run: 'b', picks: [pick(2), pick(1)] },
      { run: 'a', picks: [pick(0.1)] },
    ];
    expect(formatSubmission(runs)).toBe(`${header}0,b,ribosome,2,2,3\n1,b,ribosome,1,2,3\n2,a,ribosome,0.1,2,3\n`);
  });

  it('formatSubmission writes the header alone if there are no picks', () => {
    expect(formatSubmission([])).toBe(header);
    expect(formatSubmission([{ run: 'a', picks: [] }])).toBe(header);
  });

  it('formatSubmission round-trips exactly, names and scores included', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    const name = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 9 })
      .filter((s) => s.trim() !== '' && !/\r/.test(s));
    const pickOf = fc.record({
      object: name,
      position: fc.record({ x: number, y: number, z: number }),
      score: number,
    });
    const runs = fc.uniqueArray(fc.record({ run: name, picks: fc.array(pickOf, { minLength: 1, maxLength: 4 }) }), {
      selector: ({ run }) => run,
      maxLength: 4,
    });
    fc.assert(
      fc.property(runs, (given) => {
        expect(parseSubmission(formatSubmission(given, { score: true }))).toEqual(given);
      }),
    );
  });

  it.each([
    [
      'a NaN position',
      { run: 'TS_1', picks: [pick(0), pick(Number.NaN)] },
      'pick 1 of run "TS_1" is at (NaN, 2, 3) Å; expected finite coordinates',
    ],
    [
      'an infinite position',
      { run: 'TS_1', picks: [pick(Number.POSITIVE_INFINITY)] },
      'pick 0 of run "TS_1" is at (Infinity, 2, 3) Å; expected finite coordinates',
    ],
    [
      'a NaN score',
      { run: 'TS_1', picks: [pick(0, Number.NaN)] },
      'pick 0 of run "TS_1" has score NaN; expected a finite number',
    ],
    [
      'an empty object',
      { run: 'TS_1', picks: [{ ...pick(0), object: '' }] },
      'pick 0 of run "TS_1" has no object name',
    ],
    ['an empty run', { run: ' ', picks: [] }, 'run name is " "'],
  ])('formatSubmission refuses %s', (_, run, message) => {
    expect(() => formatSubmission([run], { score: true })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringContaining(message) }),
    );
  });

  it('parseSubmission and formatSubmission bundle for a browser without anything of Node', async () => {
    const { outputFiles } = await build({
      entryPoints: ['src/picks/submission.ts'],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
    });
    const url = `data:text/javascript,${encodeURIComponent(outputFiles[0]!.text)}`;
    const bundle: { formatSubmission: typeof formatSubmission } = await import(/* @vite-ignore */ url);
    expect(bundle.formatSubmission([{ run: 'a', picks: [pick(1)] }])).toBe(`${header}0,a,ribosome,1,2,3\n`);
  });
});
