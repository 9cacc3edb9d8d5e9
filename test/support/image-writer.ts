/**
 * A process that writes a segmentation of a project in a folder, once all others have begun to; see `two-image-writers.test.ts`.
 *
 * It says `begun` when it has found the place free and reads its first voxel after the labels are checked, waits for `go`, and
 * ends by telling its outcome: `written`, or the code of the error.
 */

import { once } from 'node:events';
import { isCryoetPicksError } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { projectOf } from './copick-tree.ts';
import { sourceOf } from './volumes.ts';

const [folder = '', value = '1'] = process.argv.slice(2);
const { project } = projectOf({ overlay: directoryStore(folder) });
const run = await project.createRun('TS_5_4');
const labels = sourceOf(new Float32Array(64).fill(Number(value)), [4, 4, 4]);
let reads = 0;
const waiting = {
  grid: labels.grid,
  async read(...args: Parameters<typeof labels.read>) {
    // The first reading checks the labels; the second is that of the writer.
    if (++reads === 2) {
      const go = once(process, 'message');
      process.send!('begun');
      await go;
    }
    return labels.read(...args);
  },
};
const outcome = await run.writeSegmentation(waiting, { name: 'virus', userId: 'me', sessionId: '1' }).then(
  () => 'written',
  (error: unknown) => (isCryoetPicksError(error) ? error.code : String(error)),
);
process.send!(outcome, () => process.disconnect());
