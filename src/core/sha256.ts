import { bytesRule, requireArgument } from './arguments.ts';

/**
 * The SHA-256 of bytes, as 64 hexadecimal digits in lower case; undefined where the platform has no `crypto.subtle`: in a page that
 * is served neither by HTTPS nor from this machine. Models are known by it.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for what are no bytes.
 *
 * @example
 * ```ts
 * const taughtBy = await sha256Hex(await readFile('mine.onnx'));
 * ```
 */
export async function sha256Hex(bytes: Uint8Array): Promise<string | undefined> {
  requireArgument('sha256Hex', 'bytes', bytes, bytesRule);
  const digest = await globalThis.crypto?.subtle?.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return digest && Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
