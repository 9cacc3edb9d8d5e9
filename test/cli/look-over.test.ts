import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { detectRuns } from '../../src/cli/detect.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { type Point, writeTomogram, type Zyx } from '../../src/entry/index.ts';
import { directoryStore, openProject } from '../../src/entry/node.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { captureCli, TextSink } from '../support/capture-cli.ts';
import { identityModel } from '../support/identity-model.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf } from '../support/volumes.ts';

const shape: Zyx = [24, 28, 32];
let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

interface Case {
  /** In Å; the folder says 10. */
  readonly voxelSize: number;
  readonly picks?: readonly Point[];
  /** How much protein differs from what lies around it. */
  readonly protein?: number;
  /** How many voxels are NaN. */
  readonly notFinite?: number;
}

async function projectOf({ voxelSize, picks = [], protein = -6, notFinite = 0 }: Case): Promise<string> {
  const config = join(folder, 'copick.json');
  const object = { name: 'ribosome', is_particle: true, label: 1, radius: 30 };
  await writeFile(config, JSON.stringify({ overlay_root: join(folder, 'overlay'), pickable_objects: [object] }));
  const data = Float32Array.from(
    { length: voxelCount(shape) },
    (_, i) => Math.sin(i * 12.9898) + Math.sin(i * 78.233) + Math.sin(i * 37.719) + (i % 20 === 0 ? protein : 0),
  );
  data.fill(Number.NaN, 0, notFinite);
  const source = sourceOf(data, shape, { voxelSize: [voxelSize, voxelSize, voxelSize] });
  const image = join(folder, 'overlay/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr');
  await writeTomogram(directoryStore(image), source, { levels: 1 });
  const run = await (await openProject(config)).run('TS_1');
  const found = picks.map((position) => ({ object: 'ribosome', position, score: 1 }));
  await run.writePicks(found, { userId: 'curator', sessionId: '1', objects: ['ribosome'] });
  return config;
}

async function detect(config: string, { resample }: { readonly resample?: true } = {}) {
  const stderr = new TextSink();
  const terminal = openTerminal({ stdout: new TextSink(), stderr, json: false, signal: new AbortController().signal });
  const model = identityModel({ classes: ['ribosome'] });
  const dark = { ...model, spec: { ...model.spec, contrast: 'dark' as const } };
  const { summaries, warnings } = await detectRuns(terminal, {
    project: await openProject(config),
    model: dark,
    tomogram: { type: 'denoised' },
    userId: 'me',
    sessionId: '0',
    resample,
  });
  return { status: summaries.map((one) => one.status), stderr: stderr.text, codes: warnings.map(({ code }) => code) };
}

const outside = [{ x: 20, y: 270, z: 900 }];
const swapped = [
  { x: 230, y: 150, z: 310 },
  { x: 20, y: 30, z: 300 },
];

describe('what looks wrong with a tomogram', () => {
  it.each<[string, Case, RegExp]>([
    ['a folder that says another voxel size', { voxelSize: 10.2 }, /more than 1 % off the 10 Å of its folder/],
    ['picks outside', { voxelSize: 10, picks: outside }, /1 of 1 picks lie outside the volume of 320×280×240 Å/],
    ['picks with axes swapped', { voxelSize: 10, picks: swapped }, /with x, y, z taken as z, y, x, none would/],
    [
      'bright protein for a model of dark',
      { voxelSize: 10, protein: 6 },
      /protein looks bright, and model ".*" was made/,
    ],
  ])('detect warns of a suspicious tomogram, and continues: %s', async (_, one, message) => {
    const { status, stderr } = await detect(await projectOf(one));
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^cryoet-picks: run "TS_1": [^\n]+\n$/);
    expect(status).toEqual(['detected']);
  });

  it('detect and info report nothing if all is well', async () => {
    const picks = [{ x: 310, y: 270, z: 230 }];
    expect(await detect(await projectOf({ voxelSize: 10.012, picks }))).toEqual({
      status: ['detected'],
      stderr: '',
      codes: [],
    });
  });

  it('detect warns once of voxels that are not finite numbers, and counts all of them', async () => {
    const { stderr, codes } = await detect(await projectOf({ voxelSize: 10, notFinite: 7 }));
    expect(stderr).toBe('cryoet-picks: run "TS_1": 7 of 21504 voxels are not finite numbers; they count as the mean\n');
    expect(codes).toEqual(['voxels-not-finite']);
  });

  it('detect reports a voxel size of 7.84 Å with a model of 10 Å, and what it did about it', async () => {
    const config = await projectOf({ voxelSize: 7.84 });
    const { status, stderr } = await detect(config, { resample: true });
    expect(stderr).toContain('run "TS_1" is resampled from voxels of 7.840×7.840×7.840 Å (z×y×x) to 10 Å\n');
    expect(stderr).not.toContain('search resampled(');
    expect(status).toEqual(['detected']);
    expect((await detect(config)).stderr).toMatch(
      /made for voxels of 10 Å, the tomogram has 7.84×7.84×7.84 Å.*--resample/,
    );
  });

  it.each<[string, Case, RegExp]>([
    [
      'a voxel size that was never set',
      { voxelSize: 1 },
      /the voxel size is unknown: the file says 1 Å, which programs write if they do not know it/,
    ],
    ['another voxel size than the folder', { voxelSize: 10.2 }, /more than 1 % off the 10 Å of its folder/],
    ['picks outside', { voxelSize: 10, picks: outside }, /1 of 1 picks lie outside/],
    ['picks with axes swapped', { voxelSize: 10, picks: swapped }, /taken as z, y, x, none would/],
  ])('info warns of a suspicious tomogram: %s', async (_, one, message) => {
    const { exitCode, stdout } = await captureCli(['info', await projectOf(one)]);
    expect(stdout).toMatch(message);
    expect(exitCode).toBe(0);
  });
});
