import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { countByObject } from '../../src/cli/terminal.ts';
import { csvFormat, type PicksFormat, parsePicks, picksFormat } from '../../src/entry/formats.ts';
import { type RunPicks, sourceFromArray, toFloat32, writeTomogram } from '../../src/entry/index.ts';
import { directoryStore, openMrcFile, writeMrcFile } from '../../src/entry/node.ts';
import { captureCli, eventsOf, finishedOf } from '../support/capture-cli.ts';
import { withoutVoxelSize } from '../support/mrc-bytes.ts';
import { filesBelow, smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

async function volume(voxelSize: number): Promise<string> {
  const data = Float32Array.from({ length: 24 * 40 * 40 }, (_, i) => Math.sin(i * 12.9898));
  const source = sourceFromArray({ data, shape: [24, 40, 40] }, { voxelSize: [voxelSize, voxelSize, voxelSize] });
  await writeMrcFile(join(folder, 'mine.mrc'), source);
  return join(folder, 'mine.mrc');
}

it('detect searches a single volume and writes its picks to --out', async () => {
  const out = join(folder, 'picks.csv');
  const args = ['detect', await volume(10), '--out', out, '--threads', '1', '--invert', '--json'];
  const captured = await captureCli(args);
  expect(captured).toMatchObject({ exitCode: 0, stderr: '' });
  expect(finishedOf(captured)).toMatchObject({ runs: [{ run: 'mine', status: 'detected' }], out });
  expect(eventsOf(captured)).toMatchObject([
    { event: 'started', run: 'mine', runsDone: 0, runsTotal: 1 },
    { event: 'done', run: 'mine', status: 'detected', picks: { ribosome: expect.any(Number) } },
    { event: 'finished' },
  ]);
  expect(await readFile(out, 'utf8')).toMatch(/^run_name,object_name,x,y,z,score\n/);
});

it('detect --json tells of a volume that cannot be searched by an event, and by the last line', async () => {
  const path = join(folder, 'short.mrc');
  await writeFile(path, 'MAP ');
  const captured = await captureCli(['detect', path, '--out', join(folder, 'picks.csv'), '--json']);
  const error = { code: 'corrupt-data', message: expect.stringContaining('short.mrc') };
  expect(captured.exitCode).toBe(1);
  expect(eventsOf(captured)).toMatchObject([
    { event: 'started', run: 'short' },
    { event: 'failed', run: 'short', ...error, seconds: expect.any(Number) },
    { event: 'finished', error },
  ]);
});

it('detect asks for the voxel size of a volume that does not know it, not for resampling', async () => {
  const args = ['detect', await volume(1), '--out', '-', '--to', 'csv', '--threads', '1'];
  const unknown = await captureCli([...args, '--resample']);
  expect(unknown.exitCode).toBe(1);
  expect(unknown.stderr).toMatch(/voxel size of the tomogram is unknown: the file says 1 Å, .*give it by --voxel-size/);
  expect(unknown.stderr).not.toContain('add --resample');
  await writeFile(args[1]!, withoutVoxelSize(await readFile(args[1]!)));
  const none = await captureCli([...args, '--resample']);
  expect(none.stderr).toMatch(/voxel size of the tomogram is unknown: the file says none; give it by --voxel-size/);
  expect(none.stderr).not.toContain('says 1 Å');
  expect(await captureCli([...args, '--voxel-size', '10'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^run_name,/),
  });
});

/** Noise with some bright specks, which the network takes for dark ones if it is inverted. */
const specks = Float32Array.from({ length: 24 * 40 * 40 }, (_, i) => Math.sin(i * 12.9898) + (i % 47 === 0 ? 9 : 0));

/** An OME-Zarr image of the specks, whose metadata say a voxel size. */
async function image(path: string, voxelSize: number, { levels = 1 } = {}): Promise<string> {
  const source = sourceFromArray(
    { data: specks, shape: [24, 40, 40] },
    { voxelSize: [voxelSize, voxelSize, voxelSize] },
  );
  const store = directoryStore(join(folder, path));
  await writeTomogram(store, source, { levels, chunkShape: [12, 20, 20] });
  return join(folder, path);
}

const search = ['--out', '-', '--to', 'csv', '--threads', '1', '--threshold', 'ribosome=0', 'apo-ferritin=0'];

it.each([
  ['a wrong voxel size', 20, /--voxel-size is 10 Å, the metadata say 20×20×20 Å \(z×y×x\); the option is used$/m],
  ['the 1 Å that programs write if they do not know it', 1, /^(?!.*voxel)/s],
  ['the right one', 10, /^(?!.*voxel)/s],
])('detect obeys --voxel-size for an OME-Zarr image with %s as for an MRC file', async (_, stated, warned) => {
  await writeMrcFile(
    join(folder, 'a.mrc'),
    sourceFromArray({ data: specks, shape: [24, 40, 40] }, { voxelSize: [10, 10, 10] }),
  );
  const expected = await captureCli(['detect', join(folder, 'a.mrc'), ...search, '--invert']);
  expect(expected.stdout.split('\n').length).toBeGreaterThan(3);
  const args = [...search, '--invert', '--voxel-size', '10'];
  const { exitCode, stdout, stderr } = await captureCli(['detect', await image('a.zarr', stated), ...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expected.stdout });
  expect(stderr).toMatch(warned);
});

it('detect searches a folder with an OME-Zarr image, or an array of one, whatever its name', async () => {
  const path = await image('a', 10);
  const expected = await captureCli(['detect', path, ...search, '--invert']);
  expect(expected).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^run_name.*\n(a,[a-z-]+,.*\n)+$/) });
  const array = await captureCli(['detect', join(path, '0'), ...search, '--invert', '--voxel-size', '10']);
  expect(array.stdout).toBe(expected.stdout.replaceAll('\na,', '\n0,'));
  expect((await captureCli(['detect', join(path, '0'), ...search])).stderr).toMatch(/give --voxel-size, in Å\n$/);
});

it('detect tells each warning of a single volume once, and that its contrast looks inverted', async () => {
  const path = await image('a.zarr', 20, { levels: 2 });
  const args = ['--out', join(folder, 'a.csv'), '--threads', '1', '--voxel-size', '10', '--json'];
  const captured = await captureCli(['detect', path, ...args]);
  const codes = finishedOf(captured).warnings.map(({ code }: { code: string }) => code);
  expect(codes).toEqual(['voxel-size-differs', 'contrast-inverted']);
  expect(captured.stderr.trimEnd().split('\n')).toHaveLength(2);
  const inverted = await captureCli(['detect', path, ...args, '--invert']);
  expect(finishedOf(inverted).warnings).toMatchObject([{ code: 'voxel-size-differs' }]);
});

it('detect searches a single image with most chunks missing only if it is allowed', async () => {
  const path = await image('a.zarr', 10);
  for (const chunk of ['0/0/0', '0/0/1', '0/1/0', '0/1/1', '1/0/0']) await rm(join(path, '0', chunk));
  const refused = await captureCli(['detect', path, ...search]);
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--allow-missing-chunks') });
  const allowed = await captureCli(['detect', path, ...search, '--allow-missing-chunks']);
  expect(allowed).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('5 of the 8 chunks (63 %)') });
  await rm(join(path, '0', '1'), { recursive: true });
  const empty = await captureCli(['detect', path, ...search, '--allow-missing-chunks']);
  expect(empty).toMatchObject({ exitCode: 1, stderr: expect.not.stringContaining('--allow-missing-chunks') });
  expect(empty.stderr).toMatch(/not in the store|every voxel|constant/);
});

it.each([
  ['--user-id', 'me'],
  ['--session-id', '1'],
])('detect refuses %s for a single volume, which has no users and sessions', async (flag, value) => {
  const { exitCode, stderr } = await captureCli(['detect', await image('a.zarr', 10), ...search, flag, value]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`${flag} applies to copick projects`);
});

it.each([
  ['nofile.mrc', 1, /config ".*nofile.mrc" not found/],
  ['nofile', 1, /config ".*nofile" not found/],
  ['a.mrc.bz2', 2, /--out applies to a single volume, and .*a.mrc.bz2 is not named like one: expected .mrc/],
  ['a.st', 2, /not named like one/],
])('detect says what is wrong with %s where a volume is expected', async (name, code, message) => {
  for (const there of ['a.mrc.bz2', 'a.st']) await writeFile(join(folder, there), 'BZh');
  const { exitCode, stderr } = await captureCli(['detect', join(folder, name), ...search]);
  expect(exitCode).toBe(code);
  expect(stderr).toMatch(message);
});

it('detect says how a user name is written, and does not replace picks of one that is written alike', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const args = ['detect', config, '--object', 'ribosome', '--threads', '1', '--json', '--user-id'];
  const first = await captureCli([...args, 'team_a']);
  const message = 'user "team_a" is written as "team-a", as copick writes names';
  expect(first).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`cryoet-picks: ${message}\n`) });
  expect(finishedOf(first)).toMatchObject({ userId: 'team-a', warnings: [{ code: 'name-changed', message }] });
  const second = await captureCli([...args, 'team-a', '--threshold', 'ribosome=0.95']);
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toContain('were written as those of user "team_a", session "0"');
});

it('detect --overlay writes to a folder in place of the overlay of the project', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const before = await filesBelow(folder);
  const other = await tempDir();
  const overlay = join(other, 'overlay');
  const args = ['detect', config, '--overlay', overlay, '--object', 'ribosome', '--run', 'TS_*', '--threads', '1'];
  expect((await captureCli(args)).exitCode).toBe(0);
  expect(await filesBelow(folder)).toEqual(before);
  expect((await readdir(join(overlay, 'ExperimentRuns/TS_1_3/Picks'))).sort()).toEqual([
    '.cryoet-picks_0.candidates',
    '.cryoet-picks_0_ribosome.provenance',
    'cryoet-picks_0_ribosome.json',
  ]);
});

/** The voxels of {@link volume} with cubes of a size in Å, as an OME-TIFF without a size, and as an OME-Zarr image. */
const kinds: readonly (readonly [kind: string, write: (voxelSize: number) => Promise<string>])[] = [
  ['mine.tif', async (voxelSize) => tiffOf(await volume(voxelSize), voxelSize)],
  ['mine.zarr', async (voxelSize) => zarrOf(await volume(voxelSize))],
];

/** A TIFF stack of float32 with an OME description. */
async function tiffOf(mrc: string, voxelSize: number): Promise<string> {
  const { grid, read } = await openMrcFile(mrc);
  const [depth, height, width] = grid.shape;
  const { data } = toFloat32(await read({ start: [0, 0, 0], end: grid.shape }));
  const size = ['X', 'Y', 'Z'].map((axis) => `PhysicalSize${axis}="${voxelSize / 10}" PhysicalSize${axis}Unit="nm"`);
  const sizes = `SizeX="${width}" SizeY="${height}" SizeZ="${depth}" SizeC="1" SizeT="1" ${size.join(' ')}`;
  const description = Buffer.from(`<OME><Image><Pixels Type="float" ${sizes}/></Image></OME>\0`);
  const ENTRIES = 9;
  const directory = 2 + 12 * ENTRIES + 4;
  const pixels = 8 + description.length + (description.length % 2);
  const pages = pixels + data.byteLength;
  const file = Buffer.alloc(pages + depth * directory);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(pages, 4);
  description.copy(file, 8);
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).copy(file, pixels);
  const pageBytes = 4 * height * width;
  for (let z = 0; z < depth; z++) {
    const at = pages + z * directory;
    // Tag, type (2 text, 3 and 4 whole numbers), count, value or place.
    const entries = [
      [256, 4, 1, width],
      [257, 4, 1, height],
      [258, 3, 1, 32],
      [262, 3, 1, 1],
      [270, 2, description.length, 8],
      [273, 4, 1, pixels + z * pageBytes],
      [278, 4, 1, height],
      [279, 4, 1, pageBytes],
      [339, 3, 1, 3],
    ] as const;
    file.writeUInt16LE(ENTRIES, at);
    entries.forEach(([tag, type, count, value], i) => {
      file.writeUInt16LE(tag, at + 2 + 12 * i);
      file.writeUInt16LE(type, at + 4 + 12 * i);
      file.writeUInt32LE(count, at + 6 + 12 * i);
      file.writeUInt32LE(value, at + 10 + 12 * i);
    });
    file.writeUInt32LE(z + 1 < depth ? at + directory : 0, at + 2 + 12 * ENTRIES);
  }
  await writeFile(join(folder, 'mine.tif'), file);
  return join(folder, 'mine.tif');
}

async function zarrOf(mrc: string): Promise<string> {
  await writeTomogram(directoryStore(join(folder, 'mine.zarr')), await openMrcFile(mrc), { levels: 1 });
  return join(folder, 'mine.zarr');
}

it.each(kinds)('detect finds in %s what it finds in the same voxels as MRC', async (_, write) => {
  const picksOf = async (path: string, ...more: string[]) => {
    const args = [
      'detect',
      path,
      '--out',
      '-',
      '--to',
      'csv',
      '--threads',
      '1',
      '--object',
      'ribosome',
      '--threshold',
      'ribosome=1e-9',
      ...more,
    ];
    const { exitCode, stdout, stderr } = await captureCli(args);
    expect({ exitCode, stderr: stderr.replace(/^.*\u2500.*$|^(?!cryoet-picks:).*$/gm, '').trim() }).toEqual({
      exitCode: 0,
      stderr: '',
    });
    return stdout;
  };
  const path = await write(10);
  const expected = await picksOf(join(folder, 'mine.mrc'));
  expect(expected.split('\n').length).toBeGreaterThan(2);
  expect(await picksOf(path)).toBe(expected);
  expect(await picksOf(path, '--voxel-size', '10')).toBe(expected);
});

it('detect takes --voxel-size for a TIFF that says another, with a warning', async () => {
  const path = await tiffOf(await volume(10), 7);
  const args = ['detect', path, '--out', '-', '--to', 'csv', '--threads', '1', '--voxel-size', '10'];
  const { exitCode, stderr } = await captureCli(args);
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/--voxel-size is 10×10×10 Å, the file says 7×7×7 Å/);
});

it('detect takes --voxel-size for an OME-Zarr image without one, and asks for it', async () => {
  const path = await zarrOf(await volume(10));
  const metadata = join(path, '.zattrs');
  const json = await readFile(metadata, 'utf8');
  await writeFile(metadata, json.replace(/"coordinateTransformations":/g, '"none":').replace(/"unit":/g, '"no":'));
  const args = ['detect', path, '--out', '-', '--to', 'csv', '--threads', '1'];
  const unknown = await captureCli(args);
  expect(unknown.exitCode).toBe(1);
  expect(unknown.stderr).toMatch(/voxel size|--voxel-size/);
  const given = await captureCli([...args, '--voxel-size', '10']);
  expect(given.exitCode).toBe(0);
});

it.each(['relion5', 'dynamo'] as const)(
  'detect says which class number is which object in a file of %s, of all that it looked for',
  async (to) => {
    const objects = ['--object', 'apo-ferritin', '--object', 'ribosome'];
    const args = ['detect', await image('a.zarr', 10), ...search, '--invert', ...objects];
    const csv = (await captureCli(args)).stdout;
    const out = join(folder, 'picks.star');
    const toFile = [...args, '--out', out, '--to', to];
    expect((await captureCli(toFile)).stdout).toMatch(/^classes: 1 is apo-ferritin, 2 is ribosome$/m);
    const { classes } = finishedOf(await captureCli([...toFile, '--json']));
    const format = picksFormat(to, { shape: [24, 40, 40], voxelSize: 10, objects: classes, run: 'a' });
    const countsOf = (runs: readonly RunPicks[]) => countByObject(runs.flatMap(({ picks }) => picks));
    const found = countsOf(parsePicks(await readFile(out, 'utf8'), { format: format as PicksFormat<string> }));
    expect(found).toEqual(countsOf(parsePicks(csv, { format: csvFormat() })));
    expect(found).toHaveProperty('apo-ferritin');
  },
);
