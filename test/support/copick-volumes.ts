import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NumericData, OpenTomogramOptions, Project, Tomogram, Volume } from '../../src/entry/index.ts';
import { wholeBox } from './volumes.ts';

/** A level of a volume: its path, shape and type, and the SHA-256 of its voxels in C order. */
export interface DescribedLevel {
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly sha256: string;
}

/** The volumes of a project as test/fixtures/read_copick_volumes.py prints them. */
export interface DescribedVolumes {
  readonly runs: Readonly<Record<string, Readonly<Record<string, readonly DescribedVolume[]>>>>;
  readonly objectMaps: readonly DescribedVolume[];
}

/** One volume: its names, and its voxels level by level; without a level where the folder is empty. */
export interface DescribedVolume extends Readonly<Record<string, unknown>> {
  readonly voxelSize: number | null;
  readonly levels: readonly DescribedLevel[];
}

/** Folder of the project that a generation of copick made; see test/fixtures/make_copick_volumes.py. */
export function volumesFixture(generation: 1 | 2): string {
  return fileURLToPath(new URL(`../fixtures/copick-volumes-${generation}/`, import.meta.url));
}

/** What that generation of copick reads from it. */
export function expectedVolumes(generation: 1 | 2): DescribedVolumes {
  const file = new URL(`../fixtures/copick-volumes-${generation}-expected.json`, import.meta.url);
  return JSON.parse(readFileSync(fileURLToPath(file), 'utf8'));
}

/** What this library reads from a project, in the same form and order. */
export async function describeVolumes(project: Project): Promise<DescribedVolumes> {
  const runs: Record<string, Record<string, DescribedVolume[]>> = {};
  for (const run of await project.runs()) {
    const tomograms = (await run.tomograms()).map(async ({ voxelSpacing, type, open }) => ({
      voxelSpacing,
      type,
      ...(await describe(async (options) => [await open(options)])),
    }));
    const features = (await run.features()).map(async ({ voxelSpacing, type, featureType, open }) => ({
      voxelSpacing,
      type,
      featureType,
      ...(await describe(open)),
    }));
    const segmentations = (await run.segmentations()).map(async ({ open, ...one }) => {
      const { kind, voxelSpacing, userId, sessionId, name } = one;
      const channels = kind === 'panoptic' ? (['label', 'instance'] as const) : [undefined];
      const openAll = (options: OpenTomogramOptions) =>
        Promise.all(channels.map((channel) => open({ ...options, channel })));
      return { kind, voxelSpacing, userId, sessionId, name, ...(await describe(openAll)) };
    });
    runs[run.name] = {
      tomograms: sorted(await Promise.all(tomograms)),
      features: sorted(await Promise.all(features)),
      segmentations: sorted(await Promise.all(segmentations)),
    };
  }
  const maps = (await project.objectMaps()).map(async ({ object, open }) => ({
    object,
    ...(await describe(async (options) => [await open(options)])),
  }));
  return { runs, objectMaps: await Promise.all(maps) };
}

/** Puts volumes into one order, whoever listed them. */
export function sorted<T extends object>(volumes: readonly T[]): T[] {
  const key = (one: object) => JSON.stringify(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...volumes].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** The volumes in an order of their own, for comparing what copick and this library tell. */
export function inOrder({ runs, objectMaps }: DescribedVolumes): DescribedVolumes {
  const ordered = Object.entries(runs).map(([run, kinds]) => [
    run,
    Object.fromEntries(Object.entries(kinds).map(([kind, volumes]) => [kind, sorted(volumes)])),
  ]);
  return { runs: Object.fromEntries(ordered), objectMaps: sorted(objectMaps) };
}

type Open = (options: OpenTomogramOptions) => Promise<readonly Tomogram[]>;

/** The levels of an image; several channels are hashed one after the other, as they lie in its array. */
async function describe(open: Open): Promise<DescribedVolume> {
  let first: readonly Tomogram[];
  try {
    first = await open({});
  } catch (error) {
    if (String(error).includes('nor an array; found zarr.json')) return { voxelSize: null, levels: [] };
    throw error;
  }
  const levels: DescribedLevel[] = [];
  for (const { index, path, shape, dtype } of first[0]!.levels) {
    const channels = await open({ level: index });
    const hash = createHash('sha256');
    for (const channel of channels) hash.update(bytesOf(await channel.read(wholeBox(shape), { exact: true }), dtype));
    const whole = channels.length > 1 ? [channels.length, ...shape] : shape;
    levels.push({ path, shape: whole, dtype, sha256: hash.digest('hex') });
  }
  return { voxelSize: first[0]!.grid.voxelSize[0], levels };
}

const ARRAYS: Readonly<Record<string, { from(values: number[]): NodeJS.TypedArray }>> = {
  float32: Float32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: { from: (values: number[]) => BigUint64Array.from(values, BigInt) },
  int64: { from: (values: number[]) => BigInt64Array.from(values, BigInt) },
};

function bytesOf({ data, shape, stride, offset }: Volume<NumericData>, dtype: string): Uint8Array {
  const values: number[] = [];
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++) values.push(data[offset + z * stride[0] + y * stride[1] + x * stride[2]]!);
    }
  }
  return new Uint8Array(ARRAYS[dtype]!.from(values).buffer);
}
