import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore, type ReadableStore, subStore } from '../../src/entry/index.ts';
import { checkKey, isListable, joinKey } from '../../src/storage/store.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

describe('keys', () => {
  it.each([
    [['a', 'b'], '/a/b'],
    [['/runs/', '/TS_1/', 'Picks'], '/runs/TS_1/Picks'],
    [['/'], '/'],
    [[], '/'],
    [['', 'a', ''], '/a'],
    [['my group with spaces', '100% #1?.zarr'], '/my group with spaces/100% #1?.zarr'],
  ])('keys are joined from %j to %s', (segments, key) => {
    expect(joinKey(...segments)).toBe(key);
  });

  it.each(['', 'a', 'a/b', '//', '/a//b', '/a/', '/..', '/a/../b', '/./a', '/a/.', '/a\0b'])(
    'keys like %j make checkKey throw',
    (key) => {
      expect(() => checkKey(key)).toThrow(`${JSON.stringify(key)} is not a store key`);
    },
  );

  it('keys never leave their store when joined', () => {
    const segment = fc.stringMatching(/^[./ab\0]{0,6}$/);
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 4 }), (segments) => {
        let key: string;
        try {
          key = joinKey(...segments);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-option' });
          return;
        }
        expect(new URL(`file://${key.replaceAll('%', '%25')}`).pathname.split('/')).toHaveLength(key.split('/').length);
        expect(key.split('/')).not.toContain('..');
      }),
    );
  });
});

describe('memoryStore', () => {
  it('memoryStore returns what was set, whole and in part, and undefined for an absent key', async () => {
    const store = memoryStore([['/a/x', bytes(1, 2, 3, 4)]]);
    expect(await store.get('/a/x')).toEqual(bytes(1, 2, 3, 4));
    expect(await store.getRange('/a/x', { offset: 1, length: 2 })).toEqual(bytes(2, 3));
    expect(await store.getRange('/a/x', { offset: 3, length: 9 })).toEqual(bytes(4));
    expect(await store.getRange('/a/x', { suffixLength: 2 })).toEqual(bytes(3, 4));
    expect(await store.getRange('/a/x', { suffixLength: 9 })).toEqual(bytes(1, 2, 3, 4));
    expect(await store.get('/a')).toBeUndefined();
    expect(await store.getRange('/b', { suffixLength: 1 })).toBeUndefined();
  });

  it('memoryStore keeps what was set, whatever its writer does with the array afterwards', async () => {
    const [first, second] = [bytes(1, 2), bytes(3, 4)];
    const store = memoryStore([['/a', first]]);
    await store.set('/b', second);
    first.fill(0);
    second.fill(0);
    expect(await store.get('/a')).toEqual(bytes(1, 2));
    expect(await store.get('/b')).toEqual(bytes(3, 4));
  });

  it('memoryStore lists direct children, sorted, including hidden ones', async () => {
    const store = memoryStore([
      ['/b', bytes()],
      ['/a/.zattrs', bytes()],
      ['/a/0/0', bytes()],
      ['/ab/c', bytes()],
    ]);
    expect(await store.list('/')).toEqual([
      { name: 'a', kind: 'folder' },
      { name: 'ab', kind: 'folder' },
      { name: 'b', kind: 'file' },
    ]);
    expect(await store.list('/a')).toEqual([
      { name: '.zattrs', kind: 'file' },
      { name: '0', kind: 'folder' },
    ]);
    expect(await store.list('/none')).toEqual([]);
  });

  it('memoryStore deletes a folder with everything in it, but no key that only starts with its name', async () => {
    const store = memoryStore([
      ['/a/x', bytes(1)],
      ['/a/y/z', bytes(2)],
      ['/ab', bytes(3)],
    ]);
    await store.delete('/a');
    await store.delete('/none');
    expect(await store.list('/')).toEqual([{ name: 'ab', kind: 'file' }]);
  });

  it('memoryStore does nothing once aborted', async () => {
    const store = memoryStore();
    const signal = AbortSignal.abort('why');
    await expect(store.set('/a', bytes(1), { signal })).rejects.toBe('why');
    await expect(store.get('/a', { signal })).rejects.toBe('why');
    expect(await store.get('/a')).toBeUndefined();
  });
});

describe('subStore', () => {
  it('subStore reads, lists, writes and deletes below its folder only', async () => {
    const store = memoryStore([['/top', bytes(0)]]);
    const part = subStore(store, '/a/b');
    await part.set('/x', bytes(1));
    expect(await store.get('/a/b/x')).toEqual(bytes(1));
    expect(await part.get('/x')).toEqual(bytes(1));
    expect(await part.getRange('/x', { suffixLength: 1 })).toEqual(bytes(1));
    expect(await part.list('/')).toEqual([{ name: 'x', kind: 'file' }]);
    expect(part.location).toBe('memory/a/b');
    await part.delete('/');
    expect(await store.list('/')).toEqual([{ name: 'top', kind: 'file' }]);
    await expect((async () => part.get('/../../top'))()).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('subStore has the methods of its store, and no others', () => {
    const { location, get, getRange } = memoryStore();
    const readable: ReadableStore = { location, get, getRange };
    expect(isListable(subStore(readable, '/a'))).toBe(false);
    expect(subStore(readable, '/a')).not.toHaveProperty('set');
    expect(isListable(subStore(memoryStore(), '/a'))).toBe(true);
  });
});
