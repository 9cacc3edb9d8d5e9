import { readFile, realpath } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTerminal } from '../../src/cli/terminal.ts';
import { openTarget } from '../../src/cli/view-target.ts';
import { type ListableStore, memoryStore, type StoreKey, sourceFromArray, type Zyx } from '../../src/entry/index.ts';
import { blobReader, encodeMrc, zipStore } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { fileListStore } from '../../src/entry/web.ts';
import { draftsIn } from '../../src/page/drafts.ts';
import { openAddress, openStore } from '../../src/page/open-store.ts';
import { TextSink } from '../support/capture-cli.ts';
import { drain, stubBrowser } from '../support/page-workspace.ts';
import { filesBelow, smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { noise } from '../support/volumes.ts';
import { zipBytes } from '../support/zip-bytes.ts';

const { signal } = new AbortController();
/** A simulated project with picks of `me` in its overlay, and of `lab` in its static root. */
let sample: string;
beforeAll(async () => {
  sample = await tempDir();
  await smallProject(sample, { runs: 1 });
  for (const [root, userId] of [
    ['overlay', 'me'],
    ['static', 'lab'],
  ] as const) {
    const set = { pickable_object_name: 'ribosome', user_id: userId, session_id: '1', run_name: 'TS_1_3', points: [] };
    const key = `/${root}/ExperimentRuns/TS_1_3/Picks/${userId}_1_ribosome.json` as const;
    await directoryStore(sample).set(key, new TextEncoder().encode(JSON.stringify(set)));
  }
}, 60_000);

/** A store without the methods that write. */
function readOnly({ location, get, getRange, size, list }: ListableStore): ListableStore {
  return { location, get, getRange, list, ...(size && { size }) };
}

/** An MRC file, of 2³ voxels unless said. */
async function mrcFile(shape: Zyx = [2, 2, 2], data = new Float32Array(8)): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(Buffer.concat(await drain(encodeMrc(sourceFromArray({ data, shape })))));
}

const setsOf = async (store: ListableStore) => {
  const collection = await openStore({ store, title: 'chosen' });
  const run = await collection.open('TS_1_3', signal);
  return {
    sets: run.sets.map(({ label }) => label).filter((label) => /^(lab|me)/.test(label)),
    canWrite: collection.drafts !== undefined,
    title: collection.title,
  };
};

describe('openStore', () => {
  it('a project that can only be read shows the pick sets of both roots, as one that can be written', async () => {
    const sets = ['lab/1', 'me/1'];
    const title = 'chosen/copick.json';
    expect(await setsOf(directoryStore(sample))).toEqual({ sets, title, canWrite: true });
    expect(await setsOf(readOnly(directoryStore(sample)))).toEqual({ sets, title, canWrite: false });
  });

  it('a zip of the folder of a project, as archivers make it, opens as the project', async () => {
    const files = (await filesBelow(sample)).filter((name) => !/\/VoxelSpacing/.test(name));
    const entries = files.map(async (name) => ({ name: `p/${name}`, data: await readFile(join(sample, name)) }));
    entries.push(Promise.resolve({ name: '__MACOSX/._p', data: Buffer.alloc(1) }));
    const store = zipStore(blobReader(new Blob([zipBytes(await Promise.all(entries)) as Uint8Array<ArrayBuffer>])));
    expect(await setsOf(store)).toEqual({
      sets: ['lab/1', 'me/1'],
      title: 'chosen/copick.json',
      canWrite: false,
    });
  });

  it('an overlay that is not there yet is made by the first save, and nothing is asked', async () => {
    const config = { overlay_root: 'local://new', static_root: 'local://data', pickable_objects: [] };
    const store = memoryStore([
      ['/copick.json', new TextEncoder().encode(JSON.stringify(config))],
      ['/data/ExperimentRuns/TS_1/VoxelSpacing10.000/wbp.zarr/.zattrs', new Uint8Array()],
    ]);
    const ask = vi.fn(async () => undefined);
    const collection = await openStore({ store, title: 't', ask });
    await collection.drafts!.set('/a', new Uint8Array(1));
    expect(await store.get('/new/a')).toHaveLength(1);
    expect(ask).not.toHaveBeenCalled();
  });

  it('a root that is elsewhere is asked for by its name', async () => {
    const config = { overlay_root: '/home/me/overlay', static_root: 'elsewhere', pickable_objects: [] };
    const store = memoryStore([['/copick.json', new TextEncoder().encode(JSON.stringify(config))]]);
    const asked: string[] = [];
    const ask = async (root: string) => {
      asked.push(root);
      return root === 'elsewhere' ? memoryStore([['/ExperimentRuns/TS_9/a', new Uint8Array()]]) : undefined;
    };
    const collection = await openStore({ store, title: 't', ask });
    expect(asked).toEqual(['/home/me/overlay', 'elsewhere']);
    expect(await collection.runs(signal)).toEqual(['TS_9']);
    await expect(openStore({ store, title: 't' })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('a project of another type says that view opens it', async () => {
    const config = { config_type: 'cryoet_data_portal', overlay_root: 'o', dataset_ids: [1], pickable_objects: [] };
    const store = memoryStore([['/copick.json', new TextEncoder().encode(JSON.stringify(config))]]);
    await expect(openStore({ store, title: 't' })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('npx cryoet-picks view'),
    });
  });
});

describe('the review of a file', () => {
  /** A file `tomo.mrc`, opened; with a voxel size if one is given. */
  const opened = async (seed: number, voxelSize?: number) => {
    const bytes = await mrcFile([6, 8, 10], noise([6, 8, 10], seed));
    const collection = await openStore({ store: memoryStore([['/tomo.mrc', bytes]]), title: 'tomo.mrc' });
    if (voxelSize !== undefined) collection.giveVoxelSize!(voxelSize);
    const { tomograms } = await collection.open('tomo.mrc', signal);
    expect((await tomograms[0]!.open(signal))[0]!.grid.shape).toEqual([6, 8, 10]);
    return collection;
  };

  it('goes on in that file, at any voxel size, and not in another of the same name and size', async () => {
    stubBrowser();
    const of = { run: 'tomo.mrc', set: undefined, person: 'me' };
    const draft = { changes: new Map([['a', { decision: 'rejected' as const }]]), thresholds: {}, time: 1 };
    await draftsIn(await opened(1)).write(of, draft);
    expect(await draftsIn(await opened(1, 10)).read(of)).toEqual(draft);
    expect(await draftsIn(await opened(2)).read(of)).toBeUndefined();
  });

  it('is known under view by where its project lies, however its path was typed', async () => {
    const absolute = join(sample, 'copick.json');
    const [typed, other] = await Promise.all(
      [relative(process.cwd(), absolute), absolute].map((path) => openTarget(terminal(), { path })),
    );
    expect(typed!.title).not.toBe(other!.title);
    expect(typed!.id).toBe(await realpath(absolute));
    expect(other!.id).toBe(typed!.id);
  });
});

const terminal = () =>
  openTerminal({ stdout: new TextSink(), stderr: new TextSink(), json: false, signal: new AbortController().signal });

describe('a folder that view serves, and the page opens', () => {
  it.each(['', 'static'])(
    'the folder of a project, "%s", has the same objects and takes picks or not',
    async (part) => {
      const path = join(sample, part);
      const { open, writable } = await openTarget(terminal(), { path });
      if (open.kind !== 'project') throw new Error('no project');
      const collection = await openStore({ store: directoryStore(path), title: basename(path) });
      const names = (open.config.pickable_objects as { name: string; radius: number }[]).map((one) => [
        one.name,
        one.radius,
      ]);
      expect(names).toHaveLength(6);
      expect(collection.objects.map(({ name, radius }) => [name, radius])).toEqual(names);
      expect(collection.drafts !== undefined).toBe(writable);
    },
  );

  it('a folder of volumes has the same volumes', async () => {
    const folder = await tempDir();
    const mrc = await mrcFile();
    const keys: StoreKey[] = ['/a.mrc', '/b/c.rec', '/b/image/.zattrs', '/notes.txt', '/b/d.json'];
    for (const key of keys) await directoryStore(folder).set(key, mrc);
    const { open } = await openTarget(terminal(), { path: folder });
    if (open.kind !== 'volumes') throw new Error('no volumes');
    const collection = await openStore({ store: directoryStore(folder), title: 't' });
    expect(open.volumes.map(({ name }) => name)).toEqual(['a.mrc', 'b/c.rec', 'b/image']);
    expect(await collection.runs(signal)).toEqual(['a.mrc', 'b/c.rec', 'b/image']);
  });

  it('a folder with nothing to show is refused in the same words', async () => {
    const path = await tempDir();
    const refused = { code: 'not-found', message: expect.stringContaining('has nothing to show: no config') };
    await expect(openTarget(terminal(), { path })).rejects.toMatchObject(refused);
    await expect(openStore({ store: directoryStore(path), title: 't' })).rejects.toMatchObject(refused);
  });

  it('a file with nothing to show is refused by its name', async () => {
    const store = fileListStore([new File(['a'], 'notes.txt')]);
    await expect(openStore({ store, title: 'notes.txt' })).rejects.toThrow(
      /^notes\.txt has nothing to show: no config/,
    );
  });
});

describe('openAddress', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('the query of a signed address, slashes and all, goes with each request, and not into the name', async () => {
    const query = '?X-Amz-Credential=me/20261130/s3&X-Amz-Signature=a/b.zarr';
    const asked: string[] = [];
    const mrc = await mrcFile();
    vi.stubGlobal('fetch', async (url: string | URL) => {
      asked.push(String(url));
      return new Response(mrc);
    });
    const collection = await openAddress(`https://example.org/day%201/TS 1.mrc${query}#there`);
    expect([collection.title, await collection.runs(signal)]).toEqual(['TS 1.mrc', ['TS 1.mrc']]);
    const [tomogram] = (await collection.open('TS 1.mrc', signal)).tomograms;
    const [source] = await tomogram!.open(signal);
    expect(source!.grid.shape).toEqual([2, 2, 2]);
    expect(new Set(asked)).toEqual(new Set([`https://example.org/day%201/TS%201.mrc${query}`]));
  });

  it('a volume that cannot be read, or lies behind http://, is refused before it takes the place of what is open', async () => {
    vi.stubGlobal('fetch', async () => new Response(null, { status: 404 }));
    await expect(openAddress('https://example.org/absent.mrc')).rejects.toMatchObject({ code: 'not-found' });
    await expect(openAddress('http://127.0.0.1:7468/x.mrc')).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/no other server by http:\/\/; use https:\/\//),
    });
  });

  it('what is no address is refused with an example of one', async () => {
    await expect(openAddress('https://example.org/100%/TS_1%zz.mrc?key=secret')).rejects.toMatchObject({
      code: 'invalid-option',
      message:
        '"TS_1%zz.mrc" in https://example.org/100%/TS_1%zz.mrc is not percent-encoded UTF-8; a percent sign in a name is written %25',
    });
    await expect(openAddress('tomogram.zarr')).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('https://'),
    });
  });
});
