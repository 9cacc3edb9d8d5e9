import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { detectRuns } from '../../src/cli/detect.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { writeTomogram, type Zyx } from '../../src/entry/index.ts';
import { directoryStore, openProject } from '../../src/entry/node.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { captureCli, TextSink } from '../support/capture-cli.ts';
import { identityModel } from '../support/identity-model.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf } from '../support/volumes.ts';

const shape: Zyx = [24, 28, 32];
/** In voxels of 5 Å. */
const blob: Zyx = [11, 14, 21];
let folder: string;
let config: string;

beforeEach(async () => {
  folder = await tempDir();
  config = join(folder, 'copick.json');
  const object = { name: 'ribosome', is_particle: true, label: 1, radius: 30 };
  await writeFile(config, JSON.stringify({ overlay_root: join(folder, 'overlay'), pickable_objects: [object] }));
  const data = Float32Array.from({ length: voxelCount(shape) }, (_, i) => {
    const at = [Math.floor(i / (28 * 32)), Math.floor(i / 32) % 28, i % 32];
    return Math.exp(-at.reduce((sum, index, axis) => sum + (index - blob[axis]!) ** 2, 0) / 8);
  });
  const source = sourceOf(data, shape, { voxelSize: [5, 5, 5] });
  const spacing = join(folder, 'overlay/ExperimentRuns/TS_1/VoxelSpacing5.000');
  await writeTomogram(directoryStore(join(spacing, 'denoised.zarr')), source, { levels: 1 });
});

async function run(resample: true | undefined) {
  const stderr = new TextSink();
  const terminal = openTerminal({ stdout: new TextSink(), stderr, json: false, signal: new AbortController().signal });
  const project = await openProject(config);
  const model = identityModel({ classes: ['ribosome'] });
  const options = {
    tomogram: { type: 'denoised' },
    userId: 'me',
    sessionId: '0',
    threshold: { ribosome: 0.5 },
    resample,
  };
  const { found } = await detectRuns(terminal, { ...options, project, model });
  return { found, stderr: stderr.text };
}

describe('a tomogram of 5 Å and a model of 10 Å', () => {
  it('detect fails for a tomogram of 5 Å and a model of 10 Å, and names the option that helps', async () => {
    const { found, stderr } = await run(undefined);
    expect(found).toEqual([]);
    expect(stderr).toMatch(/tomogram has 5×5×5 Å .* or add --resample\n$/);
    expect(stderr).not.toContain('resampled(');
  });

  it('detect --resample takes a tomogram of 5 Å for a model of 10 Å, prints one line, and finds the blob in its place', async () => {
    const { found, stderr } = await run(true);
    expect(stderr).toBe('cryoet-picks: run "TS_1" is resampled from voxels of 5.000×5.000×5.000 Å (z×y×x) to 10 Å\n');
    const [best] = found[0]!.picks;
    const { x, y, z } = best!.position;
    // Within half a voxel of 10 Å.
    for (const [found, axis] of [
      [z, 0],
      [y, 1],
      [x, 2],
    ] as const) {
      expect(Math.abs(found - 5 * blob[axis])).toBeLessThanOrEqual(5);
    }
  });
});

describe('info', () => {
  it('info reports picks outside the tomogram', async () => {
    const project = await openProject(config);
    const ts = await project.run('TS_1');
    const at = (x: number) => ({ object: 'ribosome', position: { x, y: 50, z: 50 }, score: 1 });
    await ts.writePicks([at(20), at(900)], { userId: 'me', sessionId: '1' });
    const { stdout, exitCode } = await captureCli(['info', config, '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).problems).toEqual([
      {
        path: expect.stringContaining('denoised'),
        message: 'picks of me/1: 1 of 2 picks lie outside the volume of 160×140×120 Å (x×y×z)',
      },
    ]);
  });
});
