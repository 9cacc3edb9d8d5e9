import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  type Box,
  contiguousVolume,
  functionModel,
  measureIntensity,
  memoryStore,
  openTomogram,
  planTiles,
  type ReadOptions,
  scoreSlabs,
  sourceFromArray,
  toFloat32,
  type Volume,
  type VolumeSource,
  writeTomogram,
  type Zyx,
} from '../../src/entry/index.ts';
import { boxShape, voxelCount } from '../../src/space/grid.ts';
import { readInto, readPaddedInto } from '../../src/volume/volume.ts';
import { joinSlabs } from '../support/score-map.ts';
import { sourceOf, wholeBox } from '../support/volumes.ts';

/** Voxel (z, y, x) holds 100 z + 10 y + x. */
function counting([depth, height, width]: Zyx): Float32Array {
  const data = new Float32Array(depth * height * width);
  for (let i = 0; i < data.length; i++) {
    data[i] = 100 * Math.floor(i / (height * width)) + 10 * (Math.floor(i / width) % height) + (i % width);
  }
  return data;
}

/** Index of numpy.pad(mode='reflect'), by walking to and fro. */
function reflected(i: number, length: number): number {
  let index = 0;
  let step = 1;
  for (let walked = 0; walked < Math.abs(i); walked++) {
    if (length === 1) return 0;
    if (index + step < 0 || index + step >= length) step = -step;
    index += step;
  }
  return index;
}

describe('readPaddedInto', () => {
  it('readPaddedInto reads boxes that are 300,000 voxels long', async () => {
    const source = sourceOf(Float32Array.of(1, 2, 3), [1, 1, 3]);
    const out = new Float32Array(300_000);
    await readPaddedInto(source, { start: [0, 0, 0], end: [1, 1, out.length] }, out);
    expect([...out.subarray(0, 7)]).toEqual([1, 2, 3, 2, 1, 2, 3]);
    expect(out.at(-1)).toBe([1, 2, 3, 2][(out.length - 1) % 4]);
  });

  it('readPaddedInto mirrors at the faces like numpy, for any box', async () => {
    const index = fc.integer({ min: -9, max: 9 });
    const edge = fc.integer({ min: 1, max: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(edge, edge, edge),
        fc.tuple(index, index, index),
        fc.tuple(edge, edge, edge),
        async (shape, start, extent) => {
          const box: Box = { start, end: [start[0] + extent[0], start[1] + extent[1], start[2] + extent[2]] };
          const out = new Float32Array(voxelCount(extent)).fill(Number.NaN);
          await readPaddedInto(sourceOf(counting(shape), shape), box, out);
          const expected: number[] = [];
          for (let z = 0; z < extent[0]; z++)
            for (let y = 0; y < extent[1]; y++)
              for (let x = 0; x < extent[2]; x++)
                expected.push(
                  // Symmetric about 0, so a walk to the left is one to the right.
                  100 * reflected(start[0] + z, shape[0]) +
                    10 * reflected(start[1] + y, shape[1]) +
                    reflected(start[2] + x, shape[2]),
                );
          expect([...out]).toEqual(expected);
        },
      ),
    );
  });

  it('readPaddedInto lets the event loop turn while it mirrors a large box, and mirrors it as a small one', async () => {
    const width = 400_000;
    const source = sourceOf(
      Float32Array.from({ length: 4 * width }, (_, i) => i),
      [2, 2, width],
    );
    const out = new Float32Array(9 * (width + 1));
    // On this clock every piece of work is long, so that each one ends with a turn.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    await readPaddedInto(source, { start: [0, 0, 0], end: [3, 3, width + 1] }, out).finally(() => {
      counting = false;
      clock.mockRestore();
    });
    // Two of nine rows at a time.
    expect(turns).toBeGreaterThanOrEqual(4);
    for (let row = 0; row < 9; row++) {
      const first = width * (2 * (Math.floor(row / 3) % 2) + ((row % 3) % 2));
      const [start, end] = [row * (width + 1), (row + 1) * (width + 1)];
      expect([out[start], out[end - 2], out[end - 1]]).toEqual([first, first + width - 1, first + width - 2]);
    }
  });

  it('readPaddedInto gives the numbers of numpy.pad', async () => {
    const out = new Float32Array(11);
    const source = sourceOf(Float32Array.of(0, 1, 2), [1, 1, 3]);
    await readPaddedInto(source, { start: [0, 0, -4], end: [1, 1, 7] }, out);
    // numpy.pad([0, 1, 2], 4, mode='reflect')
    expect([...out]).toEqual([0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
  });

  it('readPaddedInto reads only voxels inside the source', async () => {
    const boxes: Box[] = [];
    const source = sourceOf(counting([4, 4, 4]), [4, 4, 4]);
    const watched = {
      grid: source.grid,
      read: (box: Box) => {
        boxes.push(box);
        return source.read(box);
      },
    };
    await readPaddedInto(watched, { start: [2, -1, 0], end: [6, 1, 4] }, new Float32Array(32));
    expect(boxes).toEqual([{ start: [1, 0, 0], end: [4, 2, 4] }]);
  });

  it('readPaddedInto rejects with the abort reason', async () => {
    const source = sourceOf(counting([2, 2, 2]), [2, 2, 2]);
    const box = { start: [0, 0, 0], end: [2, 2, 2] } as const;
    const signal = AbortSignal.abort('enough');
    await expect(readPaddedInto(source, box, new Float32Array(8), { signal })).rejects.toBe('enough');
  });
});

const shape: Zyx = [8, 8, 24];
const voxels = Float32Array.from({ length: voxelCount(shape) }, (_, i) => 1 + Math.abs(Math.sin(i)));
const plain = sourceFromArray({ data: voxels, shape });

/** Heeds `out` and `lend`, and counts what each read costs. */
function optionSource() {
  const counts = { filled: 0, lent: 0, released: 0, allocated: 0 };
  const read = async (box: Box, { out, lend }: ReadOptions = {}): Promise<Volume> => {
    const view = await plain.read(box);
    if (out) {
      counts.filled++;
      out.set(toFloat32(view).data);
      return contiguousVolume(out, boxShape(box));
    }
    if (lend) {
      counts.lent++;
      return { ...view, release: () => void counts.released++ };
    }
    counts.allocated++;
    return toFloat32(view);
  };
  return { counts, source: { grid: plain.grid, chunkShape: [8, 8, 8], read } satisfies VolumeSource };
}

/** A source in a class, as a user may write one. */
class WrappedSource implements VolumeSource {
  readonly grid;
  readonly chunkShape;
  readonly #source: VolumeSource;

  constructor(source: VolumeSource) {
    this.grid = source.grid;
    this.chunkShape = source.chunkShape;
    this.#source = source;
  }

  read(box: Box, options?: ReadOptions): Promise<Volume> {
    return this.#source.read(box, options);
  }
}

class NegatedSource extends WrappedSource {
  override async read(box: Box, options?: ReadOptions): Promise<Volume> {
    return negated(await super.read(box, options));
  }
}

function negated(volume: Volume): Volume {
  const copy = toFloat32(volume);
  volume.release?.();
  for (let i = 0; i < copy.data.length; i++) copy.data[i] *= -1;
  return copy;
}

const negatedRead =
  (source: VolumeSource): VolumeSource['read'] =>
  async (box, options) =>
    negated(await source.read(box, options));

const negatedSources: [string, (source: VolumeSource) => VolumeSource][] = [
  ['spread', (source) => ({ ...source, read: negatedRead(source) })],
  ['bound', (source) => ({ ...source, read: NegatedSource.prototype.read.bind(new NegatedSource(source)) })],
  [
    'proxied',
    (source) =>
      new Proxy(source, { get: (target, key) => (key === 'read' ? negatedRead(target) : Reflect.get(target, key)) }),
  ],
  ['subclassed', (source) => new NegatedSource(source)],
];

const passingSources: [string, (source: VolumeSource) => VolumeSource][] = [
  ['spread', (source) => ({ ...source, read: (box, options) => source.read(box, options) })],
  ['bound', (source) => ({ ...source, read: source.read.bind(source) })],
  ['proxied', (source) => new Proxy(source, {})],
  ['subclassed', (source) => new WrappedSource(source)],
];

/** Has the tiles of a volume scored by their own voxels. */
async function scoresOf(source: VolumeSource): Promise<Float32Array> {
  const model = functionModel((tile) => tile, { classes: ['a'], tile: [8, 8, 8] });
  const plan = planTiles(shape, { tile: [8, 8, 8], outputStride: 1 });
  return (await joinSlabs(scoreSlabs(source, { plan, model }))).data;
}

const levelSources: [string, () => Promise<VolumeSource>][] = [
  ['a tomogram', async () => openTomogram(await storedVoxels())],
  ['an array', async () => plain],
];

async function storedVoxels() {
  const store = memoryStore();
  await writeTomogram(store, plain, { chunkShape: [8, 8, 8], levels: 1 });
  return store;
}

describe('a wrapper that replaces read', () => {
  const cases = levelSources.flatMap(([what, open]) =>
    negatedSources.map(([how, wrap]) => [how, what, open, wrap] as const),
  );

  it.each(cases)(
    'a wrapper that is %s over %s gives its own voxels to the intensity pass and to tiles',
    async (_, __, open, wrap) => {
      const source = wrap(await open());
      const { mean } = await measureIntensity(plain);
      expect((await measureIntensity(source)).mean).toBeCloseTo(-mean, 6);
      expect(await scoresOf(source)).toEqual(voxels.map((value) => -value));
      // The wrapped source still has its own voxels.
      expect(toFloat32(await plain.read(wholeBox(shape))).data).toEqual(voxels);
    },
  );

  it('a wrapper that replaces read gives its own voxels to a writer of exact integers', async () => {
    const doubled: VolumeSource = {
      ...sourceFromArray({ data: Uint32Array.of(1, 2, 3, 4), shape: [1, 2, 2] }),
      read: async () => contiguousVolume(Float32Array.of(2, 4, 6, 8), [1, 2, 2]),
    };
    const store = memoryStore();
    await writeTomogram(store, doubled, { dtype: 'uint32' });
    const { data } = await (await openTomogram(store)).read(wholeBox([1, 2, 2]));
    expect([...data]).toEqual([2, 4, 6, 8]);
  });
});

describe('a wrapper that passes the options of read on', () => {
  /** What the reads of an intensity pass and of all tiles cost, and how many rows were copied in between. */
  async function costOf(wrap: (source: VolumeSource) => VolumeSource) {
    const { counts, source } = optionSource();
    const copies = vi.spyOn(Float32Array.prototype, 'set');
    try {
      const wrapped = wrap(source);
      await measureIntensity(wrapped);
      const scores = await scoresOf(wrapped);
      return { ...counts, copies: copies.mock.calls.length, scores };
    } finally {
      copies.mockRestore();
    }
  }

  it.each(passingSources)(
    'a wrapper that is %s and passes the options on copies no more than the plain source',
    async (_, wrap) => {
      const plainCost = await costOf((source) => source);
      expect(plainCost).toMatchObject({ lent: 3, released: 3, filled: 4, allocated: 0, scores: voxels });
      expect(await costOf(wrap)).toEqual(plainCost);
    },
  );
});

describe('a wrapper that computes with exact voxels', () => {
  const box = wholeBox([1, 1, 3]);
  const negative = (source: VolumeSource): VolumeSource => ({
    ...source,
    async read(box, options) {
      const volume = await source.read(box, options);
      return { ...volume, data: volume.data.map((value) => -value) };
    },
  });

  it.each([
    ['uint8', Uint8Array.of(0, 1, 255)],
    ['int16', Int16Array.of(-32768, 0, 32767)],
    ['uint32', Uint32Array.of(0, 1, 2 ** 32 - 1)],
    ['float32', Float32Array.of(0, 0.1, 1e30)],
    ['float64', Float64Array.of(0, 0.1, 2 ** 53 - 1)],
  ] as const)('negates the %s voxels of an array and of a tomogram', async (dtype, data) => {
    const array = sourceFromArray({ data, shape: [1, 1, 3] });
    const sources = [array];
    if (dtype !== 'float64') {
      const store = memoryStore();
      await writeTomogram(store, array, { dtype, levels: 1 });
      sources.push(await openTomogram(store));
    }
    for (const source of sources) {
      const out = new Float64Array(3);
      await readInto(negative(source), box, out);
      expect([...out].map((value) => value + 0)).toEqual(Array.from(data, (value) => 0 - value));
    }
  });

  it('writeTomogram writes labels above 2^24 that a wrapper negates', async () => {
    const store = memoryStore();
    const labels = sourceFromArray({ data: Uint32Array.of(0, 1, 2 ** 24 + 1), shape: [1, 1, 3] });
    await writeTomogram(store, negative(labels), { dtype: 'int32', levels: 1 });
    const { data } = await (await openTomogram(store)).read(box, { exact: true });
    expect([...data]).toEqual([0, -1, -(2 ** 24) - 1]);
  });
});

describe('readInto', () => {
  const box = { start: [0, 0, 0], end: [2, 2, 2] } as const;
  const numbers = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);

  it('readInto accepts a view of its own memory with swapped axes', async () => {
    const swapped: VolumeSource = {
      ...plain,
      read: async (_, { out = new Float32Array(8) } = {}) => {
        out.set(numbers);
        return { data: out, shape: [2, 2, 2], stride: [1, 2, 4], offset: 0 };
      },
    };
    const out = new Float32Array(8);
    await readInto(swapped, box, out);
    expect([...out]).toEqual([1, 5, 3, 7, 2, 6, 4, 8]);
  });

  it.each<[string, (numbers: number[]) => ArrayLike<number>]>([
    ['float64', (numbers) => Float64Array.from(numbers)],
    ['int16', (numbers) => Int16Array.from(numbers)],
    ['plain numbers', (numbers) => numbers],
  ])('measureIntensity measures a source of %s as of float32', async (_, arrayOf) => {
    const numbers = Array.from({ length: 1000 }, (_, i) => i % 251);
    const volume = contiguousVolume(Float32Array.from(numbers), [10, 10, 10]);
    const floats = sourceFromArray(volume, { voxelSize: [10, 10, 10] });
    const data = arrayOf(numbers) as Float32Array;
    const source: VolumeSource = { ...floats, read: async (box) => ({ ...(await floats.read(box)), data }) };
    expect(await measureIntensity(source)).toEqual(await measureIntensity(floats));
  });

  it('readInto copies from a source that ignores the options', async () => {
    for (const out of [new Float32Array(8), new Float64Array(8)]) {
      await readInto({ ...plain, read: async () => contiguousVolume(numbers, [2, 2, 2]) }, box, out);
      expect([...out]).toEqual([...numbers]);
    }
  });

  it('readInto gives float64 memory the integers that float32 rounds', async () => {
    const ids = Uint32Array.from(numbers, (value) => 2 ** 24 + value);
    const out = new Float64Array(8);
    await readInto(sourceFromArray({ data: ids, shape: [2, 2, 2] }), box, out);
    expect([...out]).toEqual([...ids]);
  });

  it('readPaddedInto releases the voxels that it was lent', async () => {
    const { counts, source } = optionSource();
    await readPaddedInto(source, { start: [-1, 0, 0], end: [1, 2, 2] }, new Float32Array(8));
    expect(counts).toEqual({ filled: 0, lent: 1, released: 1, allocated: 0 });
  });

  it.each([{}, { stride: [2, 2, 1] }])('readInto releases voxels lent as { data, shape } and %o', async (layout) => {
    let released = 0;
    const lent = { data: Float32Array.of(1, 2), shape: [1, 1, 2], ...layout, release: () => void released++ };
    const source: VolumeSource = { grid: { ...plain.grid, shape: [1, 1, 2] }, read: async () => lent as never };
    await readInto(source, wholeBox([1, 1, 2]), new Float32Array(2));
    expect(released).toBe(1);
    await measureIntensity(source);
    expect(released).toBe(2);
  });

  it.each([
    ['a voxel too few', [1, 1, 1], [1, 2], 'the source gave 1×1×1 voxels for a box of 1×1×2 from voxel 0×0×0'],
    ['a voxel too many', [1, 1, 3], [1, 2, 3], 'the source gave 1×1×3 voxels for a box of 1×1×2'],
    ['less data than it has voxels', [1, 1, 2], [1], 'does not lie in its data of 1 values'],
  ] as const)('readInto and measureIntensity throw if a source returns %s', async (_, wrong, values, message) => {
    const source: VolumeSource = {
      grid: { ...plain.grid, shape: [1, 1, 2] },
      read: async () => ({ data: Float32Array.from(values), shape: wrong, stride: [2, 2, 1], offset: 0 }),
    };
    const small = { start: [0, 0, 0], end: [1, 1, 2] } as const;
    await expect(readInto(source, small, new Float32Array(2))).rejects.toThrow(message);
    await expect(readPaddedInto(source, small, new Float32Array(2))).rejects.toThrow(message);
    await expect(measureIntensity(source)).rejects.toThrow(message);
  });
});
