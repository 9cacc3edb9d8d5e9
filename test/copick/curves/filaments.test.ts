import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJsonBigInt } from '../../../src/core/json.ts';
import {
  type Filament,
  type FilamentsFile,
  formatFilamentsFile,
  hasCurrentCurve,
  parseFilamentsFile,
} from '../../../src/entry/copick.ts';
import { entitiesFixture, expectedEntities, openEntities } from '../../support/copick-entities.ts';
import { projectOf } from '../../support/copick-tree.ts';
import { toCurve, toPoint } from '../../support/copick-vectors.ts';

const folder = '/ExperimentRuns/TS_1/Filaments';
const line = (xs: readonly number[]) => xs.map((x) => ({ x, y: 1, z: 2 }));
const straight = { kind: 'linear', controlPoints: line([0, 100]), step: 10 };
const current: Filament = { instanceId: 1, points: line([0, 50, 100]), curve: straight };
const me = { object: 'virus', userId: 'me', sessionId: '1' } as const;

async function runOf(trees: Parameters<typeof projectOf>[0]) {
  const opened = projectOf(trees);
  return { ...opened, run: await opened.project.run('TS_1') };
}

function fileJson(fields: object = {}, filament: object = {}): object {
  return {
    pickable_object_name: 'virus',
    user_id: 'me',
    session_id: '1',
    filaments: [
      {
        instance_id: 1,
        points: [
          [0, 0, 0],
          [1, 2, 3],
        ],
        ...filament,
      },
    ],
    ...fields,
  };
}

describe('filaments of copick', () => {
  it('filaments of copick are read number by number, curves included', async () => {
    for (const run of await openEntities().runs()) {
      const expected = expectedEntities.runs[run.name]!.filaments;
      const found = await run.filaments();
      expect(found).toHaveLength(expected.length);
      for (const { object, userId, sessionId, root, voxelSpacing, version, filaments } of expected) {
        const entry = found.find((one) => one.object === object && one.userId === userId)!;
        expect(entry).toMatchObject({ sessionId, root, shadowed: false });
        const file = await entry.read();
        expect(file).toMatchObject({ object, userId, sessionId, formatVersion: version, warnings: [] });
        expect(file.voxelSpacing ?? null).toBe(voxelSpacing);
        expect(file.filaments).toHaveLength(filaments.length);
        for (const [i, json] of filaments.entries()) {
          const filament = file.filaments[i]!;
          const { instanceId, polarityKnown, score, metadata } = json;
          expect(filament).toMatchObject({ instanceId, polarityKnown, score, metadata });
          expect(filament.radius ?? null).toBe(json.radius);
          expect(filament.points).toEqual(json.points.map(toPoint));
          if (json.curve === null) expect(filament.curve).toBeUndefined();
          else expect(filament.curve).toMatchObject(JSON.parse(JSON.stringify(toCurve(json.curve))));
          expect(hasCurrentCurve(filament)).toBe(json.curveIsCurrent);
        }
      }
    }
  });

  it('filaments of copick are written back unchanged, except for the spelling of numbers', () => {
    for (const name of [
      'static/ExperimentRuns/TS_1/Filaments/tracer_0_microtubule',
      'overlay/ExperimentRuns/TS_1/Filaments/alice_7_actin',
    ]) {
      const text = readFileSync(`${entitiesFixture}/${name}.json`, 'utf8');
      const written = formatFilamentsFile(parseFilamentsFile(text, { source: name }));
      expect(JSON.parse(written)).toEqual(JSON.parse(text));
      expect(written.split('\n')).toHaveLength(text.split('\n').length);
    }
  });

  it('filaments of copick keep unknown keys and unknown kinds of curves', () => {
    const stranger = { kind: 'nurbs', control_points: [[1, 2, 3]], step: 4, weights: [1, { deep: null }] };
    const json = fileJson(
      { format: 'mine', version: 3 },
      { curve: stranger, colour: 'red', metadata: { a: [null], constructor: 1 } },
    );
    const file = parseFilamentsFile(JSON.stringify(json), { source: 'x.json' });
    expect(file.warnings).toEqual([expect.stringContaining('version 3')]);
    const again = JSON.parse(formatFilamentsFile(file));
    expect(again).toMatchObject(json);
    expect(again.filaments[0].curve).toEqual(stranger);
  });
});

describe('parseFilamentsFile', () => {
  it("parseFilamentsFile fills in copick's defaults", () => {
    expect(parseFilamentsFile(JSON.stringify(fileJson()), { source: 'x.json' })).toMatchObject({
      ...me,
      formatVersion: 1,
      filaments: [{ instanceId: 1, polarityKnown: false, score: 1, metadata: {}, unknown: {} }],
      warnings: [],
    });
    expect(parseFilamentsFile(JSON.stringify(fileJson({ filaments: null })), { source: 'x' }).filaments).toEqual([]);
  });

  it.each<[string, object, RegExp]>([
    ['no object', fileJson({ pickable_object_name: undefined }), /pickable_object_name is missing/],
    ['a number for a user', fileJson({ user_id: 7 }), /user_id/],
    ['an id below 1', fileJson({}, { instance_id: 0 }), /filaments\.0\.instance_id/],
    ['an id that is not a whole number', fileJson({}, { instance_id: 1.5 }), /filaments\.0\.instance_id/],
    ['one point', fileJson({}, { points: [[1, 2, 3]] }), /filaments\.0\.points/],
    [
      'a point of two numbers',
      fileJson(
        {},
        {
          points: [
            [1, 2, 3],
            [1, 2],
          ],
        },
      ),
      /filaments\.0\.points\.1/,
    ],
    ['a radius of 0', fileJson({}, { radius: 0 }), /filaments\.0\.radius/],
    ['a curve without a kind', fileJson({}, { curve: { kind: '', control_points: [], step: 1 } }), /curve\.kind/],
    ['a curve of no step', fileJson({}, { curve: { kind: 'x', control_points: [], step: 0 } }), /curve\.step/],
    [
      'two of one id',
      fileJson({
        filaments: [1, 1].map((id) => ({
          instance_id: id,
          points: [
            [0, 0, 0],
            [1, 1, 1],
          ],
        })),
      }),
      /two filaments have the instance id 1/,
    ],
  ])('parseFilamentsFile refuses %s, and says where', (_, json, message) => {
    const parse = () => parseFilamentsFile(JSON.stringify(json), { source: 'x.json' });
    expect(parse).toThrow(expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(message) }));
    expect(parse).toThrow(/^filaments file "x\.json"/);
  });

  it.each(['NaN', 'Infinity'])("parseFilamentsFile refuses %s, which Python's writer makes", (token) => {
    const text = JSON.stringify(
      fileJson(
        {},
        {
          points: [
            [0, 0, 0],
            ['here', 0, 0],
          ],
        },
      ),
    ).replace('"here"', token);
    expect(() => parseFilamentsFile(text, { source: 'x.json' })).toThrow(/filaments\.0\.points\.1\.0/);
  });

  it('parseFilamentsFile reports a name that contradicts the content', () => {
    const identity = { object: 'ribosome', userId: 'you', sessionId: '1' };
    const file = parseFilamentsFile(JSON.stringify(fileJson({ unit: 'nm' })), { source: 'x.json', identity });
    expect(file).toMatchObject(identity);
    expect(file.warnings).toHaveLength(3);
  });
});

describe('formatFilamentsFile', () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  const point = fc.record({ x: number, y: number, z: number });
  const length = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
  const filament = fc.record(
    {
      instanceId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      points: fc.array(point, { minLength: 2, maxLength: 5 }),
      polarityKnown: fc.boolean(),
      score: number,
      radius: length,
      metadata: fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.jsonValue(),
      ),
      curve: fc.record({ kind: fc.constantFrom('nurbs', 'arc'), controlPoints: fc.array(point), step: length }),
    },
    { requiredKeys: ['instanceId', 'points'] },
  );
  const filaments = fc.uniqueArray(filament, { selector: ({ instanceId }) => instanceId, maxLength: 4 });

  it('formatFilamentsFile gives text that reads back the same', () => {
    fc.assert(
      fc.property(filaments, (given) => {
        const file: FilamentsFile = { ...me, filaments: given, runName: 'r', voxelSpacing: 10 };
        const read = parseFilamentsFile(formatFilamentsFile(file), { source: 'x.json' });
        expect(read).toMatchObject({ ...me, runName: 'r', voxelSpacing: 10 });
        // Integers beyond 2^53 come back as bigint.
        const plain = (value: unknown) => JSON.parse(formatJsonBigInt(value));
        expect(plain(read.filaments)).toMatchObject(plain(given));
      }),
    );
  });

  it('formatFilamentsFile omits a curve that no longer matches its points, and keeps one that does', () => {
    const moved = { ...current, instanceId: 2, points: line([0, 50, 101]) };
    const impossible = { ...current, instanceId: 3, curve: { ...straight, kind: 'bspline' } };
    const { filaments } = parseFilamentsFile(formatFilamentsFile({ ...me, filaments: [current, moved, impossible] }), {
      source: 'x',
    });
    expect(filaments.map(({ curve }) => curve?.kind)).toEqual(['linear', undefined, undefined]);
  });

  it.each<[string, Partial<Filament>, RegExp]>([
    ['an id of 0', { instanceId: 0 }, /filament 0 has the instance id 0/],
    ['an id that is NaN', { instanceId: Number.NaN }, /instance id NaN/],
    ['one point', { points: line([1]) }, /has 1 points, expected at least two/],
    ['a point that is not finite', { points: line([1, Number.NaN]) }, /point 1 at NaN, 1, 2 Å/],
    ['an infinite score', { score: Number.POSITIVE_INFINITY }, /score of Infinity/],
    ['a negative radius', { radius: -1 }, /radius of -1 Å/],
    ['a curve that JSON cannot hold', { curve: { ...straight, kind: 'x', step: Number.NaN } }, /curve of kind "x"/],
  ])('formatFilamentsFile refuses %s', (_, change, message) => {
    expect(() => formatFilamentsFile({ ...me, filaments: [{ ...current, ...change }] })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(message) }),
    );
  });

  it('formatFilamentsFile refuses two filaments of one id', () => {
    expect(() => formatFilamentsFile({ ...me, filaments: [current, current] })).toThrow(
      /two filaments have the instance id 1/,
    );
  });
});

describe('filaments of a run', () => {
  const file = (name: string, json: unknown = fileJson()) => ({ [`${folder}/${name}.json`]: json });

  it('filaments of a run are found by object, user and session, the overlay before the static tree', async () => {
    const { run, told } = await runOf({
      overlay: { ...file('me_1_virus'), ...file('nobody') },
      static: { ...file('me_1_virus'), ...file('you_0_ribosome') },
    });
    expect((await run.filaments()).map(({ path }) => path)).toEqual([
      `static${folder}/you_0_ribosome.json`,
      `overlay${folder}/me_1_virus.json`,
    ]);
    expect(await run.filaments({ object: 'virus', includeShadowed: true })).toHaveLength(2);
    expect(told.map(({ path }) => path)).toEqual([`overlay${folder}/nobody.json`]);
  });

  it('filaments of a run report mistakes once, and refuse broken files', async () => {
    const { run, told } = await runOf({
      overlay: {
        ...file('me_1_virus', fileJson({ unit: 'nm' })),
        ...file('me_2_virus', '{'),
        ...file('me_3_virus', new Uint8Array([0xff])),
      },
    });
    const [odd, broken, binary] = await run.filaments();
    await odd!.read();
    await odd!.read();
    expect(told).toMatchObject([{ path: odd!.path, message: expect.stringContaining('"nm"') }]);
    await expect(broken!.read()).rejects.toMatchObject({
      code: 'invalid-picks',
      message: expect.stringContaining('line 1'),
    });
    await expect(binary!.read()).rejects.toMatchObject({
      code: 'invalid-picks',
      message: expect.stringContaining('UTF-8'),
    });
  });

  it('filaments of a run are written and read again', async () => {
    const { run } = await runOf({ static: { '/ExperimentRuns/TS_1/.meta': '' } });
    const given = { ...me, userId: 'my_user', voxelSpacing: 10, unknown: { by: 'hand' } };
    expect(await run.writeFilaments([current], given)).toBe(`overlay${folder}/my-user_1_virus.json`);
    const [entry] = await run.filaments({ userId: 'my_user' });
    expect(await entry!.read()).toMatchObject({
      ...{ ...given, userId: 'my-user' },
      runName: 'TS_1',
      filaments: [{ ...current, curve: straight }],
    });
    await entry!.delete();
    expect(await run.filaments()).toEqual([]);
    await expect(entry!.read()).rejects.toMatchObject({ code: 'not-found' });
  });

  it('filaments of a run are edited without losing what others wrote meanwhile', async () => {
    const { run, overlay } = await runOf({ overlay: file('me_1_virus', fileJson({ colour: 'red' })) });
    await expect(run.writeFilaments([current], me)).rejects.toMatchObject({ code: 'invalid-option' });
    const read = await (await run.filaments())[0]!.read();
    await run.writeFilaments([...read.filaments, { ...current, instanceId: 2 }], { ...read, ifVersion: read.version });
    const text = new TextDecoder().decode(await overlay.get(`${folder}/me_1_virus.json`));
    expect(JSON.parse(text)).toMatchObject({ colour: 'red', filaments: [{ instance_id: 1 }, { instance_id: 2 }] });
    await expect(run.writeFilaments([], { ...read, ifVersion: read.version })).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(run.writeFilaments([], { ...read, ifVersion: null })).rejects.toMatchObject({ code: 'conflict' });
    expect((await (await run.filaments())[0]!.read()).filaments).toHaveLength(2);
    await run.writeFilaments([], { ...read, overwrite: true });
    expect((await (await run.filaments())[0]!.read()).filaments).toEqual([]);
  });

  it('filaments of a run report the curves that were not written', async () => {
    const { run, told } = await runOf({ static: { '/ExperimentRuns/TS_1/.meta': '' } });
    const path = await run.writeFilaments([current, { ...current, instanceId: 5, points: line([0, 99]) }], me);
    expect(told).toEqual([
      { path, run: 'TS_1', message: expect.stringMatching(/curves of the filaments 5 no longer match/) },
    ]);
  });

  it.each<[string, Filament, object, string]>([
    ['an object that the project does not have', current, { object: 'actin' }, 'not-found'],
    ['a session without a usable character', current, { sessionId: ' ' }, 'invalid-option'],
    ['a filament without points', { ...current, points: [] }, {}, 'invalid-picks'],
  ])('filaments of a run are not written for %s', async (_, filament, change, code) => {
    const { run, overlay } = await runOf({ static: { '/ExperimentRuns/TS_1/.meta': '' } });
    await expect(run.writeFilaments([filament], { ...me, ...change })).rejects.toMatchObject({ code });
    expect(await overlay.list('/')).toEqual([]);
  });

  it('filaments of a run stop when aborted', async () => {
    const { run, overlay, told } = await runOf({ overlay: file('me_1_virus') });
    const signal = AbortSignal.abort('stop');
    await expect(run.filaments({ signal })).rejects.toBe('stop');
    await expect(run.writeFilaments([], { ...me, sessionId: '2', signal })).rejects.toBe('stop');
    const [entry] = await run.filaments();
    await expect(entry!.read({ signal })).rejects.toBe('stop');
    expect(told).toEqual([]);
    expect(await overlay.list(folder)).toHaveLength(1);
  });
});
