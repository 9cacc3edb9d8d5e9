import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  contiguousVolume,
  measureIntensity,
  sourceFromArray,
  toFloat32,
  type VolumeSource,
  type Zyx,
} from '../../src/entry/index.ts';
import { encodeMrc, openMrc } from '../../src/entry/io.ts';
import { openMrcFile, writeMrcFile } from '../../src/entry/node.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf, wholeBox } from '../support/volumes.ts';

const shape: Zyx = [3, 4, 5];
const geometry = { voxelSize: [12.5, 11.25, 10.012], origin: { x: 1.5, y: -2, z: 0 } } as const;

function sourceBy(value: (i: number) => number, of: Zyx = shape): VolumeSource {
  const data = Float32Array.from({ length: voxelCount(of) }, (_, i) => value(i));
  return sourceOf(data, of, geometry);
}

async function bytesOf(source: VolumeSource, options?: Parameters<typeof encodeMrc>[1]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of encodeMrc(source, options)) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

const valuesOf = async (source: VolumeSource) => [...toFloat32(await source.read(wholeBox(source.grid.shape))).data];

const folder = await tempDir();

describe('encodeMrc', () => {
  const modes = [
    [2, (i: number) => Math.sin(i)],
    [12, (i: number) => i / 8],
    [0, (i: number) => i - 30],
    [1, (i: number) => 1000 * (i - 30)],
    [6, (i: number) => 1000 * i],
  ] as const;

  it.each(modes)(
    'encodeMrc writes mode %i so that openMrc reads the voxels and the geometry back',
    async (mode, value) => {
      const source = sourceBy(value);
      const volume = await openMrc(await bytesOf(source, { mode }), { origin: 'header' });
      expect(volume.grid).toEqual(source.grid);
      expect(volume.warnings()).toEqual([]);
      expect(volume.header.mode).toBe(mode);
      expect(await valuesOf(volume)).toEqual(await valuesOf(source));
    },
  );

  it('encodeMrc writes measured or given statistics, and labels', async () => {
    const source = sourceBy((i) => i);
    const { header } = await openMrc(await bytesOf(source, { labels: ['one', 'zwölf\n', 'x'.repeat(99)] }));
    expect(header.statistics).toEqual({
      minimum: 0,
      maximum: 59,
      mean: 29.5,
      deviation: Math.fround(Math.sqrt(3599 / 12)),
    });
    expect(header.labels).toEqual(['one', 'zw?lf?', 'x'.repeat(80)]);
    const intensity = await measureIntensity(sourceBy(() => 7));
    const given = await openMrc(await bytesOf(source, { intensity }));
    expect(given.header.statistics).toMatchObject({ minimum: 7, maximum: 7 });
  });

  it('encodeMrc writes volumes and planes larger than a piece without gaps', async () => {
    for (const large of [
      [5, 700, 500],
      [2, 1100, 1000],
    ] as const) {
      const source = sourceBy((i) => i % 251, large);
      const parts: number[] = [];
      for await (const part of encodeMrc(source, { mode: 6 })) parts.push(part.length);
      expect(parts.length).toBeGreaterThan(2);
      expect(Math.max(...parts)).toBeLessThanOrEqual(2 ** 22);
      const volume = await openMrc(await bytesOf(source, { mode: 6 }));
      const found = toFloat32(await volume.read(wholeBox(large))).data;
      expect(found.findIndex((value, i) => value !== i % 251)).toBe(-1);
    }
  });

  it.each<[string, number, () => number]>([
    ['a fraction as bytes', 0, () => 0.5],
    ['128 as a byte', 0, () => 128],
    ['−1 as uint16', 6, () => -1],
    ['40000 as int16', 1, () => 40000],
    ['70000 as float16', 12, () => 70000],
    ['an unknown mode', 4, () => 0],
  ])('encodeMrc throws for %s', async (_, mode, value) => {
    await expect(bytesOf(sourceBy(value), { mode: mode as 0 })).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('encodeMrc stops when it is aborted', async () => {
    const controller = new AbortController();
    const pieces = encodeMrc(
      sourceBy((i) => i),
      { signal: controller.signal },
    );
    await pieces.next();
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(pieces.next()).rejects.toBe(reason);
  });
});

describe('files', () => {
  it('writeMrcFile writes a file that openMrcFile reads by seeking', async () => {
    const path = join(folder, 'deep', 'a.mrc');
    const source = sourceBy((i) => i);
    await writeMrcFile(path, source);
    const volume = await openMrcFile(path);
    expect(await valuesOf(volume)).toEqual(await valuesOf(source));
    expect(readdirSync(join(folder, 'deep'))).toEqual(['a.mrc']);
  });

  it('writeMrcFile keeps the old file and leaves no other when a write fails', async () => {
    const path = join(folder, 'kept', 'a.mrc');
    await writeMrcFile(
      path,
      sourceBy((i) => i),
    );
    const before = readFileSync(path);
    const failing: VolumeSource = { ...sourceBy(() => 0), read: () => Promise.reject(new Error('gone')) };
    const intensity = await measureIntensity(sourceBy((i) => i));
    await expect(writeMrcFile(path, failing, { intensity })).rejects.toThrow('gone');
    await expect(
      writeMrcFile(
        path,
        sourceBy((i) => i),
        { signal: AbortSignal.abort(new Error('stop')) },
      ),
    ).rejects.toThrow('stop');
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(join(folder, 'kept'))).toEqual(['a.mrc']);
  });

  it('openMrcFile throws for a missing file and for a folder', async () => {
    await expect(openMrcFile(join(folder, 'none.mrc'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(openMrcFile(folder)).rejects.toMatchObject({ code: 'not-found' });
    writeFileSync(join(folder, 'file'), '');
    await expect(
      writeMrcFile(
        join(folder, 'file', 'a.mrc'),
        sourceBy(() => 1),
      ),
    ).rejects.toMatchObject({ code: 'write-failed' });
  });

  it('openMrcFile opens a file of 10 GB by its header and reads only the box', async () => {
    const path = join(folder, 'sparse.mrc');
    const parts: Uint8Array[] = [];
    for await (const part of encodeMrc(sourceBy((i) => i))) parts.push(part);
    const header = parts[0]!.slice();
    // 1000 × 1600 × 1600 voxels of float32, of which the file system keeps what is written.
    const view = new DataView(header.buffer, header.byteOffset);
    for (const [i, count] of [1600, 1600, 1000].entries()) {
      view.setInt32(4 * i, count, true);
      view.setInt32(28 + 4 * i, count, true);
    }
    const size = 1024 + 4 * 1600 * 1600 * 1000;
    const file = await open(path, 'w');
    await file.write(header);
    await file.write(Buffer.from(Float32Array.of(42).buffer), 0, 4, size - 4);
    await file.close();
    const before = process.memoryUsage().arrayBuffers;
    const volume = await openMrcFile(path);
    expect(volume.grid.shape).toEqual([1000, 1600, 1600]);
    const corner = await volume.read({ start: [999, 1598, 1590], end: [1000, 1600, 1600] });
    expect([...toFloat32(corner).data]).toEqual([...new Array(19).fill(0), 42]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  it('a read names a file that has shrunk since it was opened', async () => {
    const path = join(folder, 'shrinking.mrc');
    await writeMrcFile(
      path,
      sourceBy((i) => i),
    );
    const volume = await openMrcFile(path);
    writeFileSync(path, readFileSync(path).subarray(0, 1100));
    await expect(valuesOf(volume)).rejects.toMatchObject({ code: 'corrupt-data' });
  });
});

describe.skipIf(pythonMissing('mrcfile'))('mrcfile (needs CRYOET_PICKS_PYTHON or PYTHON with mrcfile)', () => {
  const script = `
import json, sys, mrcfile

def tell(path):
    assert mrcfile.validate(path, print_file=sys.stderr)
    m = mrcfile.open(path)
    size = [float(m.voxel_size[a]) for a in "zyx"]
    return [m.data.dtype.name, m.data.shape, size, m.data.ravel().astype(float).tolist()]

print(json.dumps([tell(path) for path in sys.argv[1:]]))
`;
  const modes = [
    [2, 'float32'],
    [12, 'float16'],
    [0, 'int8'],
    [1, 'int16'],
    [6, 'uint16'],
  ] as const;
  let told: readonly [type: string, shape: readonly number[], size: readonly number[], values: readonly number[]][];

  beforeAll(async () => {
    const paths = modes.map(([mode]) => join(folder, `mode-${mode}.mrc`));
    for (const [index, [mode]] of modes.entries()) {
      await writeMrcFile(
        paths[index]!,
        sourceBy((i) => i + 1),
        { mode },
      );
    }
    told = JSON.parse(runPython('mrcfile', '-c', script, ...paths));
  });

  it.each(modes.map(([mode, dtype], index) => [mode, dtype, index] as const))(
    'mrcfile validates mode %i and reads the same numbers',
    (_, dtype, index) => {
      const [type, found, size, values] = told[index]!;
      expect([type, found]).toEqual([dtype, [...shape]]);
      for (const axis of [0, 1, 2]) expect(size[axis]).toBeCloseTo(geometry.voxelSize[axis]!, 5);
      expect(values).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    },
  );
});

it('encodeMrc throws if a source gives fewer voxels than its grid has, also with intensity given', async () => {
  const whole = sourceFromArray({ data: Float32Array.from({ length: 60 }, (_, i) => i), shape });
  const intensity = await measureIntensity(whole);
  const short: VolumeSource = { ...whole, read: async () => contiguousVolume(new Float32Array(20), [1, 4, 5]) };
  const pieces = encodeMrc(short, { intensity });
  await pieces.next();
  await expect(pieces.next()).rejects.toMatchObject({ code: 'corrupt-data' });
});
