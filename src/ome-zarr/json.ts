import { CryoetPicksError } from '../errors.ts';

/**
 * Parses a metadata file. The bare `NaN` and `Infinity` that Python writes are understood as the strings of that name.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` naming the file.
 */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  const text = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const quoted = text.replace(/([:[,]\s*)(-?Infinity|NaN)(?=\s*[,\]}])/g, '$1"$2"');
    if (quoted !== text) return parseJson(new TextEncoder().encode(quoted), where);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('invalid-metadata', `${where} is not valid JSON: ${reason}`, { cause });
  }
}
