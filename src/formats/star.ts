import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { KeptLines, lineSteps, type TextContent } from '../core/text-pieces.ts';
import { linesOf, numberIn } from './pick-fields.ts';

/** A table of a STAR file; a block of single values is a table of one row. */
export interface StarTable {
  /** Name of its block, without `data_`. */
  readonly name: string;
  /** Labels without the leading underscore. */
  readonly labels: readonly string[];
  readonly rowCount: number;
  /** Its rows in their order, each made when it is asked for. */
  rows(): Iterable<StarRow>;
}

/** One row of a table, with its place for messages. */
export interface StarRow {
  /** The file and the line: `picks.star, line 30`. */
  readonly place: string;
  /** The value under a label; undefined if the table has no such label. */
  text(label: string): string | undefined;
  /** The finite number under a label; undefined if the table has no such label. */
  number(label: string): number | undefined;
}

const code = 'invalid-picks';
/** Options of {@link starSteps}. */
export interface StarOptions {
  /** Name of the file, for messages. */
  readonly source: string;
  /** Called for rows that are read although RELION would not read them. */
  readonly warn?: ((code: string, message: string) => void) | undefined;
}

/**
 * Reads the tables of a STAR file in pieces: loops and single values, quoted or bare, with comments; no values over several lines.
 *
 * Inside a loop, a line with as many cells as the loop has labels is a row, even if its first cell reads like `data_1` or `_1`. A
 * loop ends at a line of one cell, `data_…` or `loop_`; a loop of one label ends there only after an empty line.
 *
 * A table keeps the lines of its rows, a fraction of what their cells would take.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` naming the line, among others for any other number of cells in a loop.
 */
export function* starSteps(content: TextContent, { source, warn }: StarOptions): Steps<StarTable[]> {
  const tables: OpenTable[] = [];
  let name: string | undefined;
  let table: OpenTable | undefined;
  let afterEmptyLine = false;
  const open = (block: string, loop: boolean) => {
    table = { name: block, loop, labels: [], known: new Set(), lines: new KeptLines() };
    tables.push(table);
    return table;
  };
  yield* lineSteps(content, { source, code }, (line, number) => {
    const { cells, bare } = cellsOf(line);
    const place = () => `${source}, line ${number}`;
    if (cells.length === 0) {
      afterEmptyLine ||= line.trim() === '';
      return;
    }
    const kind = kindOf(bare, { cells: cells.length, table, afterEmptyLine });
    if (kind === 'block') {
      name = bare.slice(5);
      table = undefined;
    } else if (name === undefined) {
      throw new CryoetPicksError(code, `${place()}: expected data_, the start of a STAR block`);
    } else if (kind === 'loop') {
      open(name, true);
    } else if (kind === 'label') {
      addLabel(table ?? open(name, false), { label: bare.slice(1), value: cells[1], number, place: place() });
    } else {
      if (afterEmptyLine && table?.loop && table.lines.length > 0 && !table.isBroken) {
        table.isBroken = true;
        warn?.(
          'row-after-empty-line',
          `${place()}: rows of data_${table.name} go on after an empty line; they are read, but RELION ends the table there`,
        );
      }
      requireCells(table, cells, place);
      table!.lines.add(line, number);
    }
    afterEmptyLine = false;
  });
  return tables.map((one) => finished(one, source));
}

interface LineContext {
  readonly cells: number;
  /** The table that is open. */
  readonly table: OpenTable | undefined;
  readonly afterEmptyLine: boolean;
}

/** What a line is, by its first cell, as it is if it is not quoted, and the table that is open. */
function kindOf(bare: string, { cells, table, afterEmptyLine }: LineContext): 'block' | 'loop' | 'label' | 'row' {
  const isLoop = table?.loop === true;
  const width = isLoop ? table.labels.length : 0;
  // Above the rows of a loop, a line of one cell is a label, which may have a comment.
  if (bare.startsWith('_') && (!isLoop || (table.lines.length === 0 && cells === 1))) return 'label';
  if (width > 0 && cells === width && !(width === 1 && afterEmptyLine && /^(?:data_|loop_$)/.test(bare))) return 'row';
  if (bare.startsWith('data_') && (!isLoop || cells === 1)) return 'block';
  return bare === 'loop_' ? 'loop' : 'row';
}

interface OpenTable {
  readonly name: string;
  readonly loop: boolean;
  readonly labels: string[];
  /** The same labels, to find one that occurs twice. */
  readonly known: Set<string>;
  /** The lines of the rows of a loop, and their numbers. */
  readonly lines: KeptLines;
  /** The only row of a block without a loop. */
  block?: { readonly values: string[]; readonly number: number };
  /** True once a row has come after an empty line. */
  isBroken?: boolean;
}

interface Cells {
  readonly cells: readonly string[];
  /** The first cell if it is not quoted, otherwise empty. */
  readonly bare: string;
}

/** The values of a line up to a comment. A quote ends a value only before white space; an unclosed quote is a plain character. */
function cellsOf(line: string): Cells {
  if (!/["'#]/.test(line)) {
    const words = line.match(/\S+/g) ?? [];
    return { cells: words, bare: words[0] ?? '' };
  }
  const cells: string[] = [];
  let bare: string | undefined;
  const word = /\S+/g;
  // The end of a quote is searched for only once: without it, a line of quotes would take quadratic time.
  const endless = new Set<string>();
  for (let found = word.exec(line); found !== null; found = word.exec(line)) {
    const [text] = found;
    if (text.startsWith('#')) break;
    const quote = text[0]!;
    const isQuote = quote === '"' || quote === "'";
    const end = isQuote && !endless.has(quote) ? endOf(quote, line, found.index + 1) : -1;
    if (isQuote && end < 0) endless.add(quote);
    bare ??= end < 0 ? text : '';
    cells.push(end < 0 ? text : line.slice(found.index + 1, end));
    if (end >= 0) word.lastIndex = end + 1;
  }
  return { cells, bare: bare ?? '' };
}

function endOf(quote: string, line: string, from: number): number {
  for (let at = line.indexOf(quote, from); at >= 0; at = line.indexOf(quote, at + 1)) {
    if (at + 1 === line.length || /\s/.test(line[at + 1]!)) return at;
  }
  return -1;
}

interface NewLabel {
  readonly label: string;
  readonly value: string | undefined;
  readonly number: number;
  readonly place: string;
}

function addLabel(table: OpenTable, { label, value, number, place }: NewLabel): void {
  if (table.known.has(label)) throw new CryoetPicksError(code, `${place}: label _${label} occurs twice`);
  table.known.add(label);
  table.labels.push(label);
  if (table.loop) return;
  if (value === undefined) throw new CryoetPicksError(code, `${place}: _${label} has no value`);
  table.block ??= { values: [], number };
  table.block.values.push(value);
}

function requireCells(table: OpenTable | undefined, cells: readonly string[], place: () => string): void {
  const expected = table?.loop ? table.labels.length : 0;
  if (cells.length === expected) return;
  const wanted = table?.loop ? `${expected}, one per label of data_${table.name}` : 'a label, or loop_';
  throw new CryoetPicksError(
    code,
    `${place()}: ${cells.length} values; expected ${wanted}; the first is ${showJson(cells[0])}`,
  );
}

function finished({ name, labels, lines, block }: OpenTable, source: string): StarTable {
  const columns = new Map(labels.map((label, index) => [label, index]));
  return {
    name,
    labels,
    rowCount: block ? 1 : lines.length,
    *rows() {
      if (block) yield new Row(columns, block.values, { source, line: block.number });
      for (let i = 0; i < lines.length; i++) {
        const { line, number } = lines.at(i);
        yield new Row(columns, cellsOf(line).cells, { source, line: number });
      }
    },
  };
}

class Row implements StarRow {
  constructor(
    private readonly columns: ReadonlyMap<string, number>,
    private readonly values: readonly string[],
    private readonly at: { readonly source: string; readonly line: number },
  ) {}

  get place(): string {
    return `${this.at.source}, line ${this.at.line}`;
  }

  text(label: string): string | undefined {
    const index = this.columns.get(label);
    return index === undefined ? undefined : this.values[index];
  }

  number(label: string): number | undefined {
    const value = this.text(label);
    return value === undefined ? undefined : numberIn(value, { what: `_${label}`, place: this });
  }
}

/** Which table of a STAR file {@link onlyTable} looks for. */
export interface OnlyTableOptions {
  readonly source: string;
  readonly isWanted: (table: StarTable) => boolean;
  /** What it is, for messages: `particles`. */
  readonly what: string;
}

/**
 * The table of a kind; undefined if the file lacks it.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for several, whose rows may be the same particles or others.
 */
export function onlyTable(
  tables: readonly StarTable[],
  { source, isWanted, what }: OnlyTableOptions,
): StarTable | undefined {
  const [first, ...others] = tables.filter(isWanted);
  if (others.length === 0) return first;
  const found = [first!, ...others].slice(0, 5).map(({ name, rowCount }) => `data_${name} (${rowCount} rows)`);
  throw new CryoetPicksError(
    code,
    `${source} has ${others.length + 1} tables of ${what}: ${found.join(', ')}; keep one, or write each to a file of its own`,
  );
}

/** Describes, in a line or none, the labels of a table that are not read. */
export function unreadLabels(table: StarTable | undefined, read: ReadonlySet<string>): string[] {
  const unread = (table?.labels ?? []).filter((label) => !read.has(label));
  const shown = unread.slice(0, 20).map((label) => `_${label}`);
  const more = unread.length > shown.length ? ` and ${unread.length - shown.length} more` : '';
  return unread.length === 0 ? [] : [`column: not read: ${shown.join(', ')}${more}`];
}

/** A table to write. */
export interface StarBlock {
  readonly name: string;
  readonly labels: readonly string[];
  readonly rows: Iterable<readonly (string | number)[]>;
}

/**
 * Writes tables as loops of a STAR file. A name with white space is quoted, which starfile reads and RELION does not.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a name that STAR cannot contain.
 */
export function* starPieces(blocks: readonly StarBlock[]): Generator<string, void> {
  for (const [index, { name, labels, rows }] of blocks.entries()) {
    const header = labels.map((label, at) => `_${label} #${at + 1}\n`).join('');
    yield `${index === 0 ? '' : '\n'}\ndata_${name}\n\nloop_\n${header}`;
    yield* linesOf(rows, (row) => `${row.map(starValue).join('\t')}\n`);
  }
}

function starValue(value: string | number): string {
  if (typeof value === 'number') return String(value + 0);
  if (!/[\s"']|^(?:[#_]|data_|loop_)|^$/.test(value)) return value;
  const quote = ['"', "'"].find((mark) => !value.includes(mark));
  if (quote !== undefined && !/[\r\n]/.test(value)) return `${quote}${value}${quote}`;
  throw new CryoetPicksError(code, `STAR cannot contain the name ${JSON.stringify(value)}`);
}
