import { CryoetPicksError } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { numberIn } from './pick-fields.ts';

/** A table of a STAR file; a block of single values is a table of one row. */
export interface StarTable {
  /** Name of its block, without `data_`. */
  readonly name: string;
  /** Labels without the leading underscore. */
  readonly labels: readonly string[];
  readonly rows: readonly StarRow[];
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
/** Options of {@link parseStar}. */
export interface ParseStarOptions {
  /** Name of the file, for messages. */
  readonly source: string;
  /** Called for rows that are read although RELION would not read them. */
  readonly warn?: ((code: string, message: string) => void) | undefined;
}

/**
 * Reads the tables of a STAR file: loops and single values, quoted or bare, with comments; no values over several lines.
 *
 * Inside a loop, a line with as many cells as the loop has labels is a row, even if its first cell reads like `data_1` or `_1`. A
 * loop ends at a line of one cell, `data_…` or `loop_`; a loop of one label ends there only after an empty line.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` naming the line, among others for any other number of cells in a loop.
 */
export function parseStar(text: string, { source, warn }: ParseStarOptions): StarTable[] {
  const tables: OpenTable[] = [];
  let name: string | undefined;
  let table: OpenTable | undefined;
  let afterEmptyLine = false;
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n?|\n/)
    .entries()) {
    const [first, ...rest] = tokensOf(line);
    if (first === undefined) {
      afterEmptyLine ||= line.trim() === '';
      continue;
    }
    const place = `${source}, line ${index + 1}`;
    const values = [first, ...rest].map(({ value }) => value);
    const kind = kindOf(first, { cells: values.length, table, afterEmptyLine });
    if (kind === 'block') {
      name = first.bare!.slice(5);
      table = undefined;
    } else if (name === undefined) {
      throw new CryoetPicksError(code, `${place}: expected data_, the start of a STAR block`);
    } else if (kind === 'loop') {
      table = { name, loop: true, labels: [], known: new Set(), rows: [] };
      tables.push(table);
    } else if (kind === 'label') {
      if (table === undefined) {
        table = { name, loop: false, labels: [], known: new Set(), rows: [] };
        tables.push(table);
      }
      addLabel(table, { label: first.bare!.slice(1), value: rest[0]?.value, place });
    } else {
      if (afterEmptyLine && table?.loop && table.rows.length > 0 && !table.isBroken) {
        table.isBroken = true;
        warn?.(
          'row-after-empty-line',
          `${place}: rows of data_${table.name} go on after an empty line; they are read, but RELION ends the table there`,
        );
      }
      addRow(table, { values, place });
    }
    afterEmptyLine = false;
  }
  return tables.map((open) => finished(open));
}

interface LineContext {
  readonly cells: number;
  /** The table that is open. */
  readonly table: OpenTable | undefined;
  readonly afterEmptyLine: boolean;
}

/** What a line is, by its first cell and the table that is open. */
function kindOf(
  { bare = '' }: Token,
  { cells, table, afterEmptyLine }: LineContext,
): 'block' | 'loop' | 'label' | 'row' {
  const isLoop = table?.loop === true;
  const width = isLoop ? table.labels.length : 0;
  // Above the rows of a loop, a line of one cell is a label, which may have a comment.
  if (bare.startsWith('_') && (!isLoop || (table.rows.length === 0 && cells === 1))) return 'label';
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
  readonly rows: { readonly values: string[]; readonly place: string }[];
  /** True once a row has come after an empty line. */
  isBroken?: boolean;
}

interface Token {
  readonly value: string;
  /** The value, if it is not quoted. */
  readonly bare?: string | undefined;
}

/** The values of a line up to a comment. A quote ends a value only before white space; an unclosed quote is a plain character. */
function tokensOf(line: string): Token[] {
  const tokens: Token[] = [];
  const word = /\S+/g;
  // The end of a quote is searched for only once: without it, a line of quotes would take quadratic time.
  const endless = new Set<string>();
  for (let found = word.exec(line); found !== null; found = word.exec(line)) {
    const [bare] = found;
    if (bare.startsWith('#')) break;
    const quote = bare[0]!;
    const end = (quote === '"' || quote === "'") && !endless.has(quote) ? endOf(quote, line, found.index + 1) : -1;
    if (end < 0) {
      if (quote === '"' || quote === "'") endless.add(quote);
      tokens.push({ value: bare, bare });
    } else {
      tokens.push({ value: line.slice(found.index + 1, end) });
      word.lastIndex = end + 1;
    }
  }
  return tokens;
}

function endOf(quote: string, line: string, from: number): number {
  for (let at = line.indexOf(quote, from); at >= 0; at = line.indexOf(quote, at + 1)) {
    if (at + 1 === line.length || /\s/.test(line[at + 1]!)) return at;
  }
  return -1;
}

function addLabel(
  table: OpenTable,
  { label, value, place }: { label: string; value: string | undefined; place: string },
): void {
  if (table.known.has(label)) throw new CryoetPicksError(code, `${place}: label _${label} occurs twice`);
  table.known.add(label);
  table.labels.push(label);
  if (table.loop) return;
  if (value === undefined) throw new CryoetPicksError(code, `${place}: _${label} has no value`);
  if (table.rows.length === 0) table.rows.push({ values: [], place });
  table.rows[0]!.values.push(value);
}

function addRow(table: OpenTable | undefined, row: { readonly values: string[]; readonly place: string }): void {
  const expected = table?.loop ? table.labels.length : 0;
  if (row.values.length !== expected) {
    const wanted = table?.loop ? `${expected}, one per label of data_${table.name}` : 'a label, or loop_';
    throw new CryoetPicksError(
      code,
      `${row.place}: ${row.values.length} values; expected ${wanted}; the first is ${showJson(row.values[0])}`,
    );
  }
  table!.rows.push(row);
}

function finished({ name, labels, rows }: OpenTable): StarTable {
  const columns = new Map(labels.map((label, index) => [label, index]));
  return { name, labels, rows: rows.map(({ values, place }) => rowOf(values, { columns, place })) };
}

function rowOf(
  values: readonly string[],
  { columns, place }: { readonly columns: ReadonlyMap<string, number>; readonly place: string },
): StarRow {
  const text = (label: string) => {
    const index = columns.get(label);
    return index === undefined ? undefined : values[index];
  };
  return {
    place,
    text,
    number(label) {
      const value = text(label);
      return value === undefined ? undefined : numberIn(value, { what: `_${label}`, place });
    },
  };
}

/** Which table of a STAR file {@link onlyTable} looks for. */
export interface OnlyTableOptions {
  readonly source: string;
  readonly isWanted: (table: StarTable) => boolean;
  /** What it is, for messages: `particles`. */
  readonly what: string;
}

/**
 * The table of a kind; undefined if there is none.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for several, whose rows may be the same particles or others.
 */
export function onlyTable(
  tables: readonly StarTable[],
  { source, isWanted, what }: OnlyTableOptions,
): StarTable | undefined {
  const [first, ...others] = tables.filter(isWanted);
  if (others.length === 0) return first;
  const found = [first!, ...others].slice(0, 5).map(({ name, rows }) => `data_${name} (${rows.length} rows)`);
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
  readonly rows: readonly (readonly (string | number)[])[];
}

/**
 * Writes tables as loops of a STAR file. A name with white space is quoted, which starfile reads and RELION does not.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for a name that STAR cannot contain.
 */
export function formatStar(blocks: readonly StarBlock[]): string {
  return blocks
    .map(({ name, labels, rows }) => {
      const header = labels.map((label, index) => `_${label} #${index + 1}\n`).join('');
      return `\ndata_${name}\n\nloop_\n${header}${rows.map((row) => `${row.map(starValue).join('\t')}\n`).join('')}`;
    })
    .join('\n');
}

function starValue(value: string | number): string {
  if (typeof value === 'number') return String(value + 0);
  if (!/[\s"']|^(?:[#_]|data_|loop_)|^$/.test(value)) return value;
  const quote = ['"', "'"].find((mark) => !value.includes(mark));
  if (quote !== undefined && !/[\r\n]/.test(value)) return `${quote}${value}${quote}`;
  throw new CryoetPicksError(code, `STAR cannot contain the name ${JSON.stringify(value)}`);
}
