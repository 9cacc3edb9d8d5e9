/** A small WebAssembly module and its memory. */
export interface WasmModule<Exports> {
  readonly exports: Exports;
  readonly memory: WebAssembly.Memory;
}

/** Bytes in a page, the unit in which memories of WebAssembly grow. */
export const PAGE_BYTES = 65536;

/** The bytes of a module in base64. */
export function moduleBytes(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/**
 * Compiles and starts a module that imports one memory, of at least this length. Returns `undefined` if the platform has no SIMD,
 * or the page's Content-Security-Policy forbids WebAssembly.
 */
export function startWasm<Exports>(base64: string, bytes: number = PAGE_BYTES): WasmModule<Exports> | undefined {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes(base64)), { env: { memory } });
    return { exports: exports as unknown as Exports, memory };
  } catch {
    return undefined;
  }
}
