import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateCurve, formatConfig, newConfig } from '../../../src/entry/copick.ts';
import type { ParticlePick, Project, Run, VolumeSource } from '../../../src/entry/index.ts';
import { openProject } from '../../../src/entry/node.ts';
import {
  type ExpectedProject,
  type ExpectedRun,
  entitiesFixture,
  openEntities,
} from '../../support/copick-entities.ts';
import { copickVectors, toCurve } from '../../support/copick-vectors.ts';
import { pythonMissing, runPython } from '../../support/python.ts';
import { differences, inOneOrder, tellArray, tellProject } from '../../support/tell-project.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { sourceOf } from '../../support/volumes.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const time = { timeout: 300_000 };

function readWithCopick(config: string): ExpectedProject {
  return JSON.parse(runPython('copick', join(fixtures, 'read_with_copick.py'), config));
}

/** Numbers from 0 to 1 that are the same in every run of the test. */
function drawing(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const draw = drawing(20240714);
const shape = [4, 5, 6] as const;
const me = { userId: 'alice', sessionId: '7' };
const here = { ...me, root: 'overlay' as const };

function volumeOf(data: Float32Array | Uint32Array, spacing = 10): VolumeSource {
  return sourceOf(data, shape, { voxelSize: [spacing, spacing, spacing] });
}

const density = () => Float32Array.from({ length: 120 }, () => draw() * 2 - 1);
const labels = (top: number) => Uint32Array.from({ length: 120 }, () => Math.floor(draw() * (top + 1)));

/** Orientations about all axes, none of them the identity. */
function somePicks(object: string): ParticlePick[] {
  return Array.from({ length: 5 }, (_, i) => {
    const [a, b] = [2 * draw(), 2 * draw()].map((angle) => angle + 0.1) as [number, number];
    const [c, s, d, t] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    const transform = [
      [c, -s * d, s * t, 0],
      [s, c * d, -c * t, 0],
      [0, t, d, 0],
      [0, 0, 0, 1],
    ];
    const position = { x: draw() * 6000, y: draw() * 6000, z: draw() / 3 };
    return { object, position, score: draw(), instanceId: i + 1, transform };
  });
}

function tellPicks(picks: readonly ParticlePick[]): PicksNumbers {
  return {
    positions: picks.map(({ position: { x, y, z } }) => [x, y, z]),
    rotations: picks.map(({ transform }) => transform!.slice(0, 3).map((row) => row.slice(0, 3))) as never,
    scores: picks.map(({ score }) => score),
    instanceIds: picks.map(({ instanceId }) => Number(instanceId)),
  };
}
type PicksNumbers = Omit<ExpectedRun['picks'][number], 'object' | 'userId' | 'sessionId' | 'root' | 'trustOrientation'>;

/** How each kind of entity is written: a row for each. It returns what must be read, told from what was given. */
const writers: { readonly [K in keyof ExpectedRun]: (run: Run) => Promise<ExpectedRun[K]> } = {
  voxelSpacings: async (run) => {
    await run.createVoxelSpacing(13.48);
    return [7.84, 10, 13.48];
  },
  tomograms: async (run) => {
    const written = [];
    for (const [type, spacing] of [
      ['wbp', 10],
      ['denoised', 10],
      ['wbp', 7.84],
    ] as const) {
      const data = density();
      await run.writeTomogram(volumeOf(data, spacing), { type, levels: 1 });
      const told = { type, voxelSpacing: spacing, root: 'overlay', levels: [tellArray(shape, data, 'float32')] };
      written.push(told);
    }
    return written;
  },
  features: async (run) => {
    const [one, two, three] = [density(), density(), density()];
    const of = { type: 'wbp', voxelSpacing: 10, root: 'overlay' };
    await run.writeFeatures(volumeOf(one), { type: 'wbp', featureType: 'sobel' });
    await run.writeFeatures([volumeOf(two), volumeOf(three)], { type: 'wbp', featureType: 'edges' });
    return [
      { ...of, featureType: 'sobel', values: tellArray(shape, one, 'float32') },
      { ...of, featureType: 'edges', values: tellArray([2, ...shape], [...two, ...three], 'float32') },
    ];
  },
  picks: async (run) => {
    const [ribosomes, tubes] = [somePicks('ribosome'), somePicks('microtubule')];
    await run.writePicks([...ribosomes, ...tubes], { ...me, objects: ['membrane'], trustOrientation: false });
    return [
      { object: 'ribosome', ...here, ...tellPicks(ribosomes), trustOrientation: false },
      { object: 'microtubule', ...here, ...tellPicks(tubes), trustOrientation: false },
      { object: 'membrane', ...here, ...tellPicks([]), trustOrientation: false },
    ];
  },
  segmentations: async (run) => {
    const at = { ...here, voxelSpacing: 10 };
    const [mask, many, instances] = [labels(1), labels(4), labels(70_000)];
    // Of objects that the project has.
    const label = labels(3).map((value) => [0, 1, 5, 6][value]!);
    const parts = labels(300).map((value, i) => (label[i] === 0 ? 0 : value));
    await run.writeSegmentation(volumeOf(mask), { ...me, name: 'membrane' });
    await run.writeSegmentation(volumeOf(many), { ...me, name: 'painting', kind: 'multilabel' });
    await run.writeSegmentation(volumeOf(instances), { ...me, name: 'ribosome', kind: 'instance' });
    const panoptic = { label: volumeOf(label), instance: volumeOf(parts) };
    await run.writeSegmentation(panoptic, { ...me, name: 'cell', kind: 'panoptic' });
    return [
      { ...at, name: 'membrane', kind: 'binary', values: tellArray(shape, mask, 'uint32') },
      { ...at, name: 'painting', kind: 'multilabel', values: tellArray(shape, many, 'uint32') },
      { ...at, name: 'ribosome', kind: 'instance', values: tellArray(shape, instances, 'uint32') },
      { ...at, name: 'cell', kind: 'panoptic', values: tellArray([2, ...shape], [...label, ...parts], 'uint32') },
    ];
  },
  meshes: async (run) => {
    const [mesh] = await openEntities().find('mesh', 'membrane:segger/1');
    await run.writeMesh(await mesh!.read(), { ...me, object: 'ribosome' });
    const sha = createHash('sha256')
      .update(await mesh!.read())
      .digest('hex');
    return [{ object: 'ribosome', ...here, sha, parts: [] }];
  },
  filaments: async (run) => {
    const curves = copickVectors.filaments.curves.slice(0, 14).map(([json]) => toCurve(json));
    const filaments = curves.map((curve, i) => {
      const part = {
        instanceId: 2 * i + 1,
        polarityKnown: i % 2 === 0,
        score: draw(),
        metadata: { i, by: { hand: true } },
      };
      return { ...part, points: evaluateCurve(curve), ...(i > 3 && { radius: 12.5 + i }), curve };
    });
    await run.writeFilaments(filaments, { ...me, object: 'microtubule', voxelSpacing: 10 });
    const read = await (await run.filaments())[0]!.read();
    expect(read.filaments).toMatchObject(filaments.map(({ curve: _, ...filament }) => filament));
    const told = copickVectors.filaments.curves.slice(0, 14).map(([json], i) => {
      const { curve: _, points, ...filament } = filaments[i]!;
      const present = Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
      // copick fills in the alpha that it takes where none is said.
      const curve = json.kind === 'catmull-rom' ? { alpha: 0.5, ...present } : present;
      const triples = points.map(({ x, y, z }) => [x, y, z] as const);
      return { radius: null, ...filament, points: triples, curve: curve as never, curveIsCurrent: true };
    });
    return [{ object: 'microtubule', ...here, voxelSpacing: 10, version: 1, filaments: told }];
  },
};

const config = newConfig({
  overlayRoot: 'local://overlay',
  name: 'parity',
  objects: [
    {
      name: 'ribosome',
      isParticle: true,
      radius: 150.5,
      color: [1, 2, 3, 4],
      emdbId: 'EMD-3883',
      identifier: 'GO:0022626',
    },
    {
      name: 'microtubule',
      isParticle: true,
      label: 5,
      metadata: { weight: 2, copick: { filament: { polar: true, helical_rise_a: 81.2 } } },
    },
    { name: 'membrane', isParticle: false, mapThreshold: 0.25 },
  ],
});

describe.skipIf(pythonMissing('copick'))(
  'copick itself (needs CRYOET_PICKS_COPICK_PYTHON, a Python that has it)',
  () => {
    let folder: string;
    beforeAll(async () => {
      folder = await tempDir();
    });

    it('copick itself writes what we read: every entity, number and byte', time, async () => {
      const made = join(folder, 'made');
      runPython('copick', join(fixtures, 'make_copick_entities.py'), made);
      const expected: ExpectedProject = JSON.parse(await readFile(`${made}-expected.json`, 'utf8'));
      const { objects, runs } = expected;
      const told = await tellProject(openEntities(made));
      expect(differences(inOneOrder(told), inOneOrder({ objects, runs }))).toEqual([]);
    });

    it('copick itself reads its committed project as we do', time, async () => {
      const told = await tellProject(openEntities());
      expect(differences(inOneOrder(told), inOneOrder(readWithCopick(`${entitiesFixture}copick.json`)))).toEqual([]);
    });

    it('copick itself reads what we write: every entity, number and byte, as it was given', time, async () => {
      const path = join(folder, 'copick.json');
      await writeFile(path, formatConfig(config));
      const project: Project = await openProject(path);
      const map = density();
      await project.writeObjectMap(volumeOf(map, 5), { object: 'ribosome' });
      const run = await project.createRun('TS_5_4');
      const given: Record<string, unknown> = {};
      for (const kind of [
        'tomograms',
        'voxelSpacings',
        'features',
        'picks',
        'segmentations',
        'meshes',
        'filaments',
      ] as const) {
        given[kind] = await writers[kind](run);
      }
      const read = readWithCopick(path);
      const [ribosome, microtubule, membrane] = read.objects;
      expect(ribosome!.map).toEqual({
        voxelSize: 5,
        values: expect.objectContaining({ sha: tellArray(shape, map, 'float32').sha }),
      });
      expect([ribosome!.label, microtubule!.label, membrane!.label]).toEqual([1, 5, 6]);
      const expected = { objects: read.objects, runs: { TS_5_4: given as unknown as ExpectedRun } };
      expect(differences(inOneOrder(read), inOneOrder(expected))).toEqual([]);
      const told = await tellProject(await openProject(path));
      // What copick fills in, where a curve says nothing, is its own.
      const said = (value: ExpectedProject) =>
        JSON.parse(JSON.stringify(inOneOrder(value)).replaceAll('"alpha":0.5,', '').replaceAll(',"alpha":0.5', ''));
      expect(differences(said(told), said(read))).toEqual([]);
    });
  },
);
