import * as v from 'valibot';
import { CryoetPicksError } from '../errors.ts';
import { parseJson } from '../json.ts';
import type { Pick } from '../picks/pick.ts';
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
  /** False where the rotations mean nothing. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  /**
   * What to hand back as `expect` when these picks are written again: a token of the file as it was read, `null` where
   * writing makes a new file, as of picks of the static tree. Absent where the store keeps no versions.
   */
  readonly version?: string | null | undefined;
  /** What is odd about the file, without being in the way. */
  readonly warnings?: readonly string[] | undefined;
  /** Keys this library does not know, of the file and of its points; written back with the same picks. */
  readonly unknown?: UnknownKeys | undefined;
}

/** Keys of a picks file that this library does not know. */
export interface UnknownKeys {
  readonly file: Readonly<Record<string, unknown>>;
  readonly points: ReadonlyMap<Pick, Readonly<Record<string, unknown>>>;
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

const code = 'invalid-picks';
const id = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((value) => String(value)),
);
const fileSchema = v.looseObject({
  pickable_object_name: v.nullish(v.string()),
  user_id: v.nullish(id),
  session_id: v.nullish(id),
  run_name: v.nullish(v.string()),
  voxel_spacing: v.nullish(v.number()),
  unit: v.nullish(v.string()),
  points: v.nullish(v.array(v.unknown())),
  trust_orientation: v.nullish(v.boolean()),
});

/**
 * Reads a picks file of copick. The centre of a particle is its location plus the translation of its matrix, and
 * `position` is that centre, in Å.
 *
 * What copick takes for a missing value reads as missing: the identity matrix, instance id 0. A missing score is 1, as in
 * copick; the competition's files have none.
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
  const json = parseFile(text, what);
  const named = nameOf(json, options);
  const warnings = [...identityWarnings(json, named), ...unitWarnings(json.unit)];
  const extras = new Map<Pick, Record<string, unknown>>();
  const picks = (json.points ?? []).map((value, index) => {
    const place = `${what}: point ${index}`;
    const { pick, unknown } = parsePoint(value, { object: named.object, place, warnings });
    if (Object.keys(unknown).length > 0) extras.set(pick, unknown);
    return pick;
  });
  const {
    pickable_object_name,
    user_id,
    session_id,
    run_name,
    voxel_spacing,
    unit,
    points,
    trust_orientation,
    ...rest
  } = json;
  return {
    ...named,
    picks,
    runName: run_name ?? undefined,
    voxelSpacing: voxel_spacing ?? undefined,
    trustOrientation: trust_orientation ?? true,
    warnings,
    unknown: { file: rest, points: extras },
  };
}

/**
 * Reads whose picks a file holds, as {@link parsePicksFile} does, without looking at the points: the competition's files are
 * called `ribosome.json` and tell user and session inside only. Empty where nothing tells the user or the session.
 *
 * @throws {@link CryoetPicksError} `invalid-picks` if it is no picks file.
 */
export function parsePicksIdentity(text: string, options: ParsePicksOptions): PicksIdentity {
  return nameOf(parseFile(text, describeFile(options)), options);
}

function describeFile({ source }: ParsePicksOptions): string {
  return `picks file "${source}"`;
}

function parseFile(text: string, what: string): v.InferOutput<typeof fileSchema> {
  return checkSchema(fileSchema, parseJson(text, { what, code }), { what, code });
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

function identityWarnings(json: v.InferOutput<typeof fileSchema>, named: PicksIdentity): string[] {
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
function unitWarnings(unit: string | null | undefined): string[] {
  if (unit === undefined || unit === null || /^(å|a|angstroms?|ångströms?)$/i.test(unit)) return [];
  return [`its unit is "${unit}"; as in copick, numbers are taken as Å all the same`];
}
