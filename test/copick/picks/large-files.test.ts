import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { picksFileSteps } from '../../../src/copick/picks-file.ts';
import { formatPicksFile, parsePicksFile } from '../../../src/entry/copick.ts';
import type { ParticlePick } from '../../../src/entry/index.ts';
import { openProject } from '../../../src/entry/node.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** A project of one run, and the path of the only picks file that is read in the test. */
async function projectOf(content?: string | Uint8Array, name = 'me_1_ribosome.json') {
  const root = await tempDir();
  const config = {
    ...{ config_type: 'filesystem', name: 'large', description: '', version: '1' },
    pickable_objects: [{ name: 'ribosome', is_particle: true, label: 1, radius: 100 }],
    overlay_root: `local://${root}/overlay`,
    overlay_fs_args: { auto_mkdir: true },
  };
  await writeFile(`${root}/copick.json`, JSON.stringify(config));
  const project = await openProject(`${root}/copick.json`);
  const run = await project.createRun('TS_1');
  const [first] = await run.writePicks([], { userId: 'me', sessionId: '1', objects: ['ribosome'] });
  const path = first!.replace('me_1_ribosome.json', name);
  if (content !== undefined) await writeFile(path, content);
  return { run, path };
}

async function readBack(content: string | Uint8Array) {
  const { run } = await projectOf(content);
  const [set] = await run.pickSets();
  const { version: _, ...file } = await set!.read();
  return file;
}

const count = 6000;
const turned = [
  [0, -1, 0, 0],
  [1, 0, 0, 0],
  [0, 0, 1, 5],
  [0, 0, 0, 1],
];
const points = Array.from({ length: count }, (_, i) => ({
  location: { x: i * 7.31, y: i * 3.17, z: i * 1.13 },
  ...(i % 3 === 0 ? { transformation_: turned } : {}),
  instance_id: i % 5,
  score: (i % 100) / 100,
}));
const header = { pickable_object_name: 'ribosome', user_id: 'me', session_id: '1', run_name: 'TS_1', unit: 'angstrom' };
const plain = { ...header, points, trust_orientation: true };
const path = 'Picks/me_1_ribosome.json';
const identity = { object: 'ribosome', userId: 'me', sessionId: '1' };
const whole = (text: string) => parsePicksFile(text, { source: path, identity });

describe('a large picks file', () => {
  const long = `${'9'.repeat(18)}1`;
  it.each<[string, string]>([
    ['without an indent', JSON.stringify(plain)],
    ['with an indent, as copick writes it', JSON.stringify(plain, null, 4)],
    ['with a byte-order mark and CRLF', `\uFEFF${JSON.stringify(plain, null, 2).replaceAll('\n', '\r\n')}`],
    ['with its header after the points', JSON.stringify({ points, ...header })],
    [
      'with keys of its own',
      JSON.stringify({ note: '"points": [ }, {', ...plain, more: [{ a: [{}, {}] }, { b: '},{' }] }),
    ],
    [
      'with keys of its own in points',
      JSON.stringify({ ...plain, points: points.map((point) => ({ ...point, tags: [{ a: '}' }, { b: '},{' }] })) }),
    ],
    ['with ids of 64 bits', JSON.stringify(plain).replaceAll('"instance_id":3', `"instance_id":${long}`)],
    [
      'with integers of 64 bits in keys of its own',
      JSON.stringify(plain).replaceAll('"score"', `"own":${long},"score"`),
    ],
    ['with the points twice', `{"points":[],${JSON.stringify(plain).slice(1, -1)},"points":${JSON.stringify(points)}}`],
    ['with null for points', JSON.stringify({ ...header, points: null, note: 'x'.repeat(600_000) })],
  ])('A large picks file %s is read in pieces as it is read whole', async (_, text) => {
    expect(text.length).toBeGreaterThan(500_000);
    const { warnings, ...expected } = whole(text.replace(/^\uFEFF/, ''));
    expect(await readBack(text)).toEqual({ ...expected, warnings });
  });

  it.each<[string, (text: string) => string]>([
    ['a point without a place', (text) => text.replace('"location":{"x":36550,', '"location":{"q":1,')],
    ['a broken number', (text) => text.replace('"x":36550,', '"x":36_550,')],
    ['NaN', (text) => text.replace('"x":36550,', '"x":NaN,')],
    ['an end too early', (text) => text.slice(0, -300)],
    ['text after its end', (text) => `${text}}`],
  ])('A large picks file with %s is refused with the words and the place of a small one', async (_, edit) => {
    const text = edit(JSON.stringify(plain));
    const messageOf = (error: unknown) => (error as Error).message.replace(/".*?\.json"/, '');
    const expected = (() => {
      try {
        return whole(text);
      } catch (error) {
        return messageOf(error);
      }
    })();
    expect(expected).toEqual(expect.any(String));
    expect(messageOf(await readBack(text).catch((error: unknown) => error))).toBe(expected);
  });

  const point = '{"location":{"x":1,"y":2,"z":3}';
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  it.each<[string, string]>([
    ['one long string', `{"points":[${point},"note":"${'x'.repeat(8_000_000)}"}]}`],
    ['one string of escapes', `{"points":[${point},"note":"${'\\u00e4'.repeat(1_000_000)}"}]}`],
    ['white space', `{"points":[${' '.repeat(8_000_000)}${point}}]}`],
    ['a point of many keys', `{"points":[${point},${Array.from({ length: 200_000 }, (_, i) => `"k${i}":0`)}}]}`],
    ['a point of many levels', `{"points":[${point},"n":${deep},"m":${deep},"o":${deep},"p":${deep}}]}`],
    ['other keys before its points', `{"more":[${'{"a":1},'.repeat(1_000_000)}{}],"points":[${point}}]}`],
    ['a list of many items before its points', `{"more":[${'0,'.repeat(2 ** 22)}0],"points":[${point}}]}`],
    ['a string that is not closed', `{"points":[${point},"note":"${'x'.repeat(8_000_000)}`],
    ['an end too early', JSON.stringify(plain).slice(0, -300)],
  ])('A large picks file with %s lets other work have its turn while it is read', async (_, text) => {
    const bytes = new TextEncoder().encode(text);
    const steps = picksFileSteps(bytes, { source: path, identity });
    let turns = 0;
    try {
      while (!steps.next().done) turns++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid-picks' });
    }
    // 131,072 bytes at most between two turns, until the file is read or refused.
    expect(turns).toBeGreaterThan(10);
  });

  it('A large picks file that is not UTF-8 is refused', async () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ ...plain, note: '#'.repeat(10) }));
    bytes[bytes.lastIndexOf(0x23)] = 0xff;
    await expect(readBack(bytes)).rejects.toMatchObject({
      code: 'invalid-picks',
      message: expect.stringMatching(/is not UTF-8 text/),
    });
  });

  it('A large picks file lets other work have its turn while it is read and written', async () => {
    const { run } = await projectOf(JSON.stringify(plain));
    const [set] = await run.pickSets();
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { picks } = await set!.read();
    const reading = turns;
    await run.writePicks(picks, { userId: 'me', sessionId: '2' });
    isOver = true;
    expect(reading).toBeGreaterThan(2);
    expect(turns).toBeGreaterThan(reading + 2);
  });

  it('A large picks file whose name lacks user and session is named by the keys before its points', async () => {
    const { run } = await projectOf(JSON.stringify({ ...plain, user_id: 'curation' }), 'ribosome.json');
    const found = await run.pickSets({ userId: 'curation' });
    expect(found).toMatchObject([{ object: 'ribosome', sessionId: '1' }]);
  });

  it('writePicks writes the bytes of formatPicksFile', async () => {
    const { picks } = whole(JSON.stringify(plain));
    const { run } = await projectOf();
    const [written] = await run.writePicks(picks, { userId: 'me', sessionId: '2' });
    const text = formatPicksFile({ object: 'ribosome', userId: 'me', sessionId: '2', runName: 'TS_1', picks });
    expect(await readFile(written!, 'utf8')).toBe(text);
    expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 4)}`);
  });

  it('formatPicksFile writes more than 200,000 picks a line each, and they come back', () => {
    const picks: ParticlePick[] = Array.from({ length: 200_001 }, (_, i) => ({
      object: 'ribosome',
      position: { x: i, y: 2, z: 3 },
      score: 1,
    }));
    const text = formatPicksFile({ object: 'ribosome', userId: 'me', sessionId: '1', picks });
    expect(text.split('\n')).toHaveLength(200_001 + 11);
    const back = parsePicksFile(text, { source: 'a.json' });
    expect([back.picks.length, back.picks.at(-1)]).toEqual([200_001, picks.at(-1)]);
  });
});
