import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openTomogram, toFloat32, writeTomogram, type Zyx } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { voxelCount } from '../../src/space/grid.ts';
import { pythonMissing, runPython } from '../support/python.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceOf, wholeBox } from '../support/volumes.ts';
import { forEachIndex } from '../support/zarr-arrays.ts';

const script = fileURLToPath(new URL('zarr_python.py', import.meta.url));
const folder = await tempDir();

describe.skipIf(pythonMissing('zarr-python'))('zarr-python (needs CRYOET_PICKS_PYTHON or PYTHON with zarr)', () => {
  const isBool = (name: string) => name.endsWith('bool');

  it('openTomogram reads the numbers that zarr-python wrote', async () => {
    const names: string[] = JSON.parse(runPython('zarr-python', script, 'write', folder));
    expect(names.length).toBeGreaterThanOrEqual(10);
    for (const name of names) {
      const tomogram = await openTomogram(directoryStore(join(folder, name)), { fallbackVoxelSize: 10 });
      const expected: number[] = [];
      forEachIndex([5, 6, 7], ([z, y, x]) => {
        const value = 100 * z! + 10 * y! + x!;
        expected.push(isBool(name) ? Math.sign(value) : name === 'v2-gzip' ? value % 256 : value);
      });
      const found = toFloat32(await tomogram.read(wholeBox([5, 6, 7]))).data;
      expect([...found], name).toEqual(expected);
    }
  });

  it.each(['float32', 'uint8'] as const)(
    'zarr-python opens what writeTomogram writes as %s, every level, with the right numbers',
    async (dtype) => {
      const shape: Zyx = [21, 34, 45];
      const data = Float32Array.from({ length: voxelCount(shape) }, (_, i) =>
        dtype === 'float32' ? Math.sin(i / 30) + (i % 7) / 100 : (i * i) % 251,
      );
      const source = sourceOf(data, shape, { voxelSize: [10.012444, 11, 12] });
      const store = directoryStore(join(folder, `written-${dtype}`));
      await writeTomogram(store, source, { dtype, chunkShape: [16, 16, 16], levels: 3 });
      const { levels } = JSON.parse(runPython('zarr-python', script, 'read', join(folder, `written-${dtype}`)));
      expect(levels).toHaveLength(3);
      expect(levels[0].values).toEqual([...data]);
      for (const [i, level] of levels.entries()) {
        const tomogram = await openTomogram(store, { level: i });
        expect(level).toMatchObject({ shape: tomogram.grid.shape, dtype });
        expect(level.transforms[0]).toEqual({ type: 'scale', scale: tomogram.grid.voxelSize });
        expect(level.values).toEqual([...toFloat32(await tomogram.read(wholeBox(tomogram.grid.shape))).data]);
      }
    },
  );
});
