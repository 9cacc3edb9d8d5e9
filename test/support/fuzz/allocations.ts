/** Counts the bytes of large buffers that are made, used or not: untouched ones take no memory that can be seen. */
export function watchAllocations(): { bytes(): number; reset(): void; restore(): void } {
  let sum = 0;
  const originals: [string, unknown][] = [];
  const names = ['ArrayBuffer', 'Uint8Array', 'Int8Array', 'Uint16Array', 'Int16Array', 'Uint32Array', 'Int32Array'];
  for (const name of [...names, 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'Array']) {
    const global = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
    const itemBytes =
      (global[name] as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? (name === 'Array' ? 8 : 1);
    originals.push([name, global[name]]);
    global[name] = new Proxy(global[name]!, {
      construct(target, args, newTarget) {
        const [length] = args;
        if (typeof length === 'number' && length * itemBytes > 2 ** 16) sum += length * itemBytes;
        return Reflect.construct(target, args, newTarget === global[name] ? target : newTarget) as object;
      },
    });
  }
  return {
    bytes: () => sum,
    reset: () => {
      sum = 0;
    },
    restore: () => {
      for (const [name, original] of originals) Object.assign(globalThis, { [name]: original });
    },
  };
}
