import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatZyx, type Zyx } from '../space/grid.ts';
import type { Volume } from '../volume/volume.ts';
import { moduleBytes } from '../wasm/instantiate.ts';

/** Lines that are transformed together: so many complex numbers are a line of a processor's cache. */
const LINES = 8;

/** The longest line that has room in the module's memory. */
const MAX_LENGTH = 16384;

/**
 * The smallest shape, at least as long along every axis, that can be transformed: lengths 2ᵃ3ᵇ5ᶜ that are multiples of 16, along x of 32.
 *
 * @throws {@link CryoetPicksError} `unsupported` if an axis is longer than 16,384.
 */
export function transformShape(least: Zyx): Zyx {
  const shape: Zyx = [goodLength(least[0], 16), goodLength(least[1], 16), goodLength(least[2], 32)];
  if (Math.max(...shape) <= MAX_LENGTH) return shape;
  throw new CryoetPicksError(
    'unsupported',
    `${formatZyx(least)} voxels are too many for a Fourier transform; its axes are at most ${MAX_LENGTH} long`,
  );
}

function goodLength(least: number, multiple: number): number {
  for (let length = multiple * Math.max(1, Math.ceil(least / multiple)); ; length += multiple) {
    let rest = length;
    for (const factor of [2, 3, 5]) while (rest % factor === 0) rest /= factor;
    if (rest === 1) return length;
  }
}

/**
 * Fourier transforms of real volumes of one shape, by PFFFT in WebAssembly, in single precision.
 *
 * A spectrum is C-order `[kz, ky, kx, (re, im)]`; kx runs from 0 to half the length, the other half follows from the symmetry of a
 * real volume. No transform is scaled: forward and back multiplies by the number of voxels.
 */
export class RealTransform {
  readonly shape: Zyx;
  /** Complex numbers along kx. */
  readonly width: number;
  readonly #lines: readonly [Lines, Lines, Lines];

  private constructor(shape: Zyx, pffft: Pffft) {
    this.shape = shape;
    this.width = shape[2] / 2 + 1;
    this.#lines = [pffft.lines(shape[0], false), pffft.lines(shape[1], false), pffft.lines(shape[2], true)];
  }

  /**
   * Prepares transforms of a shape of {@link transformShape}.
   *
   * @throws {@link CryoetPicksError} `unsupported` where WebAssembly with SIMD does not run.
   */
  static async of(shape: Zyx): Promise<RealTransform> {
    return new RealTransform(shape, await loadPffft());
  }

  /** Memory for a spectrum. */
  newSpectrum(allocate: (length: number) => Float32Array = (length) => new Float32Array(length)): Float32Array {
    return allocate(2 * this.shape[0] * this.shape[1] * this.width);
  }

  /** Voxels of the shape. */
  get voxels(): number {
    return this.shape[0] * this.shape[1] * this.shape[2];
  }

  /** Transforms a volume, which lies in the first corner of the shape, zeros elsewhere. Lines that are empty are not transformed. */
  *forward(volume: Volume, spectrum: Float32Array): Steps<void> {
    const [alongZ, alongY, alongX] = this.#lines;
    const [nz, ny, nx] = this.shape;
    const [depth, height, width] = volume.shape;
    const { data, stride, offset } = volume;
    const row = 2 * this.width;
    for (let z = 0; z < depth; z++) {
      for (let first = 0; first < height; first += LINES) {
        const count = Math.min(LINES, height - first);
        const line = alongX.data;
        line.fill(0);
        for (let i = 0; i < count; i++) {
          const from = offset + z * stride[0] + (first + i) * stride[1];
          for (let x = 0; x < width; x++) line[i * nx + x] = data[from + x * stride[2]];
        }
        alongX.transform(count, FORWARD);
        for (let i = 0; i < count; i++) unpack(line, i * nx, nx, spectrum, (z * ny + first + i) * row);
      }
      this.#columns(spectrum, { lines: alongY, length: ny, step: row, start: z * ny * row, filled: height }, FORWARD);
      yield;
    }
    for (let y = 0; y < ny; y++) {
      this.#columns(spectrum, { lines: alongZ, length: nz, step: ny * row, start: y * row, filled: depth }, FORWARD);
      yield;
    }
  }

  /** Transforms a spectrum back, of which only the corner that `volume` holds is computed; the spectrum is used up. */
  *inverse(spectrum: Float32Array, volume: Volume): Steps<void> {
    const [alongZ, alongY, alongX] = this.#lines;
    const [nz, ny, nx] = this.shape;
    const [depth, height, width] = volume.shape;
    const { data, stride, offset } = volume;
    const row = 2 * this.width;
    for (let y = 0; y < ny; y++) {
      this.#columns(spectrum, { lines: alongZ, length: nz, step: ny * row, start: y * row, filled: nz }, INVERSE);
      yield;
    }
    for (let z = 0; z < depth; z++) {
      this.#columns(spectrum, { lines: alongY, length: ny, step: row, start: z * ny * row, filled: ny }, INVERSE);
      for (let first = 0; first < height; first += LINES) {
        const count = Math.min(LINES, height - first);
        const line = alongX.data;
        for (let i = 0; i < count; i++) pack(spectrum, (z * ny + first + i) * row, line, i * nx, nx);
        alongX.transform(count, INVERSE);
        for (let i = 0; i < count; i++) {
          const to = offset + z * stride[0] + (first + i) * stride[1];
          for (let x = 0; x < width; x++) data[to + x * stride[2]] = line[i * nx + x];
        }
      }
      yield;
    }
  }

  /** Transforms the columns of one plane of the spectrum, some at a time; numbers from `filled` on count as 0. */
  #columns(spectrum: Float32Array, { lines, length, step, start, filled }: Columns, direction: Direction): void {
    for (let first = 0; first < this.width; first += LINES) {
      const count = Math.min(LINES, this.width - first);
      const from = start + 2 * first;
      const line = lines.data;
      if (filled < length) line.fill(0);
      for (let j = 0, at = from; j < filled; j++, at += step) {
        for (let i = 0, to = 2 * j; i < count; i++, to += 2 * length) {
          line[to] = spectrum[at + 2 * i];
          line[to + 1] = spectrum[at + 2 * i + 1];
        }
      }
      lines.transform(count, direction);
      for (let j = 0, at = from; j < length; j++, at += step) {
        for (let i = 0, to = 2 * j; i < count; i++, to += 2 * length) {
          spectrum[at + 2 * i] = line[to];
          spectrum[at + 2 * i + 1] = line[to + 1];
        }
      }
    }
  }
}

interface Columns {
  readonly lines: Lines;
  readonly length: number;
  /** From a number of a column to the next. */
  readonly step: number;
  /** The first number of the first column. */
  readonly start: number;
  readonly filled: number;
}

/** PFFFT puts the highest frequency, which is real, into the imaginary part of the lowest, which is real too. */
function unpack(line: Float32Array, from: number, length: number, spectrum: Float32Array, to: number): void {
  for (let k = 0; k < length; k++) spectrum[to + k] = line[from + k];
  spectrum[to + length] = spectrum[to + 1];
  spectrum[to + length + 1] = 0;
  spectrum[to + 1] = 0;
}

function pack(spectrum: Float32Array, from: number, line: Float32Array, to: number, length: number): void {
  for (let k = 0; k < length; k++) line[to + k] = spectrum[from + k];
  line[to + 1] = spectrum[from + length];
}

const FORWARD = 0;
const INVERSE = 1;
type Direction = typeof FORWARD | typeof INVERSE;

/** Memory for some lines, and their transforms, in place. Nothing of it lasts beyond one piece of work. */
interface Lines {
  readonly data: Float32Array;
  transform(count: number, direction: Direction): void;
}

interface Pffft {
  /** Lines of real numbers, or of complex ones. */
  lines(length: number, isReal: boolean): Lines;
}

let loading: Promise<Pffft> | undefined;

/** The module, compiled on the first call. */
function loadPffft(): Promise<Pffft> {
  loading ??= startPffft();
  return loading;
}

/** What the module exports, under the names that its compiler gave. */
interface PffftExports {
  readonly d: WebAssembly.Memory;
  /** Runs once, before anything else. */
  e(): void;
  /** `pffft_aligned_malloc` */
  f(bytes: number): number;
  /** `pffft_new_setup` of a length and a kind, 0 for real, 1 for complex. */
  k(length: number, kind: number): number;
  /** `pffft_transform_ordered` */
  p(setup: number, input: number, output: number, work: number, direction: number): void;
}

async function startPffft(): Promise<Pffft> {
  const { PFFFT_MODULE } = await import('../wasm/pffft.ts');
  const exports = await instantiate(PFFFT_MODULE);
  const made = new Map<string, Lines>();
  const makeLines = (length: number, isReal: boolean): Lines => {
    const size = isReal ? length : 2 * length;
    const setup = exports.k(length, isReal ? 0 : 1);
    const at = exports.f(4 * size * LINES);
    const work = exports.f(4 * size);
    // The memory never grows, so that views stay valid.
    const data = new Float32Array(exports.d.buffer, at, size * LINES);
    return {
      data,
      transform(count, direction) {
        for (let i = 0; i < count; i++) exports.p(setup, at + 4 * size * i, at + 4 * size * i, work, direction);
      },
    };
  };
  return {
    lines(length, isReal) {
      const key = `${length} ${isReal}`;
      const lines = made.get(key) ?? makeLines(length, isReal);
      made.set(key, lines);
      return lines;
    },
  };
}

async function instantiate(base64: string): Promise<PffftExports> {
  const memory: { bytes?: Uint8Array } = {};
  const imports = {
    a: () => {
      throw new Error('an assertion of PFFFT failed');
    },
    // Memory that would have to grow.
    b: () => 0,
    c: (to: number, from: number, bytes: number) => memory.bytes?.copyWithin(to, from, from + bytes),
  };
  try {
    const { instance } = await WebAssembly.instantiate(moduleBytes(base64), { a: imports });
    const exports = instance.exports as unknown as PffftExports;
    memory.bytes = new Uint8Array(exports.d.buffer);
    exports.e();
    return exports;
  } catch (cause) {
    const message = 'Fourier transforms need WebAssembly with SIMD, which does not run here';
    throw new CryoetPicksError('unsupported', message, { cause });
  }
}
