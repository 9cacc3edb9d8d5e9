const watched = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when a signal fires. However many wait for one signal, it gets one listener: Node prints a warning from eleven
 * on.
 *
 * @returns A function that stops waiting.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {};
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
