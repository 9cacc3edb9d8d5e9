import { createHash } from 'node:crypto';
import { type Filament, hasCurrentCurve, type SegmentationEntry } from '../../src/entry/copick.ts';
import type { ParticlePick, Project, Run, VolumeSource } from '../../src/entry/index.ts';
import type { ExpectedArray, ExpectedProject, ExpectedRun } from './copick-entities.ts';
import { wholeBox } from './volumes.ts';

type Values = 'float32' | 'uint32';

/** Tells an array as read_with_copick.py does: by shape, sum, and SHA-256 of its little-endian bytes in C order. */
export function tellArray(shape: readonly number[], data: Iterable<number>, type: Values): ExpectedArray {
  const values = type === 'float32' ? Float32Array.from(data) : Uint32Array.from(data);
  let sum = 0;
  for (const value of values) sum += value;
  return { shape, sum, sha: createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex') };
}

async function valuesOf(source: VolumeSource): Promise<number[]> {
  const { data, shape, stride, offset } = await source.read(wholeBox(source.grid.shape));
  const values: number[] = [];
  for (let z = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++) values.push(data[offset + z * stride[0] + y * stride[1] + x * stride[2]]!);
    }
  }
  return values;
}

/** One source, or several as the channels of a 4-D array. */
async function tellSources(sources: readonly VolumeSource[], type: Values): Promise<ExpectedArray> {
  const all = await Promise.all(sources.map(valuesOf));
  const shape = sources[0]!.grid.shape;
  return tellArray(sources.length === 1 ? shape : [sources.length, ...shape], all.flat(), type);
}

function tellPicks(
  picks: readonly ParticlePick[],
): Omit<ExpectedRun['picks'][number], 'object' | 'userId' | 'sessionId' | 'root' | 'trustOrientation'> {
  const eye = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? 1 : 0)));
  const rotations = picks.map(({ transform }) => transform?.slice(0, 3).map((row) => row.slice(0, 3)) ?? eye);
  return {
    positions: picks.map(({ position: { x, y, z } }) => [x, y, z]),
    rotations: rotations as unknown as ExpectedRun['picks'][number]['rotations'],
    scores: picks.map(({ score }) => score),
    instanceIds: picks.map(({ instanceId }) => Number(instanceId ?? 0)),
  };
}

function tellFilament(filament: Filament): ExpectedRun['filaments'][number]['filaments'][number] {
  const { instanceId, points, polarityKnown = false, score = 1, radius = null, metadata = {}, curve } = filament;
  const triple = ({ x, y, z }: { x: number; y: number; z: number }) => [x, y, z] as const;
  const json = curve && {
    kind: curve.kind,
    control_points: curve.controlPoints.map(triple),
    step: curve.step,
    ...(curve.alpha !== undefined && { alpha: curve.alpha }),
    ...(curve.degree !== undefined && { degree: curve.degree }),
    ...(curve.knots !== undefined && { knots: curve.knots }),
    ...(curve.smoothing !== undefined && { smoothing: curve.smoothing }),
    ...curve.unknown,
  };
  const told = { instanceId, points: points.map(triple), polarityKnown, score, radius, metadata };
  return { ...told, curve: json ?? null, curveIsCurrent: hasCurrentCurve(filament) };
}

async function tellSegmentation(entry: SegmentationEntry): Promise<ExpectedArray> {
  if (entry.kind !== 'panoptic') return tellSources([await entry.open()], 'uint32');
  return tellSources([await entry.open({ channel: 'label' }), await entry.open({ channel: 'instance' })], 'uint32');
}

/** How each kind of entity of a run is told: a row for each. */
const tellers: { readonly [K in keyof ExpectedRun]: (run: Run) => Promise<ExpectedRun[K]> } = {
  voxelSpacings: async (run) => (await run.voxelSpacings()).map(({ voxelSpacing }) => voxelSpacing),
  tomograms: async (run) =>
    each(await run.tomograms(), async ({ type, voxelSpacing, root, open }) => {
      const { levels } = await open();
      const told = levels.map(async (_, level) => tellSources([await open({ level })], 'float32'));
      return { type, voxelSpacing, root, levels: await Promise.all(told) };
    }),
  features: async (run) =>
    each(await run.features(), async ({ type, voxelSpacing, featureType, root, open }) => {
      return { type, voxelSpacing, featureType, root, values: await tellSources(await open(), 'float32') };
    }),
  picks: async (run) =>
    each(await run.pickSets(), async ({ object, userId, sessionId, root, read }) => {
      const { picks, trustOrientation = true } = await read();
      return { object, userId, sessionId, root, ...tellPicks(picks), trustOrientation };
    }),
  segmentations: async (run) =>
    each(await run.segmentations(), async (entry) => {
      const { name, userId, sessionId, voxelSpacing, kind, root } = entry;
      return { name, userId, sessionId, voxelSpacing, kind, root, values: await tellSegmentation(entry) };
    }),
  meshes: async (run) =>
    each(await run.meshes(), async ({ object, userId, sessionId, root, read }) => {
      const sha = createHash('sha256')
        .update(await read())
        .digest('hex');
      return { object, userId, sessionId, root, sha, parts: [] };
    }),
  filaments: async (run) =>
    each(await run.filaments(), async ({ object, userId, sessionId, root, read }) => {
      const { voxelSpacing = null, formatVersion = 1, filaments } = await read();
      const told = filaments.map(tellFilament);
      return { object, userId, sessionId, root, voxelSpacing, version: formatVersion, filaments: told };
    }),
};

async function each<T, R>(items: readonly T[], tell: (item: T) => Promise<R>): Promise<R[]> {
  const told: R[] = [];
  for (const item of items) told.push(await tell(item));
  return told;
}

/** Tells every entity and number of a project as this library reads them, in the form of read_with_copick.py. */
export async function tellProject(project: Project): Promise<ExpectedProject> {
  const runs = await each(await project.runs(), async (run) => {
    const told = await each(Object.entries(tellers), async ([kind, tell]) => [kind, await tell(run)] as const);
    return [run.name, Object.fromEntries(told) as unknown as ExpectedRun] as const;
  });
  const maps = new Map((await project.objectMaps()).map((entry) => [entry.object, entry]));
  const objects = await each(project.objects, async (object) => {
    const map = await maps.get(object.name)?.open();
    const values = map && { voxelSize: map.grid.voxelSize[0], values: await tellSources([map], 'float32') };
    const { name, isParticle, label = null, color, radius = null, emdbId = null, pdbId = null } = object;
    const { identifier = null, mapThreshold = null, metadata } = object;
    const ids = { emdb_id: emdbId, pdb_id: pdbId, identifier };
    const told = { name, is_particle: isParticle, label, color, ...ids, map_threshold: mapThreshold, radius, metadata };
    const copick = metadata.copick as { readonly filament?: Record<string, unknown> } | undefined;
    return { ...told, filament: copick?.filament ?? null, map: values ?? null };
  });
  return { objects, runs: Object.fromEntries(runs) };
}

/**
 * The same with lists in an order of their own, and without what only copick tells of meshes: it looks into them, while this
 * library passes their bytes through.
 */
export function inOneOrder({ objects, runs }: ExpectedProject): ExpectedProject {
  const sorted = Object.entries(runs).map(([name, run]) => {
    const kinds = Object.entries({ ...run, meshes: run.meshes.map((mesh) => ({ ...mesh, parts: [] })) });
    return [name, Object.fromEntries(kinds.map(([kind, list]) => [kind, [...list].sort(byIdentity)]))];
  });
  return { objects, runs: Object.fromEntries(sorted) };
}

function byIdentity(a: unknown, b: unknown): number {
  const [left, right] = [identityOf(a), identityOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function identityOf(entity: unknown): string {
  if (typeof entity !== 'object' || entity === null) return String(entity);
  const parts = Object.entries(entity).filter(([, value]) => ['string', 'number'].includes(typeof value));
  return JSON.stringify(parts.filter(([key]) => key !== 'sha').sort());
}

/** The places where two values differ: numbers by more than 1e-9 of their size, or of 1, anything else at all. */
export function differences(a: unknown, b: unknown, place = 'project'): string[] {
  if (typeof a === 'number' && typeof b === 'number') {
    return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)) ? [] : [`${place}: ${a} and ${b}`];
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b) ? [] : [`${place}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const at = (value: object, key: string) => (value as Record<string, unknown>)[key];
  return [...keys].flatMap((key) => differences(at(a, key), at(b, key), `${place}.${key}`));
}
