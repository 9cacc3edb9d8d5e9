/** A small module of WebAssembly and its memory. */
export interface WasmModule<Exports> {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
}

const PAGE_BYTES = 65536;

/** Makes something when it is asked for first, and keeps it; where it cannot be made, there is nothing for good. */
export function madeOnce<T>(make: () => T | undefined): () => T | undefined {
  let made: T | false | undefined;
  return () => {
    made ??= make() ?? false;
    return made || undefined;
  };
}

/**
 * Compiles and starts a module that imports one memory; nothing where the platform has no SIMD, or where the page's
 * Content-Security-Policy refuses WebAssembly.
 */
export function startWasm<Exports>(base64: string): WasmModule<Exports> | undefined {
  try {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const code = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    return { exports: exports as unknown as Exports, memory };
  } catch {
    return undefined;
  }
}

/** Makes a memory at least this long. Views of it may end here. */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}
