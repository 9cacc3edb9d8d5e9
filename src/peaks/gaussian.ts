import type { Plane } from './sweep.ts';

/** What {@link smoothPlaneInto} works with: sizes, one-sided weights, and memory of `rows · columns` values each. */
export interface PlaneSmoothing {
  readonly rows: number;
  readonly columns: number;
  readonly rowWeights: Float64Array;
  readonly columnWeights: Float64Array;
  readonly between: Float64Array;
  readonly out: Float64Array;
}

/** Smooths a plane along its columns, then along its rows; mirrored at its edges. */
export function smoothPlaneInto(plane: Plane, smoothing: PlaneSmoothing): void {
  const { rows, columns, rowWeights, columnWeights, between, out } = smoothing;
  const line = new Float64Array(columns + 2 * (columnWeights.length - 1));
  for (let row = 0; row < rows; row++) {
    padLine(plane, row, columns, line);
    smoothLine(line, columnWeights, between, row * columns, columns);
  }
  const radius = rowWeights.length - 1;
  out.fill(0);
  for (let row = 0; row < rows; row++) {
    for (let d = -radius; d <= radius; d++) {
      addScaled(between, foldIndex(row + d, rows) * columns, rowWeights[Math.abs(d)], out, row * columns, columns);
    }
  }
}

/** The sum of arrays, each times its weight. */
export function weightedSumInto(parts: readonly (readonly [Float64Array, number])[], out: Float32Array): void {
  const sum = new Float64Array(out.length);
  for (const [values, weight] of parts) addScaled(values, 0, weight, sum, 0, sum.length);
  out.set(sum);
}

/** The index that an index beyond the ends stands for: … 1 0 | 0 1 … n−1 | n−1 n−2 …. */
export function foldIndex(index: number, length: number): number {
  const period = 2 * length;
  const folded = ((index % period) + period) % period;
  return folded < length ? folded : period - 1 - folded;
}

/** A row with its mirror images at both ends. */
function padLine({ data, offset, rowStride, columnStride }: Plane, row: number, n: number, line: Float64Array): void {
  const radius = (line.length - n) / 2;
  const first = offset + row * rowStride;
  for (let i = 0; i < n; i++) line[radius + i] = data[first + i * columnStride];
  for (let i = 1; i <= radius; i++) {
    line[radius - i] = line[radius + foldIndex(-i, n)];
    line[radius + n - 1 + i] = line[radius + foldIndex(n - 1 + i, n)];
  }
}

function smoothLine(line: Float64Array, weights: Float64Array, out: Float64Array, offset: number, n: number): void {
  const radius = weights.length - 1;
  for (let i = 0; i < n; i++) {
    let sum = weights[0] * line[i + radius];
    for (let d = 1; d <= radius; d++) sum += weights[d] * (line[i + radius - d] + line[i + radius + d]);
    out[offset + i] = sum;
  }
}

function addScaled(
  values: Float64Array,
  from: number,
  weight: number,
  out: Float64Array,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) out[to + i] += weight * values[from + i];
}
