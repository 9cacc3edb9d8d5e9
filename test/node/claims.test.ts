import { readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Claim, Warning } from '../../src/entry/index.ts';
import { fileClaims, heartbeatOf } from '../../src/node/claims.ts';
import { machineOf, makeTag } from '../../src/node/file-lock.ts';
import { nodeFiles } from '../../src/node/overlay-claims.ts';
import { type Hostility, machine } from '../support/claims/hostile-files.ts';
import { Random } from '../support/fuzz/random.ts';
import { filesBelow } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The shortest lease, in ms, and a group. */
const lease = 1500;
const group = 'me_1';
const always = { group, isOpen: async () => true };

/** Tags of processes on another machine, which cannot be asked whether they run. */
const foreignTag = (i: number) => `00000000-7-0000${i.toString(16).padStart(8, '0')}`;

function claimsAt(folder: string, hostility: Partial<Hostility> = {}) {
  const own = machine({ random: new Random(1, 'machine'), ...hostility });
  return { ...own, claims: fileClaims(join(folder, 'root'), { files: own.files, lease }) };
}

/** A claim of a process that gave its last sign of life some ms ago. */
async function leaveClaim(
  folder: string,
  name: string,
  { age, tag = foreignTag(0) }: { readonly age: number; readonly tag?: string },
) {
  await mkdir(join(folder, 'root', group, name), { recursive: true });
  const file = join(folder, 'root', group, name, tag);
  await writeFile(file, '{}');
  const then = (Date.now() - age) / 1000;
  await utimes(file, then, then);
}

describe.concurrent('claims by files', () => {
  it('a name is claimed once, and again when it was given back', async () => {
    const folder = await tempDir();
    const [a, b] = [claimsAt(folder), claimsAt(folder)];
    const first = (await a.claims.next(['x', 'y'], always))!;
    const second = (await b.claims.next(['x', 'y'], always))!;
    expect([first.name, second.name]).toEqual(['x', 'y']);
    expect([await first.isHeld(), await second.isHeld()]).toEqual([true, true]);
    await first.release();
    expect(await first.isHeld()).toBe(false);
    const third = (await b.claims.next(['x', 'y'], always))!;
    expect(third.name).toBe('x');
    await Promise.all([second.release(), third.release()]);
    expect(await a.claims.next(['x', 'y'], { group, isOpen: async () => false })).toBeUndefined();
    expect(await filesBelow(folder)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each<[string, string, (claim: string, other: string) => Promise<unknown>]>([
    ['a link to a folder of others', 'x', (claim, other) => symlink(other, claim)],
    ['a file', 'x', (claim) => writeFile(claim, 'mine')],
    [
      'a folder with a file of others',
      'x/README.txt',
      async (claim) => {
        await mkdir(claim);
        await writeFile(join(claim, 'README.txt'), 'mine');
      },
    ],
    [
      'a folder with a hidden file of others',
      'x/.DS_Store',
      async (claim) => {
        await mkdir(claim);
        await writeFile(join(claim, '.DS_Store'), 'mine');
      },
    ],
  ])('in the place of a claim, %s is named and stays as it is', async (_, named, put) => {
    const folder = await tempDir();
    const other = join(folder, 'other');
    await mkdir(other);
    await writeFile(join(other, 'tomo.mrc'), 'theirs');
    await utimes(join(other, 'tomo.mrc'), 1, 1);
    const place = join(folder, 'root', group);
    await mkdir(place, { recursive: true });
    await put(join(place, 'x'), other);
    const before = await filesBelow(folder);
    const claims = fileClaims(join(folder, 'root'), { files: nodeFiles, lease });
    const claim = await claims.next(['x', 'y'], always);
    expect(claim?.name).toBe('y');
    await expect(claims.next(['x'], always)).rejects.toMatchObject({
      code: 'unavailable',
      path: join(place, named),
      message: expect.stringContaining(join(place, named)),
    });
    await claim?.release();
    expect(await claims.next(['x'], { group, isOpen: async () => false }).catch(() => undefined)).toBeUndefined();
    expect(await filesBelow(folder)).toEqual(before);
    expect(await readFile(join(other, 'tomo.mrc'), 'utf8')).toBe('theirs');
  });

  it('claims of different groups do not meet', async () => {
    const folder = await tempDir();
    const { claims } = claimsAt(folder);
    const held = await Promise.all(['me_1', 'me_2'].map((one) => claims.next(['x'], { ...always, group: one })));
    expect(held.map((claim) => claim?.name)).toEqual(['x', 'x']);
    for (const claim of held) await claim?.release();
  });

  it('next waits for what others hold, and ends when nothing is open and nothing held', async () => {
    const folder = await tempDir();
    const [a, b] = [claimsAt(folder), claimsAt(folder)];
    let isDone = false;
    const open = { group, isOpen: async () => !isDone };
    const claim = (await a.claims.next(['x'], open))!;
    const waiting = b.claims.next(['x'], open);
    expect(await Promise.race([waiting, delay(400, 'waits')])).toBe('waits');
    isDone = true;
    await claim.release();
    expect(await waiting).toBeUndefined();
  });

  it('next rejects with the abort reason while it waits', async () => {
    const folder = await tempDir();
    await leaveClaim(folder, 'x', { age: 0 });
    const { claims } = claimsAt(folder);
    const stop = new AbortController();
    const waiting = claims.next(['x'], { ...always, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(waiting).rejects.toThrow('enough');
  });

  it('a claim of a process of this machine that has ended is taken over at once', async () => {
    const folder = await tempDir();
    const { claims } = claimsAt(folder);
    const mine = (await claims.next(['x'], always))!;
    const [tag] = await readdir(join(folder, 'root', group, 'x'));
    await mine.release();
    // The same machine, and a process that there cannot be.
    const dead = tag!.replace(/-\d+-/, '-4194305-');
    await mkdir(join(folder, 'root', group, 'x'), { recursive: true });
    await writeFile(join(folder, 'root', group, 'x', dead), '{}');
    const started = performance.now();
    const claim = (await claims.next(['x'], always))!;
    expect(performance.now() - started).toBeLessThan(lease);
    await claim.release();
  });

  it.each([
    ['whose lease is over is taken over after three heartbeats', 10_000, 3 * heartbeatOf(lease)],
    ['that was renewed a moment ago is taken over when its lease is over', 0, lease],
    ['with a time in the future is taken over when it was seen unchanged for a lease', -600_000, lease],
  ])('a claim of another machine %s', async (_, age, atLeast) => {
    const folder = await tempDir();
    await leaveClaim(folder, 'x', { age });
    const { claims } = claimsAt(folder);
    const started = performance.now();
    const claim = (await claims.next(['x'], always))!;
    expect(performance.now() - started).toBeGreaterThanOrEqual(atLeast - 50);
    expect(await claim.isHeld()).toBe(true);
    await claim.release();
    expect(await filesBelow(folder)).toEqual([]);
  });

  it('when no name is open, claims of done names are removed by the rules of a takeover, and what their owners have left', async () => {
    const folder = await tempDir();
    await leaveClaim(folder, 'of another machine', { age: 2 * 24 * 3600 * 1000 });
    await leaveClaim(folder, 'of a process that has ended', { age: 0, tag: makeTag().replace(/-\d+-/, '-4194305-') });
    const told: string[] = [];
    const claims = fileClaims(join(folder, 'root'), {
      files: machine({ random: new Random(1, 'machine') }).files,
      lease,
      onTakeOver: async (name) => {
        told.push(name);
      },
    });
    expect(await claims.next([], always)).toBeUndefined();
    expect(told.sort()).toEqual(['of a process that has ended', 'of another machine']);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ['that was renewed a moment ago', 0],
    ['of a machine whose clock is an hour late', 3_600_000],
  ])('when no name is open, a claim of a done name %s and goes on is left to its owner', async (_, age) => {
    const folder = await tempDir();
    const { claims } = claimsAt(folder);
    const renew = () => leaveClaim(folder, 'x', { age: age - Math.random() });
    await renew();
    const beat = setInterval(renew, heartbeatOf(lease));
    const started = performance.now();
    expect(await claims.next([], always)).toBeUndefined();
    clearInterval(beat);
    expect(performance.now() - started).toBeLessThan(3 * heartbeatOf(lease));
    expect(await readdir(join(folder, 'root', group, 'x'))).toEqual([foreignTag(0)]);
  });

  it('a claim of a process of another machine with the same host name is not taken for that of one that has ended', async () => {
    if (process.platform !== 'linux') return;
    const folder = await tempDir();
    const facts = { hostname: hostname(), boot: 'of another start', namespace: readlinkSync('/proc/self/ns/pid') };
    const tag = makeTag().replace(/^.{8}-\d+-/, `${machineOf(facts)}-4194305-`);
    await leaveClaim(folder, 'x', { age: 0, tag });
    const { claims } = claimsAt(folder);
    const started = performance.now();
    const claim = (await claims.next(['x'], always))!;
    expect(performance.now() - started).toBeGreaterThanOrEqual(lease - 50);
    await claim.release();
  });

  it('a lease is no shorter than three heartbeats', () => {
    for (const seconds of [1.5, 2, 5, 60, 300, 3600])
      expect(seconds * 1000).toBeGreaterThanOrEqual(3 * heartbeatOf(seconds * 1000));
  });

  it('a file in the place of the folder is an error with its path', async () => {
    const folder = await tempDir();
    await mkdir(join(folder, 'root'));
    await writeFile(join(folder, 'root', group), 'not a folder');
    const { claims } = claimsAt(folder);
    await expect(claims.next(['x'], always)).rejects.toMatchObject({
      code: 'unavailable',
      path: join(folder, 'root', group),
      message: expect.stringContaining('ENOTDIR'),
    });
  });

  it.each([
    ['makeFolder', 'ENOSPC'],
    ['create', 'ENOSPC'],
    ['rename', 'EROFS'],
    ['makeFolder', 'EACCES'],
  ] as const)(
    'a claim that cannot be made, because %s fails with %s, is an error with its path, and leaves nothing',
    async (call, code) => {
      const folder = await tempDir();
      const { files } = machine({ random: new Random(1, 'machine') });
      const failing = async () => {
        throw Object.assign(new Error(code), { code });
      };
      const claims = fileClaims(join(folder, 'root'), { files: { ...files, [call]: failing }, lease });
      await expect(claims.next(['x'], always)).rejects.toMatchObject({
        code: 'write-failed',
        path: join(folder, 'root', group, 'x'),
        message: expect.stringContaining(code),
      });
      expect(await filesBelow(folder)).toEqual([]);
    },
  );

  it.each<[string, 'rename' | 'list' | 'modified']>([
    ['taken over', 'rename'],
    ['looked into', 'list'],
    ['asked for its time', 'modified'],
  ])('a claim that may not be %s is an error with its path and its user, and no endless wait', async (_, call) => {
    const folder = await tempDir();
    const dead = makeTag().replace(/-\d+-/, '-4194305-');
    const left = { age: 10_000, tag: call === 'rename' ? dead : foreignTag(0) };
    await leaveClaim(folder, 'x', left);
    await leaveClaim(folder, 'y', { age: 0, tag: dead });
    const own = join(folder, 'root', group, 'x');
    const { files } = machine({ random: new Random(1, 'machine') });
    const denied = (path: string, ...rest: string[]) => {
      const isOwn = path === own || path.startsWith(`${own}/`);
      if (isOwn) throw Object.assign(new Error('denied'), { code: 'EACCES', path });
      return (files[call] as (...args: string[]) => Promise<never>)(path, ...rest);
    };
    const claims = fileClaims(join(folder, 'root'), {
      files: { ...files, [call]: async (...args: [string]) => denied(...args) },
      lease,
    });
    // First what can be had: another process may have died, too.
    const other = (await claims.next(['x', 'y'], always))!;
    expect(other.name).toBe('y');
    const started = performance.now();
    const error = await claims.next(['x'], always).catch((caught: unknown) => caught);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(error).toMatchObject({ code: 'unavailable', path: expect.stringContaining(own) });
    expect((error as Error).message).toMatch(
      new RegExp(`${own}.*permission denied \\(EACCES\\); it is of user \\d+.*umask 002`),
    );
    await other.release();
  });

  it('a claim that could not be taken over is waited for, told once, and had when its owner gives it back', async () => {
    const folder = await tempDir();
    const [owner, other] = [claimsAt(folder), claimsAt(folder)];
    const claim = (await owner.claims.next(['x'], always))!;
    const requireWritable = async (path: string) => {
      throw Object.assign(new Error('denied'), { code: 'EACCES', path });
    };
    const claims = fileClaims(join(folder, 'root'), { files: { ...other.files, requireWritable }, lease });
    const told: Warning[] = [];
    const waiting = claims.next(['x'], { ...always, onWarning: (warning) => told.push(warning) });
    await delay(1000);
    const host = `process ${process.pid} on ${hostname()}`;
    expect(told).toMatchObject([{ code: 'claim-not-writable', run: 'x', message: expect.stringContaining(host) }]);
    await claim.release();
    const next = await waiting;
    expect(next?.name).toBe('x');
    expect(told.length).toBe(1);
    await next?.release();
  });

  it('a claim of a done name that may not be removed is told, and does not keep the process', async () => {
    const folder = await tempDir();
    await leaveClaim(folder, 'x', { age: 0, tag: makeTag().replace(/-\d+-/, '-4194305-') });
    const { files } = machine({ random: new Random(1, 'machine') });
    const rename = async (path: string) => {
      throw Object.assign(new Error('denied'), { code: 'EPERM', path });
    };
    const claims = fileClaims(join(folder, 'root'), { files: { ...files, rename }, lease });
    const told: Warning[] = [];
    expect(await claims.next([], { ...always, onWarning: (warning) => told.push(warning) })).toBeUndefined();
    expect(told).toMatchObject([{ code: 'claim-not-writable', message: expect.stringContaining('stays') }]);
  });

  // Each call that an owner makes to renew, to ask and to give back is the one at which it is stopped.
  it.each([
    ['renews', 0, (claim: Claim) => claim.isHeld()],
    ['gives back, before it removes its file', 0, (claim: Claim) => claim.release()],
    ['gives back, before it removes the folder', 1, (claim: Claim) => claim.release()],
  ] as const)(
    'an owner that is stopped when it %s, beyond its lease, and wakes leaves the claim of its successor alone',
    async (_, calls, act) => {
      const folder = await tempDir();
      const [owner, other] = [claimsAt(folder), claimsAt(folder)];
      const claim = (await owner.claims.next(['x'], always))!;
      const stopped = owner.stop(calls);
      const acting = act(claim);
      await stopped;
      const successor = (await other.claims.next(['x'], always))!;
      const held = await readdir(join(folder, 'root', group, 'x'));
      expect(held).toHaveLength(1);
      owner.wake();
      await acting;
      expect(await claim.isHeld()).toBe(false);
      await claim.release();
      expect(await readdir(join(folder, 'root', group, 'x'))).toEqual(held);
      expect(await successor.isHeld()).toBe(true);
      await successor.release();
      expect(await filesBelow(folder)).toEqual([]);
    },
    20_000,
  );

  it('an owner that was stopped beyond its lease and wakes finds out by its next heartbeat, and its signal aborts', async () => {
    const folder = await tempDir();
    const [owner, other] = [claimsAt(folder), claimsAt(folder)];
    const claim = (await owner.claims.next(['x'], always))!;
    await owner.stop();
    const successor = (await other.claims.next(['x'], always))!;
    owner.wake();
    await new Promise((resolve) => claim.signal.addEventListener('abort', resolve));
    expect(claim.signal.reason).toMatchObject({ code: 'conflict' });
    await claim.release();
    expect(await successor.isHeld()).toBe(true);
    await successor.release();
  });

  it('a process that is stopped at any call of a take-over and wakes when the claim is that of another does not hold it', async () => {
    for (let calls = 1; calls < 12; calls++) {
      const folder = await tempDir();
      await leaveClaim(folder, 'x', { age: 10_000 });
      const [slow, quick] = [claimsAt(folder), claimsAt(folder)];
      // It looks every half heartbeat; the calls from when it takes over are the last ones.
      const stop = new AbortController();
      const waiting = slow.claims.next(['x'], { ...always, signal: stop.signal }).catch(() => undefined);
      await delay(3 * heartbeatOf(lease) - 100);
      const stopped = slow.stop(calls);
      if ((await Promise.race([stopped, waiting.then((claim) => claim ?? 'none')])) !== undefined) {
        slow.wake();
        await (await waiting)?.release();
        break;
      }
      const claim = (await quick.claims.next(['x'], always))!;
      slow.wake();
      await delay(100);
      const files = await readdir(join(folder, 'root', group, 'x'));
      expect(files).toHaveLength(1);
      // Whoever was first when the slow one was stopped after its own claim stood: one of them holds it.
      stop.abort();
      const late = await waiting;
      const holders = [claim, late].filter((one) => one !== undefined);
      const held = await Promise.all(holders.map((one) => one.isHeld()));
      expect(held.filter(Boolean)).toHaveLength(1);
      for (const one of holders) await one.release();
    }
  }, 60_000);

  it.each<[string, Partial<Hostility>[]]>([
    ['a plain file system', [{}]],
    ['requests that are repeated after they succeeded', [{ repeated: 0.3 }]],
    ['attributes that are seen late', [{ attributeAge: 300 }]],
    ['clocks that are off', [{ clock: -60_000 }, { clock: 60_000 }, {}]],
    [
      'all of it at once, and slow',
      [
        { repeated: 0.2, attributeAge: 300, clock: -60_000, latency: 5 },
        { repeated: 0.2, attributeAge: 300, clock: 60_000, latency: 5 },
      ],
    ],
  ])(
    'eight processes that race for 100 names, 25 of them abandoned, do each once and are never two: %s',
    async (_, hostilities) => {
      const folder = await tempDir();
      const names = Array.from({ length: 100 }, (_, i) => `TS_${i}`);
      for (const [i, name] of names.entries()) {
        if (i % 4 === 0) await leaveClaim(folder, name, { age: 10_000, tag: foreignTag(i) });
      }
      const done = new Map<string, number>();
      const holders = new Map<string, number>();
      const clashes: string[] = [];
      const work = async (process: number) => {
        const random = new Random(process, 'work');
        const { claims } = claimsAt(folder, { ...hostilities[process % hostilities.length], random });
        const open = { group, isOpen: async (name: string) => !done.has(name) };
        for (let claim = await claims.next(names, open); claim; claim = await claims.next(names, open)) {
          if (holders.has(claim.name)) clashes.push(`${claim.name}: ${holders.get(claim.name)} and ${process}`);
          holders.set(claim.name, process);
          // Some work takes longer than a lease.
          await delay(random.next() < 0.02 ? 2 * lease : random.next() * 20);
          if (!(await claim.isHeld())) clashes.push(`${claim.name}: ${process} lost it`);
          // A claim that was taken over may be of a name that is done.
          if (!done.has(claim.name)) done.set(claim.name, process);
          else if (Number(claim.name.slice(3)) % 4 !== 0) clashes.push(`${claim.name}: done again`);
          holders.delete(claim.name);
          await claim.release();
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, process) => work(process)));
      expect(clashes).toEqual([]);
      expect([...done.keys()].sort()).toEqual([...names].sort());
      expect(await readdir(folder)).toEqual([]);
    },
    60_000,
  );
});
