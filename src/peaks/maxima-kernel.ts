import { growTo, madeOnce, startWasm } from '../wasm.ts';
import { MAXIMA_KERNEL } from './maxima-kernel-bytes.ts';

/** Rows of scores, each of some lines that follow each other in memory. */
export interface Rows {
  readonly data: Float32Array;
  readonly offset: number;
  readonly rowStride: number;
  readonly rows: number;
  readonly lines: number;
  readonly columns: number;
}

/**
 * Visits row by row the places, rising and counted from the start of the row, of the scores that reach a threshold and
 * that none of six exceeds: left, right, on the line before and after, in the row above and below. Places may be looked at
 * until the visit ends.
 */
export type FindCandidates = (rows: Rows, threshold: number, visit: (row: number, places: Uint32Array) => void) => void;

/** What the compiled module offers; all but three are places in its memory. */
interface KernelExports {
  candidates(
    at: number,
    above: number,
    below: number,
    lines: number,
    columns: number,
    threshold: number,
    out: number,
  ): number;
}

/** The search in WebAssembly, sixteen scores at a time; nothing where there is no WebAssembly with SIMD. */
export const maximaKernel: () => FindCandidates | undefined = madeOnce(makeKernel);

function makeKernel(): FindCandidates | undefined {
  const module = startWasm<KernelExports>(MAXIMA_KERNEL);
  if (!module) return undefined;
  const { memory, exports } = module;
  return ({ data, offset, rowStride, rows, lines, columns }, threshold, visit) => {
    const size = lines * columns;
    const least = atLeast(threshold);
    // A row, that above and that below take turns in three places; the fourth is for what is found.
    growTo(memory, 16 * size);
    const heap = new Float32Array(memory.buffer);
    const out = 12 * size;
    const placeOf = (row: number) => (row % 3) * size;
    const fetch = (row: number) => {
      const start = offset + row * rowStride;
      heap.set(data.subarray(start, start + size), placeOf(row));
    };
    fetch(0);
    for (let row = 0; row < rows; row++) {
      if (row + 1 < rows) fetch(row + 1);
      const [at, above, below] = [row, Math.max(0, row - 1), Math.min(rows - 1, row + 1)].map((r) => 4 * placeOf(r));
      const count = exports.candidates(at, above, below, lines, columns, least, out);
      if (count > 0) visit(row, new Uint32Array(memory.buffer, out, count));
    }
  };
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The least float32 that is no less than a number, so that the same float32 scores reach both. */
function atLeast(number: number): number {
  float[0] = number;
  // The next one up is one more in its bits, of a negative one one less.
  if (float[0] < number) bits[0] += bits[0] < 0 ? -1 : 1;
  return float[0];
}
