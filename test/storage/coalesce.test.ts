import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ByteRange,
  memoryStore,
  type ReadableStore,
  type StoreKey,
  type StoreOptions,
} from '../../src/entry/index.ts';
import { coalesced } from '../../src/entry/io.ts';
import { sliceRange } from '../../src/storage/store.ts';
import { forbidUnhandledRejections, pause } from '../support/unhandled-rejections.ts';

forbidUnhandledRejections();

const value = Uint8Array.from({ length: 200 }, (_, i) => i);
const settle = () => pause(5);

interface SlowStore extends ReadableStore {
  readonly asked: { key: StoreKey; range?: ByteRange | undefined; signal: AbortSignal | undefined }[];
  /** Answers the n-th request. */
  answer(n: number, error?: unknown): void;
  answerAll(): void;
  mostAtOnce: number;
}

/** A store whose requests wait until they are told to end. */
function slowStore(): SlowStore {
  const ends: ((error?: unknown) => void)[] = [];
  let running = 0;
  const read = (key: StoreKey, range: ByteRange | undefined, { signal }: StoreOptions = {}) => {
    store.asked.push({ key, range, signal });
    store.mostAtOnce = Math.max(store.mostAtOnce, ++running);
    return new Promise<Uint8Array | undefined>((resolve, reject) => {
      let isOver = false;
      const end = (error?: unknown) => {
        if (isOver) return;
        isOver = true;
        running--;
        if (error !== undefined) reject(error);
        else if (key === '/none') resolve(undefined);
        else resolve(range ? sliceRange(value, range) : value);
      };
      signal?.addEventListener('abort', () => end(signal.reason ?? 'aborted'));
      ends.push(end);
    });
  };
  const store: SlowStore = {
    location: 'slow',
    asked: [],
    mostAtOnce: 0,
    get: (key, options) => read(key, undefined, options),
    getRange: (key, range, options) => read(key, range, options),
    answer: (n, error) => ends[n]!(error),
    answerAll: () => {
      for (const end of ends) end();
    },
  };
  return store;
}

const bytes = (from: number, to: number) => value.slice(from, to);

describe('coalesced', () => {
  it('coalesced returns what the plain store returns, for any parts at any time', async () => {
    const span = fc.record({ offset: fc.nat(230), length: fc.nat(60) }).map((range): ByteRange | undefined => range);
    const end = fc.record({ suffixLength: fc.nat(230) }).map((range): ByteRange | undefined => range);
    const call = fc.record({
      key: fc.constantFrom<StoreKey>('/a', '/b', '/none'),
      range: fc.oneof({ weight: 6, arbitrary: span }, end, fc.constant(undefined)),
      turn: fc.nat(3),
    });
    const limits = fc.record({
      maxGapBytes: fc.constantFrom(0, 1, 10, 1000),
      maxBytes: fc.constantFrom(1, 50, 1000),
      maxRequests: fc.constantFrom(1, 3, 8),
    });
    const property = fc.asyncProperty(fc.array(call, { maxLength: 25 }), limits, async (calls, options) => {
      const plain = memoryStore([
        ['/a', value],
        ['/b', value.slice(0, 90)],
      ]);
      const store = coalesced(plain, options);
      const reads = calls.map(async ({ key, range, turn }) => {
        for (let n = 0; n < turn; n++) await pause(0);
        return range ? store.getRange(key, range) : store.get(key);
      });
      const expected = calls.map(({ key, range }) => (range ? plain.getRange(key, range) : plain.get(key)));
      expect(await Promise.all(reads)).toEqual(await Promise.all(expected));
    });
    await fc.assert(property, { numRuns: 100 });
  });

  it('coalesced reads parts that touch or are close together in one request, and others separately', async () => {
    const slow = slowStore();
    const store = coalesced(slow, { maxGapBytes: 10 });
    const reads = [
      store.getRange('/a', { offset: 40, length: 10 }),
      store.getRange('/a', { offset: 50, length: 10 }),
      store.getRange('/a', { offset: 20, length: 10 }),
      store.getRange('/a', { offset: 71, length: 10 }),
      store.getRange('/b', { offset: 60, length: 10 }),
    ];
    await settle();
    expect(slow.asked.map(({ key, range }) => ({ key, range }))).toEqual([
      { key: '/a', range: { offset: 20, length: 40 } },
      { key: '/a', range: { offset: 71, length: 10 } },
      { key: '/b', range: { offset: 60, length: 10 } },
    ]);
    slow.answerAll();
    expect(await Promise.all(reads)).toEqual([
      bytes(40, 50),
      bytes(50, 60),
      bytes(20, 30),
      bytes(71, 81),
      bytes(60, 70),
    ]);
  });

  it('coalesced makes no merged request larger than the maximum, but reads a larger single part', async () => {
    const slow = slowStore();
    const store = coalesced(slow, { maxBytes: 25 });
    const reads = [0, 10, 20, 30, 40].map((offset) => store.getRange('/a', { offset, length: 10 }));
    const large = store.getRange('/b', { offset: 0, length: 100 });
    await settle();
    expect(slow.asked.map(({ range }) => range)).toEqual([
      { offset: 0, length: 20 },
      { offset: 20, length: 20 },
      { offset: 40, length: 10 },
      { offset: 0, length: 100 },
    ]);
    slow.answerAll();
    expect((await Promise.all(reads)).map((part) => part?.[0])).toEqual([0, 10, 20, 30, 40]);
    expect(await large).toHaveLength(100);
  });

  it('coalesced copies the part of a caller, so that the rest can be freed', async () => {
    const store = coalesced(memoryStore([['/a', value]]));
    const [part] = await Promise.all([
      store.getRange('/a', { offset: 3, length: 4 }),
      store.getRange('/a', { offset: 7, length: 100 }),
    ]);
    expect(part?.buffer.byteLength).toBe(4);
  });

  it('coalesced shares a request that is queued or sent, and makes a new one after the answer', async () => {
    const slow = slowStore();
    const store = coalesced(slow);
    const early = [store.get('/a'), store.get('/a'), store.getRange('/a', { suffixLength: 5 })];
    const spans = [store.getRange('/b', { offset: 10, length: 50 })];
    await settle();
    const late = [store.get('/a'), store.getRange('/a', { suffixLength: 5 })];
    spans.push(store.getRange('/b', { offset: 20, length: 10 }));
    await settle();
    expect(slow.asked).toHaveLength(3);
    slow.answerAll();
    expect(await Promise.all([...early, ...late])).toEqual([value, value, bytes(195, 200), value, bytes(195, 200)]);
    expect(await Promise.all(spans)).toEqual([bytes(10, 60), bytes(20, 30)]);
    const again = store.get('/a');
    await settle();
    expect(slow.asked).toHaveLength(4);
    slow.answerAll();
    await again;
  });

  it('coalesced sends a bounded number of requests at a time, in the order of the calls', async () => {
    const slow = slowStore();
    const store = coalesced(slow, { maxRequests: 2 });
    const reads = ['/a', '/b', '/c', '/d', '/e'].map((key) => store.get(key as StoreKey));
    for (let n = 0; n < reads.length; n++) {
      await settle();
      expect(slow.asked).toHaveLength(Math.min(5, n + 2));
      slow.answer(n);
    }
    await Promise.all(reads);
    expect(slow.mostAtOnce).toBe(2);
    expect(slow.asked.map(({ key }) => key)).toEqual(['/a', '/b', '/c', '/d', '/e']);
  });

  it('coalesced merges calls that arrive while the maximum number of requests is sent', async () => {
    const slow = slowStore();
    const store = coalesced(slow, { maxRequests: 1 });
    const first = store.get('/other');
    await settle();
    const reads: Promise<unknown>[] = [];
    for (let offset = 0; offset < 200; offset += 20) {
      reads.push(store.getRange('/a', { offset, length: 20 }));
      await pause(0);
    }
    slow.answer(0);
    await first;
    await settle();
    expect(slow.asked.slice(1).map(({ range }) => range)).toEqual([{ offset: 0, length: 200 }]);
    slow.answerAll();
    await Promise.all(reads);
  });

  it('coalesced rejects only the caller that aborts, and aborts the request when the last caller has aborted', async () => {
    const slow = slowStore();
    const store = coalesced(slow);
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const first = store.getRange('/a', { offset: 0, length: 10 }, { signal: one.signal });
    const second = store.getRange('/a', { offset: 10, length: 10 }, { signal: two.signal });
    const alone = store.get('/b', { signal: three.signal });
    await settle();
    one.abort('first leaves');
    await expect(first).rejects.toBe('first leaves');
    expect(slow.asked[0]?.signal?.aborted).toBe(false);
    three.abort('alone leaves');
    await expect(alone).rejects.toBe('alone leaves');
    expect(slow.asked[1]?.signal?.aborted).toBe(true);
    slow.answer(0);
    expect(await second).toEqual(bytes(10, 20));
  });

  it('coalesced does not share a request that was aborted', async () => {
    const slow = slowStore();
    const store = coalesced(slow);
    const controller = new AbortController();
    const first = store.get('/a', { signal: controller.signal });
    await settle();
    controller.abort('no');
    const second = store.get('/a');
    await expect(first).rejects.toBe('no');
    await settle();
    slow.answer(1);
    expect(await second).toEqual(value);
  });

  it('coalesced makes no request for a caller that aborts before it is sent, nor for one that was aborted already', async () => {
    const slow = slowStore();
    const store = coalesced(slow);
    const controller = new AbortController();
    const pending = store.get('/a', { signal: controller.signal });
    controller.abort('changed my mind');
    await expect(pending).rejects.toBe('changed my mind');
    await expect(store.get('/a', { signal: AbortSignal.abort('early') })).rejects.toBe('early');
    await settle();
    expect(slow.asked).toEqual([]);
  });

  it('coalesced rejects all waiting callers when a request fails, does not cache the error, and sends the next request', async () => {
    const slow = slowStore();
    const store = coalesced(slow, { maxRequests: 1 });
    const reads = [0, 10].map((offset) => store.getRange('/a', { offset, length: 10 }));
    await settle();
    slow.answer(0, new Error('broken'));
    expect((await Promise.allSettled(reads)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = store.getRange('/a', { offset: 0, length: 10 });
    await settle();
    slow.answer(1);
    expect(await again).toEqual(bytes(0, 10));
  });

  it('coalesced keeps a listable store listable', async () => {
    expect(await coalesced(memoryStore([['/a', value]])).list('/')).toEqual([{ name: 'a', kind: 'file' }]);
    expect('list' in coalesced(slowStore())).toBe(false);
  });
});
