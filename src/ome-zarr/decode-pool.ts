import { describeValue } from '../core/arguments.ts';
import { MAX_THREADS } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { DecodePool, DecodeWorkersOptions } from './decode-task.ts';

/** Pools by their options, so that all images opened with equal options share their threads. */
const pools = new Map<string, Promise<DecodePool | undefined>>();

/** @throws {@link CryoetPicksError} `invalid-option` unless the number of threads is a whole number up to {@link MAX_THREADS}. */
export function checkDecodeWorkers({ count }: DecodeWorkersOptions): void {
  if (count === undefined || (Number.isInteger(count) && count >= 0 && count <= MAX_THREADS)) return;
  throw new CryoetPicksError(
    'invalid-option',
    `the number of decode workers must be a whole number from 0 to ${MAX_THREADS}, found ${describeValue(count)}`,
    { option: 'decodeWorkers' },
  );
}

/**
 * The threads that decode chunks, started when first needed. They keep no process alive, and in Node they end after five idle
 * seconds.
 *
 * @returns `undefined` where the caller's thread decodes: `count` is 0, or no threads can be started.
 */
export function decodePool({ count, script }: DecodeWorkersOptions): Promise<DecodePool | undefined> {
  const key = `${count} ${script}`;
  const pool = pools.get(key) ?? open({ count, script });
  pools.set(key, pool);
  return pool;
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
