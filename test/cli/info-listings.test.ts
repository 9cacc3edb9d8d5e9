import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
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

describe('info of a project of many runs', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await tempDir();
    const project = { config_type: 'filesystem', overlay_root: 'overlay', pickable_objects: [] };
    await writeFile(join(folder, 'copick.json'), JSON.stringify(project));
    for (let run = 1; run <= 201; run++) {
      const place = join(folder, `overlay/ExperimentRuns/TS_${run}`);
      await mkdir(join(place, 'VoxelSpacing10.000/wbp.zarr'), { recursive: true });
      await mkdir(join(place, 'Picks'));
      await writeFile(join(place, 'Picks/me_0_ribosome.json'), 'no JSON');
    }
  });
  const ask = (...args: string[]) => captureCli(['info', join(folder, 'copick.json'), ...args]);

  it('info of more than 200 runs opens no tomogram and no picks, and says so', async () => {
    const { exitCode, stdout } = await ask();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^listed by the names of folders and files alone; --run .* --all opens all$/m);
    expect(stdout).toMatch(/wbp@10\.000 .* 201 {2}TS_1, /);
    expect(stdout).toMatch(/me +0 +ribosome +201 +–/);
    expect(stdout).not.toMatch(/problem|cannot be opened/);
    const document = JSON.parse((await ask('--json')).stdout);
    expect(document).toMatchObject({ namesOnly: true, problems: [] });
    expect(document.runs).toHaveLength(201);
    expect(document.runs[0]).toEqual({
      name: 'TS_1',
      tomograms: [{ type: 'wbp', voxelSpacing: 10, path: expect.stringMatching(/wbp\.zarr$/), levels: [] }],
      picks: [{ userId: 'me', sessionId: '0', object: 'ribosome' }],
      ...{ features: [], segmentations: [], meshes: [], filaments: [] },
    });
  });

  it('info --run opens the runs that it names, and lists no others', async () => {
    const { stdout } = await ask('--run', 'TS_20*');
    expect(stdout).toMatch(/^3 runs;/m);
    expect(stdout).toMatch(/^6 problems:/m);
    expect(stdout).not.toMatch(/names of folders/);
    const { exitCode, stderr } = await ask('--run', 'TS_999');
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/run "TS_999" not found/) });
  });

  it('info --all opens all runs', async () => {
    const { stdout } = await ask('--all');
    expect(stdout).toMatch(/^402 problems:/m);
    expect(stdout).not.toMatch(/names of folders/);
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
