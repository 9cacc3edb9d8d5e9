import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadRuntime } from '../../src/cli/runtime.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { findRuntime, type ViewInput, view } from '../../src/cli/view.ts';
import { exportPage } from '../../src/cli/view-export.ts';
import { parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import { type Model, openTomogram, sourceFromArray } from '../../src/entry/index.ts';
import { encodeMrc, openMrc, storeReader } from '../../src/entry/io.ts';
import { directoryStore } from '../../src/entry/node.ts';
import { servedStore, type ViewSession } from '../../src/entry/web.ts';
import { captureCli, TextSink } from '../support/capture-cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';
import { zipBytes } from '../support/zip-bytes.ts';

const voxels = Float32Array.from({ length: 4 * 6 * 8 }, (_, i) => Math.sin(i));
const mrcSource = sourceFromArray({ data: voxels, shape: [4, 6, 8] }, { voxelSize: [10, 10, 10] });

/** A page in place of the built one. */
let page: string;
/** A simulated project, to be copied by links. */
let sample: string;
let folder: string;
const running: (() => Promise<void>)[] = [];

beforeAll(async () => {
  page = await tempDir();
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  await writeFile(join(page, 'main.js'), 'export {};');
  sample = await tempDir();
  await smallProject(sample, { runs: 2 });
}, 60_000);

beforeEach(async () => {
  folder = await tempDir();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((stop) => stop()));
});

interface Shown {
  readonly address: string;
  readonly session: ViewSession;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Interrupts the program, and gives what `view` returned. */
  readonly stop: () => Promise<unknown>;
  readonly text: (path: string) => Promise<string>;
}

/** Runs `view` inside this process until the address is printed. */
async function show(path: string | undefined, input: Partial<ViewInput> = {}): Promise<Shown> {
  const [stdout, stderr, controller] = [new TextSink(), new TextSink(), new AbortController()];
  const terminal = openTerminal({ stdout, stderr, json: input.json === true, signal: controller.signal });
  const ended = view(terminal, { path, page, open: false, port: 0, ...input });
  const stop = async () => {
    controller.abort();
    return ended;
  };
  const printed = new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (!/http:/.test(stdout.text)) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  await Promise.race([printed, ended]);
  running.push(async () => void (await stop()));
  const address = /http:\/\/127\.0\.0\.1:\d+\/[\w-]+\//.exec(stdout.text)![0];
  const text = async (name: string) => (await fetch(`${address}${name}`)).text();
  const session = JSON.parse(await text('session.json')) as ViewSession;
  return { address, session, stdout: () => stdout.text, stderr: () => stderr.text, stop, text };
}

/** Opens the project as the page does. */
function projectOf({ address, session }: Shown) {
  if (session.open.kind !== 'project') throw new Error(`a project was expected, ${session.open.kind} was shown`);
  const { config, overlay, static: fixed } = session.open;
  const at = (path: string) => servedStore(new URL(path, address));
  return projectFromStores({
    config: parseConfig(JSON.stringify(config), { source: session.title }),
    ...(overlay && { overlay: at(overlay) }),
    ...(fixed && { static: at(fixed) }),
  });
}

describe('view', () => {
  it('shows a project: the page opens its runs, objects, tomograms and picks, and saves picks into its overlay', async () => {
    const shown = await show(join(sample, 'copick.json'), { userId: 'a person' });
    expect(await shown.text('')).toBe('<!doctype html>');
    expect(shown.session).toMatchObject({
      version: 1,
      writable: true,
      userId: 'a-person',
      sessionId: '1',
      isExport: false,
    });
    const project = projectOf(shown);
    expect(project.objects.length).toBeGreaterThan(3);
    const [run, ...more] = await project.runs();
    expect([run!.name, more.length]).toEqual(['TS_1_3', 1]);
    expect((await run!.tomogram('denoised', { voxelSpacing: 10 })).grid.shape).toEqual([24, 40, 40]);
    expect((await run!.picks({ userId: 'curation' })).length).toBeGreaterThan(0);
    const pick = { object: 'ribosome', position: { x: 1, y: 2, z: 3 }, score: 1 };
    await run!.writePicks([pick], { userId: 'a-person', sessionId: '1', ifVersion: { ribosome: null } });
    const file = join(sample, 'overlay/ExperimentRuns/TS_1_3/Picks/a-person_1_ribosome.json');
    expect(JSON.parse(await readFile(file, 'utf8')).points).toHaveLength(1);
  });

  it('tells the page nothing of where the project lies, nor of passwords in its config', async () => {
    const config = JSON.parse(await readFile(join(sample, 'copick.json'), 'utf8'));
    const path = join(sample, 'secret.json');
    await writeFile(path, JSON.stringify({ ...config, overlay_fs_args: { password: 'hunter2' }, user_id: 'curator' }));
    const shown = await show(path);
    const { open, userId } = shown.session;
    expect(JSON.stringify(open)).not.toMatch(/hunter2|fs_args/);
    expect(JSON.stringify(open)).not.toContain(sample);
    expect(userId).toBe('curator');
  });

  it('shows a folder with a copick.json as its project, and says where the page is', async () => {
    const shown = await show(sample);
    expect((await projectOf(shown).runs()).length).toBe(2);
    expect(shown.stdout()).toContain(`${sample} is shown at\n\n  ${shown.address}\n`);
    expect(shown.stdout()).toMatch(/Ctrl-C ends it\.\n$/);
  });

  it('shows a folder of runs without a config, and takes no picks for it', async () => {
    const shown = await show(join(sample, 'static'));
    expect(shown.session).toMatchObject({ writable: false, open: { static: './data/static' } });
    const [run] = await projectOf(shown).runs();
    expect((await run!.tomogram('denoised', { voxelSpacing: 10 })).grid.shape).toEqual([24, 40, 40]);
    expect(shown.stderr()).toMatch(/has no copick\.json/);
  });

  it('shows each volume of a folder as a run of its own, and nothing beside them', async () => {
    await writeFile(join(folder, 'a.mrc'), await encodeMrc(mrcSource));
    await writeFile(join(folder, 'notes.txt'), 'private');
    await mkdir(join(folder, 'day 2'));
    const zarr = 'static/ExperimentRuns/TS_1_3/VoxelSpacing10.000/denoised.zarr';
    await symlink(join(sample, zarr), join(folder, 'day 2/out.zarr'));
    await writeFile(join(folder, 'day 2/b.rec'), await encodeMrc(mrcSource));
    const shown = await show(folder);
    if (shown.session.open.kind !== 'volumes') throw new Error('volumes were expected');
    const { volumes } = shown.session.open;
    expect(volumes.map(({ name, format }) => [name, format])).toEqual([
      ['a.mrc', 'mrc'],
      ['day 2/b.rec', 'mrc'],
    ]);
    expect(shown.stderr()).toMatch(/out\.zarr is a link out of .*--follow-links/);
    for (const { store, key } of volumes) {
      const volume = await openMrc(storeReader(servedStore(new URL(store, shown.address)), key as `/${string}`));
      expect(volume.grid.shape).toEqual(mrcSource.grid.shape);
      for (const path of [`${store}/notes.txt`, `${store}/a.mrc/../notes.txt`, store.replace('data', 'list')])
        expect(await shown.text(path)).not.toContain('private');
    }
    const following = await show(folder, { followLinks: true });
    if (following.session.open.kind !== 'volumes') throw new Error('volumes were expected');
    const linked = following.session.open.volumes.find(({ format }) => format === 'ome-zarr');
    const tomogram = await openTomogram(servedStore(new URL(linked!.store, following.address)));
    expect(tomogram.grid.shape).toEqual([24, 40, 40]);
  });

  it('shows a single volume, and a page with nothing open', async () => {
    const path = join(folder, 'only.mrc');
    await writeFile(path, await encodeMrc(mrcSource));
    expect((await show(path)).session.open).toEqual({
      kind: 'volumes',
      volumes: [{ name: 'only.mrc', format: 'mrc', store: './data/0', key: '/only.mrc' }],
    });
    expect((await show(undefined)).session).toMatchObject({ title: '', writable: false, open: { kind: 'nothing' } });
  });

  it('tells the page the voxel size of volumes that do not say theirs, and refuses one for a project', async () => {
    const path = join(folder, 'only.mrc');
    await writeFile(path, encodeMrc(mrcSource));
    expect((await show(path, { voxelSize: 10.5 })).session.open).toMatchObject({ volumes: [{ voxelSize: 10.5 }] });
    await expect(show(join(sample, 'copick.json'), { voxelSize: 10.5 })).rejects.toThrow(/--voxel-size is for volumes/);
  });

  it('serves a zip file, and nothing beside it, for the page to read, and says beforehand that it takes no picks', async () => {
    const path = join(folder, 'volumes.zip');
    await writeFile(join(folder, 'a.mrc'), await encodeMrc(mrcSource));
    const data = await readFile(join(folder, 'a.mrc'));
    await writeFile(path, zipBytes([{ name: 'a.mrc', data, method: 8 }]));
    const { session, address, stdout } = await show(path);
    expect(session).toMatchObject({
      writable: false,
      open: { kind: 'archive', store: './data/0', key: '/volumes.zip' },
    });
    expect(stdout()).toMatch(/Nothing can be saved into it; picks can be exported/);
    expect((await fetch(`${address}data/0/volumes.zip`)).status).toBe(200);
    expect((await fetch(`${address}data/0/a.mrc`)).status).not.toBe(200);
    const broken = join(folder, 'broken.zip');
    await writeFile(broken, 'PK');
    await expect(show(broken)).rejects.toMatchObject({ code: 'corrupt-data' });
  });

  it('reads a root on the web itself, so that the page needs no permission of its server', async () => {
    const metadata = '<ListBucketResult><IsTruncated>false</IsTruncated>';
    const bucket = await scriptedServer((request, response) => {
      const { searchParams } = new URL(request.url!, 'http://localhost');
      const inRuns = (searchParams.get('prefix') ?? '').includes('ExperimentRuns/');
      const prefix = inRuns ? 'data/ExperimentRuns/TS_9/' : 'data/ExperimentRuns/';
      response.setHeader('Content-Type', 'application/xml');
      response.end(`${metadata}<CommonPrefixes><Prefix>${prefix}</Prefix></CommonPrefixes></ListBucketResult>`);
    });
    const config = {
      overlay_root: join(folder, 'overlay'),
      static_root: `${bucket.url}/bucket/data`,
      pickable_objects: [],
    };
    await writeFile(join(folder, 'copick.json'), JSON.stringify(config));
    const shown = await show(join(folder, 'copick.json'));
    expect((await projectOf(shown).runs()).map(({ name }) => name)).toEqual(['TS_9']);
    await bucket.close();
  });

  it('says that an overlay cannot be written, and shows the project', async () => {
    const blocked = join(folder, 'blocked');
    await writeFile(blocked, 'a file');
    const config = JSON.parse(await readFile(join(sample, 'copick.json'), 'utf8'));
    const roots = { overlay_root: join(blocked, 'overlay'), static_root: join(sample, 'static') };
    await writeFile(join(folder, 'copick.json'), JSON.stringify({ ...config, ...roots }));
    const shown = await show(join(folder, 'copick.json'));
    expect(shown.session.writable).toBe(false);
    expect(shown.stderr()).toMatch(/picks cannot be saved, but exported: .*a file is in the way/);
    expect(shown.stdout()).toContain('Nothing can be saved into it');
  });

  it('prints one JSON document with --json as soon as the page can be opened, and nothing else', async () => {
    const shown = await show(sample, { json: true });
    expect(JSON.parse(shown.stdout())).toEqual({ address: shown.address, writable: true });
    expect(await shown.stop()).toEqual({ json: undefined });
    expect(JSON.parse(shown.stdout())).toEqual({ address: shown.address, writable: true });
  });

  it('ends at once when it is interrupted, although requests are under way', async () => {
    const shown = await show(sample);
    const started = performance.now();
    const pending = fetch(`${shown.address}data/static/x`).catch(() => undefined);
    await shown.stop();
    await pending;
    await expect(fetch(shown.address)).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('offers the network of the package, and the installed runtime', async () => {
    const shown = await show(undefined);
    const { model, runtime } = shown.session;
    expect((await shown.text(model.card)).length).toBeGreaterThan(100);
    const network = await fetch(new URL(model.network, shown.address));
    expect((await network.arrayBuffer()).byteLength).toBeGreaterThan(1e6);
    for (const module of [runtime!.wasm, runtime!.webgpu]) {
      const answer = await fetch(new URL(module, shown.address));
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    }
    expect(await findRuntime([join(folder, 'index.js')])).toBeUndefined();
  });

  it('says what is wrong with a folder that has nothing to show, a port that is taken, and wrong options', async () => {
    const terminal = openTerminal({
      stdout: new TextSink(),
      stderr: new TextSink(),
      json: false,
      signal: new AbortController().signal,
    });
    const input = { page, open: false };
    await expect(view(terminal, { ...input, path: folder })).rejects.toMatchObject({ code: 'not-found' });
    await expect(view(terminal, { ...input, path: join(folder, 'absent.json') })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(view(terminal, { ...input, path: 'nothere.mrc' })).rejects.toThrow(
      '"nothere.mrc" not found: neither a config, nor a folder, nor a volume',
    );
    const { address } = await show(undefined);
    const port = Number(new URL(address).port);
    await expect(view(terminal, { ...input, path: undefined, port })).rejects.toMatchObject({ code: 'unavailable' });
    for (const args of [
      ['view', '--port', '70000'],
      ['view', '--port', 'x'],
      ['view', 'a', 'b'],
      ['view', '--export'],
    ]) {
      expect((await captureCli(args)).exitCode).toBe(2);
    }
    expect((await captureCli(['view', 'x.json', '--export', join(folder, 'site')])).exitCode).toBe(2);
  });
});

describe('view --export', () => {
  it('writes files in the layout that view serves, with a project that reads without a listing server', async () => {
    const stdout = new TextSink();
    const { signal } = new AbortController();
    const terminal = openTerminal({ stdout, stderr: new TextSink(), json: false, signal });
    const site = join(folder, 'site');
    await exportPage(terminal, { export: site, page, shape: [24, 40, 40] });
    expect(await readdir(site)).toEqual(
      expect.arrayContaining(['.nojekyll', 'data', 'index.html', 'list', 'main.js', 'model', 'ort', 'session.json']),
    );
    const files = directoryStore(site);
    const host = await scriptedServer(async (request, response) => {
      const bytes = await files
        .get(decodeURIComponent(request.url!.replace('/below', '')) as `/${string}`)
        .catch(() => undefined);
      response.writeHead(bytes ? 200 : 404).end(bytes);
    });
    const session = (await (await fetch(`${host.url}/below/session.json`)).json()) as ViewSession;
    expect(session).toMatchObject({ isExport: true, writable: false });
    const project = projectOf({ address: `${host.url}/below/`, session } as Shown);
    const [run] = await project.runs();
    expect((await run!.tomogram('denoised', { voxelSpacing: 10 })).grid.shape).toEqual([24, 40, 40]);
    expect((await run!.picks({ userId: 'curation' })).length).toBeGreaterThan(0);
    const { candidates } = await run!.readCandidates({ userId: 'cryoet-picks', sessionId: '0' });
    expect(candidates.scores.length).toBeGreaterThan(0);
    const write = run!.writePicks([], {
      userId: 'me',
      sessionId: '1',
      objects: ['ribosome'],
      ifVersion: { ribosome: null },
    });
    await expect(write).rejects.toMatchObject({ code: 'read-only' });
    await host.close();
  }, 60_000);

  it('says in one line how to get a runtime where none can be loaded, and writes a sample without picks of the network', async () => {
    const stderr = new TextSink();
    const { signal } = new AbortController();
    const terminal = openTerminal({ stdout: new TextSink(), stderr, json: false, signal });
    const site = join(folder, 'site');
    const loadNetwork = async (): Promise<Model> => {
      await loadRuntime(() => Promise.reject(Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' })));
      throw new Error('it was loaded');
    };
    await exportPage(terminal, { export: site, page, shape: [24, 40, 40], loadNetwork });
    const told = stderr.text.split('\n').filter((line) => line.includes('no picks of the network'));
    expect(told).toEqual([expect.stringMatching(/onnxruntime-node.* is not installed; install it with "npm install/)]);
    const picks = await readdir(join(site, 'data/overlay/ExperimentRuns/TS_1_1/Picks'));
    expect(picks.filter((name) => name.includes('cryoet-picks'))).toEqual([]);
  }, 60_000);

  it('writes nothing over what is there', async () => {
    const terminal = openTerminal({
      stdout: new TextSink(),
      stderr: new TextSink(),
      json: false,
      signal: new AbortController().signal,
    });
    await writeFile(join(folder, 'mine'), 'mine');
    await expect(exportPage(terminal, { export: folder, page })).rejects.toMatchObject({ code: 'invalid-option' });
    expect(await readdir(folder)).toEqual(['mine']);
  });
});
