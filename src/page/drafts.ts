import { isCryoetPicksError, type Store } from '../entry/index.ts';
import type { Edit, Edits } from './state.ts';

/** A review that goes on later: what a person did, and where the thresholds were. */
export interface Draft {
  readonly edits: Edits;
  readonly thresholds: Readonly<Record<string, number>>;
  /** True if all of it was saved as picks. */
  readonly isSaved: boolean;
}

/** What a draft is of. */
export interface DraftOf {
  readonly run: string;
  /** Label of the pick set. */
  readonly set: string;
  readonly userId: string;
}

/** Where drafts are kept. */
export interface Drafts {
  read(of: DraftOf): Promise<Draft | undefined>;
  write(of: DraftOf, draft: Draft): Promise<void>;
}

interface DraftJson {
  readonly version: 1;
  readonly edits: readonly (readonly [id: string, edit: Edit])[];
  readonly thresholds: Readonly<Record<string, number>>;
  readonly isSaved: boolean;
}

/** The text of a draft. */
export function formatDraft({ edits, thresholds, isSaved }: Draft): string {
  const json: DraftJson = { version: 1, edits: [...edits], thresholds, isSaved };
  return `${JSON.stringify(json)}\n`;
}

/** Reads a draft; one that is broken, or of a later version, counts as none. */
export function parseDraft(draft: string | Uint8Array): Draft | undefined {
  try {
    const text = typeof draft === 'string' ? draft : new TextDecoder('utf-8', { fatal: true }).decode(draft);
    const { version, edits, thresholds, isSaved } = JSON.parse(text) as DraftJson;
    if (version !== 1 || !Array.isArray(edits)) return undefined;
    return { edits: new Map(edits), thresholds: { ...thresholds }, isSaved: isSaved === true };
  } catch {
    return undefined;
  }
}

/**
 * Keeps drafts beside the picks of a run, under a name that is hidden and does not end in `.json`, so that no program takes them for
 * picks.
 */
export function storedDrafts(store: Store): Drafts {
  const keyOf = ({ run, set, userId }: DraftOf) =>
    `/ExperimentRuns/${run}/Picks/.${userId}_${set.replace('/', '_')}.review` as const;
  return {
    async read(of) {
      const bytes = await store.get(keyOf(of));
      return bytes && parseDraft(bytes);
    },
    write: (of, draft) => store.set(keyOf(of), new TextEncoder().encode(formatDraft(draft))),
  };
}

/** Keeps drafts in the browser. */
export function browserDrafts(title: string): Drafts {
  const keyOf = ({ run, set, userId }: DraftOf) => `cryoet-picks review ${JSON.stringify([title, run, set, userId])}`;
  return {
    async read(of) {
      const text = localStorage.getItem(keyOf(of));
      return text === null ? undefined : parseDraft(text);
    },
    async write(of, draft) {
      localStorage.setItem(keyOf(of), formatDraft(draft));
    },
  };
}

/** Keeps drafts in a store as long as it takes them, and in the browser from then on. */
export function draftsIn(store: Store | undefined, title: string): Drafts {
  const inBrowser = browserDrafts(title);
  if (store === undefined) return inBrowser;
  const inStore = storedDrafts(store);
  let isRefused = false;
  return {
    read: async (of) => (await inStore.read(of).catch(() => undefined)) ?? inBrowser.read(of),
    async write(of, draft) {
      if (isRefused) return inBrowser.write(of, draft);
      try {
        await inStore.write(of, draft);
      } catch (error) {
        if (!isCryoetPicksError(error)) throw error;
        isRefused = true;
        await inBrowser.write(of, draft);
      }
    },
  };
}
