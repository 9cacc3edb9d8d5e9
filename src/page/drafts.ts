import { isCryoetPicksError, type Store } from '../entry/index.ts';
import type { Collection } from './collection.ts';
import type { Live } from './live.ts';
import { type Edit, type EditChanges, editsSince, movedThresholds, type State, UNSAVED } from './state.ts';

/** A review that goes on later: what a person did since the set was saved last, and which thresholds were moved. */
export interface Draft {
  /** To be made to the edits that the files of the set hold; undefined takes one back. */
  readonly changes: EditChanges;
  readonly thresholds: Readonly<Record<string, number>>;
  /** When it was written, in milliseconds since 1970. */
  readonly time: number;
  /** The edge of the voxels along x in Å, of a volume whose voxel size a person may give. */
  readonly voxelSize?: number | undefined;
}

/** What a draft is of. */
export interface DraftOf {
  readonly run: string;
  /** Label of the pick set; undefined for picks that were added where none is chosen. */
  readonly set: string | undefined;
  readonly person: string;
}

/** Where drafts are kept. */
export interface Drafts {
  /** The latest draft; undefined if no draft was kept, or it has ended. @throws `unavailable` if the store does not answer. */
  read(of: DraftOf): Promise<Draft | undefined>;
  /** The latest draft, whether it has ended or not; undefined if there never was one. @throws As `read`. */
  readLast(of: DraftOf): Promise<Draft | undefined>;
  /** Keeps a draft in place of the one before. */
  write(of: DraftOf, draft: Draft): Promise<void>;
  /** Keeps a draft before it returns, as a page that is being left must. */
  writeNow(of: DraftOf, draft: Draft): void;
}

interface DraftJson {
  readonly version: 2;
  readonly changes: readonly (readonly [id: string, edit: Edit | null])[];
  readonly thresholds: Readonly<Record<string, number>>;
  readonly time: number;
  readonly voxelSize?: number | undefined;
}

/** The text of a draft. */
export function formatDraft({ changes, thresholds, time, voxelSize }: Draft): string {
  const json: DraftJson = {
    version: 2,
    changes: [...changes].map(([id, edit]) => [id, edit ?? null]),
    thresholds,
    time,
    voxelSize,
  };
  return `${JSON.stringify(json)}\n`;
}

/** Reads a draft; one that is broken, or of another version, counts as none. */
export function parseDraft(draft: string | Uint8Array): Draft | undefined {
  try {
    const text = typeof draft === 'string' ? draft : new TextDecoder('utf-8', { fatal: true }).decode(draft);
    const { version, changes, thresholds, time, voxelSize } = JSON.parse(text) as DraftJson;
    if (version !== 2 || !Array.isArray(changes)) return undefined;
    return {
      changes: new Map(changes.map(([id, edit]) => [id, edit ?? undefined])),
      thresholds: { ...thresholds },
      time,
      ...(voxelSize !== undefined && { voxelSize }),
    };
  } catch {
    return undefined;
  }
}

/**
 * Keeps drafts beside the picks of a run, under a name that is hidden and does not end in `.json`, so that no program takes them for
 * picks; in the browser what the store does not take, and while the page is being left. A store that was busy is asked again for the
 * next draft; one that cannot be written is not.
 */
export function draftsIn({ drafts: store, idOf }: Pick<Collection, 'drafts' | 'idOf'>): Drafts {
  const keyOf = ({ run, set = 'none', person }: DraftOf) =>
    `/ExperimentRuns/${run}/Picks/.${person}_${set.replace('/', '_')}.review` as const;
  const nameOf = ({ run, set, person }: DraftOf) =>
    `cryoet-picks review ${JSON.stringify([idOf(run), run, set, person])}`;
  let isReadOnly = store === undefined;
  /** The last write: one that was slow must not come after a later one. */
  let last: Promise<unknown> = Promise.resolve();
  const inStore = async (of: DraftOf): Promise<Draft | undefined> => {
    const bytes = await store?.get(keyOf(of)).catch((error: unknown) => {
      // What is not read now may be there, and the next draft would replace it.
      if (isCryoetPicksError(error, 'unavailable')) throw error;
      return undefined;
    });
    return bytes && parseDraft(bytes);
  };
  const inBrowser = (of: DraftOf): Draft | undefined => {
    const text = localStorage.getItem(nameOf(of));
    return text === null ? undefined : parseDraft(text);
  };
  const writeNow = (of: DraftOf, draft: Draft) => localStorage.setItem(nameOf(of), formatDraft(draft));
  /** True for what was kept while the page was being left and a draft was on its way, maybe in the same millisecond. */
  const isLaterInBrowser = (of: DraftOf, draft: Draft): boolean => {
    const text = localStorage.getItem(nameOf(of));
    return text !== null && text !== formatDraft(draft) && (parseDraft(text)?.time ?? 0) >= draft.time;
  };
  const write = async (of: DraftOf, draft: Draft) => {
    if (isReadOnly) return writeNow(of, draft);
    try {
      await (store as Store).set(keyOf(of), new TextEncoder().encode(formatDraft(draft)));
      if (!isLaterInBrowser(of, draft)) localStorage.removeItem(nameOf(of));
    } catch (error) {
      if (!isCryoetPicksError(error)) throw error;
      isReadOnly = error.code === 'read-only';
      writeNow(of, draft);
    }
  };
  const readLast = async (of: DraftOf): Promise<Draft | undefined> => {
    await last;
    const stored = await inStore(of);
    // Of two of one millisecond that of the browser is the later one: it is kept as the page is being left.
    const found = [inBrowser(of), stored].filter((draft) => draft !== undefined);
    return found.sort((a, b) => b.time - a.time)[0];
  };
  return {
    writeNow,
    async read(of) {
      const latest = await readLast(of);
      return latest && !isEnded(latest) ? latest : undefined;
    },
    readLast,
    write(of, draft) {
      const written = last.then(() => write(of, draft));
      last = written.catch(() => undefined);
      return written;
    },
  };
}

/** The draft of what the page shows; undefined if there is nothing to keep. */
function draftOf(state: State): { readonly of: DraftOf; readonly draft: Draft } | undefined {
  const { run, set, person, edits, savedEdits, thresholds, openedThresholds } = state;
  const isAsOpened = edits === savedEdits && thresholds === openedThresholds;
  if (run === undefined || set === UNSAVED || isAsOpened) return undefined;
  return { of: { run, set, person }, draft: draftFrom(state) };
}

/** True for a draft with nothing to go on with. */
export function isEnded({ changes, thresholds }: Draft): boolean {
  return changes.size === 0 && Object.keys(thresholds).length === 0;
}

/** A draft that has ended. */
export function endedDraft(time: number): Draft {
  return { changes: new Map(), thresholds: {}, time };
}

/** A draft without what was done to some picks, since it is kept elsewhere by now. */
export function withoutChanges(draft: Draft, ids: ReadonlySet<string>): Draft {
  return { ...draft, changes: new Map([...draft.changes].filter(([id]) => !ids.has(id))) };
}

/** What was done since the set was saved. */
export function draftFrom(
  state: Pick<State, 'edits' | 'savedEdits' | 'thresholds' | 'usualThresholds' | 'picksVoxelSize'>,
): Draft {
  const { edits, savedEdits, picksVoxelSize: voxelSize } = state;
  return { changes: editsSince(savedEdits, edits), thresholds: movedThresholds(state), time: Date.now(), voxelSize };
}

/** How long after a change a draft is kept, in milliseconds. */
const PATIENCE = 1000;

/** Keeps the review that goes on. */
export interface DraftKeeper {
  /** Keeps what is not kept yet, before another set is shown. */
  flush(): void;
  /** Keeps the draft of a review that was saved: what was done since. */
  replace(drafts: Drafts, of: DraftOf, draft: Draft): void;
}

/** Keeps the review that goes on, soon after each change and at once when the page is left, so that it resumes where it stopped. */
export function draftKeeper(
  live: Live,
  drafts: () => Drafts | undefined,
  tell: (problem: unknown) => void,
): DraftKeeper {
  let kept: Partial<State> = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const take = () => {
    clearTimeout(timer);
    const { state } = live;
    const isKept = (['run', 'set', 'edits', 'savedEdits', 'thresholds'] as const).every(
      (part) => kept[part] === state[part],
    );
    kept = state;
    return isKept ? undefined : draftOf(state);
  };
  let isTold = false;
  /** Once, not at every change. */
  const warn = (error: unknown) => {
    if (isTold) return;
    isTold = true;
    const reason = error instanceof Error ? error.message : String(error);
    tell(new Error(`Changes are not kept if this page is left before they are saved or exported: ${reason}`));
  };
  /** Does not rely on a request, which may end with the page. */
  const writeNow = (to: Drafts | undefined, of: DraftOf, draft: Draft) => {
    try {
      to?.writeNow(of, draft);
    } catch (error) {
      warn(error);
    }
  };
  const flush = () => {
    const taken = take();
    if (taken) void drafts()?.write(taken.of, taken.draft).catch(warn);
  };
  live.watch(['edits', 'thresholds'], () => {
    clearTimeout(timer);
    timer = setTimeout(flush, PATIENCE);
  });
  addEventListener('pagehide', () => {
    kept = {};
    const taken = take();
    if (taken) writeNow(drafts(), taken.of, taken.draft);
  });
  return {
    flush,
    replace(to, of, draft) {
      writeNow(to, of, draft);
      to.write(of, draft).catch(warn);
    },
  };
}
