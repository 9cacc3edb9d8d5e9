import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tableNames } from '../../../src/copick/croissant/metadata.ts';
import { isCryoetPicksError, type StoreKey } from '../../../src/entry/index.ts';
import { type CroissantStoreOptions, croissantStore, openCroissant } from '../../../src/entry/portal.ts';
import '../../support/seed.ts';

const root = 'https://host/data';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const objects = [{ name: 'ribosome', is_particle: true, label: 1 }];
const picksJson =
  '{"pickable_object_name":"ribosome","user_id":"u","session_id":"1","points":[{"location":{"x":1,"y":2,"z":3}}]}';

interface Tables {
  readonly [table: string]: string;
}

/** A web server with a Croissant of these tables, and these files. */
function croissant(tables: Tables, { metadata = {}, files = {} }: { metadata?: object; files?: Tables } = {}) {
  const all = { runs: 'name,portal_run_id,split\nTS_1,,\n', ...tables };
  const distribution = Object.entries(all).map(([table, text]) => ({
    '@type': 'cr:FileObject',
    '@id': `${table.replaceAll('_', '-')}-csv`,
    contentUrl: `Croissant/${table}.csv`,
    sha256: sha256(text),
  }));
  const json = { 'copick:config': { pickable_objects: objects }, distribution, ...metadata };
  const requests: { url: string; headers: Headers }[] = [];
  const content: Tables = {
    [`${root}/Croissant/metadata.json`]: JSON.stringify(json),
    ...Object.fromEntries(Object.entries(all).map(([table, text]) => [`${root}/Croissant/${table}.csv`, text])),
    ...files,
  };
  const fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    requests.push({ url, headers: new Headers(init.headers) });
    init.signal?.throwIfAborted();
    const text = Object.hasOwn(content, url) ? content[url] : undefined;
    return text === undefined ? new Response('', { status: 404 }) : new Response(text);
  };
  return {
    fetch,
    requests,
    open: (options: CroissantStoreOptions = {}) => croissantStore(root, { fetch, ...options }),
  };
}

const picksHeader = 'run,user_id,session_id,object_name,voxel_size,url,sha256\n';
const picksKey: StoreKey = '/ExperimentRuns/TS_1/Picks/u_1_ribosome.json';
const textOf = async (bytes: Promise<Uint8Array | undefined>) => new TextDecoder().decode(await bytes);

describe('addresses in the tables of a Croissant', () => {
  it.each([
    ['relative', 'a b/50%#?+/é.json', `${root}/a%20b/50%25%23%3F%2B/%C3%A9.json`],
    ['empty', '', `${root}${picksKey}`],
    ['absolute', 'https://other.org/x%20y.json?sig=1', 'https://other.org/x%20y.json?sig=1'],
    ['in a bucket', 's3://bucket/a b.json', 'https://bucket.s3.amazonaws.com/a%20b.json'],
    ['a name that looks encoded', '%2e%2e/x.json', `${root}/%252e%252e/x.json`],
    ['a name that looks like a prototype', '__proto__/constructor', `${root}/__proto__/constructor`],
  ])('addresses in the tables of a Croissant that are %s are resolved', async (_, url, expected) => {
    const picks = `${picksHeader}TS_1,u,1,ribosome,,"${url}",\n`;
    const { open } = croissant({ picks }, { files: { [expected]: picksJson } });
    expect(await textOf(open().get(picksKey))).toBe(picksJson);
  });

  it.each([
    ['a way up', '../../secret.json'],
    ['a way up inside', 'a/../../secret.json'],
    ['a dot', './x.json'],
    ['an empty name', 'a//x.json'],
    ['a way up by backslashes', 'a\\..\\..\\x.json'],
    ['a NUL', 'a\u0000b.json'],
    ['an absolute path', '/etc/passwd'],
    ['an absolute path of Windows', 'C:\\secret.json'],
    ['a network path of Windows', '\\\\server\\secret.json'],
    ['a file URL', 'file:///etc/passwd'],
    ['a file URL in capitals', 'FILE:///etc/passwd'],
    ['a local URL', 'local:///etc/passwd'],
    ['another file system', 'ssh://host/secret.json'],
    ['a URL with a user', 'https://me:hunter2@host/x.json'],
  ])('addresses in the tables of a Croissant with %s are refused, and other rows are kept', async (_, url) => {
    const picks = `${picksHeader}TS_1,u,1,ribosome,,"${url}",\nTS_1,v,1,ribosome,,x.json,\n`;
    const { open, requests } = croissant({ picks });
    const store = open();
    expect((await store.list('/ExperimentRuns/TS_1/Picks')).map(({ name }) => name)).toEqual(['v_1_ribosome.json']);
    expect(await store.get(picksKey)).toBeUndefined();
    const { problems } = await store.index();
    expect(problems).toEqual([
      { path: 'picks.csv, line 2', message: expect.stringMatching(/its url .*; the row is left out$/) },
    ]);
    expect(JSON.stringify(problems)).not.toMatch(/hunter2|passwd|secret/);
    expect(requests.every((one) => one.url.startsWith(`${root}/Croissant/`))).toBe(true);
  });

  it('addresses in the tables of a Croissant never lead outside the data, whatever a relative address contains', async () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc
        .array(fc.constantFrom('..', '.', 'a', '/', '\\', '%2e', '%2f', '~', ':', '?', '#', '\0', '//'), {
          maxLength: 8,
        })
        .map((p) => p.join('')),
    );
    await fc.assert(
      fc.asyncProperty(cell, async (url) => {
        fc.pre(!/^[a-z][a-z0-9+.-]*:/i.test(url) && !/[\ud800-\udfff]/.test(url));
        const picks = `${picksHeader}TS_1,u,1,ribosome,,"${url.replaceAll('"', '""')}",\n`;
        const { open, requests } = croissant({ picks });
        await open()
          .get(picksKey)
          .catch((error: unknown) => {
            if (!isCryoetPicksError(error)) throw error;
          });
        for (const one of requests) expect(new URL(one.url).href.startsWith(`${root}/`)).toBe(true);
      }),
    );
  });
});

describe('names in the tables of a Croissant', () => {
  it.each(['..', '.', '.hidden', 'a/b', 'a\\b', 'a\u0000b', '__proto__', ''])(
    'names in the tables of a Croissant that cannot be a run are refused: %j',
    async (name) => {
      const { open } = croissant({ runs: `name,split\n"${name}",train\nTS_1,\n` });
      const store = open();
      expect((await store.list('/ExperimentRuns')).map((entry) => entry.name)).toEqual(['TS_1']);
      expect((await store.index()).problems).toMatchObject([{ path: 'runs.csv, line 2' }]);
    },
  );

  it('names in the tables of a Croissant are made valid file names, with a report', async () => {
    const picks = `${picksHeader}TS_1,my_user,1,ribosome,,x.json,\n`;
    const { open } = croissant({ picks }, { files: { [`${root}/x.json`]: picksJson } });
    const store = open();
    expect(await store.list('/ExperimentRuns/TS_1/Picks')).toMatchObject([{ name: 'my-user_1_ribosome.json' }]);
    expect((await store.index()).problems).toEqual([
      { path: 'picks.csv, line 2', message: expect.stringMatching(/its user_id is "my_user".*read as "my-user"/) },
    ]);
  });

  it.each([
    ['an invalid voxel size', 'tomograms', 'run,voxel_size,tomo_type,url\nTS_1,ten,wbp,\n', /voxel_size is "ten"/],
    ['a voxel size of 0', 'tomograms', 'run,voxel_size,tomo_type,url\nTS_1,0,wbp,\n', /above 0 Å/],
    ['a voxel size beyond numbers', 'voxel_spacings', 'run,voxel_size\nTS_1,1e999\n', /above 0 Å/],
    ['a type without a character', 'tomograms', 'run,voxel_size,tomo_type,url\nTS_1,10,__,\n', /tomo_type is "__"/],
    [
      'a checksum that is none',
      'meshes',
      'run,user_id,session_id,object_name,url,sha256\nTS_1,u,1,ribosome,x,abc\n',
      /sha256/,
    ],
    ['a row twice', 'objects', 'name,url\nribosome,a.zarr\nribosome,b.zarr\n', /listed twice; the first/],
  ])('names in the tables of a Croissant with %s are reported', async (_, table, text, message) => {
    const { open } = croissant({ [table]: text });
    expect((await open().index()).problems).toEqual([
      {
        path: expect.stringMatching(new RegExp(`^${table}\\.csv, line \\d$`)),
        message: expect.stringMatching(message),
      },
    ]);
  });

  it('names in the tables of a Croissant become problems of the project, the first twenty of them', async () => {
    const rows = Array.from({ length: 30 }, () => 'TS_1,u,1,ribosome,,../x,\n').join('');
    const { fetch } = croissant({ picks: picksHeader + rows });
    const project = await openCroissant(root, { fetch });
    expect(project.problems).toMatchObject([
      { path: root, message: expect.stringMatching(/line 21: .*and 10 more rows$/s) },
    ]);
  });
});

describe('a Croissant', () => {
  it('a Croissant opens from its own folder and from the parent folder', async () => {
    const { fetch } = croissant({});
    for (const url of [root, `${root}/`, `${root}/Croissant`, `${root}/Croissant/`, `${root}/Croissant/metadata.json`])
      expect((await (await openCroissant(url, { fetch })).runs()).map(({ name }) => name)).toEqual(['TS_1']);
  });

  it.each([
    [
      'no JSON',
      '{',
      'invalid-metadata',
      /Croissant "https:\/\/host\/data\/Croissant\/metadata\.json" is not JSON: line 1/,
    ],
    ['a config in its place', '{"config_type": "filesystem"}', 'invalid-metadata', /is a copick config, .* from disk/],
    ['a list', '[]', 'invalid-metadata', /is not a JSON object/],
    ['no tables', '{"@type": "sc:Dataset"}', 'invalid-metadata', /was not made by copick: .* no table "runs-csv"/],
    ['a base that is a number', '{"copick:baseUrl": 7}', 'invalid-metadata', /copick:baseUrl/],
    ['not UTF-8', new Uint8Array([0xff, 0xfe]), 'invalid-metadata', /is not UTF-8 text/],
    [
      'an object that copick refuses',
      JSON.stringify({
        'copick:config': { pickable_objects: [{ name: 'a_b', is_particle: true }] },
        distribution: [{ '@id': 'runs-csv', contentUrl: 'Croissant/runs.csv' }],
      }),
      'invalid-config',
      /copick:config: pickable_objects\.0: object name "a_b" is not allowed/,
    ],
  ])('a Croissant is refused with %s', async (_, body, code, message) => {
    const fetch = async () => new Response(body as BodyInit);
    await expect(openCroissant(root, { fetch })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('a Croissant that does not exist, or lacks a table, is not-found', async () => {
    const fetch = async () => new Response('', { status: 404 });
    await expect(openCroissant(root, { fetch })).rejects.toMatchObject({
      code: 'not-found',
      message: 'the Croissant is not at https://host/data/Croissant/metadata.json',
    });
    const { fetch: other } = croissant({ picks: picksHeader });
    const without = (url: string, init?: RequestInit) => (url.endsWith('picks.csv') ? fetch() : other(url, init));
    await expect(openCroissant(root, { fetch: without })).rejects.toMatchObject({
      code: 'not-found',
      message: 'table picks.csv of the Croissant is not at https://host/data/Croissant/picks.csv',
    });
  });

  it('a Croissant with a table that was changed is corrupt', async () => {
    const { fetch } = croissant({}, { files: { [`${root}/Croissant/runs.csv`]: 'name\nother\n' } });
    await expect(openCroissant(root, { fetch })).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/Croissant\/runs\.csv differs from the file that the Croissant describes/),
    });
  });

  it.each([
    ['no header', '', /runs\.csv is empty/],
    ['a column missing', 'title\nTS_1\n', /runs\.csv: no column "name"/],
    ['a row that is short', 'name,split\nTS_1\n', /runs\.csv, line 2: 1 fields; expected 2/],
  ])('a Croissant whose table has %s is refused', async (_, runs, message) => {
    await expect(croissant({ runs }).open().index()).rejects.toMatchObject({
      code: 'invalid-metadata',
      message: expect.stringMatching(message),
    });
  });

  it('a Croissant reads tables from their address if they are not beside it', async () => {
    const elsewhere = 'https://tables.org/v2/runs.csv';
    const distribution = [{ '@id': 'runs-csv', contentUrl: elsewhere }];
    const { open } = croissant({}, { metadata: { distribution }, files: { [elsewhere]: 'name\nTS_9\n' } });
    expect(await open().list('/ExperimentRuns')).toEqual([{ name: 'TS_9', kind: 'folder' }]);
  });

  it('a Croissant on the web refuses local folders', async () => {
    const { open } = croissant({}, { metadata: { 'copick:baseUrl': '/data/project' } });
    await expect(open().index()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(
        /baseUrl \(croissant_base_url\).*is a local path, which a Croissant on the web cannot use/,
      ),
    });
    const moved = open({ baseUrl: 'https://mirror.org/project/' });
    expect(await moved.index()).toMatchObject({ baseUrl: 'https://mirror.org/project' });
  });

  it('a Croissant loads its tables once for all callers and keeps them until refresh', async () => {
    const { open, requests } = croissant({ picks: picksHeader });
    const store = open();
    await Promise.all([store.list('/'), store.list('/ExperimentRuns'), store.index()]);
    expect(requests).toHaveLength(3);
    await store.splits();
    expect(requests).toHaveLength(3);
    store.refresh();
    await store.list('/');
    expect(requests).toHaveLength(6);
  });

  it('a Croissant sends no request after an abort, rejects with the reason, and can load again', async () => {
    const { fetch, requests } = croissant(
      Object.fromEntries(tableNames.slice(1, 3).map((name) => [name, 'run,voxel_size,tomo_type,url\n'])),
    );
    const controller = new AbortController();
    const store = croissantStore(root, {
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        controller.abort('enough');
        return answer;
      },
    });
    await expect(store.list('/', { signal: controller.signal })).rejects.toBe('enough');
    expect(requests).toHaveLength(1);
    expect(await store.list('/ExperimentRuns')).toEqual([{ name: 'TS_1', kind: 'folder' }]);
  });

  it('a Croissant sends headers to its own server and to that of baseUrl only', async () => {
    const picks = `${picksHeader}TS_1,u,1,ribosome,,https://other.org/x.json,\nTS_1,v,1,ribosome,,y.json,\n`;
    const { open, requests } = croissant({ picks });
    const store = open({ headers: { authorization: 'hunter2' }, baseUrl: 'https://mirror.org/d' });
    await store.get(picksKey);
    await store.get('/ExperimentRuns/TS_1/Picks/v_1_ribosome.json');
    const told = Object.fromEntries(
      requests.map(({ url, headers }) => [new URL(url).host, headers.get('authorization')]),
    );
    expect(told).toEqual({ host: 'hunter2', 'mirror.org': 'hunter2', 'other.org': null });
    expect(store.location).toBe(root);
  });

  it('a Croissant keeps the query of its address and hides it in messages', async () => {
    const { fetch, requests } = croissant({});
    const plain = (url: string, init?: RequestInit) => fetch(url.replace('?sig=hunter2', ''), init);
    const store = croissantStore(`${root}/Croissant/metadata.json?sig=hunter2`, {
      fetch: (url, init) => {
        expect(url).toMatch(/\?sig=hunter2$/);
        return plain(url, init);
      },
    });
    expect(await store.index()).toMatchObject({ baseUrl: root });
    expect(store.location).toBe(root);
    expect(requests).toHaveLength(2);
  });

  it('a Croissant needs a web address', () => {
    expect(() => croissantStore('data/Croissant')).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    expect(() => croissantStore('file:///data')).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});

describe('files of a Croissant', () => {
  const point = '{"type":"point","location":{"x":1,"y":2,"z":3}}\n';

  it('files of a Croissant that were changed are corrupt, read whole or in parts', async () => {
    const picks = `${picksHeader}TS_1,u,1,ribosome,,x.json,${sha256(picksJson).toUpperCase()}\nTS_1,v,1,ribosome,,y.json,${sha256('')}\n`;
    const { open } = croissant({ picks }, { files: { [`${root}/x.json`]: picksJson, [`${root}/y.json`]: picksJson } });
    const store = open();
    expect(await textOf(store.get(picksKey))).toBe(picksJson);
    const key: StoreKey = '/ExperimentRuns/TS_1/Picks/v_1_ribosome.json';
    const refusal = {
      code: 'corrupt-data',
      message: expect.stringMatching(/https:\/\/host\/data\/y\.json differs from/),
    };
    await expect(store.get(key)).rejects.toMatchObject(refusal);
    await expect(store.getRange(key, { offset: 0, length: 1 })).rejects.toMatchObject(refusal);
  });

  it('files of a Croissant that do not exist are absent', async () => {
    const picks = `${picksHeader}TS_1,u,1,ribosome,,x.json,${sha256(picksJson)}\n`;
    expect(await croissant({ picks }).open().get(picksKey)).toBeUndefined();
  });

  it.each([
    ['points of the portal', 'x.ndjson', '10', point, { x: 10, y: 20, z: 30 }],
    ['points with the spacing in the address', 'VoxelSpacing5.000/x.ndjson', '', point, { x: 5, y: 10, z: 15 }],
    ['points under another name', 'x.json', '2', point + point, { x: 2, y: 4, z: 6 }],
    ['copick’s own picks', 'x.json', '2', picksJson, { x: 1, y: 2, z: 3 }],
  ])('files of a Croissant are picks in Å: %s', async (_, url, spacing, text, position) => {
    const { fetch } = croissant(
      { picks: `${picksHeader}TS_1,u,1,ribosome,${spacing},${url},\n` },
      { files: { [`${root}/${url}`]: text } },
    );
    const run = await (await openCroissant(root, { fetch })).run('TS_1');
    expect((await run.picks())[0]).toMatchObject({ object: 'ribosome', position, score: 1 });
  });

  it('files of a Croissant keep the instance ids of the portal’s points', async () => {
    const text = '{"type":"instancePoint","location":{"x":1,"y":2,"z":3},"instance_id":7}\n';
    const picks = `${picksHeader}TS_1,u,1,ribosome,10,x.ndjson,\n`;
    const { fetch } = croissant({ picks }, { files: { [`${root}/x.ndjson`]: text } });
    const run = await (await openCroissant(root, { fetch })).run('TS_1');
    const [set] = await run.pickSets();
    expect(await set!.read()).toMatchObject({ picks: [{ instanceId: 7 }], trustOrientation: false, voxelSpacing: 10 });
  });

  it.each([
    ['points of unknown voxel size', 'x.ndjson', '', point, /neither picks\.csv nor its address states its voxel_size/],
    ['points that are broken', 'x.ndjson', '10', `${point}{"location": 3}\n`, /x\.ndjson, line 2: location/],
    ['what is neither JSON nor points', 'x.json', '10', 'hello', /is not JSON/],
  ])('files of a Croissant that are not valid are refused: %s', async (_, url, spacing, text, message) => {
    const { fetch } = croissant(
      { picks: `${picksHeader}TS_1,u,1,ribosome,${spacing},${url},\n` },
      { files: { [`${root}/${url}`]: text } },
    );
    const run = await (await openCroissant(root, { fetch })).run('TS_1');
    await expect(run.picks()).rejects.toMatchObject({ code: 'invalid-picks', message: expect.stringMatching(message) });
  });

  it('files of a Croissant have no children, and folders have no bytes', async () => {
    const tomograms = 'run,voxel_size,tomo_type,url\nTS_1,10,wbp,w.zarr/\n';
    const picks = `${picksHeader}TS_1,u,1,ribosome,,x.json,\n`;
    const { open } = croissant({ picks, tomograms }, { files: { [`${root}/w.zarr/0/.zarray`]: '{}' } });
    const store = open();
    const image: StoreKey = '/ExperimentRuns/TS_1/VoxelSpacing10.000/wbp.zarr';
    for (const key of [`${picksKey}/below`, image, '/ExperimentRuns', '/', '/nothing'] as const) {
      expect(await store.get(key)).toBeUndefined();
      expect(await store.getRange(key, { offset: 0, length: 1 })).toBeUndefined();
    }
    expect(await textOf(store.get(`${image}/0/.zarray`))).toBe('{}');
    expect(await textOf(store.getRange(`${image}/0/.zarray`, { offset: 1, length: 1 }))).toBe('}');
    await expect(store.list(`${image}/0`)).rejects.toMatchObject({ code: 'unsupported' });
    await expect(store.get('/../x' as StoreKey)).rejects.toMatchObject({ code: 'invalid-option' });
  });
});
