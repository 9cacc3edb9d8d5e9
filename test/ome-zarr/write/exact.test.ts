import { describe, expect, it } from 'vitest';
import { memoryStore, openTomogram, writeTomogram } from '../../../src/entry/index.ts';
import { sourceOf } from '../../support/volumes.ts';

describe('whole numbers that float32 rounds', () => {
  it('writeTomogram copies integers above 2^24 from image to image exactly', async () => {
    const ids = Uint32Array.from([0, 1, 2 ** 24 + 1, 2 ** 32 - 1]);
    const stores = [memoryStore(), memoryStore()] as const;
    await writeTomogram(stores[0], sourceOf(ids, [1, 2, 2]), { dtype: 'uint32' });
    await writeTomogram(stores[1], await openTomogram(stores[0]), { dtype: 'uint32' });
    const { data } = await (await openTomogram(stores[1])).read({ start: [0, 0, 0], end: [1, 2, 2] }, { exact: true });
    expect(data).toEqual(Float64Array.from(ids));
  });
});
