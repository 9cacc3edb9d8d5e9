import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { subStore } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

async function* pieces(count: number, onPiece: (n: number) => void = () => {}): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) {
    onPiece(n);
    yield Uint8Array.of(n, n, n);
  }
}

describe('setPieces of a directory store', () => {
  it('setPieces writes the pieces in order, also through a sub-store', async () => {
    const store = subStore(directoryStore(folder), '/a');
    await store.setPieces!('/b/c', pieces(3));
    expect([...(await store.get('/b/c'))!]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
    expect(await readdir(join(folder, 'a', 'b'))).toEqual(['c']);
  });

  it('setPieces keeps the old value until the last piece is written, and throws what the pieces throw', async () => {
    const store = directoryStore(folder);
    await store.set('/c', Uint8Array.of(9));
    const trouble = new Error('lost');
    const writing = store.setPieces!(
      '/c',
      pieces(3, (n) => {
        if (n === 2) throw trouble;
      }),
    );
    await expect(writing).rejects.toBe(trouble);
    expect([...(await store.get('/c'))!]).toEqual([9]);
    expect(await readdir(folder)).toEqual(['c']);
  });

  it('setPieces stops with the reason when aborted, and leaves nothing behind', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const taken: number[] = [];
    const source = pieces(5, (n) => {
      taken.push(n);
      if (n === 1) controller.abort(reason);
    });
    await expect(directoryStore(folder).setPieces!('/c', source, { signal: controller.signal })).rejects.toBe(reason);
    expect(taken).toEqual([0, 1]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('setPieces writes only if the value has the version ifVersion', async () => {
    const store = directoryStore(folder);
    await store.set('/c', Uint8Array.of(9));
    await expect(store.setPieces!('/c', pieces(1), { ifVersion: null })).rejects.toMatchObject({ code: 'conflict' });
    await store.setPieces!('/c', pieces(1), { ifVersion: (await store.version!('/c'))! });
    expect([...(await store.get('/c'))!]).toEqual([0, 0, 0]);
  });
});
