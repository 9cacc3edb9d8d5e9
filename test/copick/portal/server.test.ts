import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/entry/copick.ts';
import { openPortal } from '../../../src/entry/portal.ts';
import { bucketFile, fakePortal, portalFixture, portalTables, type Tables } from '../../support/portal.ts';

const bucket = 'https://files.cryoetdataportal.cziscience.com';

describe('a portal over HTTP', () => {
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const answer: RequestListener = async (request, response) => {
    const tables: Tables = JSON.parse(JSON.stringify(portalTables()).replaceAll(bucket, origin));
    const portal = fakePortal({ tables, file: (url) => bucketFile(url.replace(origin, bucket)) });
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = 'GET', url = '/' } = request;
    const body = method === 'POST' ? { body: Buffer.concat(chunks).toString() } : {};
    const reply = await portal.fetch(`${origin}${url}`, { method, ...body });
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    response.end(new Uint8Array(await reply.arrayBuffer()));
  };

  it('a portal over HTTP gives runs, voxels and picks through the fetch of the platform', async () => {
    const { objects } = parseConfig(JSON.stringify(portalFixture('copick.json')), { source: 'copick.json' });
    const { project, portal } = openPortal({ datasetIds: [10001], objects, endpoint: `${origin}/graphql` });
    const [{ run: name }] = (await portal.runs()).filter((one) => one.name === 'TS_1');
    const run = await project.run(name);
    const tomogram = await run.tomogram('wbp-denoised-denoiset-ctfdeconv');
    expect(tomogram.grid).toMatchObject({ shape: [6, 8, 10], voxelSize: [10.012, 10.012, 10.012] });
    expect((await tomogram.read({ start: [0, 0, 0], end: [6, 8, 10] })).data).toHaveLength(480);
    expect(await run.picks({ object: 'apo-ferritin' })).toHaveLength(6);
    const kinds = await run.segmentations();
    expect(kinds.map(({ name: object, kind }) => [object, kind])).toEqual([
      ['membrane', 'binary'],
      ['membrane', 'instance'],
    ]);
    expect(project.problems).toEqual([]);
  });
});
