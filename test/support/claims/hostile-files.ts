import { utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClaimFiles } from '../../../src/node/claims.ts';
import { nodeFiles } from '../../../src/node/overlay-claims.ts';
import type { Random } from '../fuzz/random.ts';

/** How a file system behaves for one machine. */
export interface Hostility {
  /** Share of the calls that are made twice, and report how the second one ended, as NFS does when an answer is lost. */
  readonly repeated?: number;
  /** Milliseconds for which the attributes of a file are kept. */
  readonly attributeAge?: number;
  /** Milliseconds by which the machine's clock is off; it stamps what the machine writes, as on Lustre. */
  readonly clock?: number;
  /** Milliseconds that a call takes at most. */
  readonly latency?: number;
  readonly random: Random;
}

/** A machine whose calls can be held up, as those of a process that is stopped. */
export interface Machine {
  readonly files: ClaimFiles;
  /** Holds up every call from now on, or from the one after so many; resolves when a call is held up. */
  stop(after?: number): Promise<void>;
  wake(): void;
}

/** The file system as a machine sees it. */
export function machine({ repeated = 0, attributeAge = 0, clock = 0, latency = 0, random }: Hostility): Machine {
  const kept = new Map<string, { readonly time: number; readonly at: number }>();
  let calls = Number.POSITIVE_INFINITY;
  let held: Promise<void> | undefined;
  let wake = () => {};
  let onHeld = () => {};
  const gate = async () => {
    if (latency > 0) await delay(random.next() * latency);
    if (calls-- > 0) return;
    onHeld();
    await held;
  };
  const call =
    <A extends readonly unknown[]>(work: (...args: A) => Promise<void>, isRepeatable = true) =>
    async (...args: A): Promise<void> => {
      await gate();
      await work(...args);
      if (isRepeatable && random.next() < repeated) await work(...args);
    };
  const stamped =
    (work: (path: string) => Promise<void>) =>
    async (path: string): Promise<void> => {
      await work(path);
      const now = (Date.now() + clock) / 1000;
      if (clock !== 0) await utimes(path, now, now).catch(() => {});
    };
  const files: ClaimFiles = {
    async list(folder) {
      await gate();
      return nodeFiles.list(folder);
    },
    makeFolder: call(nodeFiles.makeFolder),
    create: call(stamped(nodeFiles.create)),
    touch: call(stamped(nodeFiles.touch)),
    async modified(path) {
      await gate();
      const known = kept.get(path);
      if (known !== undefined && performance.now() - known.at < attributeAge) return known.time;
      const time = await nodeFiles.modified(path);
      kept.set(path, { time, at: performance.now() });
      return time;
    },
    rename: call(nodeFiles.rename),
    remove: call(nodeFiles.remove),
    removeFolder: call(nodeFiles.removeFolder),
    requireWritable: nodeFiles.requireWritable,
    ownerOf: nodeFiles.ownerOf,
  };
  return {
    files,
    stop(after = 0) {
      calls = after;
      held = new Promise((resolve) => {
        wake = resolve;
      });
      return new Promise((resolve) => {
        onHeld = resolve;
      });
    },
    wake() {
      calls = Number.POSITIVE_INFINITY;
      wake();
    },
  };
}
