import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ParticlePick, parseSubmission, picksFromCandidates } from '../../src/entry/index.ts';
import { openProject, writeMrcFile } from '../../src/entry/node.ts';
import { captureCli, finishedOf } from '../support/capture-cli.ts';
import { smallProject } from '../support/simulated-project.ts';
import { tempDir } from '../support/temp-dir.ts';

let original: string;
let folder: string;
let config: string;
const at = (name: string) => join(folder, name);
const author = { userId: 'cryoet-picks', sessionId: '0' };

beforeAll(async () => {
  original = await tempDir();
  await smallProject(original);
  const { exitCode, stderr } = await captureCli(['detect', join(original, 'copick.json'), '--tomogram', 'denoised']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
}, 120_000);
beforeEach(async () => {
  folder = await tempDir();
  await cp(original, folder, { recursive: true });
  config = at('copick.json');
});

/** Object and place of picks, in an order of their own. */
const placesOf = (picks: readonly ParticlePick[]) =>
  picks.map(({ object, position: { x, y, z } }) => `${object} ${x} ${y} ${z}`).sort();

async function submissionAt(name: string) {
  return parseSubmission(await readFile(at(name), 'utf8')).map(({ run, picks }) => [run, placesOf(picks)]);
}

/** The picks of the overlay, run by run. */
async function overlayPicks() {
  const found: [string, string[]][] = [];
  for (const run of await (await openProject(config)).runs()) {
    found.push([run.name, placesOf(await run.picks(author))]);
  }
  return found.filter(([, places]) => places.length > 0);
}

/** What the library makes of the candidates that are kept. */
async function fromCandidates(options: Parameters<typeof picksFromCandidates>[1]) {
  const found: [string, string[]][] = [];
  for (const run of await (await openProject(config)).runs()) {
    const { candidates } = await run.readCandidates(author);
    found.push([run.name, placesOf(picksFromCandidates(candidates, options))]);
  }
  return found.filter(([, places]) => places.length > 0);
}

const detect = (...args: readonly string[]) => captureCli(['detect', config, ...args]);
const gather = (...args: readonly string[]) => captureCli(['gather', config, ...args]);

const low = { 'apo-ferritin': 0.005, thyroglobulin: 0.005 };

describe('--thresholds', () => {
  it.each<[string, readonly string[], object, object, string]>([
    ['left out', [], {}, { thresholds: 'competition' }, 'balanced; of the submission: competition'],
    ['balanced', ['--thresholds', 'balanced'], {}, {}, 'balanced'],
    [
      'competition',
      ['--thresholds', 'competition'],
      { thresholds: 'competition' },
      { thresholds: 'competition' },
      'competition',
    ],
  ])(
    'detect and gather make picks and submission of one detection with the set that is asked for: %s',
    async (_, asked, picks, submission, words) => {
      const expected = { picks: await fromCandidates(picks), submission: await fromCandidates(submission) };
      expect(expected.submission.length).toBeGreaterThan(0);
      for (const how of [
        ['--tomogram', 'denoised'],
        ['--tomogram', 'denoised', '--resume'],
        ['--from-candidates'],
        ['--from-candidates', '--resume'],
      ]) {
        const name = `${how.length}${how[0]}.csv`;
        const { exitCode, stdout, stderr } = await detect(...how, ...asked, '--submission', at(name));
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
        expect(stdout).toContain(`thresholds  ${words}\n`);
        expect(await overlayPicks()).toEqual(expected.picks);
        expect(await submissionAt(name)).toEqual(expected.submission);
      }
      const { exitCode, stdout } = await gather(...asked, '--submission', at('gathered.csv'));
      expect(exitCode).toBe(0);
      expect(stdout).toContain(`with ${asked[1] ?? 'competition'} thresholds: `);
      expect(await submissionAt('gathered.csv')).toEqual(expected.submission);
    },
  );

  it('numbers of a file, or of --threshold, are those of picks and submission; other objects have those of the sets', async () => {
    await writeFile(at('low.json'), JSON.stringify(low));
    const numbers = Object.entries(low).map(([object, number]) => `${object}=${number}`);
    const [candidates] = await Promise.all(
      (await (await openProject(config)).runs()).map(async (run) => (await run.readCandidates(author)).candidates),
    );
    const competition = { ...candidates!.competitionThresholds, ...low };
    const picks = await fromCandidates({ thresholds: low });
    const submission = await fromCandidates({ thresholds: competition, acrossObjects: false });
    expect(placesIn(submission)).toBeGreaterThan(placesIn(picks));
    for (const asked of [
      ['--thresholds', at('low.json')],
      ['--threshold', ...numbers],
    ]) {
      for (const how of [['--from-candidates'], ['--tomogram', 'denoised']]) {
        const captured = await detect(...how, ...asked, '--submission', at('s.csv'), '--json');
        expect(finishedOf(captured).thresholds).toEqual({ picks: 'balanced', submission: 'competition', numbers: low });
        expect(await overlayPicks()).toEqual(picks);
        expect(await submissionAt('s.csv')).toEqual(submission);
      }
      expect((await gather(...asked, '--submission', at('g.csv'))).exitCode).toBe(0);
      expect(await submissionAt('g.csv')).toEqual(submission);
    }
    // What a search was given is kept with its candidates.
    expect((await gather('--submission', at('kept.csv'))).exitCode).toBe(0);
    expect(await submissionAt('kept.csv')).toEqual(submission);
  });

  it('--max-false and --across-objects change picks alone, and --max the submission too', async () => {
    const usual = await fromCandidates({ thresholds: 'competition' });
    const how = ['--from-candidates', '--submission', at('s.csv')];
    const strict = ['--max-false', '0', '--across-distance', '200'];
    expect((await detect(...how, ...strict)).exitCode).toBe(0);
    expect(await submissionAt('s.csv')).toEqual(usual);
    expect(placesIn(await overlayPicks())).toBeLessThan(placesIn(usual));
    expect((await detect(...how, '--max', '1')).exitCode).toBe(0);
    expect(await submissionAt('s.csv')).toEqual(await fromCandidates({ thresholds: 'competition', max: 1 }));
  });

  it('a mask holds in the submission of detect', async () => {
    const args = ['--from-candidates', '--face-margin', '100', '--submission', at('s.csv')];
    expect((await detect(...args, '--thresholds', 'competition')).exitCode).toBe(0);
    expect(await submissionAt('s.csv')).toEqual(await overlayPicks());
    expect(placesIn(await submissionAt('s.csv'))).toBeLessThan(
      placesIn(await fromCandidates({ thresholds: 'competition' })),
    );
  });

  it('detect of a volume writes balanced picks to --out, and the submission of the same search', async () => {
    const run = await (await openProject(config)).run('TS_1_3');
    await writeMrcFile(at('TS_1_3.mrc'), await run.tomogram('denoised'));
    const args = ['detect', at('TS_1_3.mrc'), '--voxel-size', '10.012', '--out', at('picks.csv')];
    for (const [asked, words] of [
      [[], 'balanced; of the submission: competition'],
      [['--thresholds', 'competition'], 'competition'],
    ] as const) {
      const both = await captureCli([...args, '--submission', at('s.csv'), ...asked]);
      expect(both.stdout).toContain(`thresholds  ${words}\n`);
      const out = await readFile(at('picks.csv'), 'utf8');
      const alone = await captureCli([...args, ...asked]);
      expect(alone.exitCode).toBe(0);
      expect(await readFile(at('picks.csv'), 'utf8')).toBe(out);
      expect((await captureCli([...args, '--thresholds', 'competition', '--to', 'csv'])).exitCode).toBe(0);
      const competition = (await readFile(at('picks.csv'), 'utf8')).trim().split('\n').length - 1;
      expect(placesIn(await submissionAt('s.csv'))).toBe(competition);
    }
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a file that is not there', ['--thresholds', 'none.json'], /none\.json cannot be read \(ENOENT\)$/m],
    ['a number', ['--thresholds', 'ribosome=0.3'], /for single objects: --threshold ribosome=0\.3/],
    ['a file that is not JSON', ['--thresholds', 'CSV'], /--thresholds .* is not JSON/],
    ['JSON of a list', ['--thresholds', 'LIST'], /holds other JSON than numbers by object/],
    [
      'an object of another project',
      ['--thresholds', 'OTHER'],
      /--thresholds names "virus", but the project has no such/,
    ],
    ['a set and numbers', ['--thresholds', 'balanced', '--threshold', 'ribosome=0.3'], /cannot be used with/],
    ['no candidates for the submission', ['--no-candidates', '--submission', 'SUBMISSION'], /leave out one of them/],
  ])('detect refuses %s', async (_, args, message) => {
    await writeFile(at('CSV'), 'ribosome,0.3');
    await writeFile(at('LIST'), '[0.3]');
    await writeFile(at('OTHER'), '{"virus": 0.3}');
    const paths = args.map((arg) => (/^[A-Z]+$/.test(arg) ? at(arg) : arg));
    const { exitCode, stderr } = await detect(...paths);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('a submission that cannot be made, since candidates are gone, is told; the picks stay', async () => {
    const run = await (await openProject(config)).run('TS_2_3');
    await run.deleteCandidates(author);
    const { exitCode, stderr } = await detect('--tomogram', 'denoised', '--resume', '--submission', at('s.csv'));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/s\.csv is not written: run "TS_2_3" has no candidates/);
  });
});

const placesIn = (runs: readonly (readonly unknown[])[]) =>
  runs.reduce((sum, [, places]) => sum + (places as readonly string[]).length, 0);
