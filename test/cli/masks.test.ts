import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { maskOfInput } from '../../src/cli/masks.ts';
import { memoryStore, sourceFromArray } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { projectOf } from '../support/copick-tree.ts';
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

  it('a URI is recorded whole, and margins beside it', async () => {
    const mask = await maskOfInput(
      { inside: 'lamella:me/1@10', outside: 'gold:*/2', maskMargin: 50, faceMargin: 0 },
      { project, signal },
    );
    expect(mask?.settings).toEqual({ inside: 'lamella:me/1@10', outside: 'gold:*/2', maskMargin: 50, faceMargin: 0 });
  });
});
