import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import type { VolumeSource } from '../../../src/entry/index.ts';
import { directoryStore, openMrcFile } from '../../../src/entry/node.ts';
import { isHidden } from '../../../src/node/file-lock.ts';
import { joinKey } from '../../../src/storage/store.ts';
import { startScript } from '../script-process.ts';

/** What became of a project whose writer was killed many times. */
export interface KillReport {
  readonly kills: number;
  /** Turns that a writer finished before it was killed. */
  readonly turns: number;
  /** Temporary files and folders, and locks, that were left after a kill; all were removed by the next write. */
  readonly leftovers: number;
  /** Kills between the two renames that replace a folder; the next write put it back. */
  readonly putBack: number;
}

/** How to kill. */
export interface KillOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly kills: number;
  readonly seed: number;
}

const writer = new URL('./writer.ts', import.meta.url);

const config = {
  config_type: 'filesystem',
  name: 'kill',
  pickable_objects: ['ribosome', 'virus'].map((name, i) => ({ name, is_particle: true, label: i + 1, radius: 100 })),
  overlay_root: '.',
};

/**
 * Kills a writing process at random moments, and checks after each kill that every file is of one turn, none older than the
 * last one that was finished, and that the next write into a folder clears what was left there.
 *
 * @throws Where a file is neither old nor new.
 */
export async function killWriters({ folder, kills, seed }: KillOptions): Promise<KillReport> {
  const project = join(folder, 'project');
  await mkdir(project);
  await writeFile(join(project, 'copick.json'), JSON.stringify({ ...config, turn: 0 }));
  const random = mulberry32(seed);
  let next = 1;
  const report = { kills: 0, turns: 0, leftovers: 0, putBack: 0 };
  while (report.kills < kills) {
    const finished = await killOne(await startScript(writer, [project, String(next)]), random() * 800);
    report.kills++;
    report.turns += Math.max(0, finished - next + 1);
    const left = await hiddenIn(project);
    report.leftovers += left.length;
    report.putBack += left.filter((path) => path.endsWith('.old')).length;
    // The later run: a new store, and one small write into each folder.
    const later = directoryStore(project, { durable: false });
    const folders = new Set((await filesIn(project)).map((path) => dirname(`/${path}`)));
    for (const one of folders) {
      if (/\.zarr(\/|$)|\.tmp(\/|$)|\.old(\/|$)/.test(one)) continue;
      const key = joinKey(one, 'later');
      await later.set(key, new Uint8Array(1));
      await later.delete(key);
    }
    const rest = await hiddenIn(project);
    if (rest.length > 0) throw new Error(`kill ${report.kills}: a later run left ${rest.join(', ')}`);
    next = 1 + (await checkProject(project, { oldest: Math.max(finished, 0), first: next }));
  }
  return report;
}

/** Kills a writer some ms after it has started to write; gives the last turn it has finished, or one before its first. */
async function killOne(child: ChildProcess, wait: number): Promise<number> {
  let finished = -1;
  child.on('message', (message: { turn?: number }) => {
    finished = message.turn ?? finished;
  });
  const exited = once(child, 'exit');
  await Promise.race([once(child, 'message'), exited]);
  await delay(wait);
  child.kill('SIGKILL');
  const [code, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself, with code ${code}`);
  return finished;
}

interface Turns {
  /** No file is older; 0 where no turn was finished. */
  readonly oldest: number;
  /** The first turn of the process that was killed. */
  readonly first: number;
}

/** Checks every file of the project, and gives the newest turn that is in it. */
async function checkProject(folder: string, { oldest, first }: Turns): Promise<number> {
  const found: Record<string, number> = {};
  const text = await readFile(join(folder, 'copick.json'), 'utf8');
  found.config = JSON.parse(text).turn;
  const project = projectFromStores({
    config: parseConfig(text, { source: 'copick.json' }),
    overlay: directoryStore(folder),
  });
  const [run] = await project.runs();
  for (const set of (await run?.pickSets({ userId: ['me', 'imported'] })) ?? []) {
    const { picks, sessionId, userId } = await set.read();
    const name = sessionId === '1' || userId === 'imported' ? set.path : `(old) ${set.path}`;
    found[name] = single(
      set.path,
      picks.map(({ position }) => position.x),
    );
    if (picks.length !== 200) throw new Error(`${set.path} has ${picks.length} picks`);
  }
  for (const tomogram of (await run?.tomograms()) ?? [])
    found[tomogram.path] = await valueOfAll(tomogram.path, await tomogram.open());
  for (const one of (await run?.segmentations()) ?? []) await valueOfAll(one.path, await one.open());
  const mrc = join(folder, 'wbp.mrc');
  if ((await readdir(folder)).includes('wbp.mrc')) found[mrc] = await valueOfAll(mrc, await openMrcFile(mrc));
  const converted = join(folder, 'converted.csv');
  if ((await readdir(folder)).includes('converted.csv')) found[converted] = await turnOfTable(converted);
  const counted = Object.entries(found).filter(([name]) => !name.startsWith('(old)'));
  for (const [name, turn] of counted) {
    if (oldest > 0 && turn < oldest) throw new Error(`${name} is of turn ${turn}, but turn ${oldest} was finished`);
  }
  if (oldest > 0 && counted.length !== 8) throw new Error(`of 8 files, ${counted.map(([name]) => name)} are there`);
  if (project.problems.length > 0)
    throw new Error(project.problems.map(({ path, message }) => `${path}: ${message}`).join());
  return Math.max(first, ...counted.map(([, turn]) => turn));
}

/** The turn of a table of picks, whose header names the column x. */
async function turnOfTable(path: string): Promise<number> {
  const [header = '', ...rows] = (await readFile(path, 'utf8')).trimEnd().split(/\r?\n/);
  if (rows.length !== 400) throw new Error(`${path} has ${rows.length} rows`);
  const column = header.split(',').indexOf('x');
  return single(
    path,
    rows.map((row) => Number(row.split(',')[column])),
  );
}

async function valueOfAll(path: string, source: VolumeSource): Promise<number> {
  const { data } = await source.read({ start: [0, 0, 0], end: source.grid.shape });
  return single(path, [...(data as Float32Array)]);
}

function single(path: string, values: readonly number[]): number {
  const distinct = [...new Set(values)];
  if (distinct.length !== 1) throw new Error(`${path} is of the turns ${distinct.join(', ')}`);
  return distinct[0]!;
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, encoding: 'utf8' })).map((path) => path.replaceAll('\\', '/'));
}

/** What is hidden from listing, but for what lies within something hidden. */
async function hiddenIn(folder: string): Promise<string[]> {
  return (await filesIn(folder)).filter((path) => {
    const parts = path.split('/');
    return isHidden(parts.at(-1)!) && !parts.slice(0, -1).some(isHidden);
  });
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
