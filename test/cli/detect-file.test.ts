import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { sourceFromArray, toFloat32, writeTomogram } from '../../src/entry/index.ts';
import { directoryStore, openMrcFile, writeMrcFile } from '../../src/entry/node.ts';
import { captureCli } from '../support/capture-cli.ts';
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
  const { exitCode, stdout, stderr } = await captureCli(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ runs: [{ run: 'mine', status: 'detected' }], out });
  expect(await readFile(out, 'utf8')).toMatch(/^run_name,object_name,x,y,z,score\n/);
});

it('detect asks for the voxel size of a volume that does not know it, not for resampling', async () => {
  const args = ['detect', await volume(1), '--out', '-', '--to', 'csv', '--threads', '1'];
  const unknown = await captureCli([...args, '--resample']);
  expect(unknown.exitCode).toBe(1);
  expect(unknown.stderr).toMatch(/the voxel size of the tomogram is unknown.*give it by --voxel-size/);
  expect(unknown.stderr).not.toContain('add --resample');
  expect(await captureCli([...args, '--voxel-size', '10'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^run_name,/),
  });
});

it('detect says how a user name is written, and does not replace picks of one that is written alike', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const args = ['detect', config, '--object', 'ribosome', '--threads', '1', '--json', '--user-id'];
  const first = await captureCli([...args, 'team_a']);
  const message = 'user "team_a" is written as "team-a", as copick writes names';
  expect(first).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`cryoet-picks: ${message}\n`) });
  expect(JSON.parse(first.stdout)).toMatchObject({ userId: 'team-a', warnings: [{ code: 'name-changed', message }] });
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
  expect(stderr).toMatch(/the option voxelSize is 10×10×10 Å, the file says 7×7×7 Å/);
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
