import type { Steps } from './concurrency.ts';
import { CryoetPicksError, type ErrorCode } from './errors.ts';
import { notText } from './json-parser.ts';

/** A text, or its bytes in UTF-8, which may be more than one text holds. */
export type TextContent = string | Uint8Array;

/** Options of {@link textPieces}. */
export interface TextPiecesOptions {
  /** The name of the text, for messages: `picks.csv`. */
  readonly source: string;
  readonly code: ErrorCode;
}

/** Whole lines of a text. */
export interface TextPiece {
  /** Without a byte order mark; each line ends in `\n`, but for the last one of the text. */
  readonly text: string;
  readonly isLast: boolean;
}

/** Characters or bytes of a piece: a few milliseconds of work, also before the engine has compiled the parser. */
const PIECE = 2 ** 14;

/** Bytes of a line in UTF-8, and characters of a row, at most: it is handled in one piece. */
export const MAX_LINE: number = 2 ** 22;

/**
 * Cuts a text into pieces of whole lines, whose ends are LF, CRLF or CR; bytes are decoded piece by piece.
 *
 * @throws {@link CryoetPicksError} of the given code if bytes are not UTF-8, or a line is longer than {@link MAX_LINE}.
 */
export function* textPieces(content: TextContent, { source, code }: TextPiecesOptions): Generator<TextPiece, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let start = startOf(content);
  do {
    const end = endOfPiece(content, start);
    if (end < 0 || (typeof content === 'string' && hasLongLine(content.slice(start, end)))) {
      throw new CryoetPicksError(code, `${source} has a line of more than ${MAX_LINE} bytes`);
    }
    let text: string;
    try {
      text = typeof content === 'string' ? content.slice(start, end) : decoder.decode(content.subarray(start, end));
    } catch (cause) {
      throw notText({ what: source, code, path: source }, cause);
    }
    start = end;
    yield { text: text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text, isLast: start === content.length };
  } while (start < content.length);
}

/**
 * Visits the lines of a text, numbered from 1, with a pause after each piece.
 *
 * @throws {@link CryoetPicksError} As {@link textPieces} does.
 */
export function* lineSteps(
  content: TextContent,
  options: TextPiecesOptions,
  visit: (line: string, number: number) => void,
): Steps<void> {
  let number = 1;
  for (const { text } of textPieces(content, options)) {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      visit(text.slice(start, end), number++);
      start = end + 1;
    }
    if (start < text.length) visit(text.slice(start), number);
    yield;
  }
}

/** Lines in a block of {@link KeptLines}. */
const BLOCK = 2 ** 14;

/** A line of a text, and its number from 1. */
export interface KeptLine {
  readonly line: string;
  readonly number: number;
}

/** Lines that are kept for later, in blocks: one array of millions of them would take a tenth of a second whenever it grows. */
export class KeptLines {
  readonly #blocks: { readonly lines: string[]; readonly numbers: number[] }[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(line: string, number: number): void {
    if (this.#length % BLOCK === 0) this.#blocks.push({ lines: [], numbers: [] });
    const { lines, numbers } = this.#blocks.at(-1)!;
    lines.push(line);
    numbers.push(number);
    this.#length++;
  }

  /** The line at an index below {@link length}. */
  at(index: number): KeptLine {
    const { lines, numbers } = this.#blocks[Math.floor(index / BLOCK)]!;
    return { line: lines[index % BLOCK]!, number: numbers[index % BLOCK]! };
  }
}

/** Joins pieces of text, in UTF-8, or of bytes. A piece that is undefined is a mere pause. */
export function* encodedSteps(pieces: Iterable<string | Uint8Array | undefined>): Steps<Uint8Array> {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece !== undefined) parts.push(typeof piece === 'string' ? encoder.encode(piece) : piece);
    yield;
  }
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
    yield;
  }
  return bytes;
}

/** The first place behind a byte order mark. */
function startOf(content: TextContent): number {
  if (typeof content === 'string') return content.startsWith('\uFEFF') ? 1 : 0;
  return content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf ? 3 : 0;
}

/** Whether a line of a text takes more bytes in UTF-8 than {@link MAX_LINE}. */
function hasLongLine(text: string): boolean {
  // A character of UTF-16 takes three bytes at most.
  if (3 * text.length <= MAX_LINE) return false;
  const encoder = new TextEncoder();
  return text
    .split(/(?<=\n|\r(?!\n))/)
    .some((line) => 3 * line.length > MAX_LINE && encoder.encode(line).length > MAX_LINE);
}

/** Where a piece ends: behind its last line end, or that of the line that is longer; −1 if that is too long. */
function endOfPiece(content: TextContent, start: number): number {
  for (let length = PIECE; length <= MAX_LINE; length *= 2) {
    if (start + length >= content.length) return content.length;
    const size = lengthOfLines(content, start, start + length);
    if (size > 0) return start + size;
  }
  return -1;
}

/** The length of the whole lines in a part of a content; 0 if it has no line end. Behind a CR at its end an LF may follow. */
function lengthOfLines(content: TextContent, start: number, end: number): number {
  if (typeof content === 'string') {
    const part = content.slice(start, end);
    return part.lastIndexOf('\n') + 1 || part.lastIndexOf('\r', part.length - 2) + 1;
  }
  const part = content.subarray(start, end);
  return part.lastIndexOf(0x0a) + 1 || part.lastIndexOf(0x0d, part.length - 2) + 1;
}
