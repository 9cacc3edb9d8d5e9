/**
 * A process that writes picks of a project in a folder; see `two-writers.test.ts`.
 *
 * `own`: a file per session and turn. `shared`: adds a pick to one file that others add to, with what was read as expectation.
 */
import { isCryoetPicksError } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { projectOf } from './copick-tree.ts';

const [folder = '', mode = '', name = '', count = '0'] = process.argv.slice(2);
const { project } = projectOf({ overlay: directoryStore(folder) });
const run = await project.createRun('TS_5_4');

async function addToShared(n: number): Promise<void> {
  for (;;) {
    const [set] = await run.pickSets({ userId: 'both', sessionId: '0', object: 'virus' });
    const file = await set?.read();
    const picks = [
      ...(file?.picks ?? []),
      { object: 'virus', position: { x: n, y: 0, z: 0 }, score: name === 'a' ? 1 : 2 },
    ];
    try {
      await run.writePicks(picks, { userId: 'both', sessionId: '0', ifVersion: { virus: file?.version ?? null } });
      return;
    } catch (error) {
      if (!isCryoetPicksError(error, 'conflict')) throw error;
    }
  }
}

async function writeOwn(n: number): Promise<void> {
  const picks = ['virus', 'ribosome'].map((object) => ({ object, position: { x: n, y: 0, z: 0 }, score: 1 }));
  // Each session is written twice, so that files are made and replaced.
  await run.writePicks(picks, { userId: name, sessionId: String(Math.floor(n / 2)) });
}

for (let n = 0; n < Number(count); n++) await (mode === 'own' ? writeOwn(n) : addToShared(n));
