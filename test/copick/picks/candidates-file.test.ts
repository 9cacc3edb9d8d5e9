import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatConfig, newConfig, projectFromStores } from '../../../src/entry/copick.ts';
import {
  type Candidates,
  memoryStore,
  picksFromCandidates,
  type Run,
  type Store,
  type Warning,
} from '../../../src/entry/index.ts';
import { directoryStore, openProject } from '../../../src/entry/node.ts';
import { pythonMissing, runPython } from '../../support/python.ts';
import { tempDir } from '../../support/temp-dir.ts';

const me = { userId: 'me', sessionId: '1' };
const key = '/ExperimentRuns/TS_1/Picks/.me_1.candidates';
const provenance = {
  model: { name: 'unet', sha256: 'ab' },
  tomogram: { type: 'wbp', shape: [4, 6, 8] },
  overlap: null,
};

/** A file of candidates with another first line. */
function replaced(content: Buffer, before: string, after: string): Buffer {
  return Buffer.from(content.toString('latin1').replace(before, after), 'latin1');
}

const both = (value: number) => ({ ribosome: value, virus: value });
const some = (scores: readonly number[] = [0.75, 0.5, 0.625]): Candidates => ({
  grid: { shape: [4, 6, 8], voxelSize: [10, 10.5, 11], origin: { x: 1, y: -2, z: 0.1 } },
  objects: ['ribosome', 'virus'],
  thresholds: { ribosome: 0.5, virus: 0.7 },
  minDistances: both(40),
  floors: both(0.05),
  lowestThresholds: { ribosome: 0.05, virus: 0.0625 },
  objectIndices: Uint16Array.from(scores, (_, i) => i % 2),
  positions: Float64Array.from({ length: 3 * scores.length }, (_, i) => 0.1 * i),
  scores: Float32Array.from(scores),
});

async function emptyRun(overlay: Store = memoryStore(), others: { static?: Store } = {}): Promise<Run> {
  const objects = ['ribosome', 'virus', 'membrane', 'actin'].map((name) => ({ name }));
  const config = newConfig({ overlayRoot: 'overlay', objects });
  return projectFromStores({ config, overlay, ...others }).createRun('TS_1');
}

describe('candidates of a run', () => {
  it('candidates that were written are read as they were, whatever their scores from the floor on and positions in the tomogram', async () => {
    const run = await emptyRun();
    const score = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(0.05) });
    const row = fc.tuple(score, fc.double({ noNaN: true, min: -40, max: 40 }));
    const column = fc.array(row, { maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(column, async (rows) => {
        const written = {
          ...some(rows.map(([score]) => score)),
          positions: Float64Array.from(rows.flatMap(([, x]) => [x, -x, x / 3])),
        };
        const path = await run.writeCandidates(written, { ...me, provenance });
        expect(await run.readCandidates(me)).toEqual({ candidates: written, provenance, path });
      }),
    );
  });

  it('candidates are read with their orientations, also beside those of other objects that have none', async () => {
    const run = await emptyRun();
    const rotations = Float32Array.of(...new Array(9).fill(0), 0, -1, 0, 1, 0, 0, 0, 0, 1, ...new Array(9).fill(0));
    const written = { ...some(), rotations };
    await run.writeCandidates(written, { ...me, provenance });
    expect((await run.readCandidates(me)).candidates).toEqual(written);
    const membrane = {
      ...{ ...some(), objects: ['membrane'], objectIndices: Uint16Array.of(0, 0, 0) },
      ...{ thresholds: { membrane: 0.5 }, minDistances: { membrane: 0 }, floors: { membrane: 0 } },
      lowestThresholds: { membrane: 0 },
    };
    await run.writeCandidates(membrane, { ...me, provenance, keepOthers: true });
    const { candidates } = await run.readCandidates(me);
    expect(candidates.objects).toEqual(['ribosome', 'virus', 'membrane']);
    expect(candidates.rotations).toEqual(Float32Array.of(...rotations, ...new Array(27).fill(0)));
    const wrong = { ...written, rotations: rotations.map((number) => 2 * number) };
    await expect(run.writeCandidates(wrong, me)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('its rotations hold -2, expected numbers from −1 to 1'),
    });
  });

  it('a file of candidates whose first line is not UTF-8 is damaged, and no character of it is replaced', async () => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), { ...me, provenance: { model: 'é' } });
    const content = gunzipSync((await overlay.get(key))!);
    content[content.indexOf('é') + 1] = 'x'.charCodeAt(0);
    await overlay.set(key, gzipSync(content));
    await expect(run.readCandidates(me)).rejects.toMatchObject({
      code: 'corrupt-data',
      message: expect.stringMatching(/its first line is not UTF-8 text; detect again$/),
      path: expect.stringContaining('.me_1.candidates'),
    });
  });

  it('candidates are read with the calibrations with which they were written', async () => {
    const run = await emptyRun();
    const weights = { constant: -9, score: 0.8, sureScore: 0.4, sureDensity: 1, doubtfulDensity: -0.2 };
    const virus = { floor: 0.01, minDistance: 40, sure: 0.88, doubtful: 0.5, weights, concentration: 30 };
    const written = { ...some(), calibration: { virus } };
    await run.writeCandidates(written, me);
    expect((await run.readCandidates(me)).candidates).toEqual(written);
    const wrong = { ...written, calibration: { virus: { ...virus, sure: 2 } } };
    await expect(run.writeCandidates(wrong, me)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('the file of candidates is a line of JSON and three columns in gzip, the same bytes every time', async () => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), { ...me, provenance });
    const bytes = (await overlay.get(key))!;
    const content = gunzipSync(bytes);
    const end = content.indexOf('\n') + 1;
    expect(JSON.parse(content.subarray(0, end).toString())).toEqual({
      format: 'cryoet-picks candidates',
      version: 1,
      run: 'TS_1',
      candidates: 3,
      grid: { shape: [4, 6, 8], voxelSize: [10, 10.5, 11], origin: { x: 1, y: -2, z: 0.1 } },
      objects: [
        { name: 'ribosome', threshold: 0.5, minDistance: 40, floor: 0.05, lowestThreshold: 0.05 },
        { name: 'virus', threshold: 0.7, minDistance: 40, floor: 0.05, lowestThreshold: 0.0625 },
      ],
      madeBy: provenance,
    });
    expect(content.readDoubleLE(end + 8)).toBe(0.1);
    expect(content.readFloatLE(end + 24 * 3 + 4)).toBe(0.5);
    expect(content.readUInt16LE(end + 28 * 3 + 2)).toBe(1);
    expect(content.length).toBe(end + 30 * 3);
    await run.writeCandidates(some(), { ...me, provenance });
    expect(await overlay.get(key)).toEqual(bytes);
  });

  /** Candidates of one object alone. */
  const only = (object: string, scores: readonly number[], lowest = 0.05): Candidates => {
    const { thresholds: _, ...table } = some(scores);
    const one = { [object]: lowest };
    return {
      ...table,
      ...{ objects: [object], thresholds: { [object]: 0.9 }, minDistances: { [object]: 30 }, floors: one },
      ...{ lowestThresholds: one, objectIndices: new Uint16Array(scores.length) },
    };
  };
  const picksOf = (candidates: Candidates, object: string) =>
    picksFromCandidates(candidates, { thresholds: candidates.lowestThresholds, objects: [{ name: object }] });

  it('candidates of other objects are kept with their own thresholds, if the same model found them', async () => {
    const run = await emptyRun();
    await run.writeCandidates(some(), { ...me, provenance });
    const found = only('virus', [0.5, 0.25, 0.125, 0.0625], 0.0625);
    await run.writeCandidates(found, { ...me, provenance: { ...provenance, note: undefined }, keepOthers: true });
    const { candidates, provenance: madeBy } = await run.readCandidates(me);
    expect(candidates).toMatchObject({
      objects: ['ribosome', 'virus'],
      thresholds: { ribosome: 0.5, virus: 0.9 },
      minDistances: { ribosome: 40, virus: 30 },
      floors: { ribosome: 0.05, virus: 0.0625 },
      lowestThresholds: { ribosome: 0.05, virus: 0.0625 },
    });
    expect(madeBy).toEqual(provenance);
    expect(picksOf(candidates, 'ribosome')).toEqual(picksOf(some(), 'ribosome'));
    expect(picksOf(candidates, 'virus')).toEqual(picksOf(found, 'virus'));
    await run.writeCandidates(only('ribosome', [0.75]), { ...me, provenance, keepOthers: true });
    const again = (await run.readCandidates(me)).candidates;
    expect(again.objects).toEqual(['ribosome', 'virus']);
    expect(picksOf(again, 'virus')).toEqual(picksOf(found, 'virus'));
    expect(picksOf(again, 'ribosome')).toHaveLength(1);
  });

  it('candidates of other objects are kept with their calibrations, beside those of the objects that were found again', async () => {
    const run = await emptyRun();
    const weights = { constant: -9, score: 0.8, sureScore: 0.4, sureDensity: 1, doubtfulDensity: -0.2 };
    const calibration = (concentration: number) => ({
      ...{ floor: 0.1, minDistance: 40, sure: 0.88, doubtful: 0.5, weights, concentration },
    });
    const before = { ribosome: calibration(10), virus: calibration(20) };
    await run.writeCandidates({ ...some(), calibration: before }, { ...me, provenance });
    const add = async (candidates: Candidates) => {
      await run.writeCandidates(candidates, { ...me, provenance, keepOthers: true });
      return (await run.readCandidates(me)).candidates.calibration;
    };
    const again = { ...only('virus', [0.5]), calibration: { virus: calibration(30) } };
    expect(await add(again)).toEqual({ ribosome: calibration(10), virus: calibration(30) });
    expect(await add(only('virus', [0.5]))).toEqual({ ribosome: calibration(10) });
    expect(await add(only('ribosome', [0.5]))).toBeUndefined();
  });

  it('candidates of other objects that were made otherwise are not kept, and a warning says what differs', async () => {
    const warnings: string[] = [];
    const onWarning = ({ code, message }: Warning) => warnings.push(`${code}: ${message}`);
    const run = await emptyRun();
    await run.writeCandidates(some(), { ...me, provenance });
    const other = { ...provenance, model: { name: 'unet', sha256: 'cd' } };
    await run.writeCandidates(only('virus', [0.5]), { ...me, provenance: other, keepOthers: true, onWarning });
    expect((await run.readCandidates(me)).candidates).toEqual(only('virus', [0.5]));
    expect(warnings).toEqual([
      'candidates-replaced: candidates of "ribosome" are not kept, because they were made otherwise: madeBy.model.sha256 was "ab", is "cd"',
    ]);
    const shifted = { ...only('ribosome', [0.5]), grid: { ...some().grid, origin: { x: 0, y: 0, z: 0 } } };
    await run.writeCandidates(shifted, { ...me, provenance: other, keepOthers: true, onWarning });
    expect((await run.readCandidates(me)).candidates.objects).toEqual(['ribosome']);
    expect(warnings[1]).toMatch(/grid\.origin\.x was 1, is 0/);
    await run.writeCandidates(some(), { ...me, provenance, keepOthers: true, onWarning });
    expect(warnings).toHaveLength(2);
  });

  it('candidates of objects that are written at the same time are all kept', async () => {
    const run = await emptyRun(directoryStore(await tempDir()));
    const write = (object: string) => run.writeCandidates(only(object, [0.5]), { ...me, provenance, keepOthers: true });
    await Promise.all(['ribosome', 'virus', 'membrane', 'actin'].map(write));
    const { candidates } = await run.readCandidates(me);
    expect([...candidates.objects].sort()).toEqual(['actin', 'membrane', 'ribosome', 'virus']);
    expect(candidates.scores).toHaveLength(4);
  });

  it('candidates are there by their file alone, in the overlay or the static tree, however damaged: hasCandidates', async () => {
    const [overlay, shared] = [memoryStore(), memoryStore()];
    const unread: Store = { ...overlay, get: async () => expect.fail('a file of candidates was read') };
    const has = async () => {
      const run = await emptyRun(unread, { static: shared });
      return [await run.hasCandidates(me), await run.hasCandidates({ ...me, sessionId: '2' })];
    };
    await emptyRun(overlay);
    expect(await has()).toEqual([false, false]);
    await (await emptyRun(overlay)).writeCandidates(some(), me);
    expect(await has()).toEqual([true, false]);
    await overlay.delete(key);
    await shared.set(key, Uint8Array.of(1));
    expect(await has()).toEqual([true, false]);
  });

  it('candidates are hidden from every listing of the project', async () => {
    const run = await emptyRun();
    await run.writeCandidates(some(), me);
    expect(await run.pickSets()).toEqual([]);
    expect(await run.picks()).toEqual([]);
    expect(await run.hasPicks(me)).toBe(false);
  });

  for (const name of ['copick', 'copick2'] as const) {
    it.skipIf(pythonMissing(name))(
      `Python lists a project with candidates as without: ${name}`,
      async () => {
        const folder = await tempDir();
        const config = newConfig({ overlayRoot: './overlay', objects: [{ name: 'ribosome' }, { name: 'virus' }] });
        await writeFile(join(folder, 'copick.json'), formatConfig(config));
        const project = await openProject(join(folder, 'copick.json'));
        const run = await project.createRun('TS_1');
        await run.writePicks([{ object: 'virus', position: { x: 1, y: 2, z: 3 }, score: 0.5 }], me);
        const script = fileURLToPath(new URL('../../fixtures/read_with_copick.py', import.meta.url));
        const list = () => runPython(name, script, join(folder, 'copick.json'));
        const before = list();
        const path = await run.writeCandidates(some(), { ...me, provenance });
        expect(await readdir(join(path, '..'))).toContain('.me_1.candidates');
        const after = list();
        expect(after).toEqual(before);
        expect(JSON.parse(after)).toMatchObject({
          runs: { TS_1: { picks: [{ object: 'virus', userId: 'me' }] } },
        });
      },
      120_000,
    );
  }

  it('candidates of the overlay are read in place of those of the static tree', async () => {
    const shared = memoryStore();
    await (await emptyRun(shared)).writeCandidates(some([0.25]), me);
    const run = await emptyRun(memoryStore(), { static: shared });
    expect((await run.readCandidates(me)).candidates).toEqual(some([0.25]));
    await run.writeCandidates(some([1]), me);
    expect((await run.readCandidates(me)).candidates).toEqual(some([1]));
  });

  it('candidates that are not there are an error that says who writes them', async () => {
    const run = await emptyRun();
    await expect(run.readCandidates(me)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(
        /run "TS_1" has no candidates of user "me", session "1": .*\.me_1\.candidates not found/,
      ),
    });
  });

  it('candidates of another model or tomogram than expected are refused with what differs', async () => {
    const run = await emptyRun();
    await run.writeCandidates(some(), { ...me, provenance });
    await expect(run.readCandidates({ ...me, expected: { model: { sha256: 'ab' } } })).resolves.toBeDefined();
    const expected = { model: { sha256: 'cd' }, tomogram: { type: 'denoised', shape: [4, 6, 8] } };
    await expect(run.readCandidates({ ...me, expected })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(
        /\.me_1\.candidates were made otherwise: model.sha256 was "ab", is "cd", tomogram.type was "wbp", is "denoised"$/,
      ),
    });
    await expect(run.readCandidates({ ...me, expected: { seed: 1 } })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('candidates with a setting that is not expected are refused, unless it is false', async () => {
    const run = await emptyRun();
    const reading = () => run.readCandidates({ ...me, expected: { settings: {} } });
    await run.writeCandidates(some(), { ...me, provenance: { settings: { inverted: false } } });
    await expect(reading()).resolves.toBeDefined();
    await run.writeCandidates(some(), { ...me, provenance: { settings: { inverted: true } } });
    await expect(reading()).rejects.toMatchObject({
      message: expect.stringContaining('made otherwise: settings.inverted was true, is not given'),
    });
  });

  it('a file of candidates that was copied from another run is refused', async () => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), me);
    const other = '/ExperimentRuns/TS_2/Picks/.me_1.candidates';
    await overlay.set(other, (await overlay.get(key))!);
    const config = newConfig({ overlayRoot: 'overlay', objects: [] });
    const copied = await projectFromStores({ config, overlay }).run('TS_2');
    await expect(copied.readCandidates(me)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/are of the run "TS_1", not of "TS_2"/),
    });
  });

  const header = (bytes: Uint8Array, change: (text: string) => string): Uint8Array => {
    const content = gunzipSync(bytes);
    const end = content.indexOf('\n');
    const text = change(content.subarray(0, end).toString());
    return gzipSync(Buffer.concat([Buffer.from(text), content.subarray(end)]));
  };

  it.each<[string, (bytes: Uint8Array) => Uint8Array, string, RegExp]>([
    ['cut off', (bytes) => bytes.slice(0, -9), 'corrupt-data', /its gzip data do not decompress/],
    ['empty', () => new Uint8Array(), 'corrupt-data', /detect again/],
    [
      'of another kind',
      () => gzipSync('{"pickable_object_name":"virus"}\n'),
      'corrupt-data',
      /not a file of the format/,
    ],
    ['no JSON', () => gzipSync('hello\n'), 'corrupt-data', /its first line/],
    [
      'short of a column',
      (bytes) => gzipSync(gunzipSync(bytes).subarray(0, -2)),
      'corrupt-data',
      /have 88 bytes, expected 90/,
    ],
    [
      'longer than its first line says',
      (bytes) => gzipSync(Buffer.concat([gunzipSync(bytes), new Uint8Array(1)])),
      'corrupt-data',
      /its gzip data hold more than the expected \d+ bytes; detect again/,
    ],
    [
      'without an end of its first line',
      () => gzipSync(Buffer.alloc(2 ** 26 + 1, ' ')),
      'corrupt-data',
      /its first line has more than the 67108864 bytes that it may have; detect again/,
    ],
    [
      'without a field',
      (bytes) => header(bytes, (text) => text.replace('"floor"', '"flor"')),
      'corrupt-data',
      /floor is missing/,
    ],
    [
      'of too few objects',
      (bytes) => header(bytes, (text) => text.replace(/,\{"name":"virus".*?\}/, '')),
      'corrupt-data',
      /candidates\.objectIndices\[\d\] is 1, expected an index into the 1 of objects; detect again/,
    ],
    [
      'with a threshold that no number holds',
      (bytes) => header(bytes, (text) => text.replace(/"threshold":[\d.]+/, '"threshold":1e999')),
      'corrupt-data',
      /objects\.0\.threshold is Infinity: it must be a finite number; detect again/,
    ],
    [
      'of fewer than no candidates',
      (bytes) => header(bytes, (text) => text.replace('"candidates":3', '"candidates":-1')),
      'corrupt-data',
      /candidates is -1: it must be a whole number from 0 to 32537631; detect again/,
    ],
    [
      'of more candidates than a file holds',
      (bytes) => header(bytes, (text) => text.replace('"candidates":3', '"candidates":1e300')),
      'corrupt-data',
      /candidates is 1e\+300: it must be a whole number from 0 to/,
    ],
    [
      'of a later version',
      (bytes) => header(bytes, (text) => text.replace('"version":1', '"version":2')),
      'unsupported',
      /of version 2 .* reads version 1/,
    ],
  ])('a file of candidates that is %s is refused with its path', async (_, change, code, message) => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), me);
    await overlay.set(key, change((await overlay.get(key))!));
    await expect(run.readCandidates(me)).rejects.toMatchObject({
      code,
      path: expect.stringMatching(/\.me_1\.candidates$/),
      message: expect.stringMatching(message),
    });
  });

  it('a small file of candidates that decompresses to far more than its first line says is refused before it fills the memory', async () => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), me);
    const content = gunzipSync((await overlay.get(key))!);
    await overlay.set(key, gzipSync(Buffer.concat([content, Buffer.alloc(2 ** 28)]), { level: 1 }));
    const before = process.memoryUsage().arrayBuffers;
    await expect(run.readCandidates(me)).rejects.toMatchObject({ code: 'corrupt-data' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
  });

  it.each<[string, (content: Buffer, end: number) => Buffer | undefined, RegExp]>([
    ['a score that is NaN', (content, end) => void content.writeFloatLE(Number.NaN, end + 72), /has the score NaN/],
    [
      'a score that is not finite',
      (content, end) => void content.writeFloatLE(Number.POSITIVE_INFINITY, end + 72),
      /has the score Infinity/,
    ],
    [
      'a score below its floor',
      (content, end) => void content.writeFloatLE(0.04, end + 76),
      /of "virus" has the score 0.0\d+, expected a finite one of at least 0.05/,
    ],
    ['a position that is NaN', (content, end) => void content.writeDoubleLE(Number.NaN, end), /lies at x NaN, /],
    [
      'a position far outside the tomogram',
      (content, end) => void content.writeDoubleLE(-5e7, end + 32),
      /y -50000000, .* far outside the tomogram/,
    ],
    ['a grid without voxels', (content) => replaced(content, '[4,6,8]', '[0,6,8]'), /its grid has 0×6×8 voxels/],
    ['an object twice', (content) => replaced(content, '"name":"virus"', '"name":"ribosome"'), /"ribosome" twice/],
    [
      'a lowest threshold below the floor',
      (content) => replaced(content, '"lowestThreshold":0.0625', '"lowestThreshold":-5'),
      /the lowest threshold of "virus" is -5, below its floor, 0.05/,
    ],
  ])('a file of candidates with %s is refused with its path', async (_, change, message) => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), me);
    const content = gunzipSync((await overlay.get(key))!);
    const changed = change(content, content.indexOf('\n') + 1) ?? content;
    await overlay.set(key, gzipSync(changed));
    await expect(run.readCandidates(me)).rejects.toMatchObject({
      code: 'corrupt-data',
      path: expect.stringMatching(/\.me_1\.candidates$/),
      message: expect.stringMatching(message),
    });
  });

  it('candidates that could not be read again are not written', async () => {
    const run = await emptyRun();
    const candidates = some([0.75, Number.NaN]);
    await expect(run.writeCandidates(candidates, me)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(/^run\.writeCandidates: candidates: a candidate of "virus" has the score NaN/),
    });
    await expect(run.readCandidates(me)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('every flipped bit of a file of candidates is refused, or changes nothing', async () => {
    const overlay = memoryStore();
    const run = await emptyRun(overlay);
    await run.writeCandidates(some(), me);
    const bytes = (await overlay.get(key))!;
    let refused = 0;
    for (let bit = 0; bit < 8 * bytes.length; bit += 5) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await overlay.set(key, flipped);
      try {
        expect((await run.readCandidates(me)).candidates).toEqual(some());
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt-data', path: expect.any(String) });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(bytes.length);
  });

  it('candidates are refused before anything is written if they are none, or their user has no valid name', async () => {
    const run = await emptyRun();
    const broken = { ...some(), scores: new Float32Array(2) };
    await expect(run.writeCandidates(broken, me)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(run.writeCandidates(some(), { ...me, userId: '_' })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(run.writeCandidates(some(), { ...me, userId: '.me' })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    await expect(run.readCandidates(me)).rejects.toMatchObject({ code: 'not-found' });
  });
});
