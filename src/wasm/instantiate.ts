/** A small WebAssembly module and its memory. */
export interface WasmModule<Exports> {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
}

const PAGE_BYTES = 65536;

/** Creates a value on the first call and keeps it; `undefined` from then on if it cannot be created. */
export function madeOnce<T>(make: () => T | undefined): () => T | undefined {
  let made: T | false | undefined;
  return () => {
    made ??= make() ?? false;
    return made || undefined;
  };
}

/**
 * Compiles and starts a module that imports one memory. Returns `undefined` if the platform has no SIMD, or the page's
 * Content-Security-Policy forbids WebAssembly.
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

/** Grows a memory to at least this length. Existing views of it may become empty. */
export function growTo(memory: WebAssembly.Memory, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}
