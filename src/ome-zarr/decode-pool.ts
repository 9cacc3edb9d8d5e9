import { CryoetPicksError } from '../errors.ts';
import type { ChunkReply, ChunkTask } from './chunk-task.ts';

/** Threads that decode chunks. */
export interface DecodePool {
  /** What a thread answers; `'gone'` where it goes while at work: it may still write for a moment. */
  decode(task: ChunkTask): Promise<ChunkReply | 'gone'>;
  /** Ends the threads. */
  close(): Promise<void>;
}

/** Options of {@link setDecodeWorkers}. */
export interface DecodeWorkersOptions {
  /** Number of threads; 0 decodes where the library is called. @defaultValue as many as cores, at most 4 */
  readonly count?: number | undefined;
  /**
   * Where the thread's script is, for pages whose bundler did not follow it: a copy of `dist/decode-worker.js` of this
   * package, served from the page's own origin. Browsers only.
   */
  readonly script?: string | URL | undefined;
}

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
