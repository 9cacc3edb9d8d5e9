import * as v from 'valibot';
import { inflate, inflateLine } from '../codecs/inflate.ts';
import {
  abortSignal,
  callback,
  flag,
  isFields,
  optional,
  quotedNames,
  type RulesFor,
  record,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { checkSchema, parseJson, showJson } from '../core/json.ts';
import type { Calibration } from '../inference/calibration.ts';
import { calibrationSchema } from '../inference/model-card.ts';
import { type Candidates, joinCandidates, requireCandidates } from '../picks/candidates.ts';
import { facesOf, formatZyx, type VoxelGrid } from '../space/grid.ts';
import type { StoreKey } from '../storage/store.ts';
import { folderOf, pathToWrite, sanitizeName } from './layout.ts';
import { differences, type Provenance } from './provenance.ts';
import { locate, type ProjectTree, requireObjects } from './tree.ts';

/** Options of `Run.writeCandidates`. */
export interface WriteCandidatesOptions {
  readonly userId: string;
  readonly sessionId: string;
  /** What made the candidates, such as the model and the tomogram; JSON. */
  readonly provenance?: Provenance | undefined;
  /**
   * Keeps the candidates of other objects in the file, if the same made them: their `provenance` and grid are equal.
   * @defaultValue false: the file holds these candidates only
   */
  readonly keepOthers?: boolean | undefined;
  /** Called if candidates of other objects are not kept, because they were made otherwise. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of `Run.readCandidates`. */
export interface ReadCandidatesOptions {
  readonly userId: string;
  readonly sessionId: string;
  /** What must have made the candidates, such as `{ model: { sha256: model.sha256 } }`; fields that it lacks may be anything. */
  readonly expected?: Provenance | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Candidates of a run, as they were written. */
export interface StoredCandidates {
  readonly candidates: Candidates;
  /** What made them; empty if nothing was recorded. */
  readonly provenance: Provenance;
  readonly path: string;
}

/** Options of `Run.deleteCandidates`. */
export interface DeleteCandidatesOptions {
  readonly userId: string;
  readonly sessionId: string;
  readonly signal?: AbortSignal | undefined;
}

/** What the options of `Run.writeCandidates` must be. */
export const writeCandidatesRules: RulesFor<WriteCandidatesOptions> = {
  userId: text,
  sessionId: text,
  provenance: /* @__PURE__ */ optional(record),
  keepOthers: /* @__PURE__ */ optional(flag),
  onWarning: /* @__PURE__ */ optional(callback),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** What the options of `Run.readCandidates` must be. */
export const readCandidatesRules: RulesFor<ReadCandidatesOptions> = {
  userId: text,
  sessionId: text,
  expected: /* @__PURE__ */ optional(record),
  signal: /* @__PURE__ */ optional(abortSignal),
};

/** What the options of `Run.deleteCandidates` must be. */
export const deleteCandidatesRules: RulesFor<DeleteCandidatesOptions> = {
  userId: text,
  sessionId: text,
  signal: /* @__PURE__ */ optional(abortSignal),
};

/**
 * The key of the candidates of a user and session, beside the picks. The name is hidden and does not end in `.json`, so that no
 * program takes it for picks.
 */
function candidatesKey(run: string, author: { readonly userId: string; readonly sessionId: string }): StoreKey {
  const [userId, sessionId] = [sanitizeName(author.userId), sanitizeName(author.sessionId)];
  // Throws for names that a file cannot have.
  pathToWrite('picks', { run, userId, sessionId, object: 'candidates' });
  return `${folderOf('picks', { run })}/.${userId}_${sessionId}.candidates`;
}

/** Writes the candidates of a run into the overlay, in place of those before; see `Run.writeCandidates`. */
export async function writeCandidatesOf(
  tree: ProjectTree,
  run: string,
  { candidates, keepOthers = false, ...options }: WriteCandidatesOptions & { readonly candidates: Candidates },
): Promise<string> {
  const { overlay } = tree;
  const { provenance = {}, signal, ...author } = options;
  const key = candidatesKey(run, author);
  const fault = faultOf(candidates);
  if (fault !== undefined) {
    throw new CryoetPicksError('invalid-option', `run.writeCandidates: candidates: ${fault}`, { option: 'candidates' });
  }
  requireObjects(tree, candidates.objects, 'candidates');
  for (let tries = 1; ; tries++) {
    const version = keepOthers ? await overlay.version?.(key, { signal }) : undefined;
    const all = keepOthers ? await withOthers(tree, run, { ...options, candidates }) : candidates;
    const bytes = await formatCandidates(all, { run, provenance });
    signal?.throwIfAborted();
    const ifVersion = keepOthers && overlay.version ? (version ?? null) : undefined;
    try {
      await overlay.set(key, bytes, { ifVersion, signal });
      return locate(overlay, key);
    } catch (error) {
      // Another process has added candidates meanwhile: they are kept, too.
      if (!isCryoetPicksError(error, 'conflict') || tries === MAX_TRIES) throw error;
    }
  }
}

/** How often candidates are added to a file that others write at the same time. */
const MAX_TRIES = 10;

/** Candidates together with those of other objects that are in the file, if the same made them. */
async function withOthers(
  tree: ProjectTree,
  run: string,
  { candidates, provenance = {}, onWarning, signal, ...author }: WriteCandidatesOptions & { candidates: Candidates },
): Promise<Candidates> {
  const stored = await readCandidatesOf(tree, run, { ...author, signal }).catch((error: unknown) => {
    // A damaged file holds nothing to keep.
    if (isCryoetPicksError(error) && !signal?.aborted) return undefined;
    throw error;
  });
  const found = new Set(candidates.objects);
  const others = stored?.candidates.objects.filter((object) => !found.has(object)) ?? [];
  if (stored === undefined || others.length === 0) return candidates;
  // As a file holds it, which has no field that is undefined.
  const written = JSON.parse(JSON.stringify({ madeBy: provenance, grid: candidates.grid })) as unknown;
  const changes = differences({ madeBy: stored.provenance, grid: stored.candidates.grid }, written);
  if (changes.length === 0) return joinCandidates(candidates, stored.candidates);
  const message = `candidates of ${quotedNames(others)} are not kept, because they were made otherwise: ${changes.join(', ')}`;
  onWarning?.({ code: 'candidates-replaced', message, path: stored.path });
  return candidates;
}

/** Reads the candidates of a run, those of the overlay if there are some; see `Run.readCandidates`. */
export async function readCandidatesOf(
  tree: ProjectTree,
  run: string,
  { expected = {}, signal, ...author }: ReadCandidatesOptions,
): Promise<StoredCandidates> {
  const key = candidatesKey(run, author);
  for (const store of [tree.overlay, ...(tree.static ? [tree.static] : [])]) {
    const bytes = await store.get(key, { signal });
    if (bytes === undefined) continue;
    const path = locate(store, key);
    const stored = { ...(await parseCandidates(bytes, { run, path })), path };
    const others = differences(partLike(stored.provenance, expected), expected);
    if (others.length === 0) return stored;
    throw new CryoetPicksError('conflict', `candidates ${path} were made otherwise: ${others.join(', ')}`, { path });
  }
  const path = locate(tree.overlay, key);
  throw new CryoetPicksError(
    'not-found',
    `run "${run}" has no candidates of user "${author.userId}", session "${author.sessionId}": ${path} not found; ` +
      'detect writes them, as detectProject and run.writeCandidates do',
    { path },
  );
}

/** Whether a run has candidates of a user and session; see `Run.hasCandidates`. */
export async function hasCandidatesOf(
  tree: ProjectTree,
  run: string,
  { signal, ...author }: DeleteCandidatesOptions,
): Promise<boolean> {
  const key = candidatesKey(run, author);
  for (const store of [tree.overlay, ...(tree.static ? [tree.static] : [])]) {
    if ((await store.getRange(key, { offset: 0, length: 1 }, { signal })) !== undefined) return true;
  }
  return false;
}

/** The fields of a value that a pattern has, and of these fields those that the pattern's have; settings are compared whole. */
function partLike(value: unknown, pattern: unknown): unknown {
  if (!isFields(value) || !isFields(pattern)) return value;
  const fields = Object.keys(pattern) as (keyof typeof value)[];
  return Object.fromEntries(
    fields.map((field) => [field, field === 'settings' ? value[field] : partLike(value[field], pattern[field])]),
  );
}

/** Deletes the candidates of a run from the overlay, if there are some; see `Run.deleteCandidates`. */
export async function deleteCandidatesOf(
  { overlay }: ProjectTree,
  run: string,
  { signal, ...author }: DeleteCandidatesOptions,
): Promise<void> {
  await overlay.delete(candidatesKey(run, author), { signal });
}

const FORMAT = 'cryoet-picks candidates';
const VERSION = 1;

/** Bytes of the columns for each candidate, and of its orientation, where candidates have some. */
const ROW_BYTES = 30;
const ROTATION_BYTES = 36;

/** Candidates of a file at most: their columns take 2 GiB. */
const MAX_CANDIDATES = Math.floor(2 ** 31 / (ROW_BYTES + ROTATION_BYTES));

/** Bytes of the first line, which names up to 65536 objects. */
const MAX_LINE_BYTES = 2 ** 26;

const finite = v.pipe(v.number(), v.finite('it must be a finite number'));
const triple = v.tuple([finite, finite, finite]);
const headerSchema = v.object({
  run: v.string(),
  candidates: v.pipe(
    v.number(),
    v.check(
      (count) => Number.isInteger(count) && count >= 0 && count <= MAX_CANDIDATES,
      `it must be a whole number from 0 to ${MAX_CANDIDATES}`,
    ),
  ),
  grid: v.object({
    shape: triple,
    voxelSize: triple,
    origin: v.object({ x: finite, y: finite, z: finite }),
  }),
  objects: v.array(
    v.object({
      name: v.string(),
      threshold: finite,
      competitionThreshold: v.optional(finite),
      minDistance: finite,
      floor: finite,
      lowestThreshold: finite,
      calibration: v.optional(calibrationSchema),
    }),
  ),
  /** Whether candidates have orientations. */
  rotations: v.optional(v.boolean()),
  madeBy: v.record(v.string(), v.unknown()),
});

interface Described {
  readonly run: string;
  readonly provenance: Provenance;
}

function ownCalibration({ calibration = {} }: Candidates, object: string): Calibration | undefined {
  return Object.hasOwn(calibration, object) ? calibration[object] : undefined;
}

/** The bytes of a file of candidates: gzip of a line of JSON and the columns, little-endian. */
async function formatCandidates(candidates: Candidates, { run, provenance }: Described): Promise<Uint8Array> {
  const { grid, objects, objectIndices, positions, scores, rotations, minDistances, floors } = candidates;
  const { thresholds, competitionThresholds } = candidates;
  const { shape, voxelSize, origin } = grid;
  const header: v.InferOutput<typeof headerSchema> & { readonly format: string; readonly version: number } = {
    format: FORMAT,
    version: VERSION,
    run,
    candidates: scores.length,
    grid: { shape: [...shape], voxelSize: [...voxelSize], origin: { x: origin.x, y: origin.y, z: origin.z } },
    objects: objects.map((name) => ({
      name,
      threshold: thresholds[name]!,
      competitionThreshold: competitionThresholds?.[name],
      minDistance: minDistances[name]!,
      floor: floors[name]!,
      lowestThreshold: candidates.lowestThresholds[name]!,
      calibration: ownCalibration(candidates, name),
    })),
    ...(rotations && { rotations: true }),
    madeBy: provenance,
  };
  const columns = [positions, scores, objectIndices, ...(rotations ? [rotations] : [])];
  const parts = [`${JSON.stringify(header)}\n`, ...columns] as BlobPart[];
  const compressed = new Blob(parts).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}

/**
 * Parses a file of candidates.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if it is damaged, or no such file; `unsupported` for a later version of the
 *   format; `conflict` if it belongs to another run.
 */
async function parseCandidates(
  bytes: Uint8Array,
  { run, path }: { readonly run: string; readonly path: string },
): Promise<Omit<StoredCandidates, 'path'>> {
  const corrupt = (reason: string, cause?: unknown) =>
    new CryoetPicksError('corrupt-data', `candidates ${path}: ${reason}; detect again`, { path, cause });
  try {
    const line = await inflateLine(bytes, { maxBytes: MAX_LINE_BYTES });
    const what = 'its first line';
    const json = parseJson(line, { what, code: 'corrupt-data' });
    const { format, version } = (json ?? {}) as { readonly format?: unknown; readonly version?: unknown };
    if (format !== FORMAT) throw corrupt(`it is not a file of the format "${FORMAT}"`);
    if (version !== VERSION) {
      const message = `candidates ${path} are of version ${showJson(version)} of their format; this program reads version ${VERSION}`;
      throw new CryoetPicksError('unsupported', message, { path });
    }
    const header = checkSchema(headerSchema, json, { what, code: 'corrupt-data' });
    if (header.run !== run) {
      throw new CryoetPicksError('conflict', `candidates ${path} are of the run "${header.run}", not of "${run}"`, {
        path,
      });
    }
    const maxBytes = line.length + rowBytes(header) * header.candidates;
    const content = await inflate(bytes, { format: 'gzip', maxBytes });
    const candidates = { ...described(header), ...columnsOf(content.subarray(line.length), header) };
    requireCandidates(candidates, 'readCandidates');
    const fault = faultOf(candidates);
    if (fault !== undefined) throw corrupt(fault);
    return { candidates, provenance: header.madeBy };
  } catch (error) {
    if (!isCryoetPicksError(error) || error.path !== undefined) throw error;
    throw corrupt(error.message, error);
  }
}

/** What the first line says about all candidates. */
function described({ grid, objects }: v.InferOutput<typeof headerSchema>) {
  const byName = (field: 'threshold' | 'minDistance' | 'floor' | 'lowestThreshold'): Record<string, number> =>
    Object.fromEntries(objects.map((object) => [object.name, object[field]]));
  const competition = objects.map(({ name, threshold, competitionThreshold = threshold }) => [
    name,
    competitionThreshold,
  ]);
  const calibration = Object.fromEntries(
    objects.flatMap((object) => (object.calibration ? [[object.name, object.calibration]] : [])),
  );
  return {
    grid,
    objects: objects.map(({ name }) => name),
    thresholds: byName('threshold'),
    ...(objects.some((one) => one.competitionThreshold !== undefined) && {
      competitionThresholds: Object.fromEntries(competition),
    }),
    minDistances: byName('minDistance'),
    floors: byName('floor'),
    lowestThresholds: byName('lowestThreshold'),
    ...(Object.keys(calibration).length > 0 && { calibration }),
  };
}

/** A number of a rotation at most, as it is rounded. */
const MAX_COSINE = 1 + 1e-5;

/** What no search of a tomogram gives, if candidates have it. */
function faultOf(candidates: Candidates): string | undefined {
  const { grid, objects, floors, lowestThresholds, objectIndices, positions, scores, rotations } = candidates;
  if (!grid.shape.every((length) => Number.isInteger(length) && length > 0)) {
    return `its grid has ${formatZyx(grid.shape)} voxels, expected at least one along each axis`;
  }
  const seen = new Set<string>();
  const twice = objects.find((object) => seen.size === seen.add(object).size);
  if (twice !== undefined) return `it has the object "${twice}" twice`;
  const below = objects.find((object) => lowestThresholds[object]! < floors[object]!);
  if (below !== undefined) {
    return `the lowest threshold of "${below}" is ${lowestThresholds[below]}, below its floor, ${floors[below]}`;
  }
  // As scores are kept.
  const least = objects.map((object) => Math.fround(floors[object]!));
  const isNear = nearGrid(grid);
  const unturned = rotations?.findIndex((number) => !(Math.abs(number) <= MAX_COSINE)) ?? -1;
  if (unturned >= 0) return `its rotations hold ${rotations![unturned]}, expected numbers from −1 to 1`;
  for (let i = 0; i < scores.length; i++) {
    const [score, index] = [scores[i]!, objectIndices[i]!];
    if (!(score >= least[index]! && score < Number.POSITIVE_INFINITY)) {
      const object = objects[index]!;
      return `a candidate of "${object}" has the score ${score}, expected a finite one of at least ${floors[object]}`;
    }
    const [x, y, z] = [positions[3 * i]!, positions[3 * i + 1]!, positions[3 * i + 2]!];
    if (isNear(x, y, z)) continue;
    return `a candidate of "${objects[index]}" lies at x ${x}, y ${y}, z ${z} Å, far outside the tomogram`;
  }
  return undefined;
}

/** Whether a position lies in a grid, or no farther outside than the grid is long; false for NaN. */
function nearGrid(grid: VoxelGrid): (x: number, y: number, z: number) => boolean {
  const { lowest, highest } = facesOf(grid);
  const isWithin = (value: number, axis: 'x' | 'y' | 'z') => {
    const length = highest[axis] - lowest[axis];
    return value >= lowest[axis] - length && value <= highest[axis] + length;
  };
  return (x, y, z) => isWithin(x, 'x') && isWithin(y, 'y') && isWithin(z, 'z');
}

interface ColumnsHeader {
  /** How many there are. */
  readonly candidates: number;
  readonly rotations?: boolean | undefined;
}

function rowBytes({ rotations }: ColumnsHeader): number {
  return ROW_BYTES + (rotations ? ROTATION_BYTES : 0);
}

/** The columns of so many candidates. */
function columnsOf(
  bytes: Uint8Array,
  header: ColumnsHeader,
): Pick<Candidates, 'positions' | 'scores' | 'objectIndices' | 'rotations'> {
  const { candidates: count, rotations } = header;
  const row = rowBytes(header);
  if (bytes.length !== row * count) {
    const message = `its columns have ${bytes.length} bytes, expected ${row * count} of ${count} candidates`;
    throw new CryoetPicksError('corrupt-data', message);
  }
  // Copies, because columns must begin at multiples of the length of their numbers.
  const part = (from: number, to: number) => bytes.slice(from * count, to * count).buffer;
  return {
    positions: new Float64Array(part(0, 24)),
    scores: new Float32Array(part(24, 28)),
    objectIndices: new Uint16Array(part(28, ROW_BYTES)),
    ...(rotations && { rotations: new Float32Array(part(ROW_BYTES, row)) }),
  };
}
