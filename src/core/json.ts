import * as v from 'valibot';
import { CryoetPicksError, type ErrorCode } from './errors.ts';

const space = /[ \t\n\r]*/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const nonFiniteNumber = /-?\b(?:NaN|Infinity)\b/y;

/** Options of {@link parseJson}. */
interface ParseJsonOptions {
  /** The name of the text, for messages: `config "copick.json"`. */
  readonly what: string;
  readonly code: ErrorCode;
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
 * @throws {@link CryoetPicksError} of the given code.
 */
export function parseJson(text: string, { what, code, maxDepth }: ParseJsonOptions): unknown {
  const json = text.replace(/^\uFEFF/, '');
  if (maxDepth !== undefined && isDeeper(json, maxDepth)) {
    throw new CryoetPicksError(code, `${what} is nested too deeply: more than ${maxDepth} levels`);
  }
  try {
    return JSON.parse(json);
  } catch {
    const plain = quoteNonFinite(json);
    const error = firstError(plain.text);
    if (error === undefined) return revive(plain, { what, code });
    // Quoting shifts the text, so the error is located in the original.
    throw new CryoetPicksError(code, `${what} is not JSON: ${describe(json, firstError(json, true) ?? error)}`);
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
}

/**
 * Decodes UTF-8.
 *
 * @throws {@link CryoetPicksError} of the given code if the bytes are not UTF-8, or more than fit into one text.
 */
export function decodeText(bytes: Uint8Array, { what, code, path }: DecodeTextOptions): string {
  if (bytes.length > MAX_TEXT) {
    const found = `${what} has ${bytes.length} bytes, and a text holds ${MAX_TEXT} characters`;
    throw new CryoetPicksError(code, `${found}; split it into several files`, { path });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CryoetPicksError(code, `${what} is not UTF-8 text`, { cause, path });
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

/** Fails only if the text is nested too deeply for the engine. */
function revive({ text, numbers }: ReturnType<typeof quoteNonFinite>, { what, code }: ParseJsonOptions): unknown {
  try {
    return JSON.parse(text, (_, value) => numbers.get(value) ?? value);
  } catch (cause) {
    throw new CryoetPicksError(code, `${what} is nested too deeply`, { cause });
  }
}

/** Replaces bare non-finite numbers, outside strings, by strings that the text does not contain. */
function quoteNonFinite(json: string): { text: string; numbers: ReadonlyMap<unknown, number> } {
  const mark = unusedMark(json);
  const text = replaceOutsideStrings(json, /"|-?\b(?:NaN|Infinity)\b/g, (token) => `"${mark}${token}"`);
  const names = ['NaN', 'Infinity', '-Infinity'];
  return { text, numbers: new Map(names.map((name) => [`${mark}${name}`, Number(name)])) };
}

/**
 * Replaces tokens outside strings. Strings are skipped by a search: the engine's stack for regular expressions overflows at
 * strings of some million characters.
 *
 * @param tokens - Finds tokens, and the quotation marks before strings.
 */
function replaceOutsideStrings(json: string, tokens: RegExp, replace: (token: string) => string): string {
  const pieces: string[] = [];
  let kept = 0;
  tokens.lastIndex = 0;
  for (let found = tokens.exec(json); found; found = tokens.exec(json)) {
    const [token] = found;
    if (token === '"') {
      tokens.lastIndex = stringEnd(json, found.index);
      continue;
    }
    const replaced = replace(token);
    if (replaced === token) continue;
    pieces.push(json.slice(kept, found.index), replaced);
    kept = tokens.lastIndex;
  }
  return pieces.length === 0 ? json : pieces.join('') + json.slice(kept);
}

/** The index after the string that begins at an index; the end of the text if the string does not end. */
function stringEnd(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); quote >= 0; quote = json.indexOf('"', quote + 1)) {
    let first = quote;
    while (first - 1 > start && json[first - 1] === '\\') first--;
    // Backslashes in pairs escape each other.
    if ((quote - first) % 2 === 0) return quote + 1;
  }
  return json.length;
}

interface JsonError {
  readonly offset: number;
  readonly expected: string;
}

/** The first place where a text is not JSON; found by a scanner, since the messages of engines differ and quote the text. */
function firstError(json: string, nonFinite = false): JsonError | undefined {
  const scanner = new Scanner(json, nonFinite);
  const expected = scanner.scan();
  return expected === undefined ? undefined : { offset: scanner.at, expected };
}

/** Scans JSON with a stack of the closing marks to come; without recursion, so that depth cannot overflow the call stack. */
class Scanner {
  at = 0;
  private readonly closers: string[] = [];

  constructor(
    private readonly json: string,
    private readonly nonFinite: boolean,
  ) {}

  /** What was expected where the scan stopped; undefined if the whole text is JSON. */
  scan(): string | undefined {
    let valueDue = true;
    for (;;) {
      const closer = this.closers.at(-1);
      let expected: string | undefined;
      if (valueDue) {
        const opener = this.takeMark('{[');
        if (opener !== undefined) valueDue = !this.opened(opener);
        else if (this.takeScalar()) valueDue = false;
        else return 'a value';
        if (valueDue && opener === '{') expected = this.takeKey();
      } else if (closer === undefined) {
        this.take(space);
        return this.at < this.json.length ? 'the end' : undefined;
      } else {
        const mark = this.takeMark(`,${closer}`);
        if (mark === undefined) return `',' or '${closer}'`;
        if (mark === closer) this.closers.pop();
        else valueDue = true;
        if (valueDue && closer === '}') expected = this.takeKey();
      }
      if (expected !== undefined) return expected;
    }
  }

  /** Pushes the closing mark of an object or array; true if it is empty. */
  private opened(opener: string): boolean {
    const closer = opener === '{' ? '}' : ']';
    if (this.takeMark(closer) !== undefined) return true;
    this.closers.push(closer);
    return false;
  }

  private takeKey(): string | undefined {
    this.take(space);
    if (!this.takeString()) return 'a property name in double quotes';
    return this.takeMark(':') === undefined ? "':'" : undefined;
  }

  private takeScalar(): boolean {
    return this.takeString() || this.take(scalar) || (this.nonFinite && this.take(nonFiniteNumber));
  }

  private takeString(): boolean {
    if (this.json[this.at] !== '"') return false;
    for (let i = this.at + 1; i < this.json.length; i++) {
      const char = this.json.charCodeAt(i);
      if (char === 0x22) {
        this.at = i + 1;
        return true;
      }
      // No bare control characters.
      if (char < 0x20) return false;
      if (char !== 0x5c) continue;
      escaped.lastIndex = i;
      if (!escaped.test(this.json)) return false;
      i = escaped.lastIndex - 1;
    }
    return false;
  }

  private takeMark(marks: string): string | undefined {
    this.take(space);
    const mark = this.json[this.at];
    if (mark === undefined || !marks.includes(mark)) return undefined;
    this.at++;
    return mark;
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.test(this.json);
    if (found) this.at = pattern.lastIndex;
    return found;
  }
}

function describe(json: string, { offset, expected }: JsonError): string {
  const lines = json.slice(0, offset).split('\n');
  const found = offset < json.length ? JSON.stringify(json[offset]) : 'the end of the text';
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}: expected ${expected}, found ${found}`;
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
const numbers = /"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Digits of an integer at most: more take the engine minutes to convert. */
const MAX_DIGITS = 1000;

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
export function parseJsonBigInt(text: string, options: ParseJsonOptions): unknown {
  const value = parseJson(text, options);
  if (!holdsLongInteger(text)) return value;
  const mark = unusedMark(text);
  const quoted = replaceOutsideStrings(text, numbers, (token) => {
    if (token.length < 16 || /[.eE]/.test(token) || Number.isSafeInteger(Number(token))) return token;
    if (token.length <= MAX_DIGITS) return `"${mark}${token}"`;
    const { what, code } = options;
    throw new CryoetPicksError(code, `${what} has a number of ${token.length} digits; expected at most ${MAX_DIGITS}`);
  });
  return quoted === text ? value : withIntegers(parseJson(quoted, options), mark);
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

/** Replaces marked strings by integers; without recursion, since JSON may be nested deeper than the call stack. */
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

/** Sets a key of an object, even `__proto__`. */
function setOwn(node: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, writable: true, enumerable: true, configurable: true });
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
  return issue.expected === null || issue.type === 'not_value'
    ? `${path} is ${issue.received}: ${issue.message}`
    : `${path}: expected ${issue.expected}, found ${issue.received}`;
}
