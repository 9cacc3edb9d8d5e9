import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { NumericData, Project, Zyx } from '../../../src/entry/index.ts';
import { openProject } from '../../../src/entry/node.ts';
import { type DescribedVolumes, describeVolumes, inOrder } from '../../support/copick-volumes.ts';
import { pythonMissing, runPython } from '../../support/python.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { noise, sourceOf } from '../../support/volumes.ts';

const script = fileURLToPath(new URL('../../fixtures/read_copick_volumes.py', import.meta.url));

/** Which Python has which generation of copick, and the formats that it opens. */
const readers = [
  { name: 'copick 1', python: 'copick', formats: ['zarr2'] },
  { name: 'copick 2', python: 'copick2', formats: ['zarr2', 'zarr3'] },
] as const;

const shape: Zyx = [13, 9, 11];
const size = 13 * 9 * 11;
const pick = <T>(values: readonly T[]) =>
  Array.from({ length: size }, (_, i) => values[(i * 7 + (i >> 3)) % values.length]!);
const floats = (seed: number) => noise(shape, seed);
const volume = (data: NumericData, voxelSize = 7.84) =>
  sourceOf(data, shape, { voxelSize: [voxelSize, voxelSize, voxelSize] });

const labels = Uint16Array.from(pick([0, 1, 2, 300, 0]));
const instances = Uint32Array.from(pick([0, 1, 70_000, 2 ** 32 - 1, 3])).map((id, i) => (labels[i] === 0 ? 0 : id));
const ids = Uint32Array.from(pick([0, 2 ** 24 + 1, 2 ** 32 - 1]));
const big = Float64Array.from(pick([0, 2 ** 24 + 1, 2 ** 32, Number.MAX_SAFE_INTEGER]));
const inputs = {
  tomogram: floats(1),
  feature: floats(2),
  features: [floats(3), floats(4), floats(5)],
  membrane: Uint8Array.from(pick([0, 1])),
  map: floats(6),
};

async function writeAll(project: Project, format: 'zarr2' | 'zarr3'): Promise<void> {
  const run = await project.createRun('TS_1');
  const me = { userId: 'me', sessionId: '1', format };
  await run.writeTomogram(volume(inputs.tomogram), { type: 'wbp', format });
  await run.writeTomogram(volume(inputs.feature, 10.012444), { type: 'denoised', levels: 1, voxelSpacing: 10, format });
  await run.writeFeatures(volume(inputs.feature), { type: 'wbp', featureType: 'sobel', format });
  await run.writeFeatures(
    inputs.features.map((one) => volume(one)),
    { type: 'wbp', featureType: 'sam', format },
  );
  await run.writeSegmentation(volume(inputs.membrane), { ...me, name: 'membrane' });
  await run.writeSegmentation(volume(labels), { ...me, name: 'cell', kind: 'multilabel' });
  await run.writeSegmentation(volume(ids), { ...me, name: 'ribosome', kind: 'instance', levels: 2 });
  await run.writeSegmentation(volume(big), { ...me, name: 'virus', kind: 'instance' });
  await run.writeSegmentation(
    { label: volume(labels), instance: volume(instances) },
    { ...me, name: 'cell', levels: 2 },
  );
  await project.writeObjectMap(volume(inputs.map, 3.52), { object: 'ribosome', format });
}

/** Hashes of the finest levels, by what they are, as copick should find them. */
function expectedHashes(): Record<string, string> {
  const hash = (...arrays: NodeJS.TypedArray[]) =>
    arrays.reduce((sum, one) => sum.update(new Uint8Array(one.buffer)), createHash('sha256')).digest('hex');
  return {
    wbp: hash(inputs.tomogram),
    denoised: hash(inputs.feature),
    'wbp sobel': hash(inputs.feature),
    'wbp sam': hash(...inputs.features),
    'binary membrane': hash(inputs.membrane),
    'multilabel cell': hash(labels),
    'instance ribosome': hash(ids),
    'instance virus': hash(BigUint64Array.from(big, BigInt)),
    'panoptic cell': hash(Uint32Array.from(labels), instances),
    map: hash(inputs.map),
  };
}

function hashesIn({ runs, objectMaps }: DescribedVolumes): Record<string, string> {
  const { tomograms, features, segmentations } = runs.TS_1!;
  const named = [
    ...tomograms!.map((one) => [String(one.type), one] as const),
    ...features!.map((one) => [`${one.type} ${one.featureType}`, one] as const),
    ...segmentations!.map((one) => [`${one.kind} ${one.name}`, one] as const),
    ...objectMaps.map((one) => ['map', one] as const),
  ];
  return Object.fromEntries(named.map(([name, one]) => [name, one.levels[0]!.sha256]));
}

const configOf = (folder: string) => ({
  config_type: 'filesystem',
  pickable_objects: [
    { name: 'ribosome', is_particle: true, label: 1 },
    { name: 'virus', is_particle: true, label: 300 },
    { name: 'membrane', is_particle: false, label: 2 },
  ],
  overlay_root: join(folder, 'overlay'),
});

describe.each(['zarr2', 'zarr3'] as const)('volumes written as %s', (format) => {
  let folder: string;
  let project: Project;
  let ours: DescribedVolumes;

  beforeAll(async () => {
    folder = await tempDir();
    await writeFile(join(folder, 'copick.json'), JSON.stringify(configOf(folder)));
    project = await openProject(join(folder, 'copick.json'));
    await writeAll(project, format);
    ours = inOrder(await describeVolumes(project));
  }, 60_000);

  it('written volumes are read back voxel by voxel', () => {
    expect(hashesIn(ours)).toEqual(expectedHashes());
  });

  for (const { name, python, formats } of readers) {
    it.skipIf(pythonMissing(python) || !formats.some((one) => one === format))(
      `written volumes are read by ${name}: every volume, level, type and voxel`,
      () => {
        const theirs: DescribedVolumes = JSON.parse(runPython(python, script, join(folder, 'copick.json')));
        expect(inOrder(theirs)).toEqual(ours);
        expect(hashesIn(theirs)).toEqual(expectedHashes());
      },
      120_000,
    );
  }
});
