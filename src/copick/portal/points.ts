import { CryoetPicksError } from '../../errors.ts';
import type { Pick, Transform } from '../../picks/pick.ts';

/** Options of {@link picksFromPortalPoints}. */
export interface PortalPointsOptions {
  readonly object: string;
  /** Of the annotation file, in Å; its numbers are voxels of this size. */
  readonly voxelSpacing: number;
  /** Whether the points must have a rotation; others' are not looked at. */
  readonly oriented: boolean;
  /** Where the text comes from, for messages. */
  readonly source: string;
}

/**
 * Reads the points of an annotation file of the CryoET Data Portal: one JSON object per line, `point`, `orientedPoint` or
 * `instancePoint`, in voxels. Positions become Å, voxel 0 first, without any shift; the score is 1, since the portal has none.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line that cannot be understood.
 */
export function picksFromPortalPoints(text: string, options: PortalPointsOptions): Pick[] {
  const { object, voxelSpacing, oriented, source } = options;
  const picks: Pick[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = `${source}, line ${index + 1}`;
    const { location, xyz_rotation_matrix: rotation, instance_id: instance } = parseLine(line, place);
    const [x, y, z] = vector([location?.x, location?.y, location?.z], `${place}: location`);
    const position = { x: x * voxelSpacing, y: y * voxelSpacing, z: z * voxelSpacing };
    picks.push({
      object,
      position,
      score: 1,
      ...(instance === undefined || instance === null ? {} : { instanceId: wholeNumber(instance, place) }),
      ...(oriented ? { transform: transformOf(rotation, place) } : {}),
    });
  }
  return picks;
}

interface PointLine {
  readonly location?: Readonly<Record<string, unknown>> | null | undefined;
  readonly xyz_rotation_matrix?: unknown;
  readonly instance_id?: unknown;
}

function parseLine(line: string, place: string): PointLine {
  try {
    const json: unknown = JSON.parse(line);
    if (json !== null && typeof json === 'object') return json;
  } catch (cause) {
    throw new CryoetPicksError('invalid-picks', `${place} is not JSON`, { cause });
  }
  throw new CryoetPicksError('invalid-picks', `${place} is not a JSON object`);
}

function transformOf(rotation: unknown, place: string): Transform {
  const what = `${place}: xyz_rotation_matrix`;
  if (!Array.isArray(rotation) || rotation.length !== 3) {
    throw new CryoetPicksError('invalid-picks', `${what} is ${JSON.stringify(rotation)}, expected 3×3 numbers`);
  }
  return [...rotation.map((row) => [...vector(row, what), 0]), [0, 0, 0, 1]];
}

function vector(value: unknown, what: string): readonly [number, number, number] {
  if (Array.isArray(value) && value.length === 3 && value.every((one) => Number.isFinite(one))) {
    return value as unknown as readonly [number, number, number];
  }
  throw new CryoetPicksError('invalid-picks', `${what} is ${JSON.stringify(value)}, expected three finite numbers`);
}

function wholeNumber(value: unknown, place: string): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place}: instance_id is ${JSON.stringify(value)}, expected a whole number`,
  );
}
