import { CryoetPicksError } from '../core/errors.ts';
import type { DecodePool, DecodeWorkersOptions } from './decode-task.ts';

let chosen: DecodeWorkersOptions = {};
let opened: Promise<DecodePool | undefined> | undefined;

/**
 * Chooses the threads that decode chunks of Zarr arrays, for the whole page or process; from the next chunk on.
 *
 * Nobody has to call it: threads start with the first large chunk that needs decoding, and keep no process alive; in Node they
 * end after five idle seconds. Where there are none to be had, chunks are decoded on the caller's own thread.
 *
 * @example
 * ```ts
 * setDecodeWorkers({ count: 0 });
 * ```
 */
export function setDecodeWorkers(options: DecodeWorkersOptions): void {
  const { count } = options;
  if (count !== undefined && !(Number.isInteger(count) && count >= 0)) {
    throw new CryoetPicksError(
      'invalid-option',
      `the number of decode workers must be a whole number of at least 0, found ${count}`,
    );
  }
  const before = opened;
  chosen = options;
  opened = undefined;
  // What they are at work on is decoded by the caller's own thread.
  before?.then((pool) => pool?.close()).catch(() => {});
}

/** The threads that decode chunks; nothing where there are none, or none are wanted. */
export function decodePool(): Promise<DecodePool | undefined> {
  opened ??= open(chosen);
  return opened;
}

async function open(options: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  if (options.count === 0) return undefined;
  try {
    const { openDecodePool } = await import('#decode-pool');
    return await openDecodePool(options);
  } catch {
    return undefined;
  }
}
