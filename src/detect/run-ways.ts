import type { PickableObject } from '../copick/object.ts';
import type { PickSet } from '../copick/pick-sets.ts';
import { differingFields, type Provenance, settingsGiven } from '../copick/provenance.ts';
import type { Run } from '../copick/run.ts';
import { isFields, quotedNames } from '../core/arguments.ts';
import { isCryoetPicksError } from '../core/errors.ts';
import { lackedObjects } from './existing-picks.ts';

/** What made the picks of each object of a run; undefined of picks without a record. */
export type Records = Readonly<Record<string, Provenance | undefined>>;

export interface Author {
  readonly userId: string;
  readonly sessionId: string;
  readonly signal: AbortSignal;
}

/** What is known of a run before its picks are read. */
export interface LookedRun {
  /** By the objects that it has picks files of. */
  readonly records: Records;
  /** Of picks files that no detection has written, or that were changed since: the first that cannot be understood, and why. */
  readonly damaged?: { readonly reason: string; readonly path?: string | undefined } | undefined;
  /** The objects that it was searched for, if it lacks picks of some. */
  readonly looked: readonly string[];
  readonly hasCandidates: boolean;
  /** Of the tomogram, as JSON; undefined if nothing is recorded. */
  readonly voxelSize: string | undefined;
}

/** The names of the particles of a project, which are looked for if no objects are named. */
export function particlesOf(objects: readonly PickableObject[]): ReadonlySet<string> {
  return new Set(objects.filter(({ isParticle }) => isParticle).map(({ name }) => name));
}

/** Looks at what a run has of a user and session. */
export async function lookAtRun(
  run: Run,
  options: Author & { readonly particles: ReadonlySet<string> },
): Promise<LookedRun> {
  const { particles, ...author } = options;
  const { records: found, unrecorded } = await originsOfRun(run, author);
  const [first] = Object.values(found).filter((one) => one !== undefined) as PickedRecord[];
  const hasCandidates = await run.hasCandidates(author);
  const lacks = (first?.model.card?.classes ?? []).some((one) => one !== null && particles.has(one) && !(one in found));
  return {
    records: comparableOf(found),
    damaged: await firstDamaged(unrecorded, author.signal),
    looked: hasCandidates && lacks ? await candidateObjects(run, { ...author, model: first!.model }) : [],
    hasCandidates,
    voxelSize:
      first && isFields(first.tomogram)
        ? JSON.stringify((first.tomogram as { voxelSize?: unknown }).voxelSize)
        : undefined,
  };
}

/** The objects of the candidates of a run that this model found; none if they cannot be read. */
async function candidateObjects(
  run: Run,
  { model, ...author }: Author & { readonly model: PickedRecord['model'] },
): Promise<readonly string[]> {
  try {
    return (await run.readCandidates({ ...author, expected: { model } })).candidates.objects;
  } catch (error) {
    author.signal.throwIfAborted();
    if (isCryoetPicksError(error)) return [];
    throw error;
  }
}

/** What made the picks of each object of a run, and the files of which nothing is recorded. */
export async function originsOfRun(
  run: Run,
  { userId, sessionId, signal }: Author,
): Promise<{ readonly records: Records; readonly unrecorded: readonly PickSet[] }> {
  const records: Record<string, Provenance | undefined> = {};
  const unrecorded: PickSet[] = [];
  for (const set of await run.pickSets({ userId, sessionId, signal })) {
    const origin = await set.origin({ signal });
    if (origin === undefined) continue;
    records[set.object] = origin.provenance;
    if (origin.provenance === undefined) unrecorded.push(set);
  }
  return { records, unrecorded };
}

/** The first file that cannot be understood, and why. */
async function firstDamaged(sets: readonly PickSet[], signal: AbortSignal): Promise<LookedRun['damaged']> {
  for (const set of sets) {
    try {
      await set.read({ signal });
    } catch (error) {
      if (!isCryoetPicksError(error, 'invalid-picks')) throw error;
      return { reason: error.message, path: set.path };
    }
  }
  return undefined;
}

export const comparableOf = (records: Records): Records =>
  Object.fromEntries(Object.entries(records).map(([object, record]) => [object, record && comparable(record)]));

/** A record without what may differ from run to run: grid and voxels of the tomogram, labels of the mask, a threshold that `maxFalse` chose. */
function comparable({ tomogram, maskOfRun, threshold, ...record }: Provenance): Provenance {
  const fixed = record.maxFalse === undefined ? { threshold } : {};
  return {
    ...record,
    ...fixed,
    settings: settingsGiven(record.settings),
    tomogram: isFields(tomogram) ? { type: (tomogram as { readonly type?: unknown }).type } : null,
  };
}

/** A record without what may differ from object to object. */
function shared(record: Provenance | undefined): Provenance | undefined {
  if (record === undefined) return undefined;
  const { threshold, competitionThreshold, maxFalse, minDistance, max, ...others } = record;
  return others;
}

/** What the runs of most have in common. */
export interface Usual {
  /** Those that any run was searched for in the usual way, sorted. */
  readonly objects: readonly string[];
  readonly records: Records;
  readonly voxelSize: string | undefined;
}

/**
 * The ways in which the picks of runs were made, and so the one rule of which runs are done: those that have picks of every object that any
 * run was searched for in the usual way, made in that way. There are few ways, whatever the number of runs.
 *
 * `resume` asks another question, whether a run has the picks of the search that it is about: see `isDone`.
 */
export class Ways {
  readonly #ways = new Map<string, { readonly records: Records; readonly looked: readonly string[]; runs: number }>();
  readonly #voxelSizes = new Map<string | undefined, number>();
  readonly #byRun = new Map<string, LookedRun>();
  #usual: Usual = { objects: [], records: {}, voxelSize: undefined };

  add(run: string, { records, looked, hasCandidates, voxelSize }: LookedRun): void {
    const objects = Object.keys(records).sort();
    const key = JSON.stringify([objects.map((object) => [object, records[object] ?? null]), looked]);
    const way = this.#ways.get(key) ?? { records, looked, runs: 0 };
    way.runs++;
    this.#ways.set(key, way);
    if (objects.length > 0) this.#voxelSizes.set(voxelSize, (this.#voxelSizes.get(voxelSize) ?? 0) + 1);
    this.#byRun.set(run, { records: way.records, looked: way.looked, hasCandidates, voxelSize });
  }

  /**
   * The way of most runs; of equally many, that of a detection, then that with the most objects, then that of the first run. Objects that other runs were searched
   * for in the same way are among its own.
   */
  usual(): Usual {
    const size = ({ records }: { readonly records: Records }) => Object.keys(records).length;
    const unrecorded = (way: { readonly records: Records }) =>
      Object.values(way.records).filter((record) => record === undefined).length;
    const ways = [...this.#ways.values()]
      .filter((way) => size(way) > 0)
      .sort((a, b) => b.runs - a.runs || unrecorded(a) - unrecorded(b) || size(b) - size(a));
    const records: Record<string, Provenance | undefined> = { ...ways[0]?.records };
    const objects = new Set(Object.keys(records));
    const [way] = Object.values(records).map(shared);
    for (const { records: own, looked } of ways) {
      const isAlike = (record: Provenance | undefined) =>
        record === undefined || way === undefined ? record === way : differingFields(shared(record), way).length === 0;
      for (const [object, record] of Object.entries(own)) {
        if (objects.has(object) || !isAlike(record)) continue;
        objects.add(object);
        records[object] = record;
      }
      if (Object.values(own).every(isAlike)) for (const object of looked) objects.add(object);
    }
    const [voxelSize] = [...this.#voxelSizes].sort(([, a], [, b]) => b - a)[0] ?? [];
    this.#usual = { objects: [...objects].sort(), records, voxelSize };
    return this.#usual;
  }

  /** That of the others where one is not known. */
  voxelSizeOf(run: string): string | undefined {
    const { voxelSize } = this.#usual;
    return voxelSize && (this.#byRun.get(run)?.voxelSize ?? voxelSize);
  }

  hasCandidates(run: string): boolean {
    return this.#byRun.get(run)!.hasCandidates;
  }

  /**
   * The objects that a run has no picks of, those that it was searched for, and where its picks were made otherwise than the usual ones. It
   * is done if it lacks none, and nothing differs.
   */
  compare(run: string): ComparedRun {
    const { records: own, looked } = this.#byRun.get(run)!;
    const { objects, records: usual } = this.#usual;
    if (objects.length === 0) return { lacks: ['any object'], differs: [], looked };
    const differing = Object.keys(own).map((object) => [object, differencesOf(object, own, usual)] as const);
    return {
      lacks: lackedObjects(objects, new Set(Object.keys(own))),
      differs: toldOnce(differing),
      differingObject: differing.find(([, differences]) => differences.length > 0)?.[0],
      looked,
    };
  }
}

/** What a run has beside the usual. */
export interface ComparedRun {
  readonly lacks: readonly string[];
  readonly looked: readonly string[];
  /** In words, each once. */
  readonly differs: readonly string[];
  /** The first object whose picks differ. */
  readonly differingObject?: string | undefined;
}

/** How the picks of an object differ from the usual ones. */
export function differencesOf(object: string, own: Records, usual: Records): string[] {
  if (!Object.hasOwn(usual, object)) return ['picks that the others have not'];
  const [a, b] = [own[object], usual[object]];
  if (a === undefined || b === undefined) {
    if (a === b) return [];
    const byDetection = 'written by a detection';
    return a === undefined
      ? [`not ${byDetection} of this program, or changed since`]
      : [`${byDetection}, those of the others not`];
  }
  return differingFields(a, b).map(({ field, before, now }) => `${field} is ${before}, of the others ${now}`);
}

/** What differs, each once: with the objects of which it does, unless it does of all. */
function toldOnce(byObject: readonly (readonly [object: string, differences: readonly string[]])[]): string[] {
  const objectsOf = new Map<string, string[]>();
  for (const [object, all] of byObject) {
    for (const one of all) objectsOf.set(one, [...(objectsOf.get(one) ?? []), object]);
  }
  return [...objectsOf].map(([one, objects]) =>
    objects.length === byObject.length && objects.length > 1 ? one : `${quotedNames(objects)}: ${one}`,
  );
}

/** The fields of a record that decide which candidates become picks. */
export interface PickedRecord extends Provenance {
  readonly model: Provenance & { readonly card?: { readonly classes?: readonly (string | null)[] } };
  readonly threshold: number;
  readonly competitionThreshold?: number;
  readonly maxFalse?: unknown;
  readonly mask: unknown;
  readonly minDistance: number;
  readonly acrossObjects: boolean | number;
  readonly max: number | null;
}
