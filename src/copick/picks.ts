import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import { parseJson } from '../json.ts';
import type { Pick } from '../picks/pick.ts';
import { holdsLongInteger, parseExactJson } from './exact-json.ts';
import { parsePoint } from './points.ts';
import { checkSchema } from './schema.ts';

/** Whose picks they are: what copick tells picks files of a run apart by. */
export interface PicksIdentity {
  readonly object: string;
  readonly userId: string;
  /** `0` means made by a tool. */
  readonly sessionId: string;
}

/** One picks file of copick: the picks of one object by one user in one session. */
export interface PicksFile extends PicksIdentity {
  readonly picks: readonly Pick[];
  readonly runName?: string | undefined;
  /** Voxel spacing that the picks were made at, in Å; mostly absent, and never used in a computation. */
  readonly voxelSpacing?: number | undefined;
  /** False where the rotations of `picks` mean nothing, and are only kept to be written back. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  /**
   * What to hand back as `expect` when these picks are written again: a token of the file as it was read, `null` where
   * writing makes a new file, as of picks of the static tree. Absent where the store keeps no versions.
   */
  readonly version?: string | null | undefined;
  /** What is odd about the file, without being in the way. */
  readonly warnings?: readonly string[] | undefined;
  /** Keys of the file that this library does not know, written back; those of a point are in `unknown` of its pick. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@link parsePicksFile}. */
export interface ParsePicksOptions {
  /** Path of the file, for messages. */
  readonly source: string;
  /** What the name of the file says; it wins over the content, since it is what the file is found by. */
  readonly identity?: Partial<PicksIdentity> | undefined;
  /** The object where neither `identity` nor the content tells it. */
  readonly fallbackObject?: string | undefined;
}

/** What picks files and filaments files say of their identity, as they write it. */
interface FileHeader {
  readonly pickable_object_name?: string | null | undefined;
  readonly user_id?: string | null | undefined;
  readonly session_id?: string | null | undefined;
}

const code = 'invalid-picks';
const id = v.pipe(
  v.union([v.string(), v.number(), v.bigint()]),
  v.transform((value) => String(value)),
);
const fileSchema = v.looseObject({
  pickable_object_name: v.nullish(v.string()),
  user_id: v.nullish(id),
  session_id: v.nullish(id),
  run_name: v.nullish(v.string()),
  voxel_spacing: v.nullish(v.number()),
  unit: v.nullish(v.string()),
  // Not v.array, which would look at every point on its own.
  points: v.nullish(v.instance(Array<unknown>)),
  trust_orientation: v.nullish(v.boolean()),
});

/**
 * Reads a picks file of copick. The centre of a particle is its location plus the translation of its matrix, and
 * `position` is that centre, in Å.
 *
 * What copick takes for a missing value reads as missing: the identity matrix, instance id 0. A missing score is 1, as in
 * copick; the competition's files have none. An instance id beyond 2⁵³ is a `bigint`.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` with the line and column where the text is not JSON, or with the index
 *   of the point that cannot be understood, bare `NaN` and `Infinity` of Python's writer included.
 * @example
 * ```ts
 * const { picks } = parsePicksFile(text, { source: 'Picks/curation_0_ribosome.json' });
 * ```
 */
export function parsePicksFile(text: string, options: ParsePicksOptions): PicksFile {
  const what = describeFile(options);
  const json = parseJson(text, { what, code });
  const file = readFile(json, options);
  const { unknown, picks } = file;
  // What this library knows holds no other long integers than instance ids.
  const isExact =
    Object.keys(unknown).length === 0 &&
    !picks.some((pick) => pick.unknown !== undefined || typeof pick.instanceId === 'bigint');
  if (isExact || !holdsLongInteger(text)) return file;
  return readFile(exactKeys(parseExactJson(text, { what, code }) as ExactFile, json as ExactFile), options);
}

interface ExactFile extends Readonly<Record<string, unknown>> {
  readonly points?: readonly Readonly<Record<string, unknown>>[] | null | undefined;
}

/** A file with long integers in its ids and unknown keys, and with plain numbers where it measures. */
function exactKeys(exact: ExactFile, plain: ExactFile): ExactFile {
  const points = exact.points?.map((point, index) => {
    const { location, transformation_, score } = plain.points![index]!;
    return { ...point, location, transformation_, score };
  });
  return { ...exact, points, voxel_spacing: plain.voxel_spacing };
}

function readFile(
  value: unknown,
  options: ParsePicksOptions,
): PicksFile & { readonly unknown: Readonly<Record<string, unknown>> } {
  const what = describeFile(options);
  const json = checkSchema(fileSchema, value, { what, code });
  const named = nameOf(json, options);
  const { object } = named;
  const picks = (json.points ?? []).map((point, index) => parsePoint(point, { object, what, index }));
  const {
    pickable_object_name,
    user_id,
    session_id,
    run_name,
    voxel_spacing,
    unit,
    points,
    trust_orientation,
    ...unknown
  } = json;
  return {
    ...named,
    picks,
    runName: run_name ?? undefined,
    voxelSpacing: voxel_spacing ?? undefined,
    trustOrientation: trust_orientation ?? true,
    warnings: [...identityWarnings(json, named), ...unitWarnings(json.unit)],
    unknown,
  };
}

/**
 * Reads whose picks a file holds, as {@link parsePicksFile} does, without looking at the points: the competition's files are
 * called `ribosome.json` and tell user and session inside only. Empty where nothing tells the user or the session.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if it is no picks file.
 */
export function parsePicksIdentity(text: string, options: ParsePicksOptions): PicksIdentity {
  const what = describeFile(options);
  return nameOf(checkSchema(fileSchema, parseJson(text, { what, code }), { what, code }), options);
}

function describeFile({ source }: ParsePicksOptions): string {
  return `picks file "${source}"`;
}

/** The name of the file where it says something, else the content. */
function nameOf(json: v.InferOutput<typeof fileSchema>, options: ParsePicksOptions): PicksIdentity {
  const { identity = {}, fallbackObject } = options;
  const object = identity.object || json.pickable_object_name || fallbackObject;
  if (!object) {
    const what = describeFile(options);
    throw new CryoetPicksError(code, `${what}: neither its name nor pickable_object_name tells the object`);
  }
  return {
    object,
    userId: identity.userId ?? json.user_id ?? '',
    sessionId: identity.sessionId ?? json.session_id ?? '',
  };
}

/** Tells where the content of a file of picks, or of filaments, says another identity than its name. */
export function identityWarnings(json: FileHeader, named: PicksIdentity): string[] {
  const pairs = [
    ['object', named.object, json.pickable_object_name],
    ['user', named.userId, json.user_id],
    ['session', named.sessionId, json.session_id],
  ] as const;
  return pairs
    .filter(([, fromName, inside]) => inside !== undefined && inside !== null && inside !== fromName)
    .map(([key, fromName, inside]) => `its name says ${key} "${fromName}", its content "${inside}"; the name counts`);
}

/** copick reads every unit as Å, and so do we; but a reader should hear of it. */
export function unitWarnings(unit: string | null | undefined): string[] {
  if (unit === undefined || unit === null || /^(å|a|angstroms?|ångströms?)$/i.test(unit)) return [];
  return [`its unit is "${unit}"; as in copick, numbers are taken as Å all the same`];
}
