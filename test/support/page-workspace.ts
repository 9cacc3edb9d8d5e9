import type { Project } from '../../src/entry/copick.ts';
import { type Model, memoryStore, type Store, subStore, writeTomogram } from '../../src/entry/index.ts';
import { type Collection, projectCollection } from '../../src/page/collection.ts';
import { editPick } from '../../src/page/navigate.ts';
import { createPage, type Page } from '../../src/page/page.ts';
import type { SetName } from '../../src/page/review-record.ts';
import { type Saved, savePicks } from '../../src/page/save.ts';
import type { Place } from '../../src/page/url.ts';
import { createWorkspace, type Workspace } from '../../src/page/workspace.ts';
import { projectOf } from './copick-tree.ts';
import { identityModel } from './identity-model.ts';
import { noise, sourceOf } from './volumes.ts';

/** What a browser keeps, by name; shared by the pages of a test file, as tabs share it. */
export const kept: Map<string, string> = new Map();

/** Listeners of the window, so that a test can leave the page. */
const leaving = new Set<() => void>();

/** What pages will do in a while, such as keeping a draft. */
const later = new Set<ReturnType<typeof setTimeout>>();
const start = globalThis.setTimeout;

/** As much of a browser as a page needs that draws nothing. */
export function stubBrowser(): void {
  globalThis.setTimeout = ((...call: Parameters<typeof setTimeout>) => {
    const timer = start(...call);
    later.add(timer);
    return timer;
  }) as typeof setTimeout;
  Object.assign(globalThis, {
    requestAnimationFrame: (react: () => void) => setTimeout(react, 0),
    addEventListener: (name: string, react: () => void) => name === 'pagehide' && leaving.add(react),
    localStorage: {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => kept.set(name, value),
      removeItem: (name: string) => kept.delete(name),
    },
  });
}

/** Does what a browser does when its pages are left. */
export function leavePages(): void {
  for (const react of leaving) react();
  leaving.clear();
}

/** Ends pages as a crash of the browser does: nothing that they were about to do happens. */
export function killPages(): void {
  for (const timer of later) clearTimeout(timer);
  later.clear();
  leaving.clear();
}

/** A network that finds two kinds of particles in noise, 95 of them at its thresholds. */
export const model: Model = {
  ...identityModel({
    classes: ['ribosome', null, 'virus'],
    thresholds: { ribosome: 0.8, virus: 2.6 },
    minDistances: { ribosome: 25, virus: 40 },
  }),
  sha256: 'abc',
};

const shape = [10, 16, 18] as const;

/** A project in memory with runs of noise. */
export async function noisyProject({
  runs = ['TS_1', 'TS_2', 'TS_3'],
  tomograms = ['denoised'],
}: {
  readonly runs?: readonly string[];
  readonly tomograms?: readonly string[];
} = {}): Promise<{ readonly project: Project; readonly overlay: Store }> {
  const [overlay, shared] = [memoryStore(), memoryStore()];
  for (const [i, run] of runs.entries()) {
    for (const tomogram of tomograms) {
      const image = subStore(shared, `/ExperimentRuns/${run}/VoxelSpacing10.000/${tomogram}.zarr`);
      await writeTomogram(image, sourceOf(noise(shape, i + 3), shape), { levels: 1 });
    }
  }
  return { project: projectOf({ overlay, static: shared }).project, overlay };
}

/** A page that shows a project. */
export interface OpenedPage {
  readonly page: Page;
  readonly workspace: Workspace;
  /** Saves as a user and session, `me/1` unless said. */
  save(name?: Partial<SetName>): Promise<Saved>;
  /** How many picks of which decision the review has. */
  counts(): { readonly kept: number; readonly rejected: number };
}

/** What is opened, and how. */
export interface OpenedWith {
  readonly project: Project;
  readonly overlay: Store;
  readonly place?: Partial<Place>;
  /** Changes what is opened, as by failures. */
  readonly wrap?: (collection: Collection) => Collection;
}

/** Opens a project in a page. */
export async function openPage({ project, overlay, place, wrap = (one) => one }: OpenedWith): Promise<OpenedPage> {
  const page = createPage();
  const workspace = createWorkspace(page);
  page.live.change({ canWrite: true });
  const collection = wrap(projectCollection(project, { title: 'test', drafts: overlay }));
  await workspace.open(collection, { thresholds: {}, hidden: [], ...place });
  return {
    page,
    workspace,
    save: (name) => savePicks(workspace, { userId: 'me', sessionId: '1', ...name }),
    counts: () => ({ kept: page.review().kept.length, rejected: page.review().rejected.length }),
  };
}

/** Adds a pick of the object at hand and selects it, so far from all others that it takes none of them out. */
export function addFar(page: Page): void {
  const { object, edits } = page.live.state;
  const id = `added ${edits.size + 1}`;
  editPick(page, id, {
    isAdded: true,
    object,
    position: { x: 900, y: 900, z: 900 },
    decision: 'accepted',
  });
  page.live.change({ selected: id });
}

/** Waits until a page has kept what was changed. */
export function pause(milliseconds = 1100): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** All that an iterable gives. */
export async function drain<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
