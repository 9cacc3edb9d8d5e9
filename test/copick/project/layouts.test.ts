import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import { memoryStore } from '../../../src/entry/index.ts';
import { directoryStore } from '../../../src/entry/node.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const expected: Readonly<Record<string, readonly number[]>> = JSON.parse(
  readFileSync(`${fixtures}layouts-expected.json`, 'utf8'),
);

describe('a tomogram in an odd layout, as copick 2 reads it', () => {
  const text = JSON.stringify({ pickable_objects: [], overlay_root: 'overlay' });
  const project = projectFromStores({
    config: parseConfig(text, { source: 'copick.json' }),
    overlay: memoryStore(),
    static: directoryStore(`${fixtures}layouts`, { readOnly: true }),
  });

  it('a tomogram is listed in every layout that copick 2 reads', async () => {
    const found = await (await project.run('odd')).tomograms();
    expect(found.map(({ type }) => type)).toEqual(Object.keys(expected));
    expect(Object.keys(expected)).toHaveLength(23);
  });

  it.each(Object.entries(expected))('a tomogram in the layout of copick 2 reads the same: %s', async (type, values) => {
    const tomogram = await (await project.run('odd')).tomogram(type);
    expect(tomogram.grid).toMatchObject({ shape: [4, 5, 6], voxelSize: [10, 10, 10] });
    const { data, stride, offset } = await tomogram.read({ start: [0, 0, 0], end: [4, 5, 6] });
    const found = values.map((_, i) => {
      const [z, y, x] = [Math.floor(i / 30), Math.floor(i / 6) % 5, i % 6];
      return data[offset + z * stride[0] + y * stride[1] + x * stride[2]];
    });
    expect(found).toEqual(values);
  });
});
