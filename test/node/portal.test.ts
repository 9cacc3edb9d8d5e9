import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openProject } from '../../src/entry/node.ts';
import { fakePortal, portalFixture } from '../support/portal.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

describe('openProject of a config of the kind cryoet_data_portal', () => {
  it('openProject of a portal config shows the runs of its datasets, and writes into the overlay on disk', async () => {
    const config = join(folder, 'copick.json');
    await writeFile(
      config,
      JSON.stringify({ ...portalFixture<object>('copick.json'), overlay_root: 'local://overlay' }),
    );
    const { fetch, asked } = fakePortal();
    const project = await openProject(config, { fetch });
    expect(asked).toEqual([]);
    const expected = portalFixture<{ runs: Record<string, object> }>('expected.json');
    const runs = await project.runs();
    expect(runs.map(({ name }) => name)).toEqual(Object.keys(expected.runs).sort());
    expect(project.config.type).toBe('cryoet_data_portal');
    await runs[0]!.writePicks([], { userId: 'me', sessionId: '1', objects: [project.objects[0]!.name] });
    expect(await readdir(join(folder, 'overlay/ExperimentRuns'))).toEqual([runs[0]!.name]);
  });
});
