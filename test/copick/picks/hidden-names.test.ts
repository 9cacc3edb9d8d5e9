import { expect, it } from 'vitest';
import type { Run } from '../../../src/entry/copick.ts';
import { projectOf } from '../../support/copick-tree.ts';
import { sourceOf } from '../../support/volumes.ts';

const source = sourceOf(new Float32Array(8), [2, 2, 2], { voxelSize: [10, 10, 10] });
const glb = new Uint8Array(12);
new DataView(glb.buffer).setUint32(0, 0x46546c67, true);
new DataView(glb.buffer).setUint32(4, 2, true);
new DataView(glb.buffer).setUint32(8, 12, true);

it.each<[string, (run: Run) => Promise<unknown>]>([
  ['picks', (run) => run.writePicks([], { userId: '.me', sessionId: '0', objects: ['ribosome'] })],
  ['a mesh', (run) => run.writeMesh(glb, { object: 'ribosome', userId: '.me', sessionId: '0' })],
  ['filaments', (run) => run.writeFilaments([], { object: 'ribosome', userId: '.me', sessionId: '0' })],
  ['a tomogram', (run) => run.writeTomogram(source, { type: '.raw' })],
])('a name under which %s would be hidden is refused', async (_, write) => {
  const { project, overlay } = projectOf({});
  const run = await project.createRun('TS_1');
  await expect(write(run)).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringMatching(/a later listing would not show it: names that begin with a dot are hidden/),
  });
  expect(await overlay.list('/ExperimentRuns/TS_1')).toEqual([{ name: '.meta', kind: 'file' }]);
});

it('runs and picks with line breaks and control characters in their names are listed', async () => {
  const names = ['TS\n1', 'TS\u001b[2J'];
  const tree = Object.fromEntries(
    names.map((name) => [`/ExperimentRuns/${name}/Picks/me\n_0_ribosome.json` as const, { points: [] }]),
  );
  const { project } = projectOf({ static: tree });
  const runs = await project.runs();
  expect(runs.map(({ name }) => name)).toEqual(names);
  for (const run of runs) expect(await run.pickSets()).toMatchObject([{ userId: 'me\n', object: 'ribosome' }]);
});
