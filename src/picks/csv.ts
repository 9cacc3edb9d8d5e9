import Papa from 'papaparse';
import { atOnce, type Steps } from '../core/concurrency.ts';
import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';
import { showJson } from '../core/json.ts';
import { MAX_LINE, type TextContent, textPieces } from '../core/text-pieces.ts';

export interface CsvTableOptions {
  /** Columns that must be there; others are found by name too, or ignored. */
  readonly required: readonly string[];
  /** Code of the errors. */
  readonly code: ErrorCode;
  /** Name of the table in messages: a file name. */
  readonly source: string;
}

/** One row of a table, with what a message about it needs. */
export interface CsvRow {
  /** Line of the file on which the row starts, counted from 1. */
  readonly line: number;
  /** The cell of a column, `undefined` if the table has no such column. */
  cell(column: string): string | undefined;
}

/**
 * Reads comma-separated text with a header, row by row, into rows that know their line.
 *
 * @throws {@link CryoetPicksError} As {@link csvSteps} does.
 */
export function readCsvTable(text: string, options: CsvTableOptions): CsvRow[] {
  const rows: CsvRow[] = [];
  atOnce(csvSteps(text, options, () => (row) => rows.push(row)));
  return rows;
}

/** Gets the names of the columns, once, and returns what each row is handed to. */
export type CsvVisitor = (header: readonly string[]) => (row: CsvRow) => void;

/**
 * Reads comma-separated text with a header, in pieces.
 *
 * Takes LF, CRLF and CR, a byte-order mark, quoted fields with commas, quotes and line breaks, any order of columns;
 * skips blank lines.
 *
 * @throws {@link CryoetPicksError} of the given code for text without a header, missing or repeated columns, a row with
 * another number of fields, or a broken quote.
 */
export function* csvSteps(content: TextContent, options: CsvTableOptions, open: CsvVisitor): Steps<void> {
  const { code, source } = options;
  let columns: ReadonlyMap<string, number> | undefined;
  let visit: ReturnType<CsvVisitor> = () => {};
  for (const rows of rowsOf(content, options)) {
    for (const { line, cells } of rows) {
      if (columns === undefined) {
        columns = columnsOf(cells, options);
        visit = open([...columns.keys()]);
        continue;
      }
      if (cells.length !== columns.size) {
        throw new CryoetPicksError(code, `${source}, line ${line}: ${cells.length} fields; expected ${columns.size}`);
      }
      visit(new Row(columns, cells, line));
    }
    yield;
  }
  if (columns === undefined) throw isEmpty(options);
}

class Row implements CsvRow {
  constructor(
    private readonly columns: ReadonlyMap<string, number>,
    private readonly cells: readonly string[],
    readonly line: number,
  ) {}

  cell(column: string): string | undefined {
    const index = this.columns.get(column);
    return index === undefined ? undefined : this.cells[index];
  }
}

/**
 * The cells of the header of comma-separated text: its first line that is not blank. For telling what a table is; reading it says
 * whether it is one.
 */
export function headerOf(text: string): string[] {
  let header: string[] = [];
  Papa.parse<string[]>(text.trimStart(), {
    delimiter: ',',
    // The fast mode would split the whole text into lines first.
    fastMode: false,
    step({ data }, parser) {
      header = data.map((cell) => cell.trim());
      parser.abort();
    },
  });
  return header;
}

/**
 * Describes, in a line or none, the columns of a table that are not read.
 *
 * @param read - The columns that are read, by the header.
 * @throws {@link CryoetPicksError} As {@link csvSteps} does for its header.
 */
export function* unreadColumns(
  content: TextContent,
  options: CsvTableOptions,
  read: (header: readonly string[]) => readonly string[],
): Steps<readonly string[]> {
  for (const [header] of rowsOf(content, options)) {
    if (header === undefined) continue;
    const names = [...columnsOf(header.cells, options).keys()];
    const known = read(names);
    const unread = names.filter((column) => column !== '' && !known.includes(column));
    return unread.length === 0 ? [] : [`column: not read: ${showColumns(unread, ', ')}`];
  }
  throw isEmpty(options);
}

function isEmpty({ code, source, required }: CsvTableOptions): CryoetPicksError {
  return new CryoetPicksError(code, `${source} is empty; expected a header with ${required.join(', ')}`);
}

/** A row of comma-separated text, with quotes where they are needed. */
export function csvLine(cells: readonly (string | number)[]): string {
  // Papaparse takes longer for numbers than these take to be written.
  if (cells.every((cell) => typeof cell === 'number' || !needsQuotes.test(cell))) return `${cells.join(',')}\n`;
  return `${Papa.unparse([cells], { newline: '\n' })}\n`;
}

const needsQuotes = /[",\r\n\uFEFF]|^\s|\s$/;

/** The rows of a table that are not blank, some at a time. */
function* rowsOf(
  content: TextContent,
  options: CsvTableOptions,
): Generator<{ readonly line: number; readonly cells: readonly string[] }[]> {
  const { code, source } = options;
  const parser = new Papa.Parser({ delimiter: ',', newline: '\n' });
  let line = 1;
  // What is not a whole row yet: a quoted field goes on in the next line.
  let rest = '';
  let enough = 0;
  for (const { text, isLast } of textPieces(content, options)) {
    rest += text;
    if (enough > 0 && rest.length > MAX_LINE) {
      throw new CryoetPicksError(
        code,
        `${source}, line ${line}: a row of more than ${MAX_LINE} characters; is a quote not closed?`,
      );
    }
    // Tried again at twice the length, a long field is not looked at once for each of its lines.
    if (!isLast && rest.length < enough) continue;
    const { data, errors, meta }: Papa.ParseResult<string[]> = parser.parse(rest, 0, !isLast);
    const isQuoted = rest.includes('"');
    const rows = [];
    for (const [index, cells] of data.entries()) {
      if (errors[0]?.row === index) break;
      if (cells.length > 1 || cells[0]!.trim() !== '') rows.push({ line, cells });
      line += isQuoted ? cells.join('').split('\n').length : 1;
    }
    yield rows;
    if (errors[0] !== undefined) throw new CryoetPicksError(code, `${source}, line ${line}: ${errors[0].message}`);
    rest = rest.slice(meta.cursor);
    enough = 2 * rest.length;
  }
}

function columnsOf(header: readonly string[], { required, code, source }: CsvTableOptions): Map<string, number> {
  const columns = new Map<string, number>();
  for (const [index, cell] of header.entries()) {
    const name = cell.trim();
    if (columns.has(name)) throw new CryoetPicksError(code, `${source}: column ${showJson(name)} occurs twice`);
    columns.set(name, index);
  }
  const missing = required.filter((name) => !columns.has(name));
  if (missing.length === 0) return columns;
  throw new CryoetPicksError(
    code,
    `${source}: no column${missing.length === 1 ? '' : 's'} ${missing.map((name) => JSON.stringify(name)).join(', ')}; found [${showColumns([...columns.keys()], ',')}]`,
  );
}

/** The names of columns for a message, twenty at most. */
function showColumns(names: readonly string[], between: string): string {
  const more = names.length > 20 ? ` and ${names.length - 20} more` : '';
  return `${names.slice(0, 20).map(showJson).join(between)}${more}`;
}

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
/** Cells longer than this are no numbers: a regular expression would overflow the stack on millions of digits. */
const maxDigits = 1000;
const notFinite = /^(?:nan|([+-]?)inf(?:inity)?)$/i;

/** The number a cell spells, as decimal digits, `nan` or `inf`; `undefined` for anything else, such as an empty cell. */
export function parseNumber(cell: string): number | undefined {
  const text = cell.trim();
  if (text.length > maxDigits) return undefined;
  if (decimal.test(text)) return Number(text);
  const special = notFinite.exec(text);
  if (special === null) return undefined;
  if (special[1] === undefined) return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
