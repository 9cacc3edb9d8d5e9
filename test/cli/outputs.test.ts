import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { picksKind } from '../../src/cli/convert-write.ts';
import { runCli } from '../../src/cli/program.ts';
import { picksFormat, picksFormatNames } from '../../src/entry/formats.ts';
import { captureCli, TextSink } from '../support/capture-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const csv = 'run_name,object_name,x,y,z,score\nTS_1,ribosome,1,2,3,0.5\n';
beforeEach(async () => {
  folder = await tempDir();
  await writeFile(at('in.csv'), csv);
});
const convert = (...args: string[]) => captureCli(['convert', at('in.csv'), ...args]);

describe('a link that leads in a circle', () => {
  beforeEach(async () => {
    await symlink('loop', at('loop'));
    await writeFile(at('truth.csv'), csv);
    await writeFile(at('copick.json'), JSON.stringify({ pickable_objects: [], static_root: '.', overlay_root: 'o' }));
  });

  it.each<[string, (loop: string) => string[]]>([
    ['convert writes', (loop) => ['convert', at('in.csv'), loop, '--to', 'csv']],
    ['convert reads', (loop) => ['convert', loop, at('out.csv'), '--from', 'csv']],
    ['info reads', (loop) => ['info', loop]],
    ['score reads', (loop) => ['score', '--truth', at('truth.csv'), '--submission', loop]],
    ['detect writes picks of a project', (loop) => ['detect', at('copick.json'), '--overlay', loop]],
    ['detect writes a submission', (loop) => ['detect', at('copick.json'), '--submission', loop]],
  ])('a link that leads in a circle is named, and what is wrong with it, where %s', async (_, argsOf) => {
    const { exitCode, stderr } = await captureCli(argsOf(at('loop')));
    expect(exitCode).toBe(1);
    expect(stderr).toContain(at('loop'));
    expect(stderr).toContain('its links lead in a circle');
    expect(stderr).not.toMatch(/unexpected|ELOOP: /);
  });
});

describe('convert', () => {
  it.each([[], ['--overwrite']])('convert never replaces the config of a project, with %j', async (...flags) => {
    const config = '{ "pickable_objects": [], "overlay_root": "overlay" }';
    await writeFile(at('copick.json'), config);
    const { exitCode, stderr } = await convert(at('copick.json'), ...flags);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /it is the config of a copick project, which is never replaced; .*cryoet-picks import FILE CONFIG/,
    );
    expect(await readFile(at('copick.json'), 'utf8')).toBe(config);
  });

  it('convert replaces a file of the format, and one of another only with --overwrite', async () => {
    expect((await convert(at('out.cmm'))).exitCode).toBe(0);
    expect((await convert(at('out.cmm'))).exitCode).toBe(0);
    await writeFile(at('out.cmm'), 'thesis');
    const refused = await convert(at('out.cmm'));
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/what is there is not a picks file/) });
    expect(await readFile(at('out.cmm'), 'utf8')).toBe('thesis');
    expect((await convert(at('out.cmm'), '--overwrite')).exitCode).toBe(0);
    expect(await readFile(at('out.cmm'), 'utf8')).toContain('<marker');
  });

  it('convert writes nothing into a folder where one of its files would replace something else', async () => {
    await writeFile(at('in.csv'), `${csv}TS_2,ribosome,4,5,6,0.5\n`);
    await mkdir(at('out'));
    await writeFile(at('out/TS_2.cmm'), 'thesis');
    expect((await convert(`${at('out')}/`, '--to', 'cmm')).exitCode).toBe(2);
    expect(await readdir(at('out'))).toEqual(['TS_2.cmm']);
  });

  it('convert writes the file to standard output for "-", and all words to standard error', async () => {
    const { exitCode, stdout, stderr } = await convert('-', '--to', 'csv');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: csv });
    expect(stderr).toContain('1 pick of 1 run, csv to csv: -\n');
    expect(await convert('-', '--to', 'csv', '--json')).toMatchObject({ exitCode: 2 });
  });
});

describe('picksKind', () => {
  const runs = [{ run: 'TS_1', picks: [{ object: 'ribosome', position: { x: 10, y: 20, z: 30 }, score: 1 }] }];
  it.each(picksFormatNames)(
    'picksKind takes a file of %s for what it is, and neither words nor other JSON',
    async (name) => {
      const text = picksFormat(name, { voxelSize: 10, shape: [40, 50, 60], run: 'TS_1' }).format(runs);
      const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
      const { holds } = picksKind(name);
      expect(await holds(bytes)).toBe(true);
      for (const other of ['my thesis, all of it\n', '{ "a": 1 }', '{ "pickable_objects": [] }']) {
        expect(await holds(new TextEncoder().encode(other))).toBe(false);
      }
    },
  );
});

describe('standard output', () => {
  /** Throws as a full disk does, or a reader that has gone. */
  class Broken extends TextSink {
    constructor(readonly code: string) {
      super();
    }
    override _write(_chunk: unknown, _encoding: string, done: (error: Error) => void): void {
      done(Object.assign(new Error(this.code), { code: this.code }));
    }
  }

  it.each([
    ['ENOSPC', 1, /cannot write to standard output: no space is left on the device \(ENOSPC\)\n$/],
    ['EPIPE', 0, /^$/],
  ])('a command does its work although standard output fails with %s', async (code, expected, message) => {
    const stderr = new TextSink();
    const options = { stdout: new Broken(code), stderr, signal: new AbortController().signal };
    expect(await runCli(['convert', at('in.csv'), at('out.cmm')], options)).toBe(expected);
    expect(stderr.text).toMatch(message);
    expect(await readdir(folder)).toContain('out.cmm');
  });

  it('control characters of names never reach the terminal as they are', async () => {
    const name = 'a\u001b[2J\u202eb\nc';
    await writeFile(at('in.csv'), `run_name,object_name,x,y,z,score\n"${name}",ribosome,1,2,3,0.5\n`);
    const json = await captureCli(['convert', at('in.csv'), at('out.csv'), '--run', 'other', '--json']);
    const text = await captureCli(['convert', at('in.csv'), at(`${name}.csv`), '--run', name]);
    for (const { stdout, stderr } of [json, text]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    }
    expect(JSON.parse(json.stdout).error.message).toContain('\u202e');
    expect(text.stderr + text.stdout).toContain('a\\u001b[2J\\u202eb');
  });
});

describe('a file name that leaves its format open', () => {
  beforeEach(async () => {
    await writeFile(at('in.xyz'), csv);
    await writeFile(at('copick.json'), JSON.stringify({ pickable_objects: [], static_root: '.', overlay_root: 'o' }));
  });

  it.each<[command: string, flag: string, args: (at: (name: string) => string) => string[]]>([
    ['convert', '--to', (at) => [at('in.csv'), at('out.star')]],
    ['convert', '--to', (at) => [at('in.csv'), at('out')]],
    ['convert', '--from', (at) => [at('in.xyz'), at('out.csv')]],
    ['import', '--from', (at) => [at('in.xyz'), at('copick.json'), '--user-id', 'me']],
    ['detect', '--to', (at) => [at('a.mrc'), '--out', at('out.star')]],
    ['detect', '--to', (at) => [at('a.mrc'), '--out', at('out')]],
    ['gather', '--to', (at) => [at('copick.json'), '--out', at('out.star')]],
    ['gather', '--to', (at) => [at('copick.json'), '--out', at('out')]],
  ])(
    '%s asks for the format of a file name that leaves it open by %s, an option that it has',
    async (command, flag, argsOf) => {
      await writeFile(at('a.mrc'), 'MAP ');
      const { exitCode, stderr } = await captureCli([command, ...argsOf(at)]);
      expect(stderr).toMatch(/(may be any of|cannot guess the format of) .*\(option --\w+\)\n$/);
      expect(stderr.match(/--[a-z-]+/g)).toEqual([flag]);
      expect(exitCode).toBe(2);
      expect((await captureCli([command, '--help'])).stdout).toContain(`${flag} <format>`);
    },
  );
});
