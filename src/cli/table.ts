/** Options of {@link formatTable}. */
export interface TableOptions {
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Lines below a rule: totals. */
  readonly footer?: readonly (readonly (string | number)[])[] | undefined;
}

/**
 * Lines of a table with aligned columns: numbers to the right, words to the left. A column is of numbers if every cell of
 * its rows is one, or stands for one that is missing (`''`).
 */
export function formatTable({ header, rows, footer = [] }: TableOptions): string[] {
  const all = [header, ...rows, ...footer];
  const widths = header.map((_, column) =>
    all.reduce((width, row) => Math.max(width, String(row[column] ?? '').length), 0),
  );
  const numeric = header.map((_, column) => rows.every((row) => isNumeric(row[column] ?? '')));
  const line = (row: readonly (string | number)[]) => {
    const cells = widths.map((width, column) => {
      const cell = String(row[column] ?? '');
      return numeric[column] ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join('  ').trimEnd();
  };
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  const below = footer.length === 0 ? [] : [rule, ...footer.map(line)];
  return [line(header), rule, ...rows.map(line), ...below];
}

function isNumeric(cell: string | number): boolean {
  return cell === '' || cell === '–' || Number.isFinite(Number(cell));
}
