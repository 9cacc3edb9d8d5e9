import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it } from 'vitest';
import { isHidden } from '../../src/node/file-lock.ts';
import { bundleForNode, startScript } from '../support/script-process.ts';
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

it('a detection with --claim that a shell starts from node_modules/.bin, as the guide says, is the process that the shell knows: SIGTERM gives its run back', async () => {
  const config = await smallProject(folder, { runs: 12 });
  const [installed, bin] = [join(folder, 'installed'), join(folder, 'node_modules', '.bin')];
  await Promise.all([installed, bin].map((path) => mkdir(path, { recursive: true })));
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(installed, 'node_modules'));
  const script = join(installed, 'cli.mjs');
  await writeFile(script, await bundleForNode(main), { mode: 0o755 });
  await symlink(script, join(bin, 'cryoet-picks'));

  const line = 'node_modules/.bin/cryoet-picks detect "$0" --claim > picks.log & echo $!; wait $!';
  const shell = spawn('sh', ['-c', line, config], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(shell, 'close');
  const [pid] = await once(shell.stdout, 'data');
  const claimed = async () =>
    (await readdir(folder, { recursive: true })).some((name) => /claims\/[^/]+\/[^/.]+$/.test(name));
  while (!(await claimed()) && shell.exitCode === null) await new Promise((r) => setTimeout(r, 20));
  process.kill(Number(pid), 'SIGTERM');
  expect(await closed).toEqual([143, null]);
  expect(await claimed()).toBe(false);
}, 60_000);

it.each([
  ['SIGINT', []],
  ['SIGTERM', []],
  ['SIGTERM', ['--claim']],
  ['SIGTERM', ['--jobs', '3']],
  ['SIGTERM', ['--claim', '--jobs', '2']],
] as const)(
  'a detection, interrupted by %s, with the options %j, ends within 10 s; the picks of each run are whole or absent, and nothing else stays behind',
  async (signal, options) => {
    const config = await smallProject(folder, { runs: 12 });
    const before = new Set(await readdir(folder, { recursive: true }));
    const { child } = await start(['detect', config, '--user-id', 'me', '--session-id', '1', ...options]);
    const closed = once(child, 'close');
    const written = async () => {
      const names = await readdir(folder, { recursive: true });
      return names.filter((name) => !before.has(name) && basename(name).startsWith('me_1_'));
    };
    while ((await written()).length === 0 && child.exitCode === null) await new Promise((r) => setTimeout(r, 20));
    const started = performance.now();
    child.kill(signal);
    expect(await closed).toEqual([signal === 'SIGINT' ? 130 : 143, null]);
    expect(performance.now() - started).toBeLessThan(10_000);
    const files = await written();
    for (const file of files) expect(JSON.parse(await readFile(join(folder, file), 'utf8'))).toHaveProperty('points');
    const runs = new Map<string, number>();
    for (const file of files) runs.set(dirname(file), (runs.get(dirname(file)) ?? 0) + 1);
    expect(runs.size).toBeGreaterThan(0);
    expect(runs.size).toBeLessThan(12);
    const left = (name: string) => isHidden(name) || name === '.cryoet-picks';
    expect((await readdir(folder, { recursive: true })).filter((name) => left(basename(name)))).toEqual([]);
  },
  60_000,
);

it('the command line is quiet if the reader of its output leaves early, as head does', async () => {
  const config = await smallProject(folder, { runs: 1 });
  const { child, stderr } = await start(['info', config]);
  child.stdout!.destroy();
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(stderr()).toBe('');
});

it.skipIf(process.platform === 'win32').each([
  ['a pipe as input that nobody writes to', 'pipe', 'out.csv'],
  ['a pipe as output that nobody reads', 'in.csv', 'pipe'],
])('the command line, waiting for %s, ends by Ctrl-C', async (_, from, to) => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await writeFile(join(folder, 'in.csv'), 'run_name,object_name,x,y,z,score\nTS_1,virus,1,2,3,1\n');
  const options = ['--from', 'csv', '--to', 'csv'];
  const { child, stderr } = await start(['convert', join(folder, from), join(folder, to), ...options]);
  const closed = once(child, 'close');
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 2000))]);
  child.kill('SIGINT');
  expect([...(await closed), stderr()]).toEqual([130, null, 'cryoet-picks: interrupted; no file is incomplete\n']);
});
