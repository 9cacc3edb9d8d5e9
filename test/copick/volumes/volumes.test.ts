import { describe, expect, it } from 'vitest';
import { openProject } from '../../../src/entry/node.ts';
import { describeVolumes, expectedVolumes, inOrder, volumesFixture } from '../../support/copick-volumes.ts';

describe.each([1, 2] as const)('a project that copick %i wrote', (generation) => {
  it('a project that copick wrote reads as copick reads it: every volume, level, type and voxel', async () => {
    const told: unknown[] = [];
    const config = `${volumesFixture(generation)}copick.json`;
    const project = await openProject(config, { onProblem: (problem) => told.push(problem) });
    expect(inOrder(await describeVolumes(project))).toEqual(inOrder(expectedVolumes(generation)));
    expect(told).toEqual([]);
  });
});
