import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { maskOfInput } from '../../src/cli/masks.ts';
import { memoryStore, sourceFromArray, type Zyx } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { projectOf } from '../support/copick-tree.ts';
import { withoutVoxelSize } from '../support/mrc-bytes.ts';
import { tempDir } from '../support/temp-dir.ts';

const shape = [20, 3, 4] as const;
const { signal } = new AbortController();
const { project } = projectOf({ overlay: memoryStore() });

/** A folder with `m.mrc`, labels of which one voxel is set. */
async function maskIn(folder: string, { voxel, voxelSize = 10 }: { voxel: number; voxelSize?: number }) {
  const data = new Uint8Array(20 * 3 * 4);
  data[voxel] = 1;
  const path = join(folder, 'm.mrc');
  await mkdir(folder, { recursive: true });
  await writeFile(
    path,
    await encodeMrc(sourceFromArray({ data, shape }, { voxelSize: [voxelSize, voxelSize, voxelSize] })),
  );
  return path;
}

const settingsOf = async (inside: string) => (await maskOfInput({ inside }, { project, signal }))?.settings;

describe('maskOfInput', () => {
  it('two files of one name are recorded as two masks, a copy of a file as the same, none with its folder', async () => {
    const folder = await tempDir();
    const a = await settingsOf(await maskIn(join(folder, 'a'), { voxel: 200 }));
    const copy = await settingsOf(await maskIn(join(folder, 'copy'), { voxel: 200 }));
    const b = await settingsOf(await maskIn(join(folder, 'b'), { voxel: 201 }));
    const c = await settingsOf(await maskIn(join(folder, 'c'), { voxel: 200, voxelSize: 11 }));
    expect(a).toEqual({ inside: 'm.mrc', insideSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(copy).toEqual(a);
    expect(b).not.toEqual(a);
    expect(c).not.toEqual(a);
    expect(JSON.stringify([a, b, c])).not.toContain(folder);
  });

  it('a path to nothing is told as such, whatever else a URI could be made of', async () => {
    for (const path of ['../data/nomask.mrc', './labels', '/tmp/none/labels', 'nomask.tif', 'data/labels']) {
      await expect(settingsOf(path)).rejects.toThrow(`--inside ${path}: there is no such file`);
    }
  });

  it('a file that is no volume is told as such', async () => {
    const path = join(await tempDir(), 'lamella.txt');
    await writeFile(path, 'mask');
    await expect(settingsOf(path)).rejects.toThrow('is not a volume: MRC, TIFF or OME-Zarr');
  });

  it('a URI that finds no segmentation, or several, is answered by the URIs of those there are', async () => {
    const store = memoryStore();
    const { project } = projectOf({ overlay: store });
    const labels = sourceFromArray({ data: new Uint8Array(8).fill(1), shape: [2, 2, 2] }, { voxelSize: [10, 10, 10] });
    const run = await project.createRun('TS_1');
    const ask = async (inside: string) => (await maskOfInput({ inside }, { project, signal }))!.of(run, labels.grid);
    await expect(ask('lamella:me/1')).rejects.toThrow(/no segmentation of the URI "lamella:me\/1"; it has none at all/);
    for (const sessionId of ['1', '2']) {
      await run.writeSegmentation(labels, { name: 'lamella', kind: 'binary', userId: 'me', sessionId });
    }
    const both = '"lamella:me/1@10.0", "lamella:me/2@10.0"';
    await expect(ask('gold')).rejects.toThrow(`no segmentation of the URI "gold"; it has ${both}`);
    await expect(ask('lamella')).rejects.toThrow(`2 segmentations of the URI "lamella"; expected one of ${both}`);
    expect(await ask('lamella:me/1')).toHaveLength(1);
  });

  it('a segmentation is recorded with its labels, which are the same however they are stored', async () => {
    const { project } = projectOf({ overlay: memoryStore() });
    const run = await project.createRun('TS_1');
    const recorded = async (data: Uint8Array, chunkShape: Zyx) => {
      const labels = sourceFromArray({ data, shape: [2, 4, 4] }, { voxelSize: [10, 10, 10] });
      const name = { name: 'lamella', kind: 'binary', userId: 'me', sessionId: '1' } as const;
      await run.writeSegmentation(labels, { ...name, chunkShape, overwrite: true });
      const mask = await maskOfInput({ inside: 'lamella:me/1', maskMargin: 10 }, { project, signal });
      expect(mask!.settings).toEqual({ inside: 'lamella:me/1', maskMargin: 10 });
      return mask!.settingsOf!(run);
    };
    const data = new Uint8Array(32).fill(1, 3, 9);
    const first = await recorded(data, [2, 4, 4]);
    expect(first).toEqual({ insideSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await recorded(data, [1, 2, 4])).toEqual(first);
    expect(
      await recorded(
        data.map((label, i) => (i === 20 ? 1 : label)),
        [2, 4, 4],
      ),
    ).not.toEqual(first);
  });

  it('a mask of the size of the tomogram, or of larger voxels over the same box, is taken without a word', async () => {
    const inside = await maskIn(await tempDir(), { voxel: 200 });
    const warnings: string[] = [];
    const mask = await maskOfInput({ inside }, { project, signal, onWarning: (message) => warnings.push(message) });
    const { origin } = sourceFromArray({ data: new Uint8Array(1), shape: [1, 1, 1] }).grid;
    const grid = { shape, voxelSize: [10.012, 10.012, 10.012], origin } as const;
    expect(await mask!.of(undefined, grid)).toHaveLength(1);
    const finer = { shape: [40, 6, 8], voxelSize: [5, 5, 5], origin: { x: -2.5, y: -2.5, z: -2.5 } } as const;
    expect(await mask!.of(undefined, finer)).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('a mask over a part of the tomogram is told of once, for all runs', async () => {
    const inside = await maskIn(await tempDir(), { voxel: 200 });
    const warnings: string[] = [];
    const mask = await maskOfInput({ inside }, { project, signal, onWarning: (message) => warnings.push(message) });
    const grid = { shape: [20, 3, 9], voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
    for (const run of [undefined, undefined]) await mask!.of(run, grid);
    expect(warnings).toEqual([expect.stringMatching(/covers only a part of the tomogram: the mask has 20×3×4 voxels/)]);
  });

  it('a mask without voxel size is refused at once, one of another voxel size and box before a run is searched', async () => {
    const unknown = await maskIn(await tempDir(), { voxel: 200, voxelSize: 1 });
    await expect(settingsOf(unknown)).rejects.toThrow(
      /voxel size of the mask is unknown: the file says 1 Å, .*into its header/,
    );
    const none = await maskIn(await tempDir(), { voxel: 200 });
    await writeFile(none, withoutVoxelSize(await readFile(none)));
    await expect(settingsOf(none)).rejects.toThrow(
      /voxel size of the mask is unknown: the file says none; .*into its header/,
    );
    const inside = await maskIn(await tempDir(), { voxel: 200, voxelSize: 5 });
    const mask = await maskOfInput({ inside }, { project, signal });
    const grid = { shape, voxelSize: [10, 10, 10], origin: { x: 0, y: 0, z: 0 } } as const;
    await expect(mask!.of(undefined, grid)).rejects.toThrow(/20×3×4 voxels of 5×5×5 Å, the tomogram 20×3×4 voxels/);
  });

  it('a tomogram of noise given for a mask is refused, by its first voxel that is no label', async () => {
    const path = join(await tempDir(), 'lam1.mrc');
    const data = new Float32Array(20 * 3 * 4);
    data[17] = 0.25;
    await writeFile(path, await encodeMrc(sourceFromArray({ data, shape }, { voxelSize: [10, 10, 10] })));
    await expect(settingsOf(path)).rejects.toThrow(
      /voxel \(1, 1, 1\) is 0.25, expected labels, which are whole numbers/,
    );
  });

  it('a URI is recorded whole, and margins beside it', async () => {
    const mask = await maskOfInput(
      { inside: 'lamella:me/1@10', outside: 'gold:*/2', maskMargin: 50, faceMargin: 0 },
      { project, signal },
    );
    expect(mask?.settings).toEqual({ inside: 'lamella:me/1@10', outside: 'gold:*/2', maskMargin: 50, faceMargin: 0 });
  });
});
