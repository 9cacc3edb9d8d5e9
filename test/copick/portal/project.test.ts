import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { detectParticles } from '../../../src/entry/index.ts';
import { openProject } from '../../../src/entry/node.ts';
import { identityModel } from '../../support/identity-model.ts';
import { sharedData, sharedDataMissing } from '../../support/shared-data.ts';
import { tempDir } from '../../support/temp-dir.ts';

describe.skipIf(sharedDataMissing)('files of the data portal as a copick project (needs ../shared/data)', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await tempDir();
    const run = join(folder, 'static', 'ExperimentRuns', '20002');
    mkdirSync(join(run, 'VoxelSpacing14.080'), { recursive: true });
    mkdirSync(join(run, 'Picks'));
    const portal = (path: string) => sharedData(`fixtures/portal/${path}`);
    symlinkSync(portal('sample_tomos/input_omezarr.zarr'), join(run, 'VoxelSpacing14.080', 'raw.zarr'));
    symlinkSync(portal('20002/annotations/copick.json'), join(run, 'Picks', '0_0_ribosome.json'));
    const config = {
      pickable_objects: [{ name: 'ribosome', is_particle: true, label: 1, radius: 150 }],
      static_root: 'static',
      overlay_root: 'overlay',
    };
    writeFileSync(join(folder, 'copick.json'), JSON.stringify(config));
  });

  it('a project of portal files opens the tomogram, a 4×4×4 array in one chunk of 256³ with axes listed x, y, z', async () => {
    const run = await (await openProject(join(folder, 'copick.json'))).run('20002');
    const tomogram = await run.tomogram('raw', { voxelSpacing: 14.08 });
    expect(tomogram.grid).toEqual({ shape: [4, 4, 4], voxelSize: [14.08, 14.08, 14.08], origin: { x: 0, y: 0, z: 0 } });
    expect(tomogram.levels[0].chunkShape).toEqual([256, 256, 256]);
  });

  it('detectParticles runs on a project of portal files', async () => {
    const project = await openProject(join(folder, 'copick.json'));
    const run = await project.run('20002');
    const tomogram = await run.tomogram('raw');
    const { data, stride, offset } = await tomogram.read({ start: [0, 0, 0], end: [4, 4, 4] });
    let brightest = -Infinity;
    for (let i = 0; i < 64; i++) {
      const [z, y, x] = [i >> 4, (i >> 2) & 3, i & 3];
      brightest = Math.max(brightest, data[offset + z * stride[0] + y * stride[1] + x * stride[2]]);
    }
    const model = identityModel({ classes: ['ribosome'], voxelSize: 14.08, thresholds: { ribosome: brightest } });
    const picks = await detectParticles(tomogram, { model, objects: project.objects });
    expect(picks).toHaveLength(1);
    expect(picks[0].score).toBeCloseTo(brightest, 5);
    await run.writePicks(picks, { userId: 'test', sessionId: '1' });
    expect(await run.picks({ userId: 'test' })).toEqual(picks);
  });

  it('a project of portal files reads its picks with their rotations', async () => {
    const run = await (await openProject(join(folder, 'copick.json'))).run('20002');
    const [first] = await run.picks({ userId: '0' });
    expect(first.position).toEqual({ x: 40, y: 20, z: 30 });
    expect(first.transform?.[0]).toEqual([-0, -0.7071067811865475, 0.7071067811865475, 0]);
  });
});
