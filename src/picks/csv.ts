import Papa from 'papaparse';
import { CryoetPicksError, type ErrorCode } from '../core/errors.ts';
import { showJson } from '../core/json.ts';

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
 * Takes LF, CRLF and CR, a byte-order mark, quoted fields with commas, quotes and line breaks, any order of columns;
 * skips blank lines.
 *
 * @throws {@link CryoetPicksError} of the given code for text without a header, missing or repeated columns, a row with
 * another number of fields, or a broken quote.
 */
export function readCsvTable(text: string, options: CsvTableOptions): CsvRow[] {
  const { code, source } = options;
  const rows: CsvRow[] = [];
  let columns: ReadonlyMap<string, number> | undefined;
  forEachLine(text, options, (line, cells) => {
    if (columns === undefined) {
      columns = columnsOf(cells, options);
      return;
    }
    const header = columns;
    if (cells.length !== header.size) {
      throw new CryoetPicksError(code, `${source}, line ${line}: ${cells.length} fields; expected ${header.size}`);
    }
    rows.push({
      line,
      cell(column) {
        const index = header.get(column);
        return index === undefined ? undefined : cells[index];
      },
    });
  });
  if (columns === undefined) {
    throw new CryoetPicksError(code, `${source} is empty; expected a header with ${options.required.join(', ')}`);
  }
  return rows;
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

/** Options of {@link unreadColumns}. */
export interface UnreadColumnsOptions extends CsvTableOptions {
  /** The columns that are read. */
  readonly read: readonly string[];
}

/** Describes, in a line or none, the columns of a table that are not read. @throws As {@link readCsvTable} does for its header. */
export function unreadColumns(text: string, { read, ...options }: UnreadColumnsOptions): string[] {
  const names = [...columnsOf(headerOf(text), options).keys()];
  const unread = names.filter((column) => column !== '' && !read.includes(column));
  return unread.length === 0 ? [] : [`column: not read: ${showColumns(unread, ', ')}`];
}

/** Calls `visit` for every line that is not blank, with the fields of the row that starts there. */
function forEachLine(
  text: string,
  { code, source }: CsvTableOptions,
  visit: (line: number, cells: readonly string[]) => void,
): void {
  // One kind of line end, so that lines can be counted by it.
  const plain = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  let line = 1;
  let cursor = 0;
  Papa.parse<string[]>(plain, {
    delimiter: ',',
    newline: '\n',
    step({ data, errors, meta }) {
      const broken = errors[0];
      if (broken !== undefined) throw new CryoetPicksError(code, `${source}, line ${line}: ${broken.message}`);
      if (data.length > 1 || data[0]?.trim()) visit(line, data);
      for (; cursor < meta.cursor; cursor++) if (plain.charCodeAt(cursor) === 10) line += 1;
    },
  });
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
