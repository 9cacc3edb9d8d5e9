import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link run} and {@link start}. */
export interface ProcessOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** In ms; then it is ended. @defaultValue 120000 */
  readonly timeout?: number | undefined;
}

/** A process that runs, with all that it starts. */
export interface Started {
  readonly pid: number;
  /** What it has written to both outputs. */
  output(): string;
  readonly ended: Promise<Ended>;
  /** Sends a signal to it and to all that it has started. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts a program as the leader of a group of its own. */
export function start(
  program: string,
  args: readonly string[],
  { cwd, env, timeout = 120_000 }: ProcessOptions = {},
): Started {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, name);
    } catch {
      // It has ended.
    }
  };
  const timer = setTimeout(() => signal('SIGKILL'), timeout);
  const ended = Promise.race([
    once(child, 'close').then(([code]): Ended => ({ code: code as number | null, stdout, stderr })),
    once(child, 'error').then(([error]): Ended => ({ code: null, stdout, stderr: String(error) })),
  ]).finally(() => clearTimeout(timer));
  return { pid: child.pid ?? 0, output: () => stdout + stderr, ended, signal };
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[], options?: ProcessOptions): Promise<Ended> {
  return start(program, args, options).ended;
}

/** Runs a program that must succeed. */
export async function runWell(program: string, args: readonly string[], options?: ProcessOptions): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${(stderr || stdout).slice(-1000)}`);
}

/** Waits until something holds; looks at intervals, in ms. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeout = 60_000,
  interval = 50,
): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${timeout / 1000} s in vain for ${what}`);
    await delay(interval);
  }
}

/** Which of some programs are not installed. */
export async function notInstalled(programs: readonly string[]): Promise<string[]> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const isThere = async (program: string) => {
    const paths = program.includes('/') ? [program] : folders.map((folder) => join(folder, program));
    const found = await Promise.all(
      paths.map((path) =>
        access(path, constants.X_OK).then(
          () => true,
          () => false,
        ),
      ),
    );
    return found.includes(true);
  };
  const there = await Promise.all(programs.map(isThere));
  return programs.filter((_, i) => !there[i]);
}

/** A port of this machine that is free. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, 'close');
  return port;
}
