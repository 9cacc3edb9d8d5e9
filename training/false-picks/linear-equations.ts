/** Solves A x = b by elimination with pivots. */
export function solved(a: readonly (readonly number[])[], b: readonly number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i]!]);
  const n = rows.length;
  for (let column = 0; column < n; column++) {
    const below = rows.slice(column);
    const pivot =
      column + below.reduce((best, row, i) => (Math.abs(row[column]!) > Math.abs(below[best]![column]!) ? i : best), 0);
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let i = 0; i < n; i++) {
      if (i === column) continue;
      const factor = rows[i]![column]! / rows[column]![column]!;
      rows[i] = rows[i]!.map((value, j) => value - factor * rows[column]![j]!);
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
}
