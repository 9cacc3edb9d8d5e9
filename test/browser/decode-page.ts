import { contiguousVolume, memoryStore, openTomogram, sourceFromArray, writeTomogram } from '../../src/entry/index.ts';

/** What the page found out, for the test that opened it. */
export interface DecodePageResult {
  readonly right: boolean;
}

const voxels = Float32Array.from({ length: 64 ** 3 }, (_, i) => Math.fround(Math.sin(i * i)));
const store = memoryStore();
await writeTomogram(store, sourceFromArray(contiguousVolume(voxels, [64, 64, 64])), { levels: 1 });
const { data } = await (await openTomogram(store)).read({ start: [0, 0, 0], end: [64, 64, 64] });
(globalThis as { pageResult?: DecodePageResult }).pageResult = {
  right: data.length === voxels.length && data.every((value, i) => value === voxels[i]),
};
