import { describe, expect, it } from 'vitest';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import { memoryStore, openTomogram, type StoreKey, subStore } from '../../../src/entry/index.ts';
import { annotationFits, openPortal, portalObjects, portalOf } from '../../../src/entry/portal.ts';
import { bucketFile, fakePortal, fakeStore, portalFixture, portalTables, type Tables } from '../../support/portal.ts';
import { fakeClock } from '../../support/scripted-server.ts';
import { sharedData, sharedDataMissing } from '../../support/shared-data.ts';

const { objects } = parseConfig(JSON.stringify(portalFixture('copick.json')), { source: 'copick.json' });
const first = '17000';
const picksFile: StoreKey = `/ExperimentRuns/${first}/Picks/data-portal_17060_ribosome.json`;

/** A project over a fake portal, and what it reports. */
function openFake(
  options: Parameters<typeof fakePortal>[0] & { readonly overlay?: ReturnType<typeof memoryStore> } = {},
) {
  const fake = fakePortal(options);
  fakeClock(0);
  const told: string[] = [];
  const { project, portal } = openPortal({
    datasetIds: [10001, 10002],
    objects,
    fetch: fake.fetch,
    overlay: options.overlay,
    onProblem: ({ message }) => told.push(message),
  });
  return { ...fake, project, portal, told };
}

/** The tables with something changed. */
function changed(change: (tables: Tables) => void): Tables {
  const tables = portalTables();
  change(tables);
  return tables;
}

describe('what a portal store fetches', () => {
  it('a portal store fetches nothing before it is asked, and each table once', async () => {
    const { store, asked } = fakeStore();
    expect(await store.list('/')).toEqual([{ name: 'ExperimentRuns', kind: 'folder' }]);
    expect(asked).toEqual([]);
    await store.list('/ExperimentRuns');
    expect(asked.splice(0)).toEqual(['runs']);
    await store.list(`/ExperimentRuns/${first}`);
    expect(asked.splice(0)).toEqual(['tomogramVoxelSpacings']);
    await store.list(`/ExperimentRuns/${first}/VoxelSpacing10.012`);
    expect(asked.splice(0)).toEqual(['tomograms']);
    await store.list(`/ExperimentRuns/${first}/Picks`);
    expect(asked.splice(0)).toEqual(['annotationFiles']);
    for (const folder of ['', '/Picks', '/Segmentations', '/VoxelSpacing4.990']) {
      await store.list(`/ExperimentRuns/17274${folder}`);
    }
    expect(asked).toEqual([]);
    await store.annotations(first);
    expect(asked.splice(0)).toEqual(['annotationAuthors']);
    await store.tomograms(first);
    expect(asked.splice(0)).toEqual(['tomogramAuthors']);
  });

  it('a portal store fetches its tables again after refresh', async () => {
    const tables = portalTables();
    const { store, asked } = fakeStore({ tables });
    await store.list('/ExperimentRuns');
    tables.runs.push({ ...tables.runs[0], id: 99 });
    expect(await store.list('/ExperimentRuns')).toHaveLength(4);
    store.refresh();
    expect(await store.list('/ExperimentRuns')).toHaveLength(5);
    expect(asked).toEqual(['runs', 'runs']);
  });

  it('a portal store fetches a table once for simultaneous callers', async () => {
    const { store, asked } = fakeStore();
    await Promise.all([store.list(`/ExperimentRuns/${first}/Picks`), store.annotations('17137'), store.runs()]);
    expect(asked.sort()).toEqual(['annotationAuthors', 'annotationFiles', 'runs']);
  });

  it('a portal store asks about 50 runs at a time', async () => {
    const tables = changed(({ runs }) => {
      for (let i = 0; i < 120; i++) runs.push({ ...runs[0], id: 20_000 + i });
    });
    const { store, questions } = fakeStore({ tables });
    for (const name of ['17000', '20000', '20045', '20046', '20119']) await store.list(`/ExperimentRuns/${name}`);
    const ids = questions.flatMap(
      ({ variables: { where } }) => (where.runId as { _in: number[] } | undefined)?._in ?? [],
    );
    const blocks = questions.flatMap(({ variables: { where } }) => {
      const some = (where.runId as { readonly _in: readonly number[] } | undefined)?._in;
      return some ? [[some.length, some[0]]] : [];
    });
    expect(new Set(ids).size).toBe(124);
    expect(blocks).toEqual([
      [50, 17000],
      [50, 20046],
      [24, 20096],
    ]);
  });

  it('a portal store fetches no annotations if no object has an identifier', async () => {
    const { store, asked } = fakeStore({ objects: [{ name: 'ribosome' }] });
    expect(await store.annotations(first)).toEqual([]);
    expect(asked).toEqual(['runs']);
  });

  it('a portal store without datasets fetches nothing', async () => {
    const { store, asked } = fakeStore({ datasetIds: [] });
    expect(await store.runs()).toEqual([]);
    expect(asked).toEqual([]);
  });
});

describe('keys of a portal store', () => {
  it.each<StoreKey>([
    '/',
    '/ExperimentRuns',
    '/Objects/ribosome.zarr',
    '/ExperimentRuns/1/Picks/data-portal_17060_ribosome.json',
    '/ExperimentRuns/__proto__/Picks/x.json',
    '/ExperimentRuns/017000/Picks/data-portal_17060_ribosome.json',
    '/ExperimentRuns/17000/Meshes/a_b_c.glb',
    '/ExperimentRuns/17000/constructor/x',
    '/ExperimentRuns/17000/Picks',
    '/ExperimentRuns/17000/Picks/data-portal_17060_ribosome.json/x',
    '/ExperimentRuns/17000/Segmentations/data-portal_17060_ribosome.json',
    '/ExperimentRuns/17000/VoxelSpacing10.012/wbp-raw.zarr',
    '/ExperimentRuns/17000/VoxelSpacing4.990/wbp-raw.zarr/.zattrs',
    '/ExperimentRuns/17000/VoxelSpacing10.012/wbp-raw.zarr/no/such',
  ])('key %s of a portal store holds nothing, in whole or in part', async (key) => {
    const { store } = fakeStore();
    expect(await store.get(key)).toBeUndefined();
    expect(await store.getRange(key, { offset: 0, length: 1 })).toBeUndefined();
  });

  it('keys of a portal store cannot leave the tree', async () => {
    const { store, asked } = fakeStore();
    const key = '/ExperimentRuns/17000/VoxelSpacing10.012/wbp-raw.zarr/../../x' as StoreKey;
    await expect(store.get(key)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(store.list(key)).rejects.toMatchObject({ code: 'invalid-option' });
    expect(asked).toEqual([]);
  });

  it('a portal store lists nothing for runs that the portal lacks, such as those of the overlay', async () => {
    const { store } = fakeStore();
    expect(await store.list('/ExperimentRuns/mine')).toEqual([]);
    expect(await store.list('/ExperimentRuns/17959/Picks')).toEqual([]);
    expect(await store.list('/Objects')).toEqual([]);
  });

  it('a portal store lists what an image holds at its top', async () => {
    const { store } = fakeStore();
    const image: StoreKey = `/ExperimentRuns/${first}/VoxelSpacing10.012/wbp-raw.zarr`;
    expect(await store.list(image)).toEqual([
      { name: '.zattrs', kind: 'file' },
      { name: '.zgroup', kind: 'file' },
      { name: '0', kind: 'folder' },
      { name: '1', kind: 'folder' },
    ]);
    expect(await store.list(`${image}/0`)).toEqual([]);
    // As Python writes a number that it does not know.
    const withNaN = (url: string) => {
      const bytes = bucketFile(url);
      if (!url.endsWith('.zattrs') || bytes === undefined) return bytes;
      return new TextEncoder().encode(new TextDecoder().decode(bytes).replace('{', '{"resolution": NaN, '));
    };
    expect(await fakeStore({ file: withNaN }).store.list(image)).toEqual(await store.list(image));
  });

  it('a portal store reads parts of images by range, and parts of picks files by cutting', async () => {
    const ranges: (string | null)[] = [];
    const first = (request: Request) => void ranges.push(request.headers.get('range'));
    const { store } = fakeStore({ first });
    const image: StoreKey = '/ExperimentRuns/17000/VoxelSpacing10.012/wbp-raw.zarr';
    const attributes = await store.getRange(`${image}/.zattrs`, { offset: 0, length: 2 });
    expect(attributes).toEqual((await store.get(`${image}/.zattrs`))?.slice(0, 2));
    expect(ranges).toContain('bytes=0-1');
    const whole = await store.get(picksFile);
    expect(await store.getRange(picksFile, { suffixLength: 9 })).toEqual(whole?.slice(-9));
    expect(ranges.filter(Boolean)).toHaveLength(1);
  });
});

describe('tomograms of the portal', () => {
  it('tomograms of one type and spacing have distinct names: the first the plain one, the others with their id', async () => {
    const { project, portal } = openFake();
    const doubles = await portal.tomograms(first, { where: { processing: 'raw' } });
    expect(doubles.map(({ id, type, alignmentId }) => [id, type, alignmentId])).toEqual([
      [17020, 'wbp-raw', 1],
      [17157, 'wbp-raw-17157', 2],
    ]);
    const run = await project.run(first);
    const corner = { start: [0, 0, 0], end: [1, 1, 1] } as const;
    const voxels = doubles.map(async ({ type }) => (await (await run.tomogram(type)).read(corner)).data[0]);
    expect(new Set(await Promise.all(voxels)).size).toBe(2);
  });

  it('tomograms of two spacings with one label lie in one folder', async () => {
    const { project } = openFake();
    const found = await (await project.run('17137')).tomograms({ voxelSpacing: 7.84 });
    expect(found.map(({ type, voxelSpacing }) => [type, voxelSpacing])).toEqual([
      ['unknown-raw', 7.84],
      ['unknown-raw-17979', 7.84],
    ]);
  });

  it('tomograms without an OME-Zarr image are listed, and opening one lists what there is', async () => {
    const { project, told } = openFake();
    const run = await project.run(first);
    const [entry] = await run.tomograms({ type: 'fourierSpace-filteredEven-isonet' });
    await expect(entry.open()).rejects.toEqual(
      expect.objectContaining({
        code: 'not-found',
        message: expect.stringMatching(/tomogram 17568 .* only the MRC file https:\/\/files.*\.mrc$/),
      }),
    );
    expect(told).toEqual([]);
  });

  it('tomograms of the portal are read from the bucket if the portal gives an S3 path but no URL', async () => {
    const tables = changed(({ tomograms }) => {
      for (const tomogram of tomograms) tomogram.httpsOmezarrDir = null;
    });
    const { project } = openFake({ tables });
    const tomogram = await (await project.run(first)).tomogram('wbp-raw');
    expect(tomogram.grid.voxelSize).toEqual([10.012, 10.012, 10.012]);
  });

  it.each(['ftp://example.org/x.zarr', 'no url', 'javascript:alert(1)'])(
    'tomograms of the portal at %j are refused',
    async (url) => {
      const tables = changed(({ tomograms }) => {
        for (const tomogram of tomograms) tomogram.httpsOmezarrDir = url;
      });
      const { project, asked } = openFake({ tables });
      const run = await project.run(first);
      await expect(run.tomogram('wbp-raw')).rejects.toMatchObject({ code: 'invalid-metadata' });
      expect(asked.filter((one) => one.includes(':'))).toEqual([]);
    },
  );

  it('tomograms of the portal get valid file names if copick could not write their own', async () => {
    const tables = changed(({ tomograms }) => {
      tomograms[0].processingSoftware = '../Warp/M: 2';
    });
    const { portal } = openFake({ tables });
    const [tomogram] = await portal.tomograms(first);
    expect(tomogram.type).toBe('wbp-raw-..-Warp-M-2');
    expect((await openTomogram(subStore(portal, tomogram.key))).grid.shape).toEqual([6, 8, 10]);
  });
});

describe('annotations of the portal', () => {
  it('annotations of the portal in voxels of their spacing become Å, with rotations if their shape has them', async () => {
    const tables = changed(({ tomogramVoxelSpacings }) => {
      tomogramVoxelSpacings[0].voxelSpacing = 2.5;
    });
    const line = {
      type: 'orientedPoint',
      location: { x: 2, y: 4, z: 6 },
      xyz_rotation_matrix: [
        [0, -1, 0],
        [1, 0, 0],
        [0, 0, 1],
      ],
    };
    const file = () => new TextEncoder().encode(`${JSON.stringify(line)}\n\n`);
    const { project } = openFake({ tables, file });
    const [oriented, plain] = await (await project.run(first)).picks({
      object: 'ribosome',
      sessionId: ['17060', '17197'],
    });
    expect(oriented).toEqual({
      object: 'ribosome',
      score: 1,
      position: { x: 5, y: 10, z: 15 },
      transform: [
        [0, -1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
      ],
    });
    expect(plain).toEqual({ object: 'ribosome', score: 1, position: { x: 5, y: 10, z: 15 } });
  });

  it('annotations of the portal only match a tomogram of the same alignment and voxel spacing', async () => {
    const { portal } = openFake();
    const [one, other] = await portal.tomograms(first, { where: { processing: 'raw' } });
    const points = (await portal.annotations(first)).filter(({ objectName }) => objectName === 'cytosolic ribosome');
    expect(points.map((each) => [each.alignmentId, each.voxelSpacing, annotationFits(each, one)])).toEqual([
      [1, 10.012, true],
      [1, 10.012, true],
      [2, 4.99, false],
    ]);
    expect(points.some((each) => annotationFits(each, other))).toBe(false);
  });

  it('annotations of the portal without a voxel spacing are reported and hide no others', async () => {
    const tables = changed(({ annotationFiles }) => {
      for (const file of annotationFiles) {
        if (file.id === 17060 || file.id === 17745) file.tomogramVoxelSpacingId = null;
      }
    });
    const { project, told } = openFake({ tables });
    const run = await project.run(first);
    expect(await run.picks({ object: 'ribosome' })).toHaveLength(12);
    expect(await run.segmentations({ kind: 'binary' })).toHaveLength(0);
    expect(told).toEqual([
      'annotation file 17060 of the portal has no voxel spacing, which its points need',
      '"unknown_data-portal_17745_membrane.zarr" is not the name of a segmentation',
    ]);
  });

  it.each([
    ['a file that is not there', undefined, 'not-found', /^https:.*ndjson not found, although the portal names it$/],
    ['a line that is not JSON', '{"location":{"x":1,"y":2,"z":3}}\nx', 'invalid-picks', /^https:.*ndjson, line 2/],
    ['bytes that are not UTF-8', new Uint8Array([0x7b, 0xff]), 'invalid-picks', /^https:.*ndjson is not UTF-8 text$/],
    ['a point without z', '{"location":{"x":1,"y":2}}', 'invalid-picks', /line 1: location.z/],
    ['a rotation that is missing', '{"location":{"x":1,"y":2,"z":3}}', 'invalid-picks', /line 1: .*no xyz_rotation/],
  ])('reading annotations of the portal throws for %s', async (_, text, code, message) => {
    const content = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    const { store } = fakeStore({ file: () => content });
    await expect(store.get(picksFile)).rejects.toEqual(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('annotations of the portal in an empty file give no picks', async () => {
    const { project } = openFake({ file: () => new Uint8Array(0) });
    expect(await (await project.run(first)).picks()).toEqual([]);
  });

  it('annotations of the portal that are points with instance ids are picks on request', async () => {
    expect(await fakeStore().store.list(`/ExperimentRuns/${first}/Picks`)).toHaveLength(4);
    const fake = fakePortal();
    const { project } = openPortal({ datasetIds: [10001], objects, fetch: fake.fetch, instancePoints: true });
    const picks = await (await project.run(first)).picks({ object: 'membrane' });
    expect(picks.map(({ instanceId }) => instanceId)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('annotations of an object whose name the config gives twice go to the last, as in copick', async () => {
    const { store } = fakeStore();
    const found = await store.annotations(first, { where: { objectId: 'GO:0022626' } });
    expect([...new Set(found.map(({ object }) => object))]).toEqual(['ribosome']);
  });

  it('annotations of a run that the portal lacks are not found, and the message says which run is meant', async () => {
    const { store } = fakeStore();
    await expect(store.annotations('TS_2')).rejects.toEqual(
      expect.objectContaining({
        code: 'not-found',
        message:
          'run "TS_2" not found in portal:10001,10002; the portal\'s "TS_2" is run "17137"; ' +
          'available: "17000", "17137", "17274", "17411"',
      }),
    );
  });
});

describe('portalObjects', () => {
  it('portalObjects gives each object a unique name that is a valid file name', async () => {
    const tables = changed(({ annotations }) => {
      for (const annotation of annotations) annotation.objectName = annotation.objectId === 'GO:0016020' ? '_' : 'A b';
    });
    const { fetch } = fakePortal({ tables });
    const found = await portalObjects({ datasetIds: [10001, 10002], fetch });
    expect(found.map(({ name }) => name)).toEqual(['a-b', 'object-2', 'a-b-GO-0022626', 'a-b-PDB-6PXM']);
  });

  it('portalObjects makes no request without datasets, and stops when aborted', async () => {
    const { fetch, asked } = fakePortal();
    expect(await portalObjects({ datasetIds: [], fetch })).toEqual([]);
    await expect(portalObjects({ datasetIds: [1], fetch, signal: AbortSignal.abort('stop') })).rejects.toBe('stop');
    await expect(portalObjects({ datasetIds: [0.5], fetch })).rejects.toMatchObject({ code: 'invalid-option' });
    expect(asked).toEqual([]);
  });
});

describe('a project of the portal', () => {
  it('a project of the portal has a portal store; projects of other kinds have none', () => {
    const { project, portal } = openFake();
    expect(portalOf(project)).toBe(portal);
    expect(portalOf(projectFromStores({ config: project.config, overlay: memoryStore() }))).toBeUndefined();
    const other = projectFromStores({ config: project.config, overlay: memoryStore(), static: memoryStore() });
    expect(portalOf(other)).toBeUndefined();
  });

  it('a project of the portal asks the portal again after refresh', async () => {
    const { project, asked } = openFake();
    await project.runs();
    project.refresh();
    await project.runs();
    expect(asked).toEqual(['runs', 'runs']);
  });

  it('a project of the portal writes into the overlay under the id of the run, beside the data of the portal', async () => {
    const overlay = memoryStore();
    const { project, portal, told } = openFake({ overlay });
    const run = await project.run(first);
    const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 0.5 };
    await run.writePicks([pick], { userId: 'me', sessionId: '1' });
    expect(await overlay.list(`/ExperimentRuns/${first}/Picks`)).toHaveLength(1);
    expect(await run.picks({ userId: 'me' })).toEqual([pick]);
    expect(await run.picks({ userId: 'data-portal', object: 'ribosome' })).toHaveLength(18);
    await project.createRun('mine');
    expect((await project.runs()).map(({ name }) => name)).toEqual(['17000', '17137', '17274', '17411', 'mine']);
    expect(await (await project.run('mine')).tomograms()).toEqual([]);
    await expect(portal.tomograms('mine')).rejects.toMatchObject({ code: 'not-found' });
    expect(told).toEqual([]);
  });

  it('a project of the portal keeps the overlay alive while the portal is down', async () => {
    const down = () => new Response('', { status: 503 });
    const { project, told } = openFake({ first: down });
    await project.createRun('mine');
    expect((await project.runs()).map(({ name }) => name)).toEqual(['mine']);
    expect(told[0]).toMatch(/^cannot read https:\/\/graphql.*: the server answered 503$/);
  });

  it.skipIf(sharedDataMissing)(
    'a project of the portal opens an image that the portal itself wrote (needs ../shared/data)',
    async () => {
      const { readFileSync, existsSync } = await import('node:fs');
      const image = 'https://files.cryoetdataportal.cziscience.com/x/input_omezarr.zarr';
      const tables = changed(({ tomograms }) => {
        tomograms[0].httpsOmezarrDir = image;
      });
      const file = (url: string) => {
        if (!url.startsWith(image)) return bucketFile(url);
        const path = sharedData(`fixtures/portal/sample_tomos/input_omezarr.zarr${url.slice(image.length)}`);
        return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
      };
      const { project } = openFake({ tables, file });
      const tomogram = await (await project.run(first)).tomogram('wbp-raw');
      expect(tomogram.grid).toEqual({
        shape: [4, 4, 4],
        voxelSize: [14.08, 14.08, 14.08],
        origin: { x: 0, y: 0, z: 0 },
      });
      expect((await tomogram.read({ start: [0, 0, 0], end: [4, 4, 4] })).shape).toEqual([4, 4, 4]);
    },
  );
});
