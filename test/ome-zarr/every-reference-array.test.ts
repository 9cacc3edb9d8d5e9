import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ListableStore, StoreKey } from '../../src/entry/index.ts';
import { withConsolidated } from '../../src/entry/io.ts';
import { directoryStore, openStore } from '../../src/entry/node.ts';
import { openArray } from '../../src/ome-zarr/array.ts';
import { joinKey } from '../../src/storage/store.ts';
import values from '../fixtures/zarr-values.json' with { type: 'json' };
import { sharedData, sharedDataMissing } from '../support/shared-data.ts';

const root = sharedData('fixtures');

/** Folders of arrays below the reference data, as keys. */
function arraysIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return arraysIn(path);
    if (entry.name === '.zarray') return [relative(root, folder)];
    if (entry.name !== 'zarr.json') return [];
    return JSON.parse(readFileSync(path, 'utf8')).node_type === 'array' ? [relative(root, folder)] : [];
  });
}

describe.skipIf(sharedDataMissing)('every array of the reference stores (needs ../shared/data)', () => {
  it('every array equals that of zarr-python, or throws if it holds no numbers', async () => {
    const compared = new Set(Object.keys(values));
    const others = arraysIn(root).filter((folder) => !compared.has(folder));
    for (const folder of others) {
      await expect(openArray(directoryStore(root), `/${folder}` as StoreKey), folder).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringContaining('data type'),
      });
    }
    expect(compared.size + others.length).toBe(arraysIn(root).length);
  });

  it('every store with consolidated metadata opens by them too', async () => {
    for (const folder of ['zarrita/v2/data.zarr', 'zarrita/v3/data.zarr'].map((path) => join(root, path))) {
      if (!existsSync(folder)) continue;
      const store = directoryStore(folder);
      for (const path of arraysIn(folder).map((array) => relative(folder, join(root, array)))) {
        const [own, listed] = await Promise.allSettled(
          [store, withConsolidated(store)].map((one) => openArray(one, `/${path}` as StoreKey)),
        );
        expect(listed?.status, path).toBe(own?.status);
        if (own?.status !== 'fulfilled' || listed?.status !== 'fulfilled') continue;
        // As JSON, which leaves functions out.
        expect(JSON.stringify(listed.value)).toBe(JSON.stringify(own.value));
      }
    }
  });

  it.each([
    ['v2/data.zipped_from_within.zarr.zip', 'v2/data.zarr'],
    ['v2/data.zipped_from_parent.zarr.zip', 'v2/data.zarr'],
    ['v3/data.zipped_from_within.zarr.zip', 'v3/data.zarr'],
    ['v3/data.zipped_from_parent.zarr.zip', 'v3/data.zarr'],
    ['v3/data.uncompressed.zarr.zip', 'v3/data.zarr'],
  ])('every array in %s equals that in the folder that was zipped', async (zip, folder) => {
    const zipped = await openStore(join(root, 'zarrita', zip));
    const plain = directoryStore(join(root, 'zarrita', folder));
    const names = await namesIn(zipped, '/');
    expect(names.length).toBeGreaterThan(20);
    let shared = 0;
    for (const key of names) {
      const bytes = await zipped.get(key);
      const own = await plain.get(key);
      if (own === undefined) continue;
      shared++;
      expect(Buffer.from(bytes!).equals(own), key).toBe(true);
      const part = await zipped.getRange(key, { suffixLength: 7 });
      expect(Buffer.from(part!).equals(own.subarray(Math.max(0, own.length - 7))), key).toBe(true);
    }
    expect(shared).toBeGreaterThan(0.9 * names.length);
  });
});

async function namesIn(store: ListableStore, folder: StoreKey): Promise<StoreKey[]> {
  const found: StoreKey[] = [];
  for (const { name, kind } of await store.list(folder)) {
    const key = joinKey(folder, name);
    found.push(...(kind === 'folder' ? await namesIn(store, key) : [key]));
  }
  return found;
}
