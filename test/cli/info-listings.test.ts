import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { captureCli } from '../support/capture-cli.ts';
import { entitiesFixture } from '../support/copick-entities.ts';
import { tempDir } from '../support/temp-dir.ts';

const config = join(entitiesFixture, 'copick.json');

describe('info of all that copick writes', () => {
  it('info groups each kind of entity over the runs', async () => {
    const { exitCode, stdout, stderr } = await captureCli(['info', config]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const lines = stdout.split('\n').map((line) => line.replace(/ {2,}/g, '  ').trim());
    expect(lines).toEqual(
      expect.arrayContaining([
        'features  of tomogram  runs',
        'sobel  wbp@7.840  1',
        'alice  7  cell  panoptic  10.000  1',
        'alice  7  painting  multilabel  10.000  1',
        'alice  7  ribosome  instance  10.000  1',
        'segger  1  membrane  binary  7.840  1',
        'user  session  mesh  runs',
        'alice  8  actin  1',
        'user  session  filaments  runs',
        'tracer  0  microtubule  1',
        'density maps: ribosome',
      ]),
    );
  });

  it('info --json contains all entities', async () => {
    const { runs, objectMaps } = JSON.parse((await captureCli(['info', config, '--json'])).stdout);
    expect(objectMaps).toEqual([{ object: 'ribosome', path: expect.stringMatching(/Objects\/ribosome\.zarr$/) }]);
    const [first, second] = runs;
    expect(first.features).toHaveLength(4);
    expect(first.features[0]).toMatchObject({ type: 'wbp', featureType: 'edge-2', voxelSpacing: 7.84 });
    expect(first.segmentations.map(({ kind }: { kind: string }) => kind).sort()).toEqual(
      ['binary', 'binary', 'instance', 'multilabel', 'panoptic'].sort(),
    );
    expect(first.meshes).toHaveLength(3);
    expect(first.filaments[0]).toEqual({
      object: 'actin',
      userId: 'alice',
      sessionId: '7',
      path: expect.stringMatching(/Filaments\/alice_7_actin\.json$/),
    });
    expect(second).toMatchObject({ features: [], segmentations: [], meshes: [], filaments: [] });
  });
});

describe('info of a project with little in it', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await tempDir();
    await writeFile(
      join(folder, 'copick.json'),
      JSON.stringify({ config_type: 'filesystem', overlay_root: 'overlay', pickable_objects: [] }),
    );
    await mkdir(join(folder, 'overlay/ExperimentRuns/TS_1'), { recursive: true });
  });

  it('info shows no table for kinds without entities', async () => {
    const { exitCode, stdout } = await captureCli(['info', join(folder, 'copick.json')]);
    expect(exitCode).toBe(0);
    expect(stdout).not.toMatch(/features|mesh|filaments|segmentation|density/);
  });

  it('info still lists the other kinds if one cannot be listed', async () => {
    await writeFile(join(folder, 'overlay/ExperimentRuns/TS_1/Meshes'), 'a file, no folder');
    await mkdir(join(folder, 'overlay/ExperimentRuns/TS_1/Segmentations/10.000_me_1_membrane.zarr'), {
      recursive: true,
    });
    const { exitCode, stdout } = await captureCli(['info', join(folder, 'copick.json')]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/me +1 +membrane +binary +10\.000 +1/);
  });
});
