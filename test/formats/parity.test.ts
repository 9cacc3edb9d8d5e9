import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type FormatOptions, imodFormat, type PicksFormatName, picksFormat } from '../../src/entry/formats.ts';
import type { ParticlePick, PicksFormat, RunPicks } from '../../src/entry/index.ts';
import { type Rotation, rotationOf } from '../../src/picks/rotation.ts';
import { sampleFiles, samplePicks } from '../support/format-samples.ts';

interface GoldenRow {
  readonly position: readonly [number, number, number];
  readonly rotation: Rotation | null;
}

const folder = new URL('../fixtures/formats/', import.meta.url);
const golden = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8')) as Record<string, GoldenRow[]>;
const still: Rotation = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

function read(file: string, format: ReturnType<typeof picksFormat>): RunPicks[] {
  const bytes = new Uint8Array(readFileSync(new URL(file, folder)));
  return format.content === 'bytes' ? format.parse(bytes, file) : format.parse(new TextDecoder().decode(bytes), file);
}

function expectGolden(picks: readonly ParticlePick[], rows: readonly GoldenRow[]): void {
  expect(picks).toHaveLength(rows.length);
  for (const [index, { position, transform }] of picks.entries()) {
    const row = rows[index]!;
    for (const [axis, value] of [position.x, position.y, position.z].entries()) {
      expect(value).toBeCloseTo(row.position[axis]!, 9);
    }
    const turned = (rotationOf(transform) ?? still).flat();
    for (const [cell, value] of (row.rotation ?? still).flat().entries()) expect(turned[cell]).toBeCloseTo(value, 12);
  }
}

const names = { run: 'TS_004', object: 'ribosome' };
const theirs: readonly (readonly [file: string, format: PicksFormatName, options: FormatOptions])[] = [
  ['theirs.tbl', 'dynamo', { voxelSize: 10 }],
  ['theirs.em', 'tom', { voxelSize: 10 }],
  ['theirs_relion4.star', 'relion4', {}],
  ['theirs_relion5.star', 'relion5', { voxelSize: 20, shape: [50, 150, 200] }],
];

describe('files of other programs', () => {
  it.each(theirs)(
    'files of other programs %s reads as Python’s libraries and copick read it',
    (file, name, options) => {
      const [run, ...more] = read(file, picksFormat(name, { ...options, ...names }));
      expect(more).toEqual([]);
      expectGolden(run!.picks, golden[file]!);
      expect(run!.picks.map(({ score }) => score)).toEqual([0, 1, 2, 3, 4, 5].map((index) => index / 8));
    },
  );

  it('files of other programs takes a tilt series’ name from the table, and else the tomogram’s number', () => {
    expect(read('theirs_relion4.star', picksFormat('relion4', names))[0]?.run).toBe('TS 004');
    expect(read('theirs.tbl', picksFormat('dynamo', { voxelSize: 10, object: 'ribosome' }))[0]?.run).toBe('4');
  });

  it('files of other programs theirs.mod reads as imodmodel reads it', () => {
    const format = imodFormat({ ...names, voxelSize: 10, voxelCentre: 'whole' });
    expectGolden(read('theirs.mod', format)[0]!.picks, golden['theirs.mod']!);
  });
});

describe('our files', () => {
  it.each(sampleFiles)('our files %s is still what Python was shown', (file, name, options) => {
    const runs = name === 'imod' ? samplePicks.slice(0, 1) : samplePicks;
    const format = picksFormat(name, options) as PicksFormat<string | Uint8Array>;
    const written = format.format(runs);
    const bytes = typeof written === 'string' ? new TextEncoder().encode(written) : written;
    expect(bytes).toEqual(new Uint8Array(readFileSync(new URL(file, folder))));
  });

  it.each(sampleFiles.filter(([file]) => file in golden))(
    'our files %s reads in Python as what was written',
    (file, name) => {
      const runs = name === 'imod' ? samplePicks.slice(0, 1) : samplePicks;
      const picks = runs.flatMap((run) => run.picks);
      const rows = golden[file]!;
      expect(rows).toHaveLength(picks.length);
      const length = name === 'tom' || name === 'imod' ? 3 : 9;
      for (const [index, { position, transform }] of picks.entries()) {
        const row = rows[index]!;
        for (const [axis, value] of [position.x, position.y, position.z].entries()) {
          expect(row.position[axis]).toBeCloseTo(value, length);
        }
        if (row.rotation === null) continue;
        const turned = (rotationOf(transform) ?? still).flat();
        for (const [cell, value] of row.rotation.flat().entries())
          expect(value).toBeCloseTo(turned[cell]!, length === 3 ? 6 : 12);
      }
    },
  );
});
