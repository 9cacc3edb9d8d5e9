import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { cmmFormat, copickFormat, csvFormat, describeLosses } from '../../src/entry/formats.ts';
import { parsePicks } from '../../src/entry/index.ts';
import { captureCli } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

const turned = [
  [0, -1, 0, 10],
  [1, 0, 0, 20],
  [0, 0, 1, 30],
  [0, 0, 0, 1],
];
const location = { x: 1, y: 2, z: 3 };
const header = { pickable_object_name: 'virus', user_id: 'ann', session_id: '7', run_name: 'TS_1' };
const points = [{ location, transformation_: turned, note: 'first' }, { location }];
const plain = JSON.stringify({ ...header, points });
const doubted = JSON.stringify({ ...header, points, trust_orientation: false, voxel_spacing: 10, curated: true });
const format = copickFormat();

describe('copick files whose rotations are not to be trusted', () => {
  it('copick files whose rotations are not to be trusted give picks without them, at the same centres', () => {
    const [trusted, untrusted] = [plain, doubted].map((text) => parsePicks(text, { format })[0]!.picks);
    expect(trusted![0]).toMatchObject({ position: { x: 11, y: 22, z: 33 }, transform: turned });
    expect(untrusted).toEqual(trusted!.map(({ transform: _, ...pick }) => pick));
    expect(untrusted!.some((pick) => 'transform' in pick)).toBe(false);
  });

  it('copick files whose rotations are not to be trusted are reported, with everything that picks do not contain', () => {
    expect(format.leftOut?.(doubted, 'a.json')).toEqual([
      'user: "ann" is not carried over',
      'session: "7" is not carried over',
      'voxel spacing: 10 Å is not carried over',
      'other fields: "curated" of the file cannot be carried over',
      'orientation: omitted, because the file says not to trust it (1 of 2 picks)',
    ]);
    expect(format.leftOut?.(plain, 'a.json')).toHaveLength(2);
  });
});

describe('unknown keys of points', () => {
  it('unknown keys of points are kept in copick files and reported as lost elsewhere', () => {
    const runs = parsePicks(plain, { format });
    expect(parsePicks(format.format(runs), { format })[0]!.picks[0]).toMatchObject({ unknown: { note: 'first' } });
    expect(describeLosses(runs, { format })).toEqual([]);
    expect(describeLosses(runs, { format: csvFormat() })).toContain(
      'other fields: only files of copick hold "note" (1 of 2 picks)',
    );
  });

  it('marks of a review are reported as lost in words, where the format has no place for them', () => {
    const at = { object: 'virus', position: { x: 1, y: 2, z: 3 }, score: 0.5 };
    const movedFrom = { object: 'virus', location };
    const picks = [
      { ...at, unknown: { reviewed: 'accepted', note: 'first' } },
      { ...at, unknown: { reviewed: 'edited', movedFrom } },
      at,
    ];
    const runs = [{ run: 'TS_1', picks }];
    const marks =
      'review: only files of copick and CSV say which picks a person accepted, moved or added (2 of 3 picks)';
    const before =
      'review: only files of copick say where picks lay, or which object they were, before a person changed them (1 of 3 picks)';
    const others = 'other fields: only files of copick hold "note" (1 of 3 picks)';
    expect(describeLosses(runs, { format })).toEqual([]);
    expect(describeLosses(runs, { format: csvFormat() })).toEqual([before, others]);
    expect(describeLosses(runs, { format: cmmFormat() })).toEqual([marks, before, others]);
  });
});

describe('convert of a copick file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await tempDir();
    await writeFile(join(folder, 'in.json'), doubted);
  });
  const convert = (...args: string[]) => captureCli(['convert', join(folder, 'in.json'), ...args]);

  it('convert of a copick file reports what the new copick file lacks, and never marks doubtful rotations as trusted', async () => {
    const out = join(folder, 'out.json');
    expect((await convert(out)).stdout).toContain('the format cannot hold everything');
    const { losses } = JSON.parse((await convert(out, '--json')).stdout);
    expect(losses).toEqual(format.leftOut?.(doubted, 'in.json'));
    const written = JSON.parse(await readFile(out, 'utf8'));
    const still = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 1 : 0)));
    expect(written.points[0]).toMatchObject({
      transformation_: still,
      note: 'first',
      location: { x: 11, y: 22, z: 33 },
    });
  });

  it('convert of a copick file reports the same for another format, and the keys of points', async () => {
    const { stdout } = await convert(join(folder, 'out.csv'), '--verbose');
    for (const line of format.leftOut?.(doubted, 'in.json') ?? []) expect(stdout).toContain(line);
    expect(stdout).toContain('other fields: only files of copick hold "note" (1 of 2 picks)');
  });
});
