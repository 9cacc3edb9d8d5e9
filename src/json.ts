import { CryoetPicksError, type ErrorCode } from './errors.ts';

const space = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings hold no bare control characters
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const nonFiniteNumber = /-?\b(?:NaN|Infinity)\b/y;

/** Options of {@link parseJson}. */
export interface ParseJsonOptions {
  /** What is parsed, for messages: `config "copick.json"`. */
  readonly what: string;
  readonly code: ErrorCode;
  /**
   * How many arrays and objects may be open at a place, to be found out before parsing: what is nested by thousands can be
   * parsed but not shown or written. If absent, the text is not searched for it.
   */
  readonly maxDepth?: number | undefined;
}

/**
 * Parses JSON as Python writes it: the bare tokens `NaN`, `Infinity` and `-Infinity` become those numbers.
 *
 * Messages tell the line and column of what is wrong and show one character of it at most, so no secret leaks.
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
    // Quoting moves what follows, so the place is looked up in the text as it was.
    throw new CryoetPicksError(code, `${what} is not JSON: ${describe(json, firstError(json, true) ?? error)}`);
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

/** Only what is nested too deeply for the engine fails here. */
function revive({ text, numbers }: ReturnType<typeof quoteNonFinite>, { what, code }: ParseJsonOptions): unknown {
  try {
    return JSON.parse(text, (_, value) => numbers.get(value) ?? value);
  } catch (cause) {
    throw new CryoetPicksError(code, `${what} is nested too deeply`, { cause });
  }
}

/** Replaces bare non-finite numbers, outside strings, by strings that the text does not hold otherwise. */
function quoteNonFinite(json: string): { text: string; numbers: ReadonlyMap<unknown, number> } {
  let mark = '#';
  while (json.includes(mark)) mark += '#';
  const text = json.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
    token.startsWith('"') ? token : `"${mark}${token}"`,
  );
  const names = ['NaN', 'Infinity', '-Infinity'];
  return { text, numbers: new Map(names.map((name) => [`${mark}${name}`, Number(name)])) };
}

interface JsonError {
  readonly offset: number;
  readonly expected: string;
}

/** The first place where a text stops being JSON; scanned here, since the engines' messages differ and quote the text. */
function firstError(json: string, nonFinite = false): JsonError | undefined {
  const scanner = new Scanner(json, nonFinite);
  const expected = scanner.scan();
  return expected === undefined ? undefined : { offset: scanner.at, expected };
}

/** Walks over JSON, keeping the closing marks that are due; without recursion, so that depth cannot overflow the stack. */
class Scanner {
  at = 0;
  private readonly closers: string[] = [];

  constructor(
    private readonly json: string,
    private readonly nonFinite: boolean,
  ) {}

  /** What was expected where the scan stopped; undefined if all is JSON. */
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

  /** Notes the closing mark of an object or array; true if it follows at once. */
  private opened(opener: string): boolean {
    const closer = opener === '{' ? '}' : ']';
    if (this.takeMark(closer) !== undefined) return true;
    this.closers.push(closer);
    return false;
  }

  private takeKey(): string | undefined {
    this.take(space);
    if (!this.take(string)) return 'a property name in double quotes';
    return this.takeMark(':') === undefined ? "':'" : undefined;
  }

  private takeScalar(): boolean {
    return this.take(string) || this.take(scalar) || (this.nonFinite && this.take(nonFiniteNumber));
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

/** A value of a JSON document for a message: its beginning, if it is long. */
export function showJson(value: unknown): string {
  try {
    const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}` : one)) ?? String(value);
    return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
  } catch {
    // The engine reads deeper nesting than it writes.
    return 'a value that is nested too deeply to show';
  }
}
