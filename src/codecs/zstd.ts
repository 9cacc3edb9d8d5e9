import { CryoetPicksError } from '../core/errors.ts';

/** Decodes a zstd frame whose decoded size is known. */
export type ZstdDecoder = (bytes: Uint8Array, decodedBytes: number) => Uint8Array;

let shared: Promise<ZstdDecoder | undefined> | undefined;

/** Sets a decoder of the platform to use instead of the one in WebAssembly. */
export function useZstdDecoder(decode: ZstdDecoder): void {
  shared = Promise.resolve((bytes, decodedBytes) => checked(decode(bytes, decodedBytes), decodedBytes));
}

/**
 * Returns the zstd decoder of the platform if one was set, otherwise that of zstddec, compiled on the first call; `undefined` if the
 * page's Content-Security-Policy forbids WebAssembly.
 */
export function zstdDecoder(): Promise<ZstdDecoder | undefined> {
  shared ??= openDecoder().catch(() => undefined);
  return shared;
}

async function openDecoder(): Promise<ZstdDecoder> {
  const { ZSTDDecoder } = await import('zstddec');
  const decoder = new ZSTDDecoder();
  await withLocalData(() => decoder.init());
  // zstddec takes a size of 0 as unknown.
  const decode: ZstdDecoder = (bytes, size) => (size === 0 ? new Uint8Array(0) : decoder.decode(bytes, size));
  return (bytes, decodedBytes) => checked(decode(bytes, decodedBytes), decodedBytes);
}

/**
 * Calls a function that begins by fetching a `data:` URL, without a request: zstddec gets its own bytes so, which the
 * Content-Security-Policy of a page may forbid. `fetch` is replaced only while the call has not returned.
 */
function withLocalData<T>(begin: () => T): T {
  const { fetch: original } = globalThis;
  globalThis.fetch = async (url) => {
    const text = atob(String(url).replace(/^data:[^,]*,/, ''));
    return new Response(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  };
  try {
    return begin();
  } finally {
    globalThis.fetch = original;
  }
}

function checked(decoded: Uint8Array, decodedBytes: number): Uint8Array {
  if (decoded.length === decodedBytes) return decoded;
  throw new CryoetPicksError('corrupt-data', `its zstd frame does not decode to ${decodedBytes} bytes`);
}

/**
 * Checks that bytes start like a zstd frame, and that the size in its header, if any, is the expected one, or at most `maxBytes` if
 * none is expected.
 *
 * @returns The decoded size, if the frame or the caller gives it.
 * @throws {@link CryoetPicksError} `corrupt-data`. Source: RFC 8878 §3.1.1.
 */
export function checkZstdFrame(
  bytes: Uint8Array,
  { expectedBytes, maxBytes }: { readonly expectedBytes: number | undefined; readonly maxBytes: number },
): number | undefined {
  const promised = contentBytes(bytes);
  const limit = expectedBytes ?? maxBytes;
  if (promised !== undefined && (expectedBytes === undefined ? promised > limit : promised !== expectedBytes)) {
    throw new CryoetPicksError('corrupt-data', `its zstd frame promises ${promised} decoded bytes, expected ${limit}`);
  }
  return expectedBytes ?? promised;
}

function contentBytes(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) {
    throw new CryoetPicksError('corrupt-data', `its ${bytes.length} bytes do not start as a zstd frame`);
  }
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const width = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (width === 0 || at + width > bytes.length) return undefined;
  if (width === 1) return bytes[at]!;
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}
