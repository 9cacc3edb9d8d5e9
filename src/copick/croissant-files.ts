import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import { parseJson } from '../json.ts';
import type { Pick } from '../picks/pick.ts';
import { transformOf } from '../picks/rotation.ts';
import type { CroissantItem, PicksOrigin } from './croissant-tree.ts';
import { formatPicksFile } from './format-picks.ts';
import { type PortalPoint, parsePortalPoints } from './portal-points.ts';

/**
 * Makes sure that bytes are those that a Croissant was made of. Where the platform has no `crypto.subtle`, as pages without
 * HTTPS do not, they are taken as they are.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if they are not.
 */
export async function checkSha256(bytes: Uint8Array, expected: string | undefined, where: string): Promise<void> {
  if (expected === undefined || globalThis.crypto?.subtle === undefined) return;
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  const found = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (found === expected.toLowerCase()) return;
  throw new CryoetPicksError(
    'corrupt-data',
    `${where} is not what the Croissant was made of: its SHA-256 is ${found.slice(0, 12)}…, the table says ` +
      `${expected.slice(0, 12).toLowerCase()}…; it was changed since, or damaged on the way`,
  );
}

/**
 * The bytes of a file as those of a copick tree: points of the portal become a picks file of copick, whatever else stays.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for points that cannot be understood, or whose voxel size is unknown.
 */
export function toCopickBytes(bytes: Uint8Array, { url, picks }: CroissantItem, where: string): Uint8Array {
  if (picks === undefined) return bytes;
  const isPoints = /\.ndjson(\?|$)/i.test(url);
  // Copick takes what is no JSON for points too, whatever its name.
  if (!isPoints && (picks.voxelSpacing === undefined || isJson(bytes))) return bytes;
  try {
    return new TextEncoder().encode(pointsToPicksJson(new TextDecoder().decode(bytes), picks, where));
  } catch (error) {
    if (isPoints || !isCryoetPicksError(error)) throw error;
    return bytes;
  }
}

function isJson(bytes: Uint8Array): boolean {
  try {
    parseJson(new TextDecoder().decode(bytes), { what: 'picks', code: 'invalid-picks' });
    return true;
  } catch {
    return false;
  }
}

function pointsToPicksJson(text: string, { identity, run, voxelSpacing }: PicksOrigin, where: string): string {
  if (voxelSpacing === undefined) {
    throw new CryoetPicksError(
      'invalid-picks',
      `${where} holds points in voxels, but picks.csv tells no voxel_size for it, nor does its address`,
    );
  }
  const points = parsePortalPoints(text, { source: where });
  return formatPicksFile({
    ...identity,
    picks: points.map((point) => toPick(point, { object: identity.object, voxelSpacing })),
    runName: run,
    voxelSpacing,
    trustOrientation: points.some(({ rotation }) => rotation !== undefined),
  });
}

function toPick(
  { location: { x, y, z }, rotation, instanceId }: PortalPoint,
  { object, voxelSpacing }: { readonly object: string; readonly voxelSpacing: number },
): Pick {
  return {
    object,
    position: { x: x * voxelSpacing, y: y * voxelSpacing, z: z * voxelSpacing },
    score: 1,
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(rotation === undefined ? {} : { transform: transformOf(rotation) }),
  };
}
