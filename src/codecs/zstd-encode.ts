import { CryoetPicksError } from '../errors.ts';
import { originalCodec, refuseIfEvaluating } from './original-codecs.ts';
import { registerCheckedCodecs } from './registry.ts';

/**
 * Encodes bytes as a zstd frame, by the encoder of numcodecs.js, which zarrita brings along.
 *
 * @throws {@link CryoetPicksError} `unsupported` where a page's Content-Security-Policy keeps the encoder from starting, and
 * for bytes that it cannot encode.
 */
export async function encodeZstd(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  registerCheckedCodecs();
  const codec = await originalCodec('zstd', { level });
  try {
    return await codec.encode(bytes);
  } catch (cause) {
    refuseIfEvaluating(cause, 'encoding zstd');
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('unsupported', `cannot encode ${bytes.length} bytes with zstd: ${reason}`, { cause });
  }
}
