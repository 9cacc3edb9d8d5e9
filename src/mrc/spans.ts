/** A half-open box in the order of the file: sections, rows, columns. */
export interface FileBox {
  readonly start: readonly [section: number, row: number, column: number];
  readonly end: readonly [section: number, row: number, column: number];
}

/** A run of voxels that is read at once. */
export interface FileSpan {
  /** Index in the file of its first voxel. */
  readonly first: number;
  /** Voxels from the first to the last wanted one. */
  readonly voxels: number;
  readonly rows: number;
  /** Voxels from the start of one row to the start of the next. */
  readonly rowStep: number;
  /** Index of its first voxel among those of the box. */
  readonly to: number;
}

/** Options of {@link fileSpans}. */
export interface FileSpansOptions {
  /** Columns, rows, sections of the file. */
  readonly counts: readonly [number, number, number];
  readonly bytesPerVoxel: number;
}

/** The most bytes read at once, unless a single row is longer. */
const SPAN_BYTES = 2 ** 22;
/** A gap between rows that is cheaper to read than to seek over. */
const GAP_BYTES = 2 ** 13;

/**
 * The runs of voxels that hold a box: rows that lie close together are read with what is between them, sections that are
 * wanted whole are read as one.
 */
export function fileSpans(
  { start, end }: FileBox,
  { counts: [columns, rows], bytesPerVoxel }: FileSpansOptions,
): FileSpan[] {
  const width = end[2] - start[2];
  const height = end[1] - start[1];
  const isWholeSection = width === columns && height === rows;
  // Whole sections follow each other without gaps: one section with many rows.
  const sections = isWholeSection ? 1 : end[0] - start[0];
  const rowsPerSection = isWholeSection ? height * (end[0] - start[0]) : height;
  const gap = (columns - width) * bytesPerVoxel;
  const most = gap > GAP_BYTES ? 1 : Math.max(1, Math.floor(SPAN_BYTES / (columns * bytesPerVoxel)));
  const spans: FileSpan[] = [];
  for (let section = 0; section < sections; section++) {
    for (let row = 0; row < rowsPerSection; row += most) {
      const count = Math.min(most, rowsPerSection - row);
      spans.push({
        first: ((start[0] + section) * rows + start[1] + row) * columns + start[2],
        voxels: (count - 1) * columns + width,
        rows: count,
        rowStep: columns,
        to: (section * rowsPerSection + row) * width,
      });
    }
  }
  return spans;
}
