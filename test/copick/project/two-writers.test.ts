import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { directoryStore } from '../../../src/entry/node.ts';
import { projectOf } from '../../support/copick-tree.ts';
import { startScript } from '../../support/script-process.ts';
import { tempDir } from '../../support/temp-dir.ts';

const script = new URL('../../support/picks-writer.ts', import.meta.url);
let folder: string;

beforeEach(async () => {
  folder = await tempDir();
});

/** Runs a writing process to its end. */
async function write(mode: string, name: string, count: number): Promise<void> {
  const child = await startScript(script, [folder, mode, name, String(count)]);
  expect(await once(child, 'exit')).toEqual([0, null]);
}

describe('two processes that write picks of one run at once', () => {
  it('two processes that write picks of one run at once lose nothing when they write different files', {
    timeout: 60_000,
  }, async () => {
    await Promise.all([write('own', 'a', 120), write('own', 'b', 120)]);
    const { project, told } = projectOf({ overlay: directoryStore(folder) });
    const run = await project.run('TS_5_4');
    for (const userId of ['a', 'b']) {
      const sets = await run.pickSets({ userId });
      expect(sets).toHaveLength(2 * 60);
      for (const set of sets) {
        const { picks, sessionId } = await set.read();
        expect(picks.map(({ position }) => position.x)).toEqual([2 * Number(sessionId) + 1]);
      }
    }
    expect(told).toEqual([]);
    const names = await readdir(join(folder, 'ExperimentRuns/TS_5_4/Picks'));
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('two processes that write picks of one run at once lose no change to the same file if they expect what they read', {
    timeout: 60_000,
  }, async () => {
    await Promise.all([write('shared', 'a', 100), write('shared', 'b', 100)]);
    const run = await projectOf({ overlay: directoryStore(folder) }).project.run('TS_5_4');
    const picks = await run.picks({ userId: 'both' });
    const added = picks.map(({ position, score }) => `${score}:${position.x}`);
    const expected = [1, 2].flatMap((who) => Array.from({ length: 100 }, (_, n) => `${who}:${n}`));
    expect(added.sort()).toEqual(expected.sort());
    expect(await readdir(join(folder, 'ExperimentRuns/TS_5_4/Picks'))).toEqual(['both_0_virus.json']);
  });
});
