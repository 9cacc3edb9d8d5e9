import * as v from 'valibot';
import { atOnce } from './concurrency.ts';
import { CryoetPicksError, type ErrorCode } from './errors.ts';
import { jsonSteps, notText } from './json-parser.ts';

/** Options of {@link parseJson}. */
interface ParseJsonOptions {
  /** The name of the text, for messages: `config "copick.json"`. */
  readonly what: string;
  readonly code: ErrorCode;
  readonly path?: string | undefined;
  /**
   * The maximum depth of nested arrays and objects, checked before parsing: the engine parses deeper nesting than it can write.
   * If absent, the depth is not checked.
   */
  readonly maxDepth?: number | undefined;
}

/**
 * Parses JSON as Python writes it: the bare tokens `NaN`, `Infinity` and `-Infinity` become those numbers.
 *
 * Messages give the line and column of the error and show one character at most, so that no secret leaks.
 *
 * @param text - A text, or the UTF-8 of one.
 * @throws {@link CryoetPicksError} of the given code.
 */
export function parseJson(text: string | Uint8Array, options: ParseJsonOptions): unknown {
  const { what, code, maxDepth } = options;
  // One byte order mark at most, as everywhere: decoding bytes takes it away.
  const json = typeof text === 'string' ? text.replace(/^\uFEFF/, '') : decodeText(text, options);
  if (maxDepth !== undefined && isDeeper(json, maxDepth)) {
    throw new CryoetPicksError(code, `${what} is nested too deeply: more than ${maxDepth} levels`);
  }
  try {
    return JSON.parse(json);
  } catch {
    // To the engine the bare words of Python are an error, and its messages differ and quote the text.
    return atOnce(jsonSteps(typeof text === 'string' ? new TextEncoder().encode(text) : text, { what, code }));
  }
}

/** The longest text that engines hold, in UTF-16 units; UTF-8 has at least as many bytes. */
export const MAX_TEXT: number = 2 ** 29 - 24;

/** Options of {@link decodeText}. */
export interface DecodeTextOptions {
  /** The name of the text, for messages: `picks file "a.json"`. */
  readonly what: string;
  readonly code: ErrorCode;
  readonly path?: string | undefined;
  /** Keep a byte order mark, for a parser that takes it away from texts. */
  readonly keepsMark?: boolean | undefined;
}

/**
 * Decodes UTF-8, without its byte order mark.
 *
 * @throws {@link CryoetPicksError} of the given code if the bytes are not UTF-8, or more than fit into one text.
 */
export function decodeText(bytes: Uint8Array, { what, code, path, keepsMark = false }: DecodeTextOptions): string {
  if (bytes.length > MAX_TEXT) {
    const found = `${what} has ${bytes.length} bytes, and a text holds ${MAX_TEXT} characters`;
    throw new CryoetPicksError(code, `${found}; split it into several files`, { path });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: keepsMark }).decode(bytes);
  } catch (cause) {
    throw notText({ what, code, path }, cause);
  }
}

function isDeeper(json: string, maxDepth: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length && depth <= maxDepth; i++) {
    const char = json.charCodeAt(i);
    if (char === 0x22) inString = !inString;
    else if (inString) i += char === 0x5c ? 1 : 0;
    else if (char === 0x5b || char === 0x7b) depth++;
    else if (char === 0x5d || char === 0x7d) depth--;
  }
  return depth > maxDepth;
}

/** A value for a message, strings in quotes; only its beginning if it is long. */
export function showJson(value: unknown): string {
  // JSON has no NaN.
  if (typeof value === 'number') return String(value);
  try {
    const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}` : one)) ?? String(value);
    return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
  } catch {
    // The engine parses deeper nesting than it writes.
    return 'a value that is nested too deeply to show';
  }
}

/** The same for a list, whose numbers may be NaN: `[0, NaN, "1"]`. */
export function showList(values: unknown): string {
  return Array.isArray(values) ? `[${values.map(showJson).join(', ')}]` : showJson(values);
}

/** An integer of 16 digits or more in the place of a value: only such may exceed Number.MAX_SAFE_INTEGER. */
const longInteger = /[:[,\s]-?\d{16}\d*\s*[,}\]]/;

/** Whether a text has an integer that may exceed Number.MAX_SAFE_INTEGER. */
export function holdsLongInteger(text: string): boolean {
  return longInteger.test(text);
}

/**
 * Parses JSON as `parseJson` does, but integers beyond ±2⁵³ become `bigint`, so that no digit is lost: copick-cpp writes instance
 * ids of 64 bits.
 *
 * @throws {@link CryoetPicksError} of the given code.
 */
export function parseJsonBigInt(json: string | Uint8Array, options: ParseJsonOptions): unknown {
  const value = parseJson(json, options);
  const text = typeof json === 'string' ? json : decodeText(json, options);
  if (!holdsLongInteger(text)) return value;
  return atOnce(jsonSteps(new TextEncoder().encode(text), { ...options, isExact: true }));
}

/** Writes JSON as `JSON.stringify` does, and `bigint` as an integer. */
export function formatJsonBigInt(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch (error) {
    // The engine throws this for a bigint; for other reasons it throws again below.
    if (!(error instanceof TypeError)) throw error;
  }
  const mark = unusedMark(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? 0 : one)));
  const marked = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${mark}${one}` : one), indent);
  return marked.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

/** A word that a text does not contain; a random one, so that no text makes the search for it long. */
function unusedMark(text: string): string {
  for (;;) {
    const mark = `#${Math.random().toString(36).slice(2)}#`;
    if (!text.includes(mark)) return mark;
  }
}

/**
 * Runs a function that writes JSON. Unknown keys are kept as they were read, and the engine parses deeper nesting than it writes.
 *
 * @throws {@link CryoetPicksError} of the given code, if a value is nested too deeply to be written.
 */
export function writeNested(write: () => string, what: string, code: ErrorCode): string {
  try {
    return write();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    if (/string length/i.test(cause.message)) {
      throw new CryoetPicksError(code, `${what} is longer than the ${MAX_TEXT} characters that a text holds`, {
        cause,
      });
    }
    throw new CryoetPicksError(code, `${what} has an unknown key whose value is nested too deeply to be written`, {
      cause,
    });
  }
}

/** A schema of measurements; a `bigint` of `parseJsonBigInt` becomes the nearest number. */
export const measure: v.GenericSchema<unknown, number> = v.pipe(
  v.unknown(),
  v.transform((value) => (typeof value === 'bigint' ? Number(value) : value)),
  v.number(),
);

/** A schema of whole numbers within ±2⁵³. */
export const wholeNumber: v.GenericSchema<unknown, number> = v.pipe(
  v.unknown(),
  v.check((value) => typeof value !== 'bigint', 'it must be within ±2^53'),
  v.number(),
  v.integer('it must be a whole number'),
  v.safeInteger('it must be within ±2^53'),
);

/** Options of {@link checkSchema}. */
export interface CheckSchemaOptions {
  /** The name of the value, for messages. */
  readonly what: string;
  readonly code: ErrorCode;
}

/**
 * The output of a schema for a value.
 *
 * @throws {@link CryoetPicksError} of the given code, with the first place that does not fit.
 */
export function checkSchema<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  { what, code }: CheckSchemaOptions,
): v.InferOutput<S> {
  // Schemas of objects accept arrays.
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const found = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
    throw new CryoetPicksError(code, `${what} is not a JSON object: found ${found}`);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new CryoetPicksError(code, `${what}: ${describeIssue(parsed.issues[0])}`);
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? '';
  if (issue.received === 'undefined') return `${path} is missing`;
  if (issue.expected === null || issue.type === 'not_value') return `${path} is ${issue.received}: ${issue.message}`;
  const expected = issue.expected.replace(/^>=/, 'at least ').replace(/^<=/, 'at most ');
  return `${path}: expected ${expected}, found ${issue.received}`;
}
