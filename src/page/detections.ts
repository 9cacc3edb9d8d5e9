import type { Run } from '../entry/copick.ts';
import { type Candidates, type Model, writeDetection } from '../entry/index.ts';
import type { TomogramChoice } from './collection.ts';
import { type Draft, draftFrom } from './drafts.ts';
import { firstFreeSession } from './free-session.ts';
import type { SetName } from './review-record.ts';
import { onlyOf } from './set-review.ts';
import { type Lesson, type State, UNSAVED } from './state.ts';
import type { Told } from './told.ts';

/** What a network found in a tomogram. */
export interface Detection {
  readonly run: string;
  readonly tomogram: TomogramChoice;
  /** Which of the levels was searched, from the finest. */
  readonly level: number;
  readonly tiles?: 'low' | undefined;
  readonly model: Pick<Model, 'spec' | 'sha256'>;
  readonly candidates: Candidates;
  /** What a person had told when the network was taught by it; absent where nothing was taught. */
  readonly told?: Told | undefined;
  /** What was learned from it. */
  readonly lesson?: Lesson | undefined;
}

/** A detection with what a person has done to it. */
export interface KeptDetection extends Detection {
  readonly draft?: Draft | undefined;
}

/** Detections that are not saved, each with what a person has done to it. */
export interface Detections {
  /** Names of the runs that have one. */
  readonly runs: ReadonlySet<string>;
  of(run: string | undefined): KeptDetection | undefined;
  keep(detection: Detection): void;
  /** Forgets one that was saved, unless another has replaced it. */
  forget(detection: Detection): void;
  /** The same detections, which stay as they are. */
  copy(): Pick<Detections, 'of'>;
  /** Keeps what a person has done to the detection that shows. */
  remember(state: State): void;
}

/** Makes an empty list of detections. */
export function createDetections(): Detections {
  const byRun = new Map<string, KeptDetection>();
  const of = (from: ReadonlyMap<string, KeptDetection>) => (run: string | undefined) =>
    run === undefined ? undefined : from.get(run);
  return {
    get runs() {
      return new Set(byRun.keys());
    },
    of: of(byRun),
    copy: () => ({ of: of(new Map(byRun)) }),
    keep: (detection) => byRun.set(detection.run, detection),
    forget({ run, candidates }) {
      if (byRun.get(run)?.candidates === candidates) byRun.delete(run);
    },
    remember(state) {
      const { run, set } = state;
      const detection = run === undefined || set !== UNSAVED ? undefined : byRun.get(run);
      // Another may have replaced the one that shows.
      if (detection && detection.candidates === state.candidates)
        byRun.set(detection.run, { ...detection, draft: draftFrom(state) });
    },
  };
}

/** The user whose picks are those of the network. */
const NETWORK = 'cryoet-picks';

/** Options of {@link writeAsNetwork}. */
export interface WriteAsNetworkOptions {
  /** Names of the objects of the project: candidates of others cannot be written. */
  readonly known: ReadonlySet<string>;
}

/**
 * Writes a detection as a set of the network, candidates and picks, under the first session that has neither; returns its name,
 * or undefined if it is of objects alone that the project does not have.
 */
export async function writeAsNetwork(
  run: Run,
  { candidates: found, tomogram, level, tiles, model }: Detection,
  { known }: WriteAsNetworkOptions,
): Promise<SetName | undefined> {
  const objects = found.objects.filter((object) => known.has(object));
  if (objects.length === 0) return undefined;
  const candidates = onlyOf(found, objects);
  const { place } = tomogram;
  if (place.kind !== 'tomogram') throw new Error('There is no project to save into; export the picks instead.');
  const author = { userId: NETWORK, sessionId: await firstFreeSession(run, [NETWORK], 0) };
  await writeDetection(run, candidates, {
    ...author,
    model,
    tomogram: place.type,
    voxelSpacing: place.voxelSpacing,
    memory: tiles,
    settings: level === 0 ? {} : { level },
  });
  return author;
}
