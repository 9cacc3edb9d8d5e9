import { describe, expect, it } from 'vitest';
import { type PointsColumn, parsePicks, pointsFormat, type TableColumn } from '../../src/entry/formats.ts';

const options = { run: 'TS_1', object: 'ribosome', voxelSize: 10 };

function read(text: string, more: Parameters<typeof pointsFormat>[0] = options) {
  const warnings: string[] = [];
  const columns: TableColumn[] = [];
  const format = pointsFormat(more);
  const runs = parsePicks(text, {
    format,
    source: 'picks.txt',
    onWarning: ({ message }) => warnings.push(message),
    onColumns: (found) => columns.push(...found),
  });
  const rows = runs.flatMap(({ run, picks }) =>
    picks.map(({ object, position: { x, y, z }, score, instanceId }) => [run, object, x, y, z, score, instanceId]),
  );
  return { rows, warnings, columns, leftOut: format.leftOut?.(text, 'picks.txt') };
}

const one = (score = 1, instance?: number) => [['TS_1', 'ribosome', 1000, 2000, 500, score, instance]];

describe('a plain table', () => {
  it.each<[string, string, ReturnType<typeof one>]>([
    ['three columns of numbers', '100 200 50\n', one()],
    ['a header of numpy.savetxt', '# x y z score\n100.00 200.00 50.00 0.90\n', one(0.9)],
    ['a comment that says what the columns are', '# columns: z y x\n50 200 100\n', one()],
    ['a commented header with commas above columns with spaces', '# x,y,z\n100 200 50\n', one()],
    ['a header of MATLAB', '% z y x\n50 200 100\n', one()],
    ['a comment that is not a header', '# picked by hand\n100 200 50\n', one()],
    ['a comment of as many words as columns', '# picked by me\n100 200 50\n', one()],
    ['names with the axis at their end', 'particle,coord_x,coord_y,coord_z\n1,100,200,50\n', one()],
    ['names of two words', 'Particle ID,Center X,Center Y,Center Z\n1,100,200,50\n', one()],
    [
      'names of RELION in a CSV',
      'rlnCoordinateX\trlnCoordinateY\trlnCoordinateZ\trlnLCCmax\n100\t200\t50\t0.9\n',
      one(0.9),
    ],
    ['names in capitals', 'X;Y;Z;ID\n100;200;50;7\n', one(1, 7)],
    ['a bare axis beside a longer name', 'x,y,z,pixel_x\n100,200,50,3\n', one()],
    ['a quoted header', '"x","y","z"\n100,200,50\n', one()],
    ['rows that end in a delimiter', '100,200,50,\n', one()],
    ['a header and no rows', 'x y z\n', []],
    ['nothing', '\n', []],
  ])('A plain table with %s is read column by column', (_, text, rows) => {
    expect(read(text).rows).toEqual(rows);
  });

  it('A plain table reports what each column was taken for, and which it leaves out', () => {
    const { columns, leftOut } = read('particle,coord_x,coord_y,coord_z,ccc\n1,100,200,50,0.5\n');
    expect(columns.map(({ column, name, as }) => [column, name, as])).toEqual([
      [1, 'particle', '-'],
      [2, 'coord_x', 'x'],
      [3, 'coord_y', 'y'],
      [4, 'coord_z', 'z'],
      [5, 'ccc', 'score'],
    ]);
    expect(leftOut).toEqual(['column: not read: "particle"']);
  });

  it.each<[string, string, string]>([
    ['a word in its last column', '100 200 50 ribosome\n', 'x,y,z,object'],
    ['a run in its last column', '100,200,50,TS_1\n', 'x,y,z,run'],
    ['four columns of numbers', '100 200 50 0.9\n', 'x,y,z,score'],
    ['the columns of model2point -object', '1 1 551.33 966.00 317.00\n', '-,-,x,y,z'],
    ['the columns of a copick CSV without its header', 'TS_1,ribosome,1,2,3,0.5\n', 'run,object,x,y,z,score'],
  ])('A plain table with %s is refused, with a hint', (_, text, hint) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        option: 'columns',
        message: expect.stringContaining(`--columns ${hint} on the command line`),
      }),
    );
  });

  it.each<[string, string]>([
    ['names that are not known', 'a,b,c\n1,2,3\n'],
    ['two names for x', 'coord_x,pos_x,y,z\n1,2,3,4\n'],
    ['coordinates in two units', 'x,y,z,x_ang,y_ang,z_ang\n1,2,3,10,20,30\n'],
    ['the results of ImageJ', '" ",X,Y,Slice\n1,10,20,3\n'],
    ['centroids of scikit-image', 'centroid-0,centroid-1,centroid-2\n1,2,3\n'],
    ['a commented header without z', '# id x y\n1 2 3\n'],
    ['a commented header of more columns', '# z y x score\n1 2 3\n4 5 6\n'],
    ['a comment that names the order of axes', '# order of axes is zyx\n1 2 3\n'],
    ['exponents of Fortran', '1.0D+02 2 3 4\n'],
    ['coordinates from the centre', 'CenteredX,CenteredY,CenteredZ\n1,2,3\n'],
  ])('A plain table with %s is refused, without a guess that its names contradict', (_, text) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        option: 'columns',
        message: expect.stringMatching(/say what each column is, by the option columns/),
      }),
    );
  });

  it('A plain table whose first row is damaged is refused, although its columns are given', () => {
    const text = 'l0 2O 3o 0.s\n40 50 60 0.5\n';
    expect(() => read(text, { ...options, columns: ['x', 'y', 'z', 'score'] })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringContaining('line 1: x is "l0"') }),
    );
    expect(read(`# ${text}`, { ...options, columns: ['x', 'y', 'z', 'score'] }).rows).toHaveLength(1);
  });

  it.each(['x_A,y_A,z_nm', 'x_nm,y_px,z_nm', 'X (nm),Y (nm),Z'])(
    'A plain table is refused if the columns %s have different units',
    (header) => {
      const message = expect.stringContaining('are not in one unit');
      for (const more of [{}, { columns: ['x', 'y', 'z'] as const }]) {
        expect(() => read(`${header}\n1,2,3\n`, { ...options, ...more })).toThrow(
          expect.objectContaining({ code: 'invalid-picks', message }),
        );
      }
    },
  );

  it('A plain table may have empty scores, which count as 1, and empty instance ids, which are none', () => {
    expect(read('x,y,z,score,id\n100,200,50,,\n').rows).toEqual(one());
  });

  it.each<[string, string, string]>([
    ['decimal commas below a header', 'x;y;z\n1,5;2,5;3,5\n', 'write a point'],
    ['a damaged first row', '1OO 200 50\n100 200 50\n', 'line 1: the table has 3 columns'],
    ['decimal commas', '1,5 2,5 3,5\n', 'decimal commas'],
    ['decimal commas between semicolons', '1,5;2,5;3,5\n', 'decimal commas'],
    ['a row of two cells', '1 2 3\n4 5\n', 'line 2: 2 cells; expected 3'],
    ['a word in a later row', '1 2 3\n4 x 6\n', 'line 2: y is "x"; expected a finite number'],
    ['a number of a million digits', `1 2 3\n1 2 ${'9'.repeat(1e6)}\n`, 'line 2: z is "999'],
  ])('A plain table with %s is refused by its line', (_, text, message) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });

  it('A plain table of 200,000 columns is refused in a time that grows with their number, not with its square', () => {
    const names = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? 'x' : 'score'));
    // Comparing each name with all others would take minutes.
    expect(() => read(`${names.join(',')}\n`)).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    expect(() => read(`${names.map(() => '1').join(',')}\n`)).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    );
  });

  it('A plain table is read by the columns that the caller names, with a header or without', () => {
    const columns: readonly PointsColumn[] = ['x', 'y', 'z', 'object'];
    const named = { run: 'TS_1', voxelSize: 10, columns };
    const rows = [
      ['TS_1', 'ribosome', 1000, 2000, 500, 1, undefined],
      ['TS_1', 'apo-ferritin', 1100, 2100, 600, 1, undefined],
    ];
    const text = '100 200 50 ribosome\n110 210 60 apo-ferritin\n';
    expect(read(text, named).rows).toEqual(rows);
    expect(read(`a b c d\n${text}`, named).rows).toEqual(rows);
    const runs = read('100,200,50,TS_1\n110,210,60,TS_2\n', { ...options, columns: ['x', 'y', 'z', 'run'] }).rows;
    expect(runs.map(([run]) => run)).toEqual(['TS_1', 'TS_2']);
  });

  it('A plain table throws for columns that lack an axis, name one twice, or do not fit the file', () => {
    const bad = expect.objectContaining({ code: 'invalid-option', option: 'columns' });
    for (const columns of [
      ['x', 'y'],
      ['x', 'y', 'z', 'x'],
      ['x', 'y', 'z', 'q'],
    ]) {
      expect(() => pointsFormat({ columns: columns as PointsColumn[] })).toThrow(bad);
    }
    expect(() => read('1 2 3 4\n', { ...options, columns: ['x', 'y', 'z'] })).toThrow(bad);
  });

  it('A plain table whose header states a unit is read in that unit, whatever the voxel size', () => {
    const angstrom = 'X [A],Y [A],Z [A]\n1000,2000,500\n';
    expect(read(angstrom, { run: 'TS_1', object: 'ribosome' })).toMatchObject({ rows: one(), warnings: [] });
    expect(read('x_nm,y_nm,z_nm\n100,200,50\n', { run: 'TS_1', object: 'ribosome' }).rows).toEqual(one());
    const { rows, warnings } = read(angstrom);
    expect(rows).toEqual(one());
    expect(warnings).toEqual([
      expect.stringMatching(/"X \[A\]", .* state their unit; the option voxelSize, .* is not used/),
    ]);
  });
});
