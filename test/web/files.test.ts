import { describe, expect, it } from 'vitest';
import { openTomogram, sourceFromArray } from '../../src/entry/index.ts';
import type { StoreKey } from '../../src/entry/io.ts';
import { encodeMrc, memoryStore, openMrc, storeReader, writeTomogram } from '../../src/entry/io.ts';
import { fileListStore } from '../../src/entry/web.ts';

const values = Float32Array.from({ length: 4 * 6 * 8 }, (_, i) => Math.sin(i));
const source = sourceFromArray({ data: values, shape: [4, 6, 8] }, { voxelSize: [10, 10, 10] });
const box = { start: [0, 0, 0], end: [4, 6, 8] } as const;

async function piecesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of stream) pieces.push(new Uint8Array(piece));
  return pieces;
}

/** A file of a folder that was chosen, as browsers make it. */
function fileAt(path: string, bytes: Uint8Array): File {
  const file = new File([bytes as Uint8Array<ArrayBuffer>], path.slice(path.lastIndexOf('/') + 1));
  return Object.defineProperty(file, 'webkitRelativePath', { value: path });
}

describe('files that were chosen in a browser', () => {
  it('a folder with an OME-Zarr image opens as the same tomogram', async () => {
    const memory = memoryStore();
    await writeTomogram(memory, source);
    const files: File[] = [];
    const visit = async (folder: StoreKey): Promise<void> => {
      for (const { name, kind } of await memory.list(folder)) {
        const key: StoreKey = folder === '/' ? `/${name}` : `${folder}/${name}`;
        if (kind === 'folder') await visit(key);
        else files.push(fileAt(`denoised.zarr${key}`, (await memory.get(key))!));
      }
    };
    await visit('/');
    const store = fileListStore(files);
    expect(store.location).toBe('denoised.zarr');
    expect((await (await openTomogram(store)).read(box)).data).toEqual(values);
    for (const folder of ['/', '/0', '/absent'] as const)
      expect(await store.list(folder)).toEqual(await memory.list(folder));
  });

  it('single files are found by their names, and read in parts', async () => {
    const store = fileListStore([new File(await piecesOf(encodeMrc(source)), 'x.mrc'), new File(['abc'], 'y.txt')]);
    expect((await store.list('/')).map(({ name }) => name)).toEqual(['x.mrc', 'y.txt']);
    expect((await (await openMrc(storeReader(store, '/x.mrc'))).read(box)).data).toEqual(values);
    expect(await store.getRange('/y.txt', { offset: 1, length: 9 })).toEqual(new Uint8Array([98, 99]));
    expect(await store.size?.('/y.txt')).toBe(3);
    expect(await store.get('/absent')).toBeUndefined();
    await expect(store.get('/y.txt', { maxValueBytes: 2 })).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('two files of one path are refused, and so is what is no list of files', () => {
    const twice = [new File([], 'a'), new File([], 'a')];
    expect(() => fileListStore(twice)).toThrow(/two of the files are called "a"/);
    for (const wrong of [undefined, null, 'a', [1], {}, [{ name: 'a' }]]) {
      expect(() => fileListStore(wrong as never)).toThrow(/files must be a FileList, or a list of Files/);
    }
  });

  it('an abort rejects', async () => {
    const store = fileListStore([new File(['abc'], 'y.txt')]);
    await expect(store.get('/y.txt', { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});
