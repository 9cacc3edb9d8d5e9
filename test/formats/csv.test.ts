import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvFormat, describeLosses, eman2Format } from '../../src/entry/formats.ts';
import { formatPicks, type ParticlePick, parsePicks } from '../../src/entry/index.ts';

const format = csvFormat();
const invalid = (message: string) =>
  expect.objectContaining({ code: 'invalid-picks', message: expect.stringContaining(message) });
const turned = [
  [0, -1, 0, 0],
  [1, 0, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];
const transformHeader = turned.flatMap((row, i) => row.map((_, j) => `transform_${i}${j}`)).join();

describe('the CSV format', () => {
  it('the CSV format reads run, object and score under other known names, and reports them', () => {
    const columns: unknown[] = [];
    const text = 'x,y,z,confidence,tomo_name,object,width\n1,2,3,0.5,TS_1,ribosome,7\n1,2,3,,TS_2,ribosome,7\n';
    const runs = parsePicks(text, { format, onColumns: (found) => columns.push(...found.map(({ as }) => as)) });
    expect(runs.map(({ run, picks }) => [run, picks.map(({ object, score }) => [object, score])])).toEqual([
      ['TS_1', [['ribosome', 0.5]]],
      ['TS_2', [['ribosome', 1]]],
    ]);
    expect(columns).toEqual(['x', 'y', 'z', 'score', 'run', 'object', '-']);
    expect(format.leftOut?.(text, 'a.csv')).toEqual(['column: not read: "width"']);
  });

  it("the CSV format prefers copick's own names, and reports nothing about them", () => {
    const columns: unknown[] = [];
    const text = 'score,cc,run_name,experiment,object_name,x,y,z\n0.5,9,TS_1,TS_9,ribosome,1,2,3\n';
    const onColumns = (found: unknown) => columns.push(found);
    expect(parsePicks(text, { format, onColumns })).toMatchObject([{ run: 'TS_1', picks: [{ score: 0.5 }] }]);
    expect(columns).toEqual([]);
    expect(format.leftOut?.(text, 'a.csv')).toEqual(['column: not read: "cc", "experiment"']);
  });

  it('the CSV format round-trips positions, scores, instances and rotations to the last bit', () => {
    // + 0 makes of −0, which text does not keep, a 0.
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text.trim() !== '');
    const row = fc.tuple(number, number, number, fc.constant(0));
    const pick = fc.record(
      {
        object: name,
        position: fc.record({ x: number, y: number, z: number }),
        score: number,
        instanceId: fc.nat(),
        transform: fc.tuple(row, row, row, fc.constant([0, 0, 0, 1])),
      },
      { requiredKeys: ['object', 'position', 'score'] },
    );
    const runs = fc.uniqueArray(fc.record({ run: name, picks: fc.array(pick, { minLength: 1, maxLength: 3 }) }), {
      selector: ({ run }) => run,
      maxLength: 3,
    });
    fc.assert(
      fc.property(runs, (given) => {
        expect(parsePicks(formatPicks(given, { format }), { format })).toEqual(given);
      }),
    );
  });

  it('the CSV format writes only the columns that picks have', () => {
    const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 0.5 };
    expect(formatPicks([{ run: 'a', picks: [pick] }], { format })).toBe(
      'run_name,object_name,x,y,z,score\na,ribosome,1,2,3,0.5\n',
    );
    expect(formatPicks([], { format })).toBe('run_name,object_name,x,y,z,score\n');
  });

  it('the CSV format takes run and object from options if columns are missing', () => {
    expect(parsePicks('z,y,x\n3,2,1\n', { format: csvFormat({ run: 'a', object: 'ribosome' }) })).toEqual([
      { run: 'a', picks: [{ object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 }] },
    ]);
  });

  it('the CSV format adds the translation of a matrix to the position, and writes the sum', () => {
    const text = `run_name,object_name,x,y,z,score,${transformHeader}\na,ribosome,10,20,30,1,0,-1,0,5,1,0,0,6,0,0,1,7,0,0,0,1\n`;
    const runs = parsePicks(text, { format });
    expect(runs[0]?.picks[0]?.position).toEqual({ x: 15, y: 26, z: 37 });
    const [again] = parsePicks(formatPicks(runs, { format }), { format });
    expect(again?.picks[0]).toMatchObject({ position: { x: 15, y: 26, z: 37 }, transform: turned });
  });

  it.each([
    ['no run', 'object_name,x,y,z\nribosome,1,2,3\n', 'picks.csv: no column "run_name"'],
    ['no coordinates', 'run_name,object_name\n', 'picks.csv: no columns "x", "y", "z"'],
    [
      'a NaN',
      'run_name,object_name,x,y,z\na,ribosome,1,nan,3\n',
      'picks.csv, line 2: y is "nan"; expected a finite number',
    ],
    [
      'a fractional instance',
      'run_name,object_name,x,y,z,instance_id\na,b,1,2,3,1.5\n',
      'line 2: instance_id is "1.5"',
    ],
    ['half a matrix', 'run_name,object_name,x,y,z,transform_00\na,b,1,2,3,1\n', 'line 2: transform_01 is missing'],
    [
      'a matrix with another last row',
      `run_name,object_name,x,y,z,${transformHeader}\na,b,1,2,3,1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,2\n`,
      'line 2: the last row of the transform is 0, 0, 0, 2; expected 0, 0, 0, 1',
    ],
  ])('the CSV format refuses %s', (_, text, message) => {
    expect(() => parsePicks(text, { format, source: 'picks.csv' })).toThrow(invalid(message));
  });

  it('the CSV format refuses to write a position or score that is not finite', () => {
    const pick = { object: 'ribosome', position: { x: 1, y: Number.NaN, z: 3 }, score: 0.5 };
    expect(() => formatPicks([{ run: 'a', picks: [pick] }], { format })).toThrow(
      invalid('pick 0 of run "a" is at (1, NaN, 3) Å'),
    );
  });
});

describe('what a person did to picks', () => {
  const position = { x: 10, y: 20, z: 30 };
  const pick = (score: number, unknown?: Record<string, unknown>): ParticlePick => ({
    ...{ object: 'ribosome', position, score },
    ...(unknown && { unknown }),
  });
  const runs = [
    { run: 'TS_1', picks: [pick(0.5), pick(1, { reviewed: 'added' }), pick(0.25, { reviewed: 'accepted' })] },
  ];

  it('csvFormat writes and reads the column reviewed where a person has looked at a pick, and has none else', () => {
    const text = csvFormat().format(runs);
    expect(text.split('\n')).toEqual([
      'run_name,object_name,x,y,z,score,reviewed',
      'TS_1,ribosome,10,20,30,0.5,',
      'TS_1,ribosome,10,20,30,1,added',
      'TS_1,ribosome,10,20,30,0.25,accepted',
      '',
    ]);
    expect(csvFormat().parse(text, 'picks.csv')).toEqual(runs);
    expect(csvFormat().format([{ run: 'TS_1', picks: [pick(0.5, { reviewed: 'by nobody' })] }])).not.toContain(
      'reviewed',
    );
  });

  it('csvFormat loses the other keys of a point, and describeLosses counts only those', () => {
    expect(describeLosses(runs, { format: csvFormat() })).toEqual([]);
    const other = [{ run: 'TS_1', picks: [pick(1, { reviewed: 'added', note: 'x' }), pick(0.5)] }];
    expect(describeLosses(other, { format: csvFormat() })).toEqual([expect.stringContaining('(1 of 2 picks)')]);
    expect(describeLosses(runs, { format: eman2Format({ run: 'TS_1', voxelSize: 10 }) }).join()).toContain(
      'review: only files of copick and CSV',
    );
  });

  it('eman2Format calls a box that a person placed manual, as EMAN2 does', () => {
    const { boxes_3d: boxes } = JSON.parse(eman2Format({ run: 'TS_1', voxelSize: 10 }).format(runs));
    expect(boxes.map((box: unknown[]) => box[3])).toEqual(['cryoet-picks', 'manual', 'cryoet-picks']);
  });
});
