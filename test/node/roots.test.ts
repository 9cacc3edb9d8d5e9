import { cp, mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { openProject } from '../../src/entry/node.ts';
import { localPaths } from '../../src/node/roots.ts';
import { copickFixture, expectedByCopick } from '../support/copick-fixture.ts';
import { croissantFixture, expectedOfCroissant, serveFiles } from '../support/croissant-fixture.ts';
import { s3Error, s3Server } from '../support/s3-server.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
beforeEach(async () => {
  folder = await tempDir();
});

async function writeConfig(fields: object): Promise<string> {
  const path = join(folder, 'copick.json');
  await writeFile(path, JSON.stringify({ pickable_objects: [{ name: 'ribosome', is_particle: true }], ...fields }));
  return path;
}

/** All files of a folder by their path in it, with a prefix. */
async function filesOf(root: string, prefix: string): Promise<Record<string, Uint8Array>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const pairs = files.map(async (file) => [
    `${prefix}${relative(root, file).replaceAll('\\', '/')}`,
    new Uint8Array(await readFile(file)),
  ]);
  return Object.fromEntries(await Promise.all(pairs));
}

const namesOf = async (project: Awaited<ReturnType<typeof openProject>>) =>
  (await project.runs()).map(({ name }) => name);

describe('local roots', () => {
  it.each([
    ['/data/a', ['/data/a']],
    ['local:///data/a%20b', ['/data/a%20b']],
    ['local://rel', ['rel']],
    ['file:///data/a b', ['/data/a b']],
    ['file:///data/a%20b', ['/data/a%20b', '/data/a b']],
    ['file://localhost/data', ['localhost/data', '/data']],
    ['file://rel%20x', ['rel%20x', 'rel x']],
    ['file:///bad%zz%20', ['/bad%zz%20']],
    ['~', [homedir()]],
    ['~/x', [`${homedir()}/x`]],
    ['local://~/x', [`${homedir()}/x`]],
    ['~other/x', ['~other/x']],
  ])('%s may be %j', (address, paths) => {
    expect(localPaths(address)).toEqual(paths);
  });

  it('local roots of a config that is a link are found beside the link, else beside its target', async () => {
    const config = await writeConfig({ config_type: 'filesystem', static_root: 'static', overlay_root: 'overlay' });
    await mkdir(join(folder, 'static/ExperimentRuns/TS_1'), { recursive: true });
    const elsewhere = await tempDir();
    const link = join(elsewhere, 'link.json');
    await symlink(config, link);
    const project = await openProject(link);
    expect([project.problems, await namesOf(project)]).toEqual([[], ['TS_1']]);
    expect(project.overlayLocation).toBe(join(await realpath(folder), 'overlay'));
    await mkdir(join(elsewhere, 'static/ExperimentRuns/TS_2'), { recursive: true });
    expect(await namesOf(await openProject(link))).toEqual(['TS_2']);
  });

  it('local roots may be file URLs, percent-encoded or as copick reads them', async () => {
    await mkdir(join(folder, 'my data 100%/ExperimentRuns/TS_1'), { recursive: true });
    const path = join(folder, 'my data 100%');
    for (const root of [pathToFileURL(path).href, `file://${path}`, `local://${path}`]) {
      expect(await namesOf(await openProject(await writeConfig({ overlay_root: root })))).toEqual(['TS_1']);
    }
  });
});

describe('a project in a public bucket', () => {
  const endpoint = 'https://czii.s3.us-west-2.amazonaws.com';
  const args = { anon: true, client_kwargs: { region_name: 'us-west-2' } };

  it('a project in a public bucket has the same runs, picks and tomograms as on disk', async () => {
    const server = s3Server({ endpoint, values: await filesOf(join(copickFixture, 'static'), 'data/'), pageSize: 2 });
    const config = await writeConfig({
      overlay_root: 'overlay',
      static_root: 's3://czii/data',
      static_fs_args: args,
    });
    const project = await openProject(config, server);
    expect(await namesOf(project)).toEqual(['TS_5_4']);
    const run = await project.run('TS_5_4');
    const expected = expectedByCopick.runs.TS_5_4!;
    expect((await run.tomograms()).map(({ type, voxelSpacing }) => [type, voxelSpacing])).toEqual(
      expected.tomograms.map(([type, spacing]) => [type, spacing]).sort((a, b) => Number(a[1]) - Number(b[1])),
    );
    const tomogram = await run.tomogram('denoised', { voxelSpacing: 10.012 });
    expect(tomogram.grid.shape).toEqual([6, 10, 13]);
    const picks = await run.picks({ object: 'ribosome', userId: 'curation' });
    const [truth] = expected.picks.filter(({ object, userId }) => object === 'ribosome' && userId === 'curation');
    expect(picks.map(({ position: { x, y, z } }) => [x, y, z])).toEqual(truth!.positions);
    await run.writePicks(picks, { userId: 'me', sessionId: '1' });
    expect(await readdir(join(folder, 'overlay/ExperimentRuns/TS_5_4/Picks'))).toEqual(['me_1_ribosome.json']);
    expect(project.problems).toEqual([]);
  });

  it('a project in a public bucket opens with its overlay in the bucket, and refuses to write before any work', async () => {
    const values = await filesOf(join(copickFixture, 'overlay'), 'over/');
    const server = s3Server({ endpoint, values });
    const config = await writeConfig({ overlay_root: 's3://czii/over', overlay_fs_args: args });
    const project = await openProject(config, server);
    expect(await namesOf(project)).toEqual(['TS_5_4', 'TS_6_4']);
    const run = await project.run('TS_5_4');
    const before = server.requests.length;
    await expect(run.requireWritable()).rejects.toMatchObject({
      code: 'read-only',
      message: expect.stringMatching(
        /cannot write s3:\/\/czii\/over\/ExperimentRuns.*give the project an overlay_root on disk/,
      ),
    });
    expect(server.requests).toHaveLength(before);
  });

  it('a project in a public bucket is opened once if both roots are the same bucket', async () => {
    const server = s3Server({ endpoint, values: await filesOf(join(copickFixture, 'static'), 'data/') });
    const config = await writeConfig({
      overlay_root: 's3://czii/data/',
      overlay_fs_args: args,
      static_root: 's3://czii/data',
      static_fs_args: args,
    });
    const run = await (await openProject(config, server)).run('TS_5_4');
    expect(await run.tomograms({ includeShadowed: true })).toHaveLength(3);
  });

  it('a project in a bucket is found on your own server, and by its web address in either form', async () => {
    const values = await filesOf(join(copickFixture, 'static'), 'data/');
    const own = { endpoint_url: 'http://minio.lab:9000', client_kwargs: {} };
    const cases: readonly [string, object, string][] = [
      ['s3://czii/data', own, 'http://minio.lab:9000/czii'],
      ['https://minio.lab/czii/data', {}, 'https://minio.lab/czii'],
      ['https://data.lab.org/data', {}, 'https://data.lab.org'],
      ['https://czii.s3.us-west-2.amazonaws.com/data', {}, endpoint],
    ];
    for (const [root, fsArgs, at] of cases) {
      const config = await writeConfig({ overlay_root: 'overlay', static_root: root, static_fs_args: fsArgs });
      const project = await openProject(config, s3Server({ endpoint: at, values }));
      expect(await namesOf(project)).toEqual(['TS_5_4']);
    }
  });

  it.each([
    [{ key: 'AKIA', secret: 'hunter2' }, /contains credentials \(key, secret\)/],
    [{ profile: 'hunter2' }, /contains credentials \(profile\)/],
    [{ client_kwargs: { aws_session_token: 'hunter2' } }, /contains credentials \(aws_session_token\)/],
    [{ requester_pays: true }, /sets requester_pays/],
  ])('openProject throws for credentials, without showing them: %j', async (fsArgs, message) => {
    const config = await writeConfig({ overlay_root: 'o', static_root: 's3://czii/data', static_fs_args: fsArgs });
    const error = await openProject(config, { fetch: () => Promise.reject(new Error('asked')) }).catch(
      (caught) => caught,
    );
    expect(error).toMatchObject({ code: 'unsupported', message: expect.stringMatching(message) });
    expect(error.message).toMatch(/static_fs_args/);
    expect(error.message).not.toMatch(/hunter2|AKIA/);
  });

  it.each([
    ['NoSuchBucket', 'not-found', s3Error(404, 'NoSuchBucket'), /there is no bucket "czii"/],
    ['AccessDenied', 'unavailable', s3Error(403, 'AccessDenied'), /only public buckets can be read/],
    [
      'PermanentRedirect',
      'unavailable',
      s3Error(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': 'us-west-2' }),
      /"us-west-2"; give it as region_name/,
    ],
  ])('openProject throws at once with the reason: %s', async (_, code, answer, message) => {
    const config = await writeConfig({ overlay_root: 'o', static_root: 's3://czii/data' });
    await expect(openProject(config, { fetch: async () => answer.clone() })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('a project in a public bucket is not found if nothing has its prefix', async () => {
    const config = await writeConfig({ overlay_root: 'o', static_root: 's3://czii/none', static_fs_args: args });
    const opened = openProject(config, s3Server({ endpoint, values: { 'data/x': 'y' } }));
    await expect(opened).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/static_root "s3:\/\/czii\/none" does not exist/),
    });
  });
});

describe('a root on a web server that lists no folders', () => {
  it('openProject throws for a web server that lists no folders, and says how to open it', async () => {
    const server = await serveFiles(croissantFixture);
    try {
      const config = await writeConfig({ overlay_root: 'o', static_root: server.url });
      await expect(openProject(config)).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(
          /lists no folders as a bucket does.*"croissant_url": "http:.*\/Croissant\/metadata\.json"/,
        ),
      });
      const other = await writeConfig({ overlay_root: 'o', static_root: `${server.url}/ExperimentRuns` });
      await expect(openProject(other)).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(/export a Croissant of the project/),
      });
    } finally {
      server.close();
    }
  });
});

describe('openProject of a Croissant', () => {
  const runs = Object.keys(expectedOfCroissant.runs).sort();
  const mlcroissant = (fields: object) => writeConfig({ config_type: 'mlcroissant', pickable_objects: [], ...fields });

  it('openProject opens a Croissant on disk, by path and by file URL, with the overlay beside the config', async () => {
    const metadata = join(croissantFixture, 'Croissant/metadata.json');
    for (const croissant_url of [metadata, pathToFileURL(metadata).href, croissantFixture]) {
      const project = await openProject(await mlcroissant({ croissant_url, overlay_root: 'overlay' }));
      expect(await namesOf(project)).toEqual(runs);
      expect(project.objects.map(({ name }) => name)).toEqual(expectedOfCroissant.objects.map(([name]) => name));
      const run = await project.run('TS 7+50%#1');
      const picks = await run.picks();
      expect(picks.map(({ position: { x, y, z } }) => [x, y, z])).toEqual(
        expectedOfCroissant.runs['TS 7+50%#1']!.picks[0]!.positions,
      );
      await run.writePicks(picks, { userId: 'me', sessionId: '1' });
      expect(
        await readFile(join(folder, 'overlay/ExperimentRuns/TS 7+50%#1/Picks/me_1_ribosome.json'), 'utf8'),
      ).toContain('angstrom');
      await rm(join(folder, 'overlay'), { recursive: true });
    }
  });

  it('openProject finds a relative Croissant beside the config', async () => {
    await cp(croissantFixture, join(folder, 'data'), { recursive: true });
    const project = await openProject(await mlcroissant({ croissant_url: 'data/Croissant/metadata.json' }));
    expect(await namesOf(project)).toEqual(runs);
    await expect(project.createRun('x')).rejects.toMatchObject({ code: 'read-only' });
  });

  it('openProject opens a Croissant without a config: by folder, metadata or web address', async () => {
    const server = await serveFiles(croissantFixture);
    try {
      const url = `${server.url}/Croissant/metadata.json`;
      for (const path of [croissantFixture, join(croissantFixture, 'Croissant/metadata.json'), url, server.url]) {
        expect(await namesOf(await openProject(path))).toEqual(runs);
      }
    } finally {
      server.close();
    }
  });

  it('openProject opens a Croissant over HTTP, with the overlay on disk', async () => {
    const server = await serveFiles(croissantFixture);
    try {
      const croissant_url = `${server.url}/Croissant/metadata.json`;
      const project = await openProject(await mlcroissant({ croissant_url, overlay_root: 'local://overlay' }));
      const run = await project.run('TS_5_4');
      await run.requireWritable();
      expect((await run.tomogram('wbp', { voxelSpacing: 10.012 })).grid.shape).toEqual([3, 4, 5]);
    } finally {
      server.close();
    }
  });

  it('openProject opens a Croissant in a bucket', async () => {
    const values = await filesOf(croissantFixture, 'p/');
    const server = s3Server({ endpoint: 'http://minio.lab:9000/czii', values });
    const fsArgs = { endpoint_url: 'http://minio.lab:9000' };
    const config = await mlcroissant({
      croissant_url: 's3://czii/p/Croissant/metadata.json',
      croissant_fs_args: fsArgs,
      static_fs_args: fsArgs,
    });
    const project = await openProject(config, server);
    expect(await namesOf(project)).toEqual(runs);
    const run = await project.run('TS_5_4');
    expect((await run.tomogram('wbp', { voxelSpacing: 10.012 })).grid.shape).toEqual([3, 4, 5]);
  });

  it('openProject finds moved data of a Croissant by croissant_base_url, and names the option if the data are missing', async () => {
    await cp(croissantFixture, join(folder, 'moved'), { recursive: true });
    await cp(join(croissantFixture, 'Croissant'), join(folder, 'alone/Croissant'), { recursive: true });
    const metadata = join(folder, 'alone/Croissant/metadata.json');
    const json = JSON.parse(await readFile(metadata, 'utf8'));
    await writeFile(metadata, JSON.stringify({ ...json, 'copick:baseUrl': '/nowhere/at all' }));
    await expect(openProject(await mlcroissant({ croissant_url: metadata }))).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(
        /places its data in \/nowhere\/at all, which does not exist; give its place as croissant_base_url/,
      ),
    });
    const config = await mlcroissant({ croissant_url: metadata, croissant_base_url: 'moved' });
    const run = await (await openProject(config)).run('TS_5_4');
    expect(await run.picks({ userId: 'curation', object: 'ribosome' })).toHaveLength(5);
  });
});
