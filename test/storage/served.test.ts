import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newConfig, projectFromStores } from '../../src/entry/copick.ts';
import {
  memoryStore,
  openTomogram,
  type Store,
  type StoreKey,
  sourceFromArray,
  writeTomogram,
} from '../../src/entry/index.ts';
import { encodeMrc, openMrc, storeReader } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { servedStore } from '../../src/entry/web.ts';
import { type ServedStore, type StoreServer, serveStores } from '../../src/node/store-server.ts';
import { scriptedServer, serveBytes } from '../support/scripted-server.ts';
import { tempDir } from '../support/temp-dir.ts';

let server: StoreServer;
let folder: string;
let disk: Store;
let served: Store;

const values = Float32Array.from({ length: 4 * 6 * 8 }, (_, i) => Math.sin(i));
const source = sourceFromArray({ data: values, shape: [4, 6, 8] }, { voxelSize: [10, 10, 10] });
const objects = [{ name: 'ribosome', radius: 150 }];
const picks = [{ object: 'ribosome', position: { x: 10, y: 20, z: 30 }, score: 0.5 }];

beforeAll(async () => {
  folder = await tempDir();
  await mkdir(join(folder, 'ExperimentRuns/TS 1 é#?%'), { recursive: true });
  disk = directoryStore(folder);
  const fixed = { store: directoryStore(folder, { readOnly: true }), folder };
  const data = new Map<string, ServedStore>([
    ['overlay', { store: disk, writable: disk, folder }],
    ['static', fixed],
  ]);
  server = await serveStores({ data, files: new Map() }, { port: 0 });
  served = servedStore(`${server.address}data/overlay`);
});

afterAll(() => server.close());

describe('a store that view serves', () => {
  it('reads, lists and measures what the store behind it does, under names of any characters', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i);
    const keys: StoreKey[] = ['/a b/ü%2f#?', '/a b/plain', "/a b/'quoted' & <b>"];
    for (const key of keys) await disk.set(key, bytes);
    for (const key of keys) {
      expect(await served.get(key)).toEqual(bytes);
      expect(await served.getRange(key, { offset: 7, length: 9 })).toEqual(bytes.subarray(7, 16));
      expect(await served.getRange(key, { suffixLength: 9 })).toEqual(bytes.subarray(991));
      expect(await served.size?.(key)).toBe(1000);
    }
    expect(await served.list('/a b')).toEqual(await disk.list('/a b'));
    expect(await served.list('/absent')).toEqual([]);
    expect(await served.get('/absent')).toBeUndefined();
    expect(await served.version?.('/absent')).toBeUndefined();
  });

  it('opens the same tomogram and the same MRC file', async () => {
    await writeTomogram(disk, source);
    const box = { start: [0, 0, 0], end: [4, 6, 8] } as const;
    expect((await (await openTomogram(served)).read(box)).data).toEqual(values);
    await writeFile(join(folder, 'x.mrc'), await encodeMrc(source));
    const mrc = await openMrc(storeReader(served, '/x.mrc'));
    expect((await mrc.read(box)).data).toEqual(values);
  });

  it('writes picks of a run in the version that was read; a second writer gets a conflict and loses nothing', async () => {
    const config = newConfig({ overlayRoot: 'overlay', objects });
    const [one, two] = [0, 1].map(() =>
      projectFromStores({ config, overlay: servedStore(`${server.address}data/overlay`) }),
    );
    const by = { userId: 'me', sessionId: '1' };
    const [run, other] = await Promise.all([one!.run('TS 1 é#?%'), two!.run('TS 1 é#?%')]);
    await run.writePicks(picks, {
      ...by,
      ifVersion: { ribosome: null },
      provenance: { ribosome: { program: 'view' } },
    });
    const [set] = await other.pickSets(by);
    const { picks: read, version } = await set!.read();
    expect(read).toMatchObject(picks);
    expect(await set!.origin()).toMatchObject({ provenance: { program: 'view' } });
    // A record of another length: it "has changed while it was read" once.
    const provenance = { ribosome: { program: 'view', thresholds: { ribosome: 0.5 } } };
    await run.writePicks([], { ...by, objects: ['ribosome'], ifVersion: { ribosome: version }, provenance });
    const late = other.writePicks(picks, { ...by, ifVersion: { ribosome: version } });
    await expect(late).rejects.toMatchObject({ code: 'conflict' });
    expect((await (await run.pickSets(by))[0]!.read()).picks).toEqual([]);
  });

  it('has the same version as the store on disk, and refuses what is no version', async () => {
    await disk.set('/v.json', new Uint8Array(3));
    expect(await served.version?.('/v.json')).toBe(await disk.version?.('/v.json'));
    const absurd = served.set('/v.json', new Uint8Array(1), { ifVersion: 'absurd' });
    await expect(absurd).rejects.toMatchObject({ code: 'invalid-option', option: 'ifVersion' });
  });

  it('throws the error of the store behind it, with its code and message', async () => {
    const fixed = servedStore(`${server.address}data/static`);
    const bytes = new Uint8Array(1);
    await expect(fixed.set('/x.json', bytes, { ifVersion: null })).rejects.toMatchObject({ code: 'read-only' });
    await expect(served.get('/a b')).rejects.toMatchObject({ code: 'corrupt-data', message: /it is a folder/ });
    const blocked = served.set('/v.json/x.json', bytes, { ifVersion: null });
    await expect(blocked).rejects.toMatchObject({ code: 'write-failed', message: /a file is in the way/ });
    const blind = served.set('/v.json', bytes);
    await expect(blind).rejects.toMatchObject({ code: 'invalid-option', message: /expected If-Match/ });
    const huge = served.set('/huge.json', new Uint8Array(2 ** 26 + 1), { ifVersion: null });
    await expect(huge).rejects.toMatchObject({ code: 'write-failed', message: /67108864 bytes/ });
  });

  it('deletes nothing, and says so; what is absent is deleted already', async () => {
    await expect(served.delete('/v.json')).rejects.toMatchObject({ code: 'read-only' });
    await expect(served.delete('/absent')).resolves.toBeUndefined();
    expect(await disk.get('/v.json')).toEqual(new Uint8Array(3));
  });

  it('says that the server has ended', async () => {
    const other = await serveStores({ data: new Map(), files: new Map() }, { port: 0 });
    const gone = servedStore(`${other.address}data/overlay`);
    await other.close();
    const write = gone.set('/x.json', new Uint8Array(1), { ifVersion: null });
    await expect(write).rejects.toMatchObject({ code: 'write-failed', message: /still running/ });
    await expect(gone.version?.('/x.json')).rejects.toMatchObject({ code: 'unavailable' });
    const reads = [gone.get('/x.json'), gone.getRange('/x.json', { offset: 0, length: 1 }), gone.list('/x')];
    const told = { code: 'unavailable', message: /still running/ };
    await Promise.all(reads.map((read) => expect(read).rejects.toMatchObject(told)));
  });

  it('rejects at once when its signal fires, and writes nothing afterwards', async () => {
    const controller = new AbortController();
    const hanging = servedStore('http://localhost/data/overlay', { fetch: () => new Promise(() => {}) });
    const { signal } = controller;
    const calls = [
      hanging.get('/x', { signal }),
      hanging.list('/x', { signal }),
      hanging.set('/x', new Uint8Array(1), { signal }),
      hanging.version!('/x', { signal }),
    ];
    controller.abort(new Error('enough'));
    for (const call of calls) await expect(call).rejects.toThrow('enough');
  });

  it('reads picks and what made them from a server of files that sends no ETag, or a weak one, and deletes nothing there', async () => {
    const config = newConfig({ overlayRoot: 'overlay', objects });
    const store = memoryStore();
    const by = { userId: 'me', sessionId: '1' };
    const run = await projectFromStores({ config, overlay: store }).createRun('TS_1');
    await run.writePicks(picks, { ...by, provenance: { ribosome: { program: 'view' } } });
    for (const headers of [{}, { ETag: 'W/"a"' }]) {
      const host = await scriptedServer(async (request, response) => {
        const [, kind, key = ''] = /^\/(data|list)\/overlay(.*)$/.exec(request.url!) ?? [];
        const list = async () =>
          JSON.stringify(await store.list((key.replace(/\/index.json$/, '') || '/') as StoreKey));
        const bytes = kind === 'list' ? new TextEncoder().encode(await list()) : await store.get(key as StoreKey);
        if (bytes) for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        serveBytes(request, response, bytes);
      });
      const plain = servedStore(`${host.url}/data/overlay`);
      const [set] = await (await projectFromStores({ config, overlay: plain }).run('TS_1')).pickSets(by);
      expect(await set!.read()).toMatchObject({ picks, version: undefined });
      expect(await set!.origin()).toMatchObject({ provenance: { program: 'view' }, version: undefined });
      const key = '/ExperimentRuns/TS_1/Picks/me_1_ribosome.json';
      await expect(plain.delete(key)).rejects.toMatchObject({ code: 'read-only' });
      await host.close();
    }
  });

  it('refuses an address that is not that of a served store', () => {
    const wrong = ['http://localhost/', 'http://localhost/data', 'http://localhost/data/a/b', 'absurd'];
    for (const url of wrong) expect(() => servedStore(url)).toThrow(/url|URL/);
  });
});
