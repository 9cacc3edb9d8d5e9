import { untilAborted } from '../../storage/abort.ts';

interface Loading<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
  settled: boolean;
}

/**
 * A value that is loaded when it is first asked for, once for all who ask.
 *
 * Each waits with a signal of their own: who aborts leaves, and loading goes on while another waits. It stops when the last has
 * left. A failure reaches all who wait and is not kept, so that the next who asks tries again.
 */
export class Shared<T> {
  private loading: Loading<T> | undefined;

  constructor(private readonly load: (signal: AbortSignal) => Promise<T>) {}

  /** @throws What loading throws, or the abort reason of `signal`. */
  async get(signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    this.loading ??= this.start();
    const loading = this.loading;
    loading.waiting++;
    try {
      return await untilAborted(loading.promise, signal);
    } finally {
      loading.waiting--;
      if (loading.waiting === 0 && !loading.settled) {
        if (this.loading === loading) this.loading = undefined;
        loading.controller.abort();
      }
    }
  }

  private start(): Loading<T> {
    const controller = new AbortController();
    const loading: Loading<T> = { promise: this.load(controller.signal), controller, waiting: 0, settled: false };
    loading.promise.then(
      () => {
        loading.settled = true;
      },
      () => {
        loading.settled = true;
        if (this.loading === loading) this.loading = undefined;
      },
    );
    return loading;
  }
}
