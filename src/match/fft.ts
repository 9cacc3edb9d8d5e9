import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { formatZyx, type Zyx } from '../space/grid.ts';
import type { Volume } from '../volume/volume.ts';
import { moduleBytes, PAGE_BYTES } from '../wasm/instantiate.ts';
import { FFT_KERNEL } from '../wasm/modules.ts';

/** The longest axis. */
const MAX_LENGTH = 16384;

/**
 * The smallest shape, at least as long along every axis, that can be transformed: lengths 2ᵃ3ᵇ5ᶜ, along x multiples of 4.
 *
 * @throws {@link CryoetPicksError} `unsupported` if an axis is longer than 16,384.
 */
export function transformShape(least: Zyx): Zyx {
  const shape: Zyx = [goodLength(least[0], 1), goodLength(least[1], 1), goodLength(least[2], 4)];
  if (Math.max(...shape) <= MAX_LENGTH) return shape;
  throw new CryoetPicksError(
    'unsupported',
    `${formatZyx(least)} voxels are too many for a Fourier transform; its axes are at most ${MAX_LENGTH} long`,
  );
}

function goodLength(least: number, multiple: number): number {
  for (let length = multiple * Math.max(1, Math.ceil(least / multiple)); ; length += multiple) {
    if (factorsOf(length) !== undefined) return length;
  }
}

/** The factors 4, 2, 3 and 5 of a length; undefined if it has others. */
function factorsOf(length: number): number[] | undefined {
  const factors: number[] = [];
  let rest = length;
  for (const factor of [4, 2, 3, 5]) {
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  }
  return rest === 1 ? factors : undefined;
}

/**
 * Fourier transforms of real volumes of one shape, by WebAssembly, in single precision.
 *
 * A spectrum is C-order `[kz, ky, kx, (re, im)]`; kx runs from 0 to half the length, the other half follows from the symmetry of a
 * real volume. No transform is scaled: forward and back multiplies by the number of voxels. Rows of volumes are contiguous. Planes are
 * copied into the memory of the module one at a time, so that volumes and spectra may lie anywhere, in shared memory too.
 */
export class RealTransform {
  readonly shape: Zyx;
  /** Complex numbers along kx. */
  readonly width: number;
  readonly #module: FourierModule;

  private constructor(shape: Zyx, module: FourierModule) {
    this.shape = shape;
    this.width = shape[2] / 2 + 1;
    this.#module = module;
  }

  /**
   * Prepares transforms of a shape of {@link transformShape}.
   *
   * @throws {@link CryoetPicksError} `unsupported` where WebAssembly with SIMD does not run, or a plane has no room in its memory.
   */
  static async of(shape: Zyx): Promise<RealTransform> {
    const module = await loadModule();
    module.reserve(shape);
    return new RealTransform(shape, module);
  }

  /** Memory for a spectrum. */
  newSpectrum(allocate: (length: number) => Float32Array = (length) => new Float32Array(length)): Float32Array {
    return allocate(this.shape[0] * this.#plane);
  }

  /** Memory for some planes of a spectrum. */
  newPlanes(count: number): Float32Array {
    return new Float32Array(count * this.#plane);
  }

  /** Voxels of the shape. */
  get voxels(): number {
    return this.shape[0] * this.shape[1] * this.shape[2];
  }

  /** Numbers in a plane of a spectrum. */
  get #plane(): number {
    return 2 * this.shape[1] * this.width;
  }

  /** Transforms a volume, which lies in the first corner of the shape, zeros elsewhere. Lines that are empty are not transformed. */
  *forward(volume: Volume, spectrum: Float32Array): Steps<void> {
    const [nz, ny] = this.shape;
    yield* this.#forwardPlanes(volume, spectrum);
    for (let y = 0; y < ny; y++) {
      const { plane, columns } = this.#module.open(this.shape);
      this.#take(plane, { spectrum, y, depth: volume.shape[0] });
      columns(nz, volume.shape[0], FORWARD);
      this.#give(plane, { spectrum, y, depth: nz });
      yield;
    }
  }

  /** Transforms a spectrum back, of which only the corner that `volume` holds is computed; the spectrum is used up. */
  *inverse(spectrum: Float32Array, volume: Volume): Steps<void> {
    const [nz, ny] = this.shape;
    for (let y = 0; y < ny; y++) {
      const { plane, columns } = this.#module.open(this.shape);
      this.#take(plane, { spectrum, y, depth: nz });
      columns(nz, nz, INVERSE);
      this.#give(plane, { spectrum, y, depth: volume.shape[0] });
      yield;
    }
    yield* this.#inversePlanes(spectrum, volume);
  }

  /**
   * Correlates a kernel, which lies in the first corner, with the volume of a spectrum, times the number of voxels: the kernel's
   * transform, conjugated, times the spectrum, and back, of which only the corner that `volume` holds is computed. All that is done along
   * z is done at once, for one y after the other.
   *
   * @param work - As many {@link newPlanes} as kernel and `volume` are deep, whichever is deeper; used up.
   */
  *correlate(kernel: Volume, spectrum: Float32Array, work: Float32Array, volume: Volume): Steps<void> {
    const [nz, ny] = this.shape;
    yield* this.#forwardPlanes(kernel, work);
    for (let y = 0; y < ny; y++) {
      const { plane, other, columns, multiplyConjugate } = this.#module.open(this.shape);
      this.#take(plane, { spectrum: work, y, depth: kernel.shape[0] });
      columns(nz, kernel.shape[0], FORWARD);
      this.#take(other, { spectrum, y, depth: nz });
      multiplyConjugate(nz);
      columns(nz, nz, INVERSE);
      this.#give(plane, { spectrum: work, y, depth: volume.shape[0] });
      yield;
    }
    yield* this.#inversePlanes(work, volume);
  }

  /** Transforms the planes of a volume along x and y. */
  *#forwardPlanes(
    { data, shape: [depth, height, width], offset, stride }: Volume,
    spectrum: Float32Array,
  ): Steps<void> {
    const [, ny, nx] = this.shape;
    for (let z = 0; z < depth; z++) {
      const { plane, other, columns, forwardRows } = this.#module.open(this.shape);
      other.fill(0, 0, inEights(height) * nx);
      for (let y = 0; y < height; y++) {
        const from = offset + z * stride[0] + y * stride[1];
        other.set(data.subarray(from, from + width), y * nx);
      }
      forwardRows(height);
      columns(ny, height, FORWARD);
      spectrum.set(plane.subarray(0, this.#plane), z * this.#plane);
      yield;
    }
  }

  /** Transforms planes of a spectrum back along y and x. */
  *#inversePlanes(
    spectrum: Float32Array,
    { data, shape: [depth, height, width], offset, stride }: Volume,
  ): Steps<void> {
    const [, ny, nx] = this.shape;
    for (let z = 0; z < depth; z++) {
      const { plane, other, columns, inverseRows } = this.#module.open(this.shape);
      plane.set(spectrum.subarray(z * this.#plane, (z + 1) * this.#plane));
      plane.fill(0, this.#plane, inEights(ny) * 2 * this.width);
      columns(ny, ny, INVERSE);
      inverseRows(height);
      for (let y = 0; y < height; y++) {
        data.set(other.subarray(y * nx, y * nx + width), offset + z * stride[0] + y * stride[1]);
      }
      yield;
    }
  }

  /** Copies what a spectrum has at one y into the module. */
  #take(plane: Float32Array, { spectrum, y, depth }: Cut): void {
    const row = 2 * this.width;
    for (let z = 0; z < depth; z++) {
      const from = z * this.#plane + y * row;
      plane.set(spectrum.subarray(from, from + row), z * row);
    }
  }

  /** Copies it back. */
  #give(plane: Float32Array, { spectrum, y, depth }: Cut): void {
    const row = 2 * this.width;
    for (let z = 0; z < depth; z++) {
      spectrum.set(plane.subarray(z * row, (z + 1) * row), z * this.#plane + y * row);
    }
  }
}

/** Rows are transformed in pairs, eight at once: those beyond the last must be 0, since large numbers would cost their partners digits. */
function inEights(rows: number): number {
  return 8 * Math.ceil(rows / 8);
}

interface Cut {
  readonly spectrum: Float32Array;
  readonly y: number;
  /** Planes, from the first on. */
  readonly depth: number;
}

const FORWARD = 0;
const INVERSE = 1;
type Direction = typeof FORWARD | typeof INVERSE;

/** What the module of scripts/wasm/fft.ts exports; its comments say what the functions do. */
interface FourierExports {
  columns(at: number, width: number, length: number, filled: number, ...line: LineArguments): void;
  forwardRows(at: number, to: number, rows: number, ...line: readonly [number, ...LineArguments]): void;
  inverseRows(at: number, to: number, rows: number, ...line: readonly [number, ...LineArguments]): void;
  multiplyConjugate(at: number, by: number, count: number): void;
}

/** Where the stages of a length lie, how many they are, and memory to work in; of columns the direction too. */
type LineArguments = readonly [stages: number, count: number, work: number, direction?: Direction];

/** Two planes in the memory of the module, and what it does with them. Nothing of them lasts beyond one piece of work. */
interface Planes {
  readonly plane: Float32Array;
  readonly other: Float32Array;
  /** Transforms columns of so many numbers in `plane`; those from `filled` on count as 0. */
  columns(length: number, filled: number, direction: Direction): void;
  /** Real rows in `other` to complex ones in `plane`, and back. */
  forwardRows(rows: number): void;
  inverseRows(rows: number): void;
  /** Multiplies so many rows of `plane`, conjugated, by those of `other`. */
  multiplyConjugate(rows: number): void;
}

/** The module, its memory, and the tables of the lengths that were asked for, which lie before everything else. */
class FourierModule {
  readonly #exports: FourierExports;
  readonly #memory: WebAssembly.Memory;
  readonly #stages = new Map<number, { readonly at: number; readonly count: number }>();
  #tables = 64;

  constructor(exports: FourierExports, memory: WebAssembly.Memory) {
    this.#exports = exports;
    this.#memory = memory;
  }

  /** Makes room and tables for planes of a shape. */
  reserve(shape: Zyx): void {
    for (const length of shape) this.#makeStages(length);
    const missing = this.#layout(shape).end - this.#memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      const message = `a Fourier transform of ${formatZyx(shape)} voxels has no room in the memory of WebAssembly`;
      throw new CryoetPicksError('unsupported', message, { cause });
    }
  }

  open(shape: Zyx): Planes {
    // Tables of another shape may have been made, or the memory may have grown, since the last piece of work.
    this.reserve(shape);
    const { plane, other, work, end } = this.#layout(shape);
    const { columns, forwardRows, inverseRows, multiplyConjugate } = this.#exports;
    const width = shape[2] / 2 + 1;
    const lines = this.#stages.get(shape[2])!;
    return {
      plane: new Float32Array(this.#memory.buffer, plane, (other - plane) / 4),
      other: new Float32Array(this.#memory.buffer, other, (end - other) / 4),
      columns: (length, filled, direction) => {
        const { at, count } = this.#stages.get(length)!;
        columns(plane, width, length, filled, at, count, work, direction);
      },
      forwardRows: (rows) => forwardRows(other, plane, rows, shape[2], lines.at, lines.count, work),
      inverseRows: (rows) => inverseRows(plane, other, rows, shape[2], lines.at, lines.count, work),
      multiplyConjugate: (rows) => multiplyConjugate(plane, other, 2 * Math.ceil((rows * width) / 2)),
    };
  }

  /** Where things lie for a shape. Rows come in eights, and a little is read beyond them. */
  #layout(shape: Zyx): { readonly work: number; readonly plane: number; readonly other: number; readonly end: number } {
    const rows = inEights(Math.max(shape[0], shape[1]));
    const bytes = 64 * Math.ceil((rows * (4 * shape[2] + 8) + 64) / 64);
    const work = this.#tables;
    const plane = work + 64 * (Math.max(...shape) + 2);
    return { work, plane, other: plane + bytes, end: plane + 2 * bytes };
  }

  #makeStages(length: number): void {
    if (this.#stages.has(length)) return;
    const factors = factorsOf(length)!;
    const at = this.#tables;
    let end = at + 16 * factors.length;
    const stages: number[] = [];
    const twiddles: number[] = [];
    let [left, before] = [length, 1];
    for (const factor of factors) {
      const whole = left;
      left /= factor;
      stages.push(factor, left, before, end);
      before *= factor;
      for (let p = 0; p < left; p++) {
        for (let j = 1; j < factor; j++) {
          const angle = (-2 * Math.PI * ((j * p) % whole)) / whole;
          twiddles.push(Math.cos(angle), Math.sin(angle));
        }
      }
      end = at + 16 * factors.length + 4 * twiddles.length;
    }
    const beyond = 64 * Math.ceil(end / 64);
    if (beyond > this.#memory.buffer.byteLength) {
      this.#memory.grow(Math.ceil((beyond - this.#memory.buffer.byteLength) / PAGE_BYTES));
    }
    new Uint32Array(this.#memory.buffer, at, stages.length).set(stages);
    new Float32Array(this.#memory.buffer, at + 4 * stages.length, twiddles.length).set(twiddles);
    this.#stages.set(length, { at, count: factors.length });
    this.#tables = beyond;
  }
}

let loading: Promise<FourierModule> | undefined;

/** The module, compiled on the first call. */
function loadModule(): Promise<FourierModule> {
  loading ??= startModule();
  return loading;
}

async function startModule(): Promise<FourierModule> {
  try {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(moduleBytes(FFT_KERNEL), { env: { memory } });
    return new FourierModule(instance.exports as unknown as FourierExports, memory);
  } catch (cause) {
    const message = 'Fourier transforms need WebAssembly with SIMD, which does not run here';
    throw new CryoetPicksError('unsupported', message, { cause });
  }
}
