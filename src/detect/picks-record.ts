import * as v from 'valibot';
import { differences, type Provenance, settingsGiven, sha256Of, version } from '../copick/provenance.ts';
import { parseUri } from '../copick/uri.ts';
import { ownNumber } from '../core/arguments.ts';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { checkSchema } from '../core/json.ts';
import type { Calibration } from '../inference/calibration.ts';
import { type Model, type ModelSpec, specRules } from '../inference/model.ts';
import type { Candidates, PickingOptions } from '../picks/candidates.ts';
import { type Box, boxShape, voxelCount, type Zyx } from '../space/grid.ts';
import { readInto, type VolumeSource } from '../volume/volume.ts';
import type { SearchOptions } from './candidates.ts';
import type { ChosenObjects } from './choose-objects.ts';
import type { ChosenThreshold, Shares } from './max-false.ts';

/** Values by name, as they are recorded. */
export type Settings = Readonly<Record<string, string | number | boolean | null>>;

/** How the scores of a run come about. */
export interface RecordedSearch extends Pick<SearchOptions, 'overlap' | 'memory' | 'average'> {
  /** What the caller does to the tomogram before it is searched. */
  readonly settings?: Settings | undefined;
  /** As {@link recordOfModel} gives it. */
  readonly model: Provenance;
  /** As {@link recordOfTomogram} gives it. */
  readonly tomogram: Provenance;
}

/** What decides the picks of a run. */
export interface Recorded extends RecordedSearch, Pick<PickingOptions, 'acrossObjects' | 'max'> {
  /** As given: two names may be written as the same file name. */
  readonly userId: string;
  readonly sessionId: string;
  readonly chosen: Omit<ChosenObjects, 'acrossObjects'>;
  /** What the mask is. */
  readonly mask?: Settings | undefined;
  /** What the mask is in this run alone. */
  readonly maskOfRun?: Settings | undefined;
  /** Of objects whose threshold follows from it: the one of `chosen` is taken where it cannot be told. */
  readonly shares: Shares;
  /** What the thresholds then follow from. */
  readonly calibration?: Candidates['calibration'];
}

/**
 * What is recorded with the picks of each object: two runs with equal records have equal picks.
 *
 * @param maxFalse - The thresholds that follow from the shares, once candidates are there; until then the usual ones stand for them.
 */
export function recordsOf(
  recorded: Recorded,
  maxFalse: Readonly<Record<string, ChosenThreshold>> = {},
): Readonly<Record<string, Provenance>> {
  const { userId, sessionId, chosen, mask = null, maskOfRun } = recorded;
  const { acrossObjects = false, max, shares, calibration = {} } = recorded;
  const { competitionThresholds } = chosen;
  const { model, overlap, memory, average, settings, tomogram } = recordOfSearch(recorded);
  const record = (object: string, usual: number): Provenance => ({
    program: 'cryoet-picks',
    version,
    userId,
    sessionId,
    model,
    threshold: Object.hasOwn(maxFalse, object) ? maxFalse[object]!.threshold : usual,
    ...(competitionThresholds && { competitionThreshold: competitionThresholds[object]! }),
    ...(Object.hasOwn(shares, object) && {
      maxFalse: { share: shares[object], threshold: usual, calibration: recordOfCalibration(calibration, object) },
    }),
    minDistance: chosen.minDistances[object]!,
    overlap,
    ...(memory !== undefined && { memory }),
    average,
    mask,
    ...(maskOfRun !== undefined && { maskOfRun }),
    acrossObjects,
    max: (typeof max === 'object' ? ownNumber(max, object) : max) ?? null,
    settings,
    tomogram,
  });
  return Object.fromEntries(chosen.classes.map((object) => [object, record(object, chosen.thresholds[object]!)]));
}

/**
 * Where the record of picks differs from what a search would record. A threshold that follows from a maximum share of false picks is
 * known only after the search, and not compared.
 */
export function recordDifferences(before: Provenance | undefined, now: Provenance): readonly string[] {
  const [was, is] = [before?.maxFalse, now.maxFalse] as readonly ({ readonly share: number } | undefined)[];
  if (before === undefined || (was === undefined && is === undefined)) return differences(before, now);
  const withoutShare = ({ threshold, maxFalse, ...record }: Provenance): Provenance => ({
    ...record,
    ...(was !== undefined && is !== undefined && { maxFalse: { ...(maxFalse as object), share: undefined } }),
  });
  const share = (one: typeof was) => one?.share ?? 'not given';
  return [
    ...(was?.share === is?.share ? [] : [`maxFalse (--max-false) was ${share(was)}, is ${share(is)}`]),
    ...differences(withoutShare(before), withoutShare(now)),
  ];
}

/** A calibration, with its fields in the same order wherever it comes from; null for no calibration. */
function recordOfCalibration(calibration: NonNullable<Candidates['calibration']>, object: string): Calibration | null {
  if (!Object.hasOwn(calibration, object)) return null;
  const { floor, minDistance, sure, doubtful, weights, concentration } = calibration[object]!;
  const { constant, score, sureScore, sureDensity, doubtfulDensity } = weights;
  return {
    ...{ floor, minDistance, sure, doubtful },
    weights: { constant, score, sureScore, sureDensity, doubtfulDensity },
    concentration,
  };
}

function recordOfSearch({
  model,
  overlap,
  memory,
  average = 'probabilities',
  settings = {},
  tomogram,
}: RecordedSearch) {
  return {
    ...{ model, overlap: overlap ?? null, ...(memory !== undefined && { memory }), average },
    ...{ settings: settingsGiven(settings), tomogram },
  };
}

const values = v.record(v.string(), v.unknown());
const triple = v.tuple([v.number(), v.number(), v.number()]);
/** Of candidates that were written without a record, nothing is known; what is known is as {@link recordOfCandidates} writes it. */
const searchSchema = v.object({
  model: v.optional(values, {}),
  tomogram: v.optional(values, {}),
  overlap: v.nullish(triple),
  memory: v.optional(v.union([v.literal('low'), v.number()])),
  average: v.optional(v.picklist(['probabilities', 'logits'])),
  settings: v.optional(values),
  tomogramUri: v.optional(
    v.pipe(
      v.string(),
      v.check((uri) => Number(parseUri('tomogram', uri).voxelSpacing) > 0, 'it must be such as "denoised@10.0"'),
    ),
  ),
});

/**
 * How the scores of candidates came about, and where the tomogram is, as it is recorded with them.
 *
 * @param path - Of the file of candidates.
 * @throws {@link CryoetPicksError} `corrupt-data` for a record that no search writes.
 */
export function searchIn(
  madeBy: Provenance,
  path: string,
): RecordedSearch & { readonly tomogramUri?: string | undefined } {
  try {
    const { overlap, ...search } = checkSchema(searchSchema, madeBy, { what: 'madeBy', code: 'corrupt-data' });
    return { ...search, settings: search.settings as Settings | undefined, overlap: overlap ?? undefined };
  } catch (error) {
    if (!isCryoetPicksError(error)) throw error;
    throw new CryoetPicksError('corrupt-data', `candidates ${path}: ${error.message}; detect again`, {
      path,
      cause: error,
    });
  }
}

/** What is recorded with candidates: how their scores came about. */
export async function recordOfCandidates(
  recorded: RecordedSearch &
    Pick<Recorded, 'userId' | 'sessionId'> & { readonly tomogramUri: string; readonly card: string },
): Promise<Provenance> {
  const card = new TextEncoder().encode(recorded.card);
  return {
    program: 'cryoet-picks',
    version,
    userId: recorded.userId,
    sessionId: recorded.sessionId,
    cardSha256: await sha256Of(card),
    tomogramUri: recorded.tomogramUri,
    ...recordOfSearch(recorded),
  };
}

/**
 * A model: its name, the SHA-256 of its files, and its card, by which the same network gives other scores. Threshold and distance
 * are those that were used, and recorded apart; a calibration changes no score.
 */
export function recordOfModel({ spec, sha256 }: Pick<Model, 'spec' | 'sha256'>): Provenance {
  const { name, thresholds, minDistances, calibration, ...others } = specRules;
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
