/** Counts of answers that threads owe. Node ends threads when the process exits, and onnxruntime-node aborts the process if it is at work. */
const watched = new Set<Int32Array<SharedArrayBuffer>>();

/** Lets the process exit only when this count is 0. Whoever lowers it notifies. */
export function watch(busy: Int32Array<SharedArrayBuffer>): void {
  if (watched.size === 0) process.on('exit', awaitWatched);
  watched.add(busy);
}

/** Forgets a count. */
export function unwatch(busy: Int32Array<SharedArrayBuffer>): void {
  watched.delete(busy);
  if (watched.size === 0) process.off('exit', awaitWatched);
}

function awaitWatched(): void {
  for (const busy of watched) {
    for (let owed = Atomics.load(busy, 0); owed > 0; owed = Atomics.load(busy, 0)) {
      if (Atomics.wait(busy, 0, owed, 60_000) === 'timed-out') break;
    }
  }
}
