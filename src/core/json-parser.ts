import type { Steps } from './concurrency.ts';
import { CryoetPicksError, type ErrorCode } from './errors.ts';

/** Options of {@link jsonSteps}. */
export interface JsonStepsOptions {
  /** The name of the text, for messages: `config "copick.json"`. */
  readonly what: string;
  readonly code: ErrorCode;
  /** Whether integers beyond ±2⁵³ become `bigint`, so that no digit is lost. @defaultValue false */
  readonly isExact?: boolean | undefined;
  /** The maximum depth of nested arrays and objects. @defaultValue 2¹⁸ */
  readonly maxDepth?: number | undefined;
  /** A long list whose items are given away as they come. */
  readonly list?: JsonList | undefined;
}

/** A list of the outermost object whose items are not kept: the value of its key is an empty list. */
export interface JsonList {
  readonly key: string;
  /**
   * Takes the next items. `stop` ends the parse, with what has been read; `exact` asks for items that came as plain numbers once
   * more, one by one and with `bigint` for long integers.
   */
  readonly take: (batch: JsonBatch) => 'more' | 'exact' | 'stop';
}

/** Some items of a {@link JsonList}. */
export interface JsonBatch {
  readonly items: readonly unknown[];
  /** The list that they are of, empty: if the key occurs twice, another one. */
  readonly list: readonly unknown[];
  /** The outermost object, with the keys before the list. */
  readonly root: Readonly<Record<string, unknown>>;
  /** The JSON of the items, if their integers are plain numbers. */
  readonly text?: string | undefined;
}

/** Bytes that are read between two pauses: a few milliseconds, also before the engine has compiled this parser. */
const STEP = 2 ** 14;

/** Bytes of items that the engine parses at once; it is faster than this parser. */
const BATCH = 2 ** 17;

/** Places where a batch is tried to be cut. */
const MAX_TRIES = 4;

/** More levels cost more memory than the text is worth. */
const MAX_DEPTH = 2 ** 18;

/** Characters of a key, and of a number, at most: the engine handles them in one piece. */
const [MAX_KEY, MAX_NUMBER] = [2 ** 16, 2 ** 20];

/** Keys of an object beside, or in, a list at most: the engine grows objects, and the reader of a list looks at them, in one piece. */
const MAX_KEYS = 50_000;

/** Items of a list beside, or in, the long one at most: the engine moves a list that grows in one piece. */
const MAX_ITEMS = 2 ** 22;

/** Digits of an integer at most: more take the engine minutes to convert. */
const MAX_DIGITS = 1000;

/**
 * Parses JSON of any size in pieces of a few milliseconds; each byte is read once, or twice where the engine could not parse it. As
 * Python writes it: the bare tokens `NaN`, `Infinity` and `-Infinity` become those numbers.
 *
 * Messages give the line and column of the error and show one character at most, so that no secret leaks.
 *
 * @param bytes - UTF-8, with or without a byte order mark.
 * @throws {@link CryoetPicksError} of the given code for anything but JSON in UTF-8, and beyond 2¹⁸ levels, 2¹⁶ characters of a key,
 *   2²⁰ of a number, 1,000 digits of an integer that is to be exact, and, with a list, 50,000 keys of an object and 2²² items of another list.
 */
export function* jsonSteps(bytes: Uint8Array, options: JsonStepsOptions): Steps<unknown> {
  const parser = new JsonParser(bytes, options);
  while (parser.read()) yield;
  if (parser.problem === undefined) return parser.root;
  const { offset, expected } = parser.problem;
  const { line, column } = yield* placeOf(bytes, offset);
  const [char] = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(offset, offset + 4));
  if (char === '\uFFFD') throw notText(options);
  const found = char === undefined ? 'the end of the text' : JSON.stringify(char);
  const place = `line ${line}, column ${column}`;
  throw new CryoetPicksError(
    options.code,
    `${options.what} is not JSON: ${place}: expected ${expected}, found ${found}`,
  );
}

/** The error for bytes that are not UTF-8. */
export function notText(
  { what, code, path }: Pick<JsonStepsOptions, 'what' | 'code'> & { readonly path?: string | undefined },
  cause?: unknown,
): CryoetPicksError {
  return new CryoetPicksError(code, `${what} is not UTF-8 text`, { cause, path });
}

/** Line and column of a byte, from 1; columns are counted in UTF-16 units, as editors do. */
function* placeOf(bytes: Uint8Array, offset: number): Steps<{ readonly line: number; readonly column: number }> {
  let [line, column] = [1, 1];
  for (let from = startOf(bytes); from < offset; from += 8 * STEP) {
    for (let at = from; at < Math.min(offset, from + 8 * STEP); at++) {
      const byte = bytes[at]!;
      if (byte === LINE_FEED) [line, column] = [line + 1, 1];
      else if (!isContinuation(byte)) column += byte >= 0xf0 ? 2 : 1;
    }
    yield;
  }
  return { line, column };
}

/** The first byte behind a byte order mark. */
function startOf(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** True for the second and later bytes of a character. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09;
}

const [LINE_FEED, QUOTE, COMMA, COLON, BACKSLASH] = [0x0a, 0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

const LETTER_U = 0x75;

/** A table with 1 for the bytes of some characters. */
function tableOf(characters: RegExp): Uint8Array {
  return Uint8Array.from({ length: 128 }, (_, byte) => Number(characters.test(String.fromCharCode(byte))));
}

/** The bytes of numbers and bare words, those after a backslash, and those of hexadecimal digits. */
const inWord = /* @__PURE__ */ tableOf(/[\w.+-]/);
const inEscape = /* @__PURE__ */ tableOf(/["\\/bfnrt]/);
const inHex = /* @__PURE__ */ tableOf(/[\da-f]/i);
const isNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** An object or array that is being read. */
interface Frame {
  readonly value: Record<string, unknown> | unknown[];
  readonly closer: number;
  /** Whether its items are given away. */
  readonly isList: boolean;
  /** The key whose value is due. */
  key: string;
  /** The number of its keys so far. */
  keys: number;
}

/** What is due: `item` and `member` may also be the end of their array or object. */
type State = 'value' | 'item' | 'key' | 'member' | 'colon' | 'separator' | 'string';

/** A parser with a stack of its own, so that neither depth nor length overflows that of the engine. */
class JsonParser {
  /** What has been read; complete when nothing more is to be read. */
  root: unknown;
  /** Where the text is not JSON. */
  problem: { readonly offset: number; readonly expected: string } | undefined;

  private at: number;
  private state: State = 'value';
  private readonly frames: Frame[] = [];
  /** The string that is being read: its first byte, what it says so far, and whether it is a key. */
  private string = { start: 0, text: '', isKey: false };
  /** Up to here, items are not left to the engine. */
  private slowUntil = 0;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(
    private readonly bytes: Uint8Array,
    private readonly options: JsonStepsOptions,
  ) {
    this.at = startOf(bytes);
  }

  /** Reads on for some milliseconds; false if nothing more is to be read. */
  read(): boolean {
    const until = this.at + STEP;
    while (this.at < until) {
      if (this.state !== 'string') {
        this.skipSpace(until);
        if (this.at === until) break;
      }
      if (!this.readNext()) return false;
    }
    return true;
  }

  private skipSpace(until: number): void {
    while (this.at < until && isSpace(this.bytes[this.at])) this.at++;
  }

  private readNext(): boolean {
    const byte = this.bytes[this.at];
    const { state } = this;
    if (state === 'string') return this.readString();
    if (state === 'separator') return this.readSeparator(byte);
    if (state === 'colon') return this.readColon(byte);
    if (state === 'item' && byte === CLOSE_LIST) return this.close();
    if (state === 'member' && byte === CLOSE_OBJECT) return this.close();
    if (state === 'value' || state === 'item') return this.readValue(byte);
    return byte === QUOTE ? this.openString(true) : this.fail('a property name in double quotes');
  }

  private readSeparator(byte: number | undefined): boolean {
    const frame = this.frames.at(-1);
    if (frame === undefined) return byte !== undefined && this.fail('the end');
    if (byte === frame.closer) return this.close();
    if (byte !== COMMA) return this.fail(`',' or '${String.fromCharCode(frame.closer)}'`);
    this.at++;
    this.state = frame.closer === CLOSE_LIST ? 'value' : 'key';
    return true;
  }

  private readColon(byte: number | undefined): boolean {
    if (byte !== COLON) return this.fail("':'");
    this.at++;
    this.state = 'value';
    return true;
  }

  private readValue(byte: number | undefined): boolean {
    if (byte === OPEN_OBJECT) return this.readBatch() ?? this.open({}, CLOSE_OBJECT);
    if (byte === OPEN_LIST) return this.open([], CLOSE_LIST);
    if (byte === QUOTE) return this.openString(false);
    return this.readWord();
  }

  private open(value: Frame['value'], closer: number): boolean {
    const { what, code, list, maxDepth = MAX_DEPTH } = this.options;
    const { frames } = this;
    if (frames.length === maxDepth) {
      throw new CryoetPicksError(code, `${what} is nested too deeply: more than ${maxDepth} levels`);
    }
    const [outermost] = frames;
    const isList = list !== undefined && frames.length === 1 && closer === CLOSE_LIST && outermost!.key === list.key;
    frames.push({ value, closer, isList, key: '', keys: 0 });
    this.at++;
    this.state = closer === CLOSE_LIST ? 'item' : 'member';
    return true;
  }

  private close(): boolean {
    this.at++;
    return this.put(this.frames.pop()!.value);
  }

  /** Puts a value into what it belongs to. */
  private put(value: unknown): boolean {
    const frame = this.frames.at(-1);
    this.state = 'separator';
    if (frame === undefined) this.root = value;
    else if (frame.isList) return this.give([value]) !== 'stop';
    else if (Array.isArray(frame.value)) this.push(frame.value, value);
    else setOwn(frame.value, frame.key, value);
    return true;
  }

  private push(items: unknown[], value: unknown): void {
    if (this.options.list && items.length === MAX_ITEMS) throw this.tooMuch(`a list of more than ${MAX_ITEMS} items`);
    items.push(value);
  }

  private give(items: readonly unknown[], text?: string): ReturnType<JsonList['take']> {
    const root = this.frames[0]!.value as Record<string, unknown>;
    const answer = this.options.list!.take({ items, list: this.frames[1]!.value as unknown[], root, text });
    if (answer === 'stop') this.root = root;
    return answer;
  }

  /** Lets the engine parse the next items of the list; undefined if this parser is to do so. */
  private readBatch(): boolean | undefined {
    const { bytes, at } = this;
    if (!this.frames.at(-1)?.isList) return undefined;
    if (at < this.slowUntil || bytes.length - at <= 2 * BATCH) return undefined;
    this.slowUntil = at + BATCH;
    let tries = 0;
    for (const cut of cuts(bytes, { from: at + BATCH, to: at + 2 * BATCH })) {
      const batch = parsedItems(bytes.subarray(at, cut.end));
      if (batch !== undefined) return this.takeBatch(batch, cut);
      // A cut within an item leaves text that is no JSON.
      if (++tries === MAX_TRIES) return undefined;
    }
    return undefined;
  }

  private takeBatch({ items, text }: ParsedItems, { end, next }: Cut): boolean | undefined {
    const answer = this.give(items, text);
    if (answer === 'exact') {
      this.slowUntil = end;
      return undefined;
    }
    this.at = next;
    this.slowUntil = 0;
    this.state = 'value';
    return answer === 'more';
  }

  private openString(isKey: boolean): boolean {
    this.string = { start: this.at, text: '', isKey };
    this.at++;
    this.state = 'string';
    return true;
  }

  /** Reads a string to its end, or a piece of it. */
  private readString(): boolean {
    const { bytes, at, string } = this;
    const limit = Math.min(bytes.length, at + STEP);
    let [end, isEscaped] = [at, false];
    while (end < limit && bytes[end] !== QUOTE && bytes[end]! >= 0x20) {
      const length = bytes[end] === BACKSLASH ? escapeLength(bytes, end) : 1;
      if (length === 0) return this.failString();
      isEscaped ||= length > 1;
      end += length;
    }
    const isBroken = end < limit && bytes[end] !== QUOTE;
    if (isBroken || end >= bytes.length) return this.failString();
    // No character is cut.
    for (let more = 0; more < 3 && isContinuation(bytes[end]); more++) end++;
    const text = this.decode(at, end);
    string.text += isEscaped ? (JSON.parse(`"${text}"`) as string) : text;
    this.at = end;
    if (string.isKey && string.text.length > MAX_KEY) {
      throw this.tooMuch(`a key of more than ${MAX_KEY} characters`);
    }
    if (bytes[end] !== QUOTE) return true;
    this.at++;
    return string.isKey ? this.takeKey(string.text) : this.put(string.text);
  }

  private takeKey(key: string): boolean {
    const frame = this.frames.at(-1)!;
    frame.key = key;
    frame.keys++;
    if (this.options.list && frame.keys > MAX_KEYS) throw this.tooMuch(`an object with more than ${MAX_KEYS} keys`);
    this.state = 'colon';
    return true;
  }

  /** Reads a number, or a bare word. */
  private readWord(): boolean {
    const { bytes, at } = this;
    let end = at;
    while (inWord[bytes[end]!] && end - at <= MAX_NUMBER) end++;
    if (end - at > MAX_NUMBER) throw this.tooMuch(`a number of more than ${MAX_NUMBER} characters`);
    const word = end - at > 32 ? this.decode(at, end) : String.fromCharCode(...bytes.subarray(at, end));
    const isWord = words.has(word);
    if (!isWord && !isNumber.test(word)) return this.fail('a value');
    this.at = end;
    return this.put(isWord ? words.get(word) : this.numberOf(word));
  }

  private numberOf(text: string): number | bigint {
    const number = Number(text);
    if (!this.options.isExact || Number.isSafeInteger(number) || /[.eE]/.test(text)) return number;
    if (text.length <= MAX_DIGITS) return BigInt(text);
    throw this.tooMuch(`a number of ${text.length} digits; expected at most ${MAX_DIGITS}`);
  }

  private decode(from: number, to: number): string {
    try {
      return this.decoder.decode(this.bytes.subarray(from, to));
    } catch (cause) {
      throw notText(this.options, cause);
    }
  }

  private tooMuch(found: string): CryoetPicksError {
    return new CryoetPicksError(this.options.code, `${this.options.what} has ${found}`);
  }

  private failString(): boolean {
    const { start, isKey } = this.string;
    return this.fail(isKey ? 'a property name in double quotes' : 'a value', start);
  }

  private fail(expected: string, offset: number = this.at): false {
    this.problem = { offset, expected };
    return false;
  }
}

/** The length of an escape sequence in bytes; 0 if JSON has no such escape. */
function escapeLength(bytes: Uint8Array, at: number): number {
  const letter = bytes[at + 1];
  if (letter !== LETTER_U) return letter !== undefined && inEscape[letter] ? 2 : 0;
  for (let digit = at + 2; digit < at + 6; digit++) if (!inHex[bytes[digit]!]) return 0;
  return 6;
}

interface Cut {
  /** The byte after an object. */
  readonly end: number;
  /** The first byte of the object behind the comma. */
  readonly next: number;
}

/** The ends of objects within some bytes that are followed by a comma and another object. */
function* cuts(bytes: Uint8Array, { from, to }: { readonly from: number; readonly to: number }): Generator<Cut> {
  const some = bytes.subarray(0, to);
  const skip = (at: number) => {
    let next = at;
    while (isSpace(some[next])) next++;
    return next;
  };
  for (let at = some.indexOf(CLOSE_OBJECT, from); at >= 0; at = some.indexOf(CLOSE_OBJECT, at + 1)) {
    const comma = skip(at + 1);
    if (some[comma] !== COMMA) continue;
    const next = skip(comma + 1);
    if (some[next] === OPEN_OBJECT) yield { end: at + 1, next };
  }
}

interface ParsedItems {
  readonly items: readonly unknown[];
  readonly text: string;
}

/** Items of a list, with their text; undefined if the bytes are not whole items of JSON. */
function parsedItems(bytes: Uint8Array): ParsedItems | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { items: JSON.parse(`[${text}]`) as unknown[], text };
  } catch {
    return undefined;
  }
}

/** Sets a key of an object, even `__proto__`. */
function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
