import { type ParseJsonOptions, parseJson } from '../json.ts';

/** An integer of 16 digits or more, where a value may stand: the only ones that a number may not hold. */
const longInteger = /[:[,\s]-?\d{16}\d*\s*[,}\]]/;
const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Whether a text has an integer that a number may not hold. */
export function holdsLongInteger(text: string): boolean {
  return longInteger.test(text);
}

/**
 * Parses JSON as `parseJson` does, but integers beyond ±2⁵³ become `bigint`, which holds all their digits: copick-cpp writes
 * instance ids of 64 bits.
 *
 * @throws {@link CryoetPicksError} of the given code.
 */
export function parseExactJson(text: string, options: ParseJsonOptions): unknown {
  const value = parseJson(text, options);
  if (!holdsLongInteger(text)) return value;
  const mark = unusedMark(text);
  const quoted = text.replace(tokens, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${mark}${token}"` : token,
  );
  return quoted === text ? value : withIntegers(parseJson(quoted, options), mark);
}

/** Writes JSON as `JSON.stringify` does, `bigint` as the integer that it is. */
export function formatExactJson(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch (error) {
    // The engine's answer to a bigint; what else it refuses is refused below as well.
    if (!(error instanceof TypeError)) throw error;
  }
  const mark = unusedMark(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? 0 : one)));
  const marked = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${mark}${one}` : one), indent);
  return marked.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

/** A run of `#` that a text does not hold. */
function unusedMark(text: string): string {
  let mark = '#';
  while (text.includes(mark)) mark += '#';
  return mark;
}

/** Puts integers where marked strings stand; without recursion into what JSON could nest deeper than the stack. */
function withIntegers(root: unknown, mark: string): unknown {
  const box: Record<string, unknown> = { root };
  const due: Record<string, unknown>[] = [box];
  for (let node = due.pop(); node !== undefined; node = due.pop()) {
    for (const key of Object.keys(node)) {
      const value = node[key];
      if (typeof value === 'object' && value !== null) due.push(value as Record<string, unknown>);
      else if (typeof value === 'string' && value.startsWith(mark)) setOwn(node, key, BigInt(value.slice(mark.length)));
    }
  }
  return box.root;
}

/** Sets a key that JSON gave the object, were it `__proto__`. */
function setOwn(node: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, writable: true, enumerable: true, configurable: true });
}
