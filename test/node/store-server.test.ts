import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rmdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryStore, type StoreKey } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { findRoot } from '../../src/node/request-path.ts';
import { type StoreServer, serveStores } from '../../src/node/store-server.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** The names of the run's folder with picks, as a path below the token. */
const picks = 'data/overlay/ExperimentRuns/TS_1/Picks';

let server: StoreServer;
let folder: string;
let host: string;
let prefix: string;

beforeAll(async () => {
  folder = await tempDir();
  const overlay = join(folder, 'overlay');
  await mkdir(join(overlay, 'ExperimentRuns/TS_1/Picks'), { recursive: true });
  await mkdir(join(folder, 'static/run/.git'), { recursive: true });
  await mkdir(join(folder, 'page'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'secret');
  await writeFile(join(folder, 'static/.netrc'), 'secret');
  await writeFile(join(folder, 'static/run/.git/config'), 'secret');
  await writeFile(join(folder, 'static/run/.zattrs'), '{}');
  await writeFile(
    join(folder, 'static/run/chunk'),
    Uint8Array.from({ length: 100 }, (_, i) => i),
  );
  await writeFile(join(folder, 'page/index.html'), '<!doctype html>');
  await writeFile(join(folder, 'page/main.js'), 'export {};');
  await symlink(join(folder, 'secret.txt'), join(folder, 'static/run/out'));
  await symlink(folder, join(folder, 'static/above'));
  await symlink(join(folder, 'static/run/chunk'), join(folder, 'static/run/within'));
  await symlink(join(folder, 'nowhere'), join(folder, 'static/run/nowhere'));
  await symlink(join(folder, 'secret.txt'), join(overlay, 'link.json'));
  await symlink(join(folder, 'fresh.json'), join(overlay, 'dangling.json'));
  await symlink(folder, join(overlay, 'outside'));
  const fixed = directoryStore(join(folder, 'static'), { readOnly: true });
  const written = directoryStore(overlay);
  const remote = memoryStore([['/run/chunk', Uint8Array.from({ length: 100 }, (_, i) => i)]]);
  server = await serveStores(
    {
      data: new Map([
        ['overlay', { store: written, writable: written, folder: overlay }],
        ['static', { store: fixed, folder: join(folder, 'static') }],
        ['remote', { store: remote }],
        ['0', { store: directoryStore(folder), folder, only: '/static/run/chunk' as StoreKey }],
      ]),
      files: new Map([['', directoryStore(join(folder, 'page'))]]),
    },
    { port: 0 },
  );
  ({ host, pathname: prefix } = new URL(server.address));
});

afterAll(() => server.close());

/** Sends a path as it is, which `fetch` would tidy up. */
function askAt(path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  const [hostname, port] = host.split(':') as [string, string];
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces).toString() }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const ask = (path: string, options?: Ask) => askAt(`${prefix}${path}`, options);
const put = (path: string, body: string | Uint8Array, headers: Record<string, string>) =>
  ask(path, { method: 'PUT', headers: { Origin: `http://${host}`, ...headers }, body });
const fresh = { 'If-None-Match': '*' };

describe('what the server of view shows', () => {
  it('a value is sent whole, in part, from its end, and beyond its end as 416', async () => {
    const bytes = Buffer.from(await readFile(join(folder, 'static/run/chunk')));
    for (const path of ['data/static/run/chunk', 'data/remote/run/chunk']) {
      const of = async (range?: string) => ask(path, range === undefined ? {} : { headers: { Range: range } });
      expect(await of()).toMatchObject({ status: 200, body: bytes.toString() });
      const part = await of('bytes=10-19');
      expect(part).toMatchObject({ status: 206, body: bytes.subarray(10, 20).toString() });
      expect(part.headers['content-range']).toMatch(/^bytes 10-19\/(100|\*)$/);
      expect((await of('bytes=90-')).body).toBe(bytes.subarray(90).toString());
      expect((await of('bytes=100-200')).status).toBe(416);
    }
    expect(await ask('data/static/run/chunk', { headers: { Range: 'bytes=-7' } })).toMatchObject({
      status: 206,
      headers: { 'content-range': 'bytes 93-99/100', 'content-length': '7' },
      body: bytes.subarray(93).toString(),
    });
    expect((await ask('data/static/run/within')).body).toBe(bytes.toString());
  });

  it('a range that is not understood, and several ranges, get the whole value', async () => {
    for (const range of [
      'bytes=5-4',
      'bytes=1-2,4-5',
      'lines=1-2',
      'bytes=-',
      'bytes=a-b',
      `bytes=${'9'.repeat(30)}-`,
    ]) {
      expect((await ask('data/static/run/chunk', { headers: { Range: range } })).headers['content-length']).toBe('100');
    }
  });

  it('HEAD gives the size of a value, and as ETag its version with a hash of the bytes, without a body', async () => {
    const { status, headers, body } = await ask('data/static/run/chunk', { method: 'HEAD' });
    const hash = createHash('sha256')
      .update(await readFile(join(folder, 'static/run/chunk')))
      .digest('hex');
    expect({ status, body, length: headers['content-length'] }).toEqual({ status: 200, body: '', length: '100' });
    expect(headers.etag).toMatch(new RegExp(`^"${hash.slice(0, 32)}@\\d{4}-[\\dT:.-]+Z"$`));
    expect((await ask('data/static/run/other', { method: 'HEAD' })).status).toBe(204);
  });

  it('a value that is absent is 204, which browsers do not show as an error, and a file of the page 404', async () => {
    for (const init of [{}, { method: 'HEAD' }, { headers: { Range: 'bytes=0-9' } }]) {
      expect(await ask('data/static/run/other', init)).toMatchObject({ status: 204, body: '' });
      expect(await ask('other.js', init)).toMatchObject({ status: 404, body: '' });
    }
  });

  it('a folder is listed as JSON, without hidden names that are not served; one that is absent is empty', async () => {
    const names = async (path: string) =>
      (JSON.parse((await ask(path)).body) as { name: string }[]).map(({ name }) => name);
    expect(await names('list/static/index.json')).toEqual(['above', 'run']);
    expect(await names('list/static/run/index.json')).toEqual(['.zattrs', 'chunk', 'nowhere', 'out', 'within']);
    expect(await names('list/static/absent/index.json')).toEqual([]);
    expect(await names('list/remote/index.json')).toEqual(['run']);
  });

  it('of a single file the server shows that file, and neither the files beside it nor a listing', async () => {
    expect((await ask('data/0/static/run/chunk')).status).toBe(200);
    for (const path of ['data/0/secret.txt', 'data/0/static/run/.zattrs', 'list/0/index.json']) {
      expect((await ask(path)).status).toBe(404);
    }
  });

  it('every answer, errors too, has the policy, isolates the page, sends no referrer, and stays out of caches', async () => {
    for (const path of ['', 'main.js', 'data/static/run/chunk', 'data/static/absent', 'data/static/run/out']) {
      const { headers } = await ask(path);
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; /);
      expect(headers).toMatchObject({
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
    }
    expect((await ask('')).headers['content-type']).toBe('text/html; charset=utf-8');
    expect((await ask('main.js')).headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect((await ask('data/static/run/.zattrs')).headers['content-type']).toBe('application/octet-stream');
  });
});

/** Paths below the token that lead out of the roots, to hidden files, or nowhere. */
const hostile: readonly string[] = [
  'data/static/../secret.txt',
  'data/static/../../secret.txt',
  'data/static/run/../../secret.txt',
  'data/../secret.txt',
  '../secret.txt',
  'data/static/..%2fsecret.txt',
  'data/static/..%2Fsecret.txt',
  'data/static/%2e%2e/secret.txt',
  'data/static/%2E%2E/secret.txt',
  'data/static/.%2e/secret.txt',
  'data/static/%2e./secret.txt',
  'data/static/%252e%252e/secret.txt',
  'data/static/%252e%252e%252fsecret.txt',
  'data/static/..%252fsecret.txt',
  'data/static/..%c0%afsecret.txt',
  'data/static/%c0%ae%c0%ae/secret.txt',
  'data/static/..%5csecret.txt',
  'data/static/..\\secret.txt',
  'data/static/%5c..%5csecret.txt',
  'data/static/....//secret.txt',
  'data/static/..;/secret.txt',
  'data/static//etc/passwd',
  'data/static/%2fetc%2fpasswd',
  'data/static///etc/passwd',
  '/etc/passwd',
  '//etc/passwd',
  'data//etc/passwd',
  'data/static/run/chunk%00',
  'data/static/run/chunk%00.png',
  'data/static/%00',
  'data/static/run/out%0a',
  'data/static/C:%5cWindows%5cwin.ini',
  'data/static/C:/Windows/win.ini',
  'data/static/file:%2f%2f%2fetc%2fpasswd',
  'data/static/run/out',
  'data/static/above/secret.txt',
  'data/static/above/static/.netrc',
  'data/static/above/overlay/../secret.txt',
  'data/static/run/nowhere',
  'list/static/above/index.json',
  'list/static/../index.json',
  'list/overlay/outside/index.json',
  'data/static/.netrc',
  'data/static/run/.git/config',
  'data/static/run/.git%2fconfig',
  'data/static/.',
  'data/static/./run/chunk',
  'data/static/run/./chunk',
  'data/static/run/chunk/',
  'data/static/run//chunk',
  'data/static/run/%',
  'data/static/run/%zz',
  'data/static/run/%ff',
  'data/__proto__/secret.txt',
  'data/constructor/secret.txt',
  'data/overlay/link.json',
  'data/overlay/outside/secret.txt',
  'page/index.html',
  'ort/../secret.txt',
];

describe('what the server of view does not show', () => {
  it.each(hostile)('%s below the token gives no file', async (path) => {
    const { status, body } = await ask(path);
    expect([204, 400, 404, 422, 503]).toContain(status);
    expect(body).not.toMatch(/secret\b(?!\.txt)|root:/);
  });

  it('a path that is too long, or has too long a name, gives no file', async () => {
    for (const name of ['a'.repeat(300), `${'a/'.repeat(3000)}secret.txt`, `${'../'.repeat(50)}etc/passwd`]) {
      expect((await ask(`data/static/${name}`)).status).toBe(404);
    }
  });

  it('nothing is answered without the token, in whole or in part, nor with another one', async () => {
    const token = prefix.slice(1, -1);
    const wrong = ['/', '/session.json', '/data/static/run/chunk', `/${token}`, `/${token.slice(0, -1)}/main.js`];
    for (const path of [
      ...wrong,
      `/${token}x/main.js`,
      `/x/${token}/main.js`,
      `//${token}/main.js`,
      `/?${token}`,
      '*',
    ]) {
      expect(await askAt(path)).toMatchObject({ status: 404, body: '' });
    }
    expect(await askAt(`http://${host}${prefix}main.js`)).toMatchObject({ status: 404, body: '' });
    expect(await askAt('/data/static/run/chunk', { method: 'DELETE' })).toMatchObject({ status: 404, body: '' });
  });

  it('a request for another host is refused, as it comes when a name was bound to this machine', async () => {
    const port = host.split(':')[1];
    for (const name of [
      `evil.example:${port}`,
      'evil.example',
      `127.0.0.1.evil.example:${port}`,
      '192.168.0.1',
      '[::1]',
    ]) {
      expect(await ask('main.js', { headers: { Host: name } })).toMatchObject({ status: 403, body: '' });
    }
    for (const name of [`localhost:${port}`, 'localhost:9000', `127.0.0.1:${port}`]) {
      expect((await ask('main.js', { headers: { Host: name } })).status).toBe(200);
    }
  });

  it('a request of another origin is refused, to read and to write; a link may open the page', async () => {
    const port = host.split(':')[1];
    for (const origin of [
      'https://evil.example',
      'null',
      `http://localhost:${port}`,
      'http://127.0.0.1:1',
      `https://${host}`,
    ]) {
      expect((await ask('data/static/run/chunk', { headers: { Origin: origin } })).status).toBe(403);
      expect((await put(`${picks}/a_1_b.json`, '{}', { ...fresh, Origin: origin })).status).toBe(403);
    }
    const cross = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' };
    for (const site of ['cross-site', 'same-site']) {
      expect((await ask('main.js', { headers: { 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': 'no-cors' } })).status).toBe(
        403,
      );
    }
    expect((await ask('data/static/run/chunk', { headers: cross })).status).toBe(403);
    expect((await ask('', { headers: cross })).status).toBe(200);
  });

  it('methods other than GET, HEAD and PUT are refused', async () => {
    for (const method of ['POST', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'MOVE', 'PROPFIND']) {
      expect(await ask('data/overlay/x.json', { method })).toMatchObject({ status: 405 });
    }
  });

  it('a ticket leads to the page once', async () => {
    const { pathname } = new URL(server.ticket());
    expect((await askAt('/open/AAAAAAAAAAAAAAAAAAAAAA')).status).toBe(404);
    expect(await askAt(pathname)).toMatchObject({ status: 303, headers: { location: prefix } });
    expect(await askAt(pathname)).toMatchObject({ status: 404, body: '' });
  });
});

describe('what the server of view writes', () => {
  it('a new file where there was none, and the next version of the one that was read', async () => {
    const path = `${picks}/user_1_ribosome.json`;
    const file = join(folder, 'overlay/ExperimentRuns/TS_1/Picks/user_1_ribosome.json');
    expect((await put(path, '{"a":1}', fresh)).status).toBe(204);
    const { etag } = (await ask(path, { method: 'HEAD' })).headers;
    expect((await put(path, '{"a":2}', fresh)).status).toBe(412);
    expect((await put(path, '{"a":2}', { 'If-Match': etag! })).status).toBe(204);
    expect(await put(path, '{"a":3}', { 'If-Match': etag! })).toMatchObject({ status: 412, body: /"code":"conflict"/ });
    expect(await readFile(file, 'utf8')).toBe('{"a":2}');
  });

  it('nothing without a condition, or with one that is not understood; a record beside picks needs none', async () => {
    const path = `${picks}/user_2_ribosome.json`;
    for (const headers of [{}, { 'If-Match': '*' }, { 'If-None-Match': '"x"' }, { 'If-Match': 'W/"x"' }]) {
      expect((await put(path, '{}', headers as Record<string, string>)).status).toBe(428);
    }
    expect((await put(path, '{}', { 'If-Match': '"x"' })).status).toBe(400);
    expect((await ask(path)).status).toBe(204);
    expect((await put(`${picks}/.user_2_ribosome.provenance`, '{}', {})).status).toBe(204);
    expect((await put(`${picks}/.profile`, '{}', {})).status).toBe(404);
  });

  it('nothing outside of the overlay: no other store, no page, no link, no name that leaves it', async () => {
    const elsewhere = ['main.js', 'index.html', 'session.json', 'data/static/run/new.json', 'data/static/run/chunk'];
    const beyond = ['data/overlay/../static/x.json', 'data/overlay/%2e%2e/x.json', 'data/overlay/..%2fx.json'];
    const links = ['data/overlay/link.json', 'data/overlay/dangling.json', 'data/overlay/outside/new.json'];
    const names = [
      'data/overlay',
      'data/overlay/',
      'data/overlay/.bashrc',
      'data/overlay/a%00.json',
      'data/remote/x.json',
    ];
    for (const path of [...elsewhere, ...beyond, ...links, ...names, 'list/overlay/index.json', 'data/0/x.json']) {
      const { status } = await put(path, 'x', fresh);
      expect({ path, refused: status >= 400 }).toEqual({ path, refused: true });
    }
    expect(await readFile(join(folder, 'secret.txt'), 'utf8')).toBe('secret');
    await expect(readFile(join(folder, 'new.json'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readFile(join(folder, 'fresh.json'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readFile(join(folder, 'x.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('nothing outside of the overlay by a hostile path, and nothing at all without the token, for another host or of another origin', async () => {
    const overlay = join(folder, 'overlay');
    const outside = async () =>
      Object.fromEntries(Object.entries(await snapshot(folder)).filter(([path]) => !path.startsWith(`${overlay}/`)));
    const around = await outside();
    expect(Object.keys(around).length).toBeGreaterThan(8);
    for (const path of hostile) {
      expect({ path, status: (await put(path, 'hostile', fresh)).status }).toSatisfy(({ status }) => status >= 400);
      // Below the overlay, a name that is encoded twice is a name like any other.
      await put(path.replace(/(data|list)\/static/, '$1/overlay'), 'hostile', fresh);
    }
    expect(await outside()).toEqual(around);
    const before = await snapshot(folder);
    const path = `${picks}/hostile_1_ribosome.json`;
    const origin = { Origin: `http://${host}` };
    for (const [target, headers] of [
      [`/${path}`, origin],
      [`/${'A'.repeat(22)}/${path}`, origin],
      [`${prefix}${path}`, { Origin: 'https://evil.example' }],
      [`${prefix}${path}`, { Origin: 'null' }],
      [`${prefix}${path}`, { ...origin, Host: 'evil.example' }],
    ] as const) {
      const { status } = await askAt(target, { method: 'PUT', headers: { ...fresh, ...headers }, body: 'hostile' });
      expect([403, 404]).toContain(status);
    }
    expect(await snapshot(folder)).toEqual(before);
  });

  it('of many writers at once of one version exactly one, and the others are told of the conflict', async () => {
    const path = `${picks}/many_1_ribosome.json`;
    await put(path, '0', fresh);
    for (let round = 1; round <= 5; round++) {
      const { etag } = (await ask(path, { method: 'HEAD' })).headers;
      const answers = await Promise.all([1, 2, 3, 4].map((i) => put(path, `${round}${i}`, { 'If-Match': etag! })));
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 412, 412, 412]);
      const winner = answers.findIndex(({ status }) => status === 204) + 1;
      expect((await ask(path)).body).toBe(`${round}${winner}`);
    }
  });

  it('no body of more than 64 MiB, whether its length is said or not, and none that breaks off', async () => {
    const path = `${picks}/large_1_ribosome.json`;
    const said = await rawPut(path, 'Content-Length: 70000000');
    expect(said).toMatch(/^HTTP\/1.1 413 /);
    const piece = `400000\r\n${'x'.repeat(2 ** 22)}\r\n`;
    expect(await rawPut(path, 'Transfer-Encoding: chunked', piece.repeat(17))).toMatch(/^HTTP\/1.1 413 /);
    await rawPut(path, 'Content-Length: 100', 'ten bytes.', { hangUp: true });
    expect((await ask(path)).status).toBe(204);
  }, 60_000);

  it('no body that does not arrive in time', async () => {
    const store = memoryStore();
    const site = { data: new Map([['overlay', { store, writable: store }]]), files: new Map() };
    const other = await serveStores(site, { port: 0, patience: 200 });
    const { hostname, port, pathname } = new URL(other.address);
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    const head = `PUT ${pathname}data/overlay/x.json HTTP/1.1\r\nHost: ${hostname}:${port}`;
    socket.write(`${head}\r\nIf-None-Match: *\r\nContent-Length: 10\r\n\r\nhalf`);
    await closed;
    expect(await store.list('/')).toEqual([]);
    await other.close();
  });

  it('a fifth body while four are being sent is put off', async () => {
    const length = 'Expect: 100-continue\r\nContent-Length: 100';
    const held = [1, 2, 3, 4].map((i) => openPut(`${picks}/slow_${i}_ribosome.json`, length));
    // Each is told to go on, so that the fifth is the fifth.
    const told = held.map((socket) => new Promise((resolve) => socket.once('data', resolve)));
    expect((await Promise.all(told)).map(String)).toEqual(Array(4).fill('HTTP/1.1 100 Continue\r\n\r\n'));
    await expect
      .poll(async () => (await put(`${picks}/fifth_1_ribosome.json`, '{}', fresh)).status, {
        interval: 20,
        timeout: 20_000,
      })
      .toBe(503);
    for (const socket of held) socket.destroy();
    await expect
      .poll(async () => (await put(`${picks}/sixth_1_ribosome.json`, '{}', fresh)).status, {
        interval: 20,
        timeout: 20_000,
      })
      .toBe(204);
  });
});

describe('the server of view', () => {
  it('breaks off an answer about a file that gets shorter, rather than fill it up', async () => {
    const file = join(folder, 'static/run/long');
    await writeFile(file, new Uint8Array(2 ** 25));
    const response = await fetch(`${server.address}data/static/run/long`);
    await truncate(file, 10);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it('answers the page while 700 connections without the token say nothing, and 200 ranges at once', async () => {
    const port = Number(host.split(':')[1]);
    const silent = Array.from({ length: 700 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    const opened = silent.map(
      (socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)),
    );
    await Promise.all(opened);
    expect((await ask('main.js')).status).toBe(200);
    const ranges = Array.from({ length: 200 }, (_, i) => ({ Range: `bytes=${i % 100}-${i % 100}` }));
    const answers = await Promise.all(ranges.map((headers) => ask('data/static/run/chunk', { headers })));
    expect(answers.map(({ status, headers }) => [status, headers['content-length']])).toEqual(
      ranges.map(() => [206, '1']),
    );
    // The oldest ones had to make room, the latest ones not.
    expect(silent[0]!.destroyed || silent[0]!.readableEnded).toBe(true);
    expect(silent.at(-1)!.destroyed).toBe(false);
    for (const socket of silent) socket.destroy();
  }, 30_000);

  it('says that a connection ends where it has not read the body of a request, and only there', async () => {
    const own = { Origin: `http://${host}` };
    const sent = [
      [`${prefix}${picks}/closed_1_ribosome.json`, 'PUT', own, 428],
      [`${prefix}data/static/run/chunk`, 'PUT', { ...own, ...fresh }, 403],
      [`${prefix}main.js`, 'POST', own, 405],
      ['/data/static/run/chunk', 'PUT', own, 404],
      [`${prefix}main.js`, 'GET', own, 200],
    ] as const;
    for (const [path, method, headers, status] of sent) {
      for (const [body, connection] of [
        ['x'.repeat(2 ** 20), 'close'],
        ['', 'keep-alive'],
      ] as const) {
        const length = { Connection: 'keep-alive', 'Content-Length': String(body.length) };
        const answer = await askAt(path, { method, headers: { ...headers, ...length }, body });
        expect({ path, status: answer.status, connection: answer.headers.connection }).toEqual({
          path,
          status,
          connection,
        });
      }
    }
    const read = await put(`${picks}/closed_2_ribosome.json`, '{}', { ...fresh, Connection: 'keep-alive' });
    expect(read).toMatchObject({ status: 204, headers: { connection: 'keep-alive' } });
  });

  it('neither reads nor makes anew a folder that has gone since the start, and goes on when it is back', async () => {
    const path = join(await tempDir(), 'overlay');
    await mkdir(path);
    await writeFile(join(path, 'a.json'), '1');
    const store = directoryStore(path);
    const data = new Map([['overlay', { store, writable: store, folder: path, root: await findRoot(path) }]]);
    const other = await serveStores({ data, files: new Map() }, { port: 0 });
    const status = async () => {
      const answers = [
        await fetch(`${other.address}list/overlay/index.json`),
        await fetch(`${other.address}data/overlay/a.json`),
        await fetch(`${other.address}data/overlay/b.json`, {
          method: 'PUT',
          headers: { 'If-None-Match': '*' },
          body: '2',
        }),
      ];
      return Promise.all(answers.map(async (answer) => [answer.status, await answer.text()]));
    };
    await rename(path, `${path}-gone`);
    const gone = [503, expect.stringMatching(/"code":"unavailable".* is gone/)];
    expect(await status()).toEqual([gone, gone, gone]);
    await expect(readdir(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(path);
    expect(await status()).toEqual([gone, gone, gone]);
    expect(await readdir(path)).toEqual([]);
    await rmdir(path);
    await rename(`${path}-gone`, path);
    expect((await status()).map(([code]) => code)).toEqual([200, 200, 204]);
    await other.close();
  });

  it('ends at once although a connection waits', async () => {
    const other = await serveStores({ data: new Map(), files: new Map() }, { port: 0 });
    const { port } = new URL(other.address);
    const socket = connect(Number(port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n');
    await other.close();
    await ended;
  });

  it('takes the next port if the usual one is taken, and says so of a port that was asked for', async () => {
    const site = { data: new Map(), files: new Map() };
    const [one, two] = [await serveStores(site), await serveStores(site)];
    const port = Number(new URL(one.address).port);
    expect(new URL(two.address).port).not.toBe(String(port));
    await expect(serveStores(site, { port })).rejects.toMatchObject({ code: 'unavailable', option: 'port' });
    await Promise.all([one.close(), two.close()]);
  });

  it('has another token each time, of 128 random bits', async () => {
    const site = { data: new Map(), files: new Map() };
    const servers = await Promise.all([1, 2, 3].map(() => serveStores(site, { port: 0 })));
    const tokens = servers.map(({ address }) => new URL(address).pathname.slice(1, -1));
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) expect(Buffer.from(token, 'base64url').length).toBe(16);
    await Promise.all(servers.map((one) => one.close()));
  });
});

/** All files below a folder with their contents, links as links. */
async function snapshot(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path] = await readFile(path, 'latin1');
    else if (entry.isSymbolicLink()) files[path] = await readlink(path);
  }
  return files;
}

/** Opens a connection and sends the head of a PUT, and what of its body is given. */
function openPut(path: string, length: string, body = '') {
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`PUT ${prefix}${path} HTTP/1.1\r\nHost: ${host}\r\nIf-None-Match: *\r\n${length}\r\n\r\n${body}`);
  return socket;
}

/** The first line of the answer to such a PUT. */
function rawPut(path: string, length: string, body = '', { hangUp = false } = {}): Promise<string> {
  const socket = openPut(path, length, body);
  if (hangUp) socket.end();
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString();
    });
    socket.on('close', () => resolve(text.split('\r\n')[0]!));
  });
}
