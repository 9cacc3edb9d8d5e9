import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureCli } from '../support/capture-cli.ts';
import { croissantFixture, expectedOfCroissant, type FileServer, serveFiles } from '../support/croissant-fixture.ts';
import { tempDir } from '../support/temp-dir.ts';

let server: FileServer;
let folder: string;
beforeAll(async () => {
  server = await serveFiles(croissantFixture);
  folder = await tempDir();
});
afterAll(async () => {
  server.close();
});

async function writeConfig(fields: object): Promise<string> {
  const path = join(folder, 'copick.json');
  await writeFile(path, JSON.stringify({ pickable_objects: [], ...fields }));
  return path;
}

describe('info of a project that is not on disk', () => {
  it('info lists the contents of a Croissant on the web, and its URL', async () => {
    const croissant_url = `${server.url}/Croissant/metadata.json`;
    const config = await writeConfig({ config_type: 'mlcroissant', croissant_url });
    const { exitCode, stdout, stderr } = await captureCli(['info', config]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`4 runs; read-only, Croissant ${croissant_url}`);
    expect(stdout).toMatch(/denoised@10\.012\s+6×10×13\s+10\.012/);
    const { runs, problems } = JSON.parse((await captureCli(['info', config, '--json'])).stdout);
    // The picks of this fixture are made up, and its tomograms tiny, of one run.
    const messages = problems.map(({ message }: { message: string }) => message);
    expect(messages.filter((message: string) => !/picks lie outside the volume|no tomogram/.test(message))).toEqual([]);
    const counts = (name: string) => expectedOfCroissant.runs[name]!.picks.map(({ scores }) => scores.length);
    for (const { name, picks } of runs) {
      expect(picks.map(({ count }: { count: number }) => count).sort()).toEqual(counts(name).sort());
    }
  });

  it('info opens the URL of a Croissant', async () => {
    const { exitCode, stdout } = await captureCli(['info', server.url]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(': fixture\n');
  });

  it('info shows neither query string nor password of a root', async () => {
    const croissant_url = `${server.url}/Croissant/metadata.json?sig=hunter2`;
    const config = await writeConfig({ config_type: 'mlcroissant', croissant_url });
    const { exitCode, stdout, stderr } = await captureCli(['info', config]);
    expect(exitCode).toBe(0);
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it.each([
    ['a server that is not there', { overlay_root: 'o', static_root: 'http://127.0.0.1:1/x' }, /lists no folders/],
    [
      'a Croissant that is not there',
      { config_type: 'mlcroissant', croissant_url: 'http://127.0.0.1:1/Croissant/metadata.json' },
      /cannot read http:\/\/127\.0\.0\.1:1\/Croissant\/metadata\.json/,
    ],
    ['another file system', { overlay_root: 'ssh://me:hunter2@host/x' }, /overlay_root is on "ssh:\/\/"/],
  ])('info fails in one line with the reason: %s', async (_, fields, message) => {
    const { exitCode, stdout, stderr } = await captureCli(['info', await writeConfig(fields)]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).not.toContain('hunter2');
  });
});
