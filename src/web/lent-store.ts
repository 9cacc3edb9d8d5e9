import { expose, type Remote, transfer, wrap } from 'comlink';
import {
  abortSignal,
  fieldsOf,
  flag,
  optional,
  type Rule,
  readableStore,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import { untilAborted } from '../core/concurrency.ts';
import { receivedError, type SentError, sentError } from '../inference/thread.ts';
import {
  type ByteRange,
  isListable,
  type ListableStore,
  type ReadableStore,
  type StoreEntry,
  type StoreKey,
  type StoreOptions,
} from '../storage/store.ts';

/** A store of one thread, to be read by another: send it there, with `port` among the objects that are transferred. */
export interface LentStore {
  readonly location: string;
  /** Whether it tells the sizes of values, and lists folders. */
  readonly hasSizes: boolean;
  readonly hasFolders: boolean;
  readonly port: MessagePort;
}

/** A reply: a value, or an error. */
type Reply<T> = { readonly value: T } | { readonly error: SentError };

/** The requests to the thread that lends. */
interface Lender {
  get(key: StoreKey, maxValueBytes: number | undefined): Promise<Reply<Uint8Array | undefined>>;
  getRange(key: StoreKey, range: ByteRange): Promise<Reply<Uint8Array | undefined>>;
  size(key: StoreKey): Promise<Reply<number | undefined>>;
  list(folder: StoreKey): Promise<Reply<readonly StoreEntry[]>>;
}

/** Options of {@link lendStore}. */
export interface LendStoreOptions {
  /** Ends the loan: requests that are under way are aborted, and later ones are never answered. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lends a store to a worker, so that it reads, decodes and computes while the page only passes bytes on. A store cannot be sent by
 * itself: it may hold a folder that a person has chosen, or a connection.
 *
 * @example
 * ```ts
 * const input = document.querySelector<HTMLInputElement>('#folder')!;
 * const worker = new Worker('./search.js', { type: 'module' });
 * const lent = lendStore(fileListStore(input.files!)); // of <input type="file" webkitdirectory>
 * worker.postMessage(lent, [lent.port]); // in the worker: openTomogram(borrowedStore(lent))
 * ```
 */
export function lendStore(store: ReadableStore, options: LendStoreOptions = {}): LentStore {
  requireArgument('lendStore', 'store', store, readableStore);
  const { signal } = requireOptions('lendStore', options, { signal: optional(abortSignal) });
  signal?.throwIfAborted();
  const { port1, port2 } = new MessageChannel();
  const lender: Lender = {
    get: (key, maxValueBytes) => bytesOf(() => store.get(key, { maxValueBytes, signal })),
    getRange: (key, range) => bytesOf(() => store.getRange(key, range, { signal })),
    size: (key) => replyOf(async () => store.size?.(key, { signal })),
    list: (folder) => replyOf(async () => (isListable(store) ? store.list(folder, { signal }) : [])),
  };
  expose(lender, port1);
  signal?.addEventListener('abort', () => port1.close(), { once: true });
  return {
    location: store.location,
    hasSizes: store.size !== undefined,
    hasFolders: isListable(store),
    port: port2,
  };
}

/** A reply whose bytes are moved; a copy of them, since their store may keep them. */
async function bytesOf(read: () => Promise<Uint8Array | undefined>): Promise<Reply<Uint8Array | undefined>> {
  const reply = await replyOf(async () => (await read())?.slice());
  return 'value' in reply && reply.value ? transfer(reply, [reply.value.buffer]) : reply;
}

async function replyOf<T>(work: () => Promise<T>): Promise<Reply<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: sentError(error) };
  }
}

/**
 * The store that another thread has lent.
 *
 * @throws {@link CryoetPicksError} What the store throws there, with the same code.
 */
export function borrowedStore(lent: LentStore): ReadableStore | ListableStore {
  requireArgument('borrowedStore', 'lent', lent, lentStore);
  const { location, hasSizes, hasFolders, port } = lent;
  const lender: Remote<Lender> = wrap<Lender>(port);
  const ask = async <T>(reply: Promise<Reply<T>>, { signal }: StoreOptions = {}): Promise<T> => {
    signal?.throwIfAborted();
    const answer = await untilAborted(reply, signal);
    if ('error' in answer) throw receivedError(answer.error);
    return answer.value;
  };
  return {
    location,
    get: (key, options) => ask(lender.get(key, options?.maxValueBytes), options),
    getRange: (key, range, options) => ask(lender.getRange(key, range), options),
    ...(hasSizes && { size: (key: StoreKey, options?: StoreOptions) => ask(lender.size(key), options) }),
    ...(hasFolders && { list: (folder: StoreKey, options?: StoreOptions) => ask(lender.list(folder), options) }),
  };
}

const lentStore: Rule = /* @__PURE__ */ fieldsOf('a store that lendStore gave, with its port', {
  location: text,
  hasSizes: flag,
  hasFolders: flag,
  port: { expected: 'a MessagePort', isValid: (value) => value instanceof MessagePort },
});
