import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { startScript } from '../support/script-process.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

const main = new URL('../../src/cli/main.ts', import.meta.url);

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

async function start(args: readonly string[]): Promise<{ child: ChildProcess; stderr: () => string }> {
  const child = await startScript(main, args, { stdio: ['pipe', 'pipe'] });
  let text = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return { child, stderr: () => text };
}

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)(
  'the command line, interrupted by %s, leaves nothing half written and ends with %d',
  async (signal, code) => {
    const project = join(folder, 'project');
    const { child, stderr } = await start(['simulate', project, '--runs', '1000', '--shape', '24,32,32']);
    const closed = once(child, 'close');
    while ((await readdir(folder)).length === 0 && child.exitCode === null) await new Promise((r) => setTimeout(r, 50));
    child.kill(signal);
    expect(await closed).toEqual([code, null]);
    expect(stderr()).toBe('cryoet-picks: interrupted; no file is incomplete\n');
    expect(await readdir(folder)).toEqual([]);
  },
);

it('the command line is quiet if the reader of its output leaves early, as head does', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const { child, stderr } = await start(['info', config]);
  child.stdout!.destroy();
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(stderr()).toBe('');
});
