const watched = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when a signal fires, at once if it has. However many wait for one signal, it gets one listener: Node prints a warning from eleven
 * on.
 *
 * @returns A function that stops waiting.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {};
  if (signal.aborted) {
    callback();
    return () => {};
  }
  const waiting = watched.get(signal) ?? watch(signal);
  waiting.add(callback);
  return () => waiting.delete(callback);
}

function watch(signal: AbortSignal): Set<() => void> {
  const waiting = new Set<() => void>();
  watched.set(signal, waiting);
  const callAll = () => {
    for (const callback of waiting) callback();
  };
  signal.addEventListener('abort', callAll, { once: true });
  return waiting;
}

/** The promise, or the abort reason as soon as the signal fires; what the promise comes to after that is nobody's concern. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const stopWaiting = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(stopWaiting);
  });
}
