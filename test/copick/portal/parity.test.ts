import { describe, expect, it } from 'vitest';
import { formatSpacing } from '../../../src/copick/layout.ts';
import { camelCase, portalTomogramType } from '../../../src/copick/portal/tree.ts';
import { parseConfig, projectFromStores } from '../../../src/entry/copick.ts';
import { memoryStore, openTomogram, subStore, type Tomogram } from '../../../src/entry/index.ts';
import { portalObjects } from '../../../src/entry/portal.ts';
import {
  answerQuestion,
  fakePortal,
  fakeStore,
  portalFixture,
  portalTables,
  type Question,
} from '../../support/portal.ts';

interface Annotation {
  readonly sessionId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

interface Query {
  readonly kind: string;
  readonly where: Readonly<Record<string, unknown>>;
  readonly authors: readonly string[] | null;
  readonly ids: readonly number[];
}

/** What copick reads of one run. */
interface ExpectedRun {
  readonly name: string;
  readonly datasetId: number;
  readonly voxelSpacings: readonly number[];
  readonly tomograms: readonly unknown[];
  readonly picks: readonly Annotation[];
  readonly segmentations: readonly Annotation[];
  readonly queries: readonly Query[];
}

const expected = portalFixture<{
  readonly runs: Readonly<Record<string, ExpectedRun>>;
  readonly objects: readonly { readonly emdbId: string | null; readonly pdbId: string | null }[];
  readonly camel: readonly (readonly [text: string, camel: string])[];
}>('expected.json');
const names = Object.keys(expected.runs).sort();

function openFixture() {
  const fake = fakeStore();
  const config = parseConfig(JSON.stringify(portalFixture('copick.json')), { source: 'copick.json' });
  const problems: string[] = [];
  const onProblem = ({ message }: { message: string }) => problems.push(message);
  const project = projectFromStores({ config, overlay: memoryStore(), static: fake.store, onProblem });
  return { ...fake, project, problems };
}

async function voxelsOf(tomogram: Tomogram): Promise<number[]> {
  const { shape } = tomogram.grid;
  const { data, stride, offset } = await tomogram.read({ start: [0, 0, 0], end: shape });
  const voxels: number[] = [];
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++) {
        voxels.push(data[offset + z * stride[0] + y * stride[1] + x * stride[2]] as number);
      }
    }
  }
  return voxels;
}

describe('datasets of the portal, as the released copick reads them', () => {
  it('the runs of a portal project have the ids, names and datasets of the portal, as in the released copick', async () => {
    const { project, store, problems } = openFixture();
    expect((await project.runs()).map(({ name }) => name)).toEqual(names);
    const runs = await store.runs();
    expect(Object.fromEntries(runs.map((run) => [run.run, [run.name, run.datasetId]]))).toEqual(
      Object.fromEntries(names.map((name) => [name, [expected.runs[name].name, expected.runs[name].datasetId]])),
    );
    expect(problems).toEqual([]);
  });

  it.each(names)('run %s has the voxel spacings that copick reads', async (name) => {
    const { store } = openFixture();
    const folders = (await store.list(`/ExperimentRuns/${name}`)).map((entry) => entry.name);
    expect(folders.filter((folder) => folder.startsWith('VoxelSpacing'))).toEqual(
      [...new Set(expected.runs[name].voxelSpacings.map((one) => `VoxelSpacing${formatSpacing(one)}`))].sort(),
    );
  });

  it.each(names)('run %s has the tomograms that copick reads, voxel by voxel', async (name) => {
    const { project, store, problems } = openFixture();
    const tomograms = await store.tomograms(name);
    const run = await project.run(name);
    const listed = (await run.tomograms()).map(({ path, type }) => [path, type]);
    expect(listed.sort()).toEqual(tomograms.map(({ key, type }) => [`${store.location}${key}`, type]).sort());
    const found = await Promise.all(
      tomograms.map(async ({ id, voxelSpacing, authors, key, url, ...origin }) => ({
        ...{ id, voxelSpacing, authors, type: portalTomogramType(origin) },
        voxels: url ? await voxelsOf(await openTomogram(subStore(store, key))) : null,
      })),
    );
    expect(found).toEqual(expected.runs[name].tomograms);
    expect(problems).toEqual([]);
  });

  it.each(names)('run %s has the picks that copick reads, number by number', async (name) => {
    const { project, problems } = openFixture();
    const sets = await (await project.run(name)).pickSets();
    const found = await Promise.all(
      sets.map(async ({ object, userId, sessionId, read }) => {
        const { picks, trustOrientation } = await read();
        return {
          ...{ object, userId, sessionId, trustOrientation },
          positions: picks.map(({ position: { x, y, z } }) => [x, y, z]),
          transforms: picks.map(({ transform }) => transform ?? identity),
          scores: picks.map(({ score }) => score),
          instanceIds: picks.map(({ instanceId = 0 }) => instanceId),
        };
      }),
    );
    const theirs = expected.runs[name].picks.map(({ metadata: _, ...picks }) => picks);
    expect(bySession(found)).toEqual(bySession(theirs));
    expect(problems).toEqual([]);
  });

  it.each(names)('run %s has the segmentations that copick reads, label by label', async (name) => {
    const { store } = openFixture();
    const shapes: Record<string, string> = { SegmentationMask: 'binary', InstanceSegmentationMask: 'instance' };
    const masks = (await store.annotations(name)).filter(({ shapeType }) => shapeType in shapes);
    const found = await Promise.all(
      masks.map(async ({ object, sessionId, voxelSpacing, shapeType, key }) => ({
        ...{ name: object, userId: 'data-portal', sessionId, voxelSpacing, kind: shapes[shapeType] },
        labels: await voxelsOf(await openTomogram(subStore(store, key))),
      })),
    );
    const theirs = expected.runs[name].segmentations.map(({ metadata: _, ...one }) => one);
    expect(bySession(found)).toEqual(bySession(theirs));
  });

  it.each(names)('run %s has the metadata of annotations that copick reads', async (name) => {
    const { store } = openFixture();
    const found = await store.annotations(name);
    const { picks, segmentations } = expected.runs[name];
    for (const { sessionId, metadata } of [...picks, ...segmentations]) {
      expect(found.find((one) => one.sessionId === sessionId)).toMatchObject(metadata);
    }
    expect(found).toHaveLength(picks.length + segmentations.length);
  });

  it.each(names)('run %s answers queries of metadata and authors as copick does', async (name) => {
    const { store } = openFixture();
    const points = (await store.annotations(name)).filter(({ shapeType }) => shapeType.endsWith('Point'));
    for (const { kind, where: snake, authors, ids } of expected.runs[name].queries) {
      const where = Object.fromEntries(Object.entries(snake).map(([key, value]) => [inCamel(key), value]));
      const filter = { where, authors: authors ?? undefined };
      const found =
        kind === 'picks'
          ? (await store.annotations(name, filter)).map(({ fileId }) => fileId)
          : (await store.tomograms(name, filter)).map(({ id }) => id);
      const inKind = kind === 'picks' ? found.filter((id) => points.some(({ fileId }) => fileId === id)) : found;
      expect([...inKind].sort((a, b) => a - b)).toEqual(ids);
    }
  });

  it('some query of the released copick finds something', () => {
    const answers = names.flatMap((name) => expected.runs[name].queries);
    const asked = [...new Set(answers.map(({ where, authors }) => JSON.stringify([where, authors])))];
    const met = asked.filter((one) =>
      answers.some(({ where, authors, ids }) => JSON.stringify([where, authors]) === one && ids.length > 0),
    );
    expect([asked.length, met.length]).toEqual([10, 9]);
  });

  it('portalObjects gives the objects that copick makes a config of', async () => {
    const { fetch, questions } = fakePortal();
    const objects = await portalObjects({ datasetIds: [10001, 10002], fetch });
    const found = objects.map(({ name, identifier, isParticle, emdbId, pdbId, radius }) => {
      return { name, identifier, isParticle, emdbId: emdbId ?? null, pdbId: pdbId ?? null, radius };
    });
    expect(found).toEqual(expected.objects);
    expect(objects.map(({ label }) => label)).toEqual([1, 2, 3, 4]);
    expect(new Set(objects.map(({ color }) => color.join())).size).toBe(4);
    expect(questions).toHaveLength(2);
    const config = JSON.stringify({
      pickable_objects: objects.map(({ name, isParticle, color }) => ({ name, is_particle: isParticle, color })),
      overlay_root: 'overlay',
    });
    expect(parseConfig(config, { source: 'copick.json' }).objects).toHaveLength(4);
  });

  it.each(expected.camel)('portalObjects makes of %j what copick makes of it', (text, camel) => {
    expect(camelCase(text)).toBe(camel);
  });
});

describe('the questions of the store', () => {
  it('the queries of the portal store are those that a full GraphQL server with the schema of the portal answered', async () => {
    const { store, questions } = fakeStore();
    const [{ run }] = await store.runs();
    await store.tomograms(run);
    await store.annotations(run);
    const { fetch, questions: others } = fakePortal();
    await portalObjects({ datasetIds: [10001], fetch });
    questions.push(...others.slice(1));
    await expect(`${JSON.stringify(questions, null, 1)}\n`).toMatchFileSnapshot('../../fixtures/portal/questions.json');
  });

  it('the fake portal of these tests gives the same answers as that server', () => {
    const answers = portalFixture<Question[]>('questions.json').map((question) =>
      answerQuestion(portalTables(), question),
    );
    expect(answers).toEqual(portalFixture('answers.json'));
  });
});

const identity = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 1 : 0)));

function bySession<T extends { sessionId: string }>(found: T[]): T[] {
  return [...found].sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
}

function inCamel(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
