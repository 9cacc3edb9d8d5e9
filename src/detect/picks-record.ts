import { type Provenance, sha256Of, version } from '../copick/provenance.ts';
import { type Model, type ModelSpec, specRules } from '../inference/model.ts';
import { type Box, boxShape, voxelCount, type Zyx } from '../space/grid.ts';
import { readInto, type VolumeSource } from '../volume/volume.ts';
import type { ChosenObjects } from './choose-objects.ts';
import type { DetectOptions } from './particles.ts';

/** What decides the picks of a run. */
export interface Recorded extends Pick<DetectOptions, 'model' | 'overlap' | 'average'> {
  /** As given: two names may be written as the same file name. */
  readonly userId: string;
  readonly sessionId: string;
  readonly chosen: ChosenObjects;
  /** What the caller does to the tomogram before it is searched. */
  readonly settings?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  /** As {@link recordOfTomogram} gives it. */
  readonly tomogram: Provenance;
}

/** What is recorded with the picks of each object: two runs with equal records have equal picks. */
export function recordsOf({
  userId,
  sessionId,
  model,
  chosen,
  overlap,
  average = 'probabilities',
  settings = {},
  tomogram,
}: Recorded): Readonly<Record<string, Provenance>> {
  const record = (object: string): Provenance => ({
    program: 'cryoet-picks',
    version,
    userId,
    sessionId,
    model: recordOfModel(model),
    threshold: chosen.thresholds[object]!,
    minDistance: chosen.minDistances[object]!,
    overlap: overlap ?? null,
    average,
    mask: null,
    settings,
    tomogram,
  });
  return Object.fromEntries(chosen.classes.map((object) => [object, record(object)]));
}

/**
 * A model: its name, the SHA-256 of its files, and its card, by which the same network gives other scores. Threshold and distance
 * are those that were used, and recorded apart.
 */
export function recordOfModel({ spec, sha256 }: Model): Provenance {
  const { name, thresholds, minDistances, ...others } = specRules;
  const fields = (Object.keys(others) as (keyof ModelSpec)[]).flatMap((field) =>
    spec[field] === undefined ? [] : [[field, spec[field]]],
  );
  return { name: spec.name, sha256: sha256 ?? null, card: Object.fromEntries(fields) };
}

/** Edge of the cube of voxels by which two tomograms are told apart, in voxels. */
const SAMPLE = 32;

/** A tomogram: its type, its grid, and the SHA-256 of the 32³ voxels in its middle, as float32. */
export async function recordOfTomogram(
  source: VolumeSource,
  type: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Provenance> {
  const { shape, voxelSize, origin } = source.grid;
  const start = shape.map((length) => Math.max(0, Math.floor((length - SAMPLE) / 2))) as unknown as Zyx;
  const end = shape.map((length, axis) => Math.min(length, start[axis]! + SAMPLE)) as unknown as Zyx;
  const box: Box = { start, end };
  const voxels = new Float32Array(voxelCount(boxShape(box)));
  await readInto(source, box, voxels, { signal });
  return { type, shape, voxelSize, origin, middleSha256: await sha256Of(new Uint8Array(voxels.buffer)) };
}
