/** A value of a caller or of a JSON document for a message, strings in quotes: its beginning, if it is long. */
export function showJson(value: unknown): string {
  // JSON has no NaN.
  if (typeof value === 'number') return String(value);
  try {
    const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}` : one)) ?? String(value);
    return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
  } catch {
    // The engine reads deeper nesting than it writes.
    return 'a value that is nested too deeply to show';
  }
}

/** The same for a list, whose numbers may be NaN: `[0, NaN, "1"]`. */
export function showList(values: unknown): string {
  return Array.isArray(values) ? `[${values.map(showJson).join(', ')}]` : showJson(values);
}
