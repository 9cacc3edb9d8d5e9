import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { atOnce, eventLoopTurn, mapOrdered, mergeStreams, Turns, withTurns } from '../../src/core/concurrency.ts';
import { forbidUnhandledRejections, pause } from '../support/unhandled-rejections.ts';

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of stream) all.push(value);
  return all;
}

forbidUnhandledRejections();

describe('mapOrdered', () => {
  it('mapOrdered yields in the order of the items whatever the order of completion, within its bound', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (delays, bound) => {
          let running = 0;
          let most = 0;
          const results = mapOrdered(
            delays.keys(),
            async (i) => {
              most = Math.max(most, ++running);
              await pause(delays[i]);
              running--;
              return i;
            },
            { concurrency: bound },
          );
          expect(await collect(results)).toEqual([...delays.keys()]);
          expect(most).toBeLessThanOrEqual(bound);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('mapOrdered adds one listener to a signal that many streams share, and an abort reaches all of them', async () => {
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, 'addEventListener');
    const streams = Array.from({ length: 20 }, () =>
      mapOrdered([1, 2], async (i) => i, { signal: controller.signal, concurrency: 1 }),
    );
    for (const stream of streams) expect((await stream.next()).value).toBe(1);
    expect(added).toHaveBeenCalledTimes(1);
    controller.abort('enough');
    for (const stream of streams) await expect(collect(stream)).rejects.toBe('enough');
  });

  it('mapOrdered reads ahead while the consumer works', async () => {
    const started: number[] = [];
    const stream = mapOrdered([0, 1, 2, 3, 4], async (i) => started.push(i), { concurrency: 2 });
    await stream.next();
    expect(started).toEqual([0, 1, 2]);
    await stream.return();
  });

  it('mapOrdered throws a failure when its turn comes, after the results before it', async () => {
    const seen: number[] = [];
    const stream = mapOrdered(
      [0, 1, 2, 3],
      async (i) => {
        if (i > 0) throw new Error(`item ${i}`);
        await pause(5);
        return i;
      },
      { concurrency: 4 },
    );
    await expect(
      (async () => {
        for await (const value of stream) seen.push(value);
      })(),
    ).rejects.toThrow('item 1');
    expect(seen).toEqual([0]);
  });

  it('mapOrdered turns a synchronous throw into a failure of its turn', async () => {
    const stream = mapOrdered([0, 1], (i) => {
      if (i === 1) throw new Error('at once');
      return Promise.resolve(i);
    });
    expect((await stream.next()).value).toBe(0);
    await expect(stream.next()).rejects.toThrow('at once');
  });

  it('mapOrdered aborts the calls under way, starts no other and waits for them when the consumer leaves', async () => {
    const settled: number[] = [];
    let started = 0;
    for await (const first of mapOrdered(
      Array.from({ length: 100 }).keys(),
      async (i, signal) => {
        started++;
        if (i > 0) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        settled.push(i);
        if (i === 2) throw new Error('failed after the consumer left');
        return i;
      },
      { concurrency: 3 },
    )) {
      expect(first).toBe(0);
      break;
    }
    expect(settled.sort()).toEqual([0, 1, 2, 3]);
    await pause(2);
    expect(started).toBe(4);
  });

  it('mapOrdered rejects with the abort reason itself and starts no further call', async () => {
    const controller = new AbortController();
    const reason = { why: 'the user left' };
    let started = 0;
    const stream = mapOrdered(
      [0, 1, 2, 3, 4, 5],
      (i, signal) =>
        new Promise<number>((resolve, reject) => {
          started++;
          if (i === 0) resolve(i);
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
      { concurrency: 2, signal: controller.signal },
    );
    await stream.next();
    const pending = stream.next();
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(started).toBe(3);
  });

  it('mapOrdered starts nothing if it was aborted before', async () => {
    let started = 0;
    const stream = mapOrdered([0], async () => started++, { signal: AbortSignal.abort('before') });
    await expect(stream.next()).rejects.toBe('before');
    expect(started).toBe(0);
  });

  it.each([0, -1, Number.NaN])(
    'mapOrdered refuses a concurrency of %s instead of yielding nothing',
    async (concurrency) => {
      await expect(collect(mapOrdered([1], async (i) => i, { concurrency }))).rejects.toMatchObject({
        code: 'invalid-option',
      });
    },
  );

  it('mapOrdered leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    const added: string[] = [];
    const removed: string[] = [];
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      added.push(args[0]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      removed.push(args[0]);
      remove(...args);
    };
    await collect(mapOrdered([1, 2], async (i) => i, { signal }));
    expect(added).toEqual(['abort']);
    expect(removed).toEqual(added);
  });

  it('mapOrdered takes items lazily, so an endless source is fine', async () => {
    function* endless() {
      for (let i = 0; ; i++) yield i;
    }
    const seen: number[] = [];
    for await (const value of mapOrdered(endless(), async (i) => i)) {
      seen.push(value);
      if (seen.length === 5) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('eventLoopTurn', () => {
  // As it is before it is replaced below.
  const now = performance.now.bind(performance);
  const work = (milliseconds: number) => {
    const end = now() + milliseconds;
    while (now() < end);
  };

  it('eventLoopTurn lets timers run while several tasks compute, none of which waits for anything', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const busy = async () => {
      for (let i = 0; i < 40; i++) {
        work(2);
        await eventLoopTurn();
      }
    };
    await Promise.all([busy(), busy(), busy()]);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  it('eventLoopTurn works if the timers of the process are replaced', async () => {
    vi.useFakeTimers();
    try {
      for (let i = 0; i < 3; i++) {
        vi.advanceTimersByTime(1000);
        work(8);
        await eventLoopTurn();
      }
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('work in steps', () => {
  function* sum(numbers: readonly number[]) {
    let total = 0;
    for (const number of numbers) {
      total += number;
      yield;
    }
    return total;
  }

  it('work in steps gives the same result with turns of the event loop and without', async () => {
    expect(atOnce(sum([1, 2, 3]))).toBe(6);
    expect(await withTurns(sum([1, 2, 3]))).toBe(6);
  });

  it('work in steps ends at the pause after an abort', async () => {
    const controller = new AbortController();
    let steps = 0;
    function* endless() {
      for (;;) {
        steps++;
        if (steps === 3) controller.abort('enough');
        yield;
      }
    }
    await expect(withTurns(endless(), controller.signal)).rejects.toBe('enough');
    expect(steps).toBe(3);
  });
});

describe('mergeStreams', () => {
  it('mergeStreams yields all that the streams give, each in its order, however long they take', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat(3), { maxLength: 6 }), { maxLength: 4 }), async (delays) => {
        const left = [...delays.keys()];
        async function* open() {
          const stream = left.shift()!;
          for (const [i, delay] of delays[stream]!.entries()) {
            await pause(delay);
            yield { stream, i };
          }
        }
        const all = await collect(mergeStreams(open, { count: delays.length }));
        for (const [stream, own] of delays.entries())
          expect(all.filter((one) => one.stream === stream).map(({ i }) => i)).toEqual([...own.keys()]);
        expect(all).toHaveLength(delays.flat().length);
      }),
      { numRuns: 20 },
    );
  });

  it('mergeStreams yields what comes first, and a stream goes on only when its value was taken', async () => {
    let [slow, fast] = [0, 0];
    async function* open() {
      const isSlow = slow++ === 0;
      for (let i = 0; i < 3; i++) {
        if (isSlow) await pause(40);
        else fast++;
        yield isSlow ? 'slow' : 'fast';
      }
    }
    const stream = mergeStreams(open, { count: 2 });
    expect((await stream.next()).value).toBe('fast');
    await pause(100);
    expect(fast).toBe(1);
    expect(await collect(stream)).toEqual(expect.arrayContaining(['slow', 'slow', 'slow', 'fast', 'fast']));
  });

  it.each(['a consumer that leaves', 'a stream that fails', 'an abort'])(
    'mergeStreams aborts the signal of its streams and waits until they have ended, after %s',
    async (why) => {
      const controller = new AbortController();
      const ended: number[] = [];
      let opened = 0;
      async function* open(signal: AbortSignal) {
        const i = opened++;
        try {
          if (i === 0) yield i;
          if (i === 0 && why === 'a stream that fails') throw new Error('failed');
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          await pause(5);
          signal.throwIfAborted();
        } finally {
          ended.push(i);
        }
      }
      const stream = mergeStreams(open, { count: 3, signal: controller.signal });
      expect((await stream.next()).value).toBe(0);
      if (why === 'an abort') {
        const next = stream.next();
        controller.abort('stop');
        await expect(next).rejects.toBe('stop');
      } else if (why === 'a stream that fails') await expect(stream.next()).rejects.toThrow('failed');
      else await stream.return();
      expect(ended.sort()).toEqual([0, 1, 2]);
    },
  );
});

describe('Turns', () => {
  it('Turns come one after the other, in the order in which they were asked for, over those whose signal has fired', async () => {
    const turns = new Turns();
    const controller = new AbortController();
    const had: number[] = [];
    let having = 0;
    const work = async (i: number, signal?: AbortSignal) => {
      const end = await turns.take(signal);
      expect(having++).toBe(0);
      await pause(2);
      had.push(i);
      having--;
      end();
    };
    const all = [work(0), work(1), work(2, controller.signal), work(3)];
    controller.abort('left');
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(had).toEqual([0, 1, 3]);
  });
});
