import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { bundleForNode } from '../support/script-process.ts';
import { soak } from '../support/soak/harness.ts';
import { broken, odd } from '../support/soak/kinds.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The command line of the sources as one script, so that no build is needed. */
async function bundledCli(): Promise<string> {
  const folder = await tempDir();
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
  const script = join(folder, 'main.mjs');
  await writeFile(script, await bundleForNode(new URL('../../src/cli/main.ts', import.meta.url)));
  return script;
}

it('there are at least 25 kinds of broken tomograms, each of another name', () => {
  const names = [...broken, ...odd].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(broken.length).toBeGreaterThanOrEqual(25);
});

it('a project with broken tomograms is searched as far as it can be, also in a process that is killed and resumed: a sample of npm run soak', async () => {
  const report = await soak({
    folder: await tempDir(),
    cli: await bundledCli(),
    tomograms: 20,
    broken: 5,
    kills: 2,
    seed: Number(process.env.FAST_CHECK_SEED ?? 1),
  });
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({ done: 15, failed: 5 });
}, 180_000);
