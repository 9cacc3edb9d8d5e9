import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sourceFromArray } from '../../src/entry/index.ts';
import { encodeMrc } from '../../src/entry/io.ts';
import { ownCertificate } from '../support/own-certificate.ts';
import { expectMessage, objectRow, settled } from '../support/page-hands.ts';
import { isotropic, makeProject, ribosomesIn } from '../support/page-project.ts';
import { drawingOf } from '../support/page-rings.ts';
import { s3Server } from '../support/s3-server.ts';
import { describePage, type Shown } from '../support/served-page.ts';
import { filesBelow } from '../support/simulated-project.ts';
import { noise } from '../support/volumes.ts';

const nothing: Shown & { readonly ignoreHTTPSErrors: true } = {
  session: { open: { kind: 'nothing' } },
  folders: {},
  ignoreHTTPSErrors: true,
};

/** What the bucket holds, by key: a project without its config, a volume. */
const values: Record<string, Uint8Array> = {};
let host: string;
let close: () => void;

beforeAll(async () => {
  const { overlay } = await makeProject({ picks: ribosomesIn(isotropic, 5, 3) });
  for (const name of await filesBelow(overlay)) values[`project/${name}`] = await readFile(join(overlay, name));
  const config = {
    config_type: 'filesystem',
    overlay_root: '.',
    pickable_objects: [{ name: 'ribosome', is_particle: true, label: 1, radius: 150 }],
  };
  values['project/copick.json'] = Buffer.from(JSON.stringify(config));
  const pieces: Uint8Array[] = [];
  const source = sourceFromArray({ data: noise([8, 16, 24]), shape: [8, 16, 24] }, { voxelSize: [10, 10, 10] });
  for await (const piece of encodeMrc(source)) pieces.push(piece);
  values['volumes/a.mrc'] = Buffer.concat(pieces);
  const server = createServer(ownCertificate(), async ({ method, url, headers }, response) => {
    const isOpen = !url!.startsWith('/private/');
    const { fetch } = s3Server({ endpoint: `${host}/${isOpen ? 'bucket' : 'private'}`, values });
    const allowed = isOpen ? { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' } : {};
    if (method === 'OPTIONS') return void response.writeHead(204, allowed).end();
    const range = headers.range === undefined ? {} : { range: headers.range };
    const answer = await fetch(`${host}${url}`, { headers: range });
    response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), ...allowed });
    response.end(method === 'HEAD' ? undefined : Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
}, 60_000);

afterAll(() => close());

/** Types an address into the dialog that stands open. */
async function type(tab: Page, address: string): Promise<void> {
  await tab.getByLabel('Address').fill(address);
  await tab.keyboard.press('Enter');
}

/** Whether the xy slice shows anything but one grey. */
async function expectIce(tab: Page): Promise<void> {
  const { width, height, colorAt } = await drawingOf(tab, 'xy');
  const row = Math.floor(height / 3);
  const greys = Array.from({ length: 60 }, (_, i) => colorAt(Math.floor(width / 2) - 30 + i, row)[0]);
  expect(new Set(greys).size).toBeGreaterThan(4);
}

describePage('addresses typed into the page of view', ({ open }) => {
  it.each([
    ['an OME-Zarr', '/bucket/project/ExperimentRuns/TS_1/VoxelSpacing10.000/denoised.zarr', 'denoised.zarr'],
    ['an MRC file', '/bucket/volumes/a.mrc', 'a.mrc'],
  ])(
    '%s on a server that lets pages read opens',
    async (_, path, name) => {
      const { tab, problems } = await open(nothing);
      await type(tab, `${host}${path}`);
      await settled(tab);
      expect(await tab.getByLabel('Run', { exact: true }).inputValue()).toBe(name);
      await expectIce(tab);
      expect(problems).toEqual([]);
    },
    60_000,
  );

  it('a project in a public bucket opens with its picks, by its HTTPS address', async () => {
    const { tab, problems } = await open(nothing);
    await type(tab, `${host}/bucket/project`);
    await settled(tab);
    expect(await tab.getByLabel('Run', { exact: true }).inputValue()).toBe('TS_1');
    expect(await objectRow(tab, 'ribosome').locator('.number').textContent()).toBe('5');
    await expectIce(tab);
    expect(problems).toEqual([]);
  }, 60_000);

  it('a folder of a bucket of Amazon opens by s3://', async () => {
    const { tab, problems } = await open(nothing);
    const endpoint = 'https://lab-data.s3.amazonaws.com';
    const bucket = s3Server({ endpoint, values });
    await tab.context().route(`${endpoint}/**`, async (route) => {
      const range = await route.request().headerValue('range');
      const answer = await bucket.fetch(route.request().url(), { headers: range === null ? {} : { range } });
      await route.fulfill({
        status: answer.status,
        headers: { ...Object.fromEntries(answer.headers), 'access-control-allow-origin': '*' },
        body: Buffer.from(await answer.arrayBuffer()),
      });
    });
    await type(tab, 's3://lab-data/volumes');
    await settled(tab);
    expect(await tab.getByLabel('Run', { exact: true }).inputValue()).toBe('a.mrc');
    await expectIce(tab);
    expect(problems).toEqual([]);
  }, 60_000);

  it('a server that does not let pages read is told as that, and what is no address too', async () => {
    const { tab } = await open(nothing);
    await type(tab, `${host}/private/volumes/a.mrc`);
    await expectMessage(tab, /CORS/, 40_000);
    await tab.locator('header .title').click();
    await type(tab, 'https://127.0.0.1:1/a.zarr');
    await expectMessage(tab, /127\.0\.0\.1:1/, 40_000);
  }, 90_000);
});
