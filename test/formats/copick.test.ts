import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FormatOptions, type PicksFormatName, picksFormat } from '../../src/entry/formats.ts';
import { type ParticlePick, toFloat32, writeTomogram, type Zyx } from '../../src/entry/index.ts';
import { directoryStore, openMrcFile, openProject, openTiffStackFile } from '../../src/entry/node.ts';
import { rotationFromEuler, rotationOf, transformOf } from '../../src/picks/rotation.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { tempDir } from '../support/temp-dir.ts';
import { noise, sourceOf, wholeBox } from '../support/volumes.ts';

const script = fileURLToPath(new URL('copick_formats.py', import.meta.url));
const shape: Zyx = [30, 41, 52];
const names = { run: 'TS_1', object: 'ribosome' };

/** Picks in many directions, the poles among them. */
const picks: readonly ParticlePick[] = Array.from({ length: 40 }, (_, i) => ({
  object: names.object,
  position: { x: (i * 37.25) % 510, y: (i * 61.5) % 400, z: (i * 23.75) % 290 },
  score: (i % 8) / 8,
  instanceId: 1 + (i % 3),
  transform: transformOf(
    rotationFromEuler([((i * 47) % 360) - 180, [0, 180, 35, 90, 145][i % 5]!, ((i * 83) % 360) - 180], 'relion'),
  ),
}));
const given = [{ run: names.run, picks }];

interface Expected {
  /** Positions within so many Å: single precision has 7 digits. */
  readonly length?: number;
  readonly rotation?: number | undefined;
  readonly scores?: boolean;
  readonly instances?: boolean;
}

/** Picks by x, y and z: files of filaments come back ordered by filament. */
function inPlace(some: readonly ParticlePick[]): ParticlePick[] {
  return [...some].sort(
    ({ position: a }, { position: b }) => Math.round(a.x - b.x) || Math.round(a.y - b.y) || a.z - b.z,
  );
}

function expectSame(
  found: readonly ParticlePick[],
  { length = 1e-9, rotation = 1e-9, scores, instances }: Expected,
): void {
  expect(found).toHaveLength(picks.length);
  const wanted = inPlace(picks);
  for (const [index, pick] of inPlace(found).entries()) {
    const other = wanted[index]!;
    for (const axis of ['x', 'y', 'z'] as const) {
      expect(Math.abs(pick.position[axis] - other.position[axis])).toBeLessThan(length);
    }
    const still = rotationFromEuler([0, 0, 0], 'relion');
    const [turned, expected] = [pick, other].map((one) => (rotationOf(one.transform) ?? still).flat());
    if (rotation !== Number.POSITIVE_INFINITY) {
      for (const [cell, value] of turned!.entries()) expect(Math.abs(value - expected![cell]!)).toBeLessThan(rotation);
    }
    if (scores) expect(pick.score).toBe(other.score);
    if (instances) expect(pick.instanceId).toBe(other.instanceId);
  }
}

describe.skipIf(pythonMissing('picks-readers'))('copick’s import and export (needs CRYOET_PICKS_PYTHON)', () => {
  let folder: string;
  const values = noise(shape);
  const project = () => openProject(join(folder, 'copick.json'));

  beforeAll(async () => {
    folder = await tempDir();
    const overlay = join(folder, 'overlay');
    const object = { name: 'ribosome', is_particle: true, label: 1, radius: 150 };
    const config = { config_type: 'filesystem', pickable_objects: [object], overlay_root: overlay };
    await mkdir(join(overlay, 'ExperimentRuns', names.run), { recursive: true });
    await writeFile(join(folder, 'copick.json'), JSON.stringify(config));
    const run = await (await project()).run(names.run);
    await run.writePicks(picks, { userId: 'ours', sessionId: '0' });
    const image = join(overlay, 'ExperimentRuns', names.run, 'VoxelSpacing10.000', 'wbp.zarr');
    const source = sourceOf(values, shape);
    await writeTomogram(directoryStore(image), source);
    await mkdir(join(folder, 'theirs'));
    await mkdir(join(folder, 'ours'));
    runPython('picks-readers', script, 'export', join(folder, 'copick.json'), join(folder, 'theirs'));
    for (const [name, file, options] of ours) {
      await writeFile(join(folder, 'ours', file), picksFormat(name, options).format(given));
    }
    runPython('picks-readers', script, 'import', join(folder, 'copick.json'), join(folder, 'ours'));
  }, 120_000);

  const single = { length: 1e-3, rotation: 1e-6 };
  const theirs: readonly (readonly [
    file: string,
    format: PicksFormatName,
    options: FormatOptions,
    expected: Expected,
  ])[] = [
    ['picks.csv', 'csv', {}, { scores: true, instances: true }],
    ['picks.tbl', 'dynamo', { voxelSize: 10 }, { scores: true, length: 1e-3, rotation: 1e-6 }],
    ['picks.em', 'tom', { voxelSize: 10 }, single],
    ['centred.star', 'relion5', { voxelSize: 10, shape }, { length: 1e-3, rotation: 1e-6, instances: true }],
    ['pixels.star', 'relion4', {}, { length: 1e-3, rotation: 1e-6, instances: true }],
    ['frame.star', 'relion5', { voxelSize: 10, shape }, { length: 1e-3, rotation: 1e-6, instances: true }],
  ];

  it.each(theirs)(
    'copick’s import and export %s of theirs reads as what was exported',
    async (file, name, options, expected) => {
      const bytes = new Uint8Array(await readFile(join(folder, 'theirs', file)));
      const format = picksFormat(name, { ...names, ...options });
      const [run, ...more] =
        format.content === 'bytes' ? format.parse(bytes, file) : format.parse(new TextDecoder().decode(bytes), file);
      expect(more).toEqual([]);
      expectSame(run!.picks, expected);
    },
  );

  it.each([
    ['tomogram.mrc', openMrcFile],
    ['tomogram.tiff', openTiffStackFile],
  ])('copick’s import and export %s of theirs holds the same voxels', async (file, open) => {
    const volume = await open(join(folder, 'theirs', file), { voxelSize: 10 });
    expect(volume.grid.shape).toEqual(shape);
    expect(toFloat32(await volume.read(wholeBox(shape))).data).toEqual(values);
  });

  const ours: readonly (readonly [
    format: PicksFormatName,
    file: string,
    options: FormatOptions,
    expected: Expected,
  ])[] = [
    ['csv', 'csv.csv', {}, { scores: true, instances: true }],
    ['dynamo', 'dynamo.tbl', { voxelSize: 10 }, { scores: true }],
    ['tom', 'tom.em', { voxelSize: 10 }, single],
    ['relion4', 'relion4.star', { voxelSize: 2 }, { instances: true }],
    ['relion5', 'relion5.star', { voxelSize: 10, shape }, { instances: true }],
    ['ndjson', 'ndjson.ndjson', { voxelSize: 10 }, {}],
  ];

  it.each(ours)(
    'copick’s import and export %s of ours is read by copick as what was written',
    async (name, _file, _options, expected) => {
      const run = await (await project()).run(names.run);
      const [set, ...more] = await run.pickSets({ userId: name });
      expect(more).toEqual([]);
      expectSame((await set!.read()).picks, expected);
    },
  );
});
