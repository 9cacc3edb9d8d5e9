import { volumeFormatOf } from '../entry/copick.ts';
import type { ListableStore } from '../entry/index.ts';
import { blobReader, zipStore } from '../entry/io.ts';
import { fileListStore, handleStore } from '../entry/web.ts';
import type { Collection } from './collection.ts';
import { button, element, field } from './element.ts';
import { type ChosenStore, openAddress, openStore } from './open-store.ts';
import type { Page } from './page.ts';
import type { State } from './state.ts';
import type { Place } from './url.ts';
import type { Workspace } from './workspace.ts';

/** Opening of what a person chooses or drops. */
export interface Opener {
  show(): void;
  /** Opens at a place what is known later, or nothing; of several the one that began last shows, whichever is known first. */
  open(find: () => Promise<Collection | undefined>, place: Place): Promise<void>;
}

type PickDirectory = (options: { readonly mode: 'readwrite' | 'read' }) => Promise<FileSystemDirectoryHandle>;

/** Makes the dialog that opens folders, files, zips and addresses; the same by dropping them onto the page. */
export function opener(page: Page, workspace: Workspace): Opener {
  const address = element('input', { type: 'url', placeholder: 'https://…/tomogram.zarr or s3://bucket/folder' });
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'Open'),
    element(
      'p',
      { className: 'quiet' },
      'A copick project, a folder of tomograms, .zarr, .mrc, .rec, .tif, or a zip of these. Nothing is uploaded: files stay on this computer. Dropping works too.',
    ),
    element(
      'div',
      { className: 'commands' },
      button('Folder…', 'Open a folder', () => begin(chooseFolder)),
      button('Files…', 'Open files', () => begin(async () => chosenFiles(await askForFiles()))),
    ),
    field('Address', address),
    element(
      'div',
      { className: 'commands' },
      element('button', { type: 'submit', className: 'primary' }, 'Open address'),
      button('Cancel', 'Close', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': 'Open' }, form);
  document.body.append(dialog);
  const askForRoot = rootAsker(page);

  const open = inOrder(page, workspace);
  const begin = (choose: () => Promise<ChosenStore | undefined>) => {
    dialog.close();
    void open(async (isLate) => {
      const chosen = await choose();
      const ask = async (root: string) => (isLate() ? undefined : askForRoot(root));
      return chosen && openStore({ ...chosen, ask });
    });
  };
  form.addEventListener('submit', () => void open(() => openAddress(address.value.trim())));
  attachDrop(begin);
  return { show: () => dialog.showModal(), open };
}

/**
 * Opens collections in the order in which their opening began: one that is found after a later one shows nothing, and its failure is
 * not told. One that fails, or of which a person chooses nothing, takes no other's place.
 */
export function inOrder(
  { live, desk }: Pick<Page, 'live' | 'desk'>,
  workspace: Pick<Workspace, 'open'>,
): (find: (isLate: () => boolean) => Promise<Collection | undefined>, place?: Place) => Promise<void> {
  let begun = 0;
  let shown = 0;
  return async (find, place = { thresholds: {}, hidden: [] }) => {
    const own = ++begun;
    const isLate = () => own < shown;
    try {
      const collection = await find(isLate);
      if (collection === undefined || isLate()) return;
      const question = questionBefore(live.state, desk.busy);
      if (question !== undefined && !confirm(question)) return;
      shown = own;
      live.change({ canWrite: collection.drafts !== undefined });
      await workspace.open(collection, place);
    } catch (error) {
      if (!isLate()) desk.tell(error);
    }
  };
}

/** What to ask before something else is opened, while some work goes on; undefined if nothing would be lost. */
export function questionBefore({ unsaved }: Pick<State, 'unsaved'>, busy: string | undefined): string | undefined {
  if (unsaved.size === 0 && busy === undefined) return undefined;
  const work = busy === undefined ? [] : [`${busy} goes on and will be stopped.`];
  const found = `What was detected in ${[...unsaved].join(', ')} is not saved and will be lost.`;
  return [...work, ...(unsaved.size === 0 ? [] : [found]), 'Open something else?'].join(' ');
}

/** Asks for the folder of a root that is not in what was opened, by a button: browsers show a chooser only after a click. */
function rootAsker({ desk }: Page): (root: string) => Promise<ListableStore | undefined> {
  const text = element('p', {});
  let answer: (store: ListableStore | undefined) => void = () => undefined;
  const choose = () => {
    chooseFolder()
      .then((chosen) => chosen && settle(chosen.store))
      .catch(desk.tell);
  };
  const settle = (store: ListableStore | undefined) => {
    answer(store);
    dialog.close();
  };
  const dialog = element(
    'dialog',
    { 'aria-label': 'Folder of the project', on: { close: () => answer(undefined) } },
    element('h2', {}, 'Another folder'),
    text,
    element(
      'div',
      { className: 'commands' },
      button('Choose folder…', 'Open this folder', choose, { className: 'primary' }),
      button('Go on without it', 'Show what there is', () => settle(undefined)),
    ),
  );
  document.body.append(dialog);
  return (root) => {
    text.textContent = `The project keeps data in ${root}, which is not in what was opened.`;
    dialog.showModal();
    return new Promise((resolve) => {
      answer = resolve;
    });
  };
}

/** Chooses a folder: one that can be written where the browser offers that, else its files. */
async function chooseFolder(): Promise<ChosenStore | undefined> {
  const pick = (globalThis as { showDirectoryPicker?: PickDirectory }).showDirectoryPicker;
  if (pick === undefined) return chosenFiles(await askForFiles({ isFolder: true }));
  try {
    const handle = await pick({ mode: 'readwrite' });
    return { store: handleStore(handle), title: handle.name };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}

function askForFiles({ isFolder = false } = {}): Promise<readonly File[]> {
  const input = element('input', { type: 'file', multiple: true, webkitdirectory: isFolder });
  return new Promise((resolve) => {
    input.addEventListener('change', () => resolve([...(input.files ?? [])]));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}

/** Files as a store: a single zip is what it holds. */
function chosenFiles(files: readonly File[]): ChosenStore | undefined {
  const [first] = files;
  if (first === undefined) return undefined;
  const isZip = files.length === 1 && /\.(zip|ozx)$/i.test(first.name) && volumeFormatOf(first.name) === undefined;
  if (isZip) return { store: zipStore(blobReader(first)), title: first.name };
  const folder = first.webkitRelativePath.split('/')[0];
  return { store: fileListStore(files), title: folder || (files.length === 1 ? first.name : `${files.length} files`) };
}

function attachDrop(begin: (choose: () => Promise<ChosenStore | undefined>) => void): void {
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    const { items } = event.dataTransfer ?? {};
    if (items === undefined || items.length === 0) return;
    // Both must be asked for before anything is awaited: the list empties then.
    const entries = [...items].map((item) => item.webkitGetAsEntry());
    const files = [...(event.dataTransfer?.files ?? [])];
    const handle = handleOf(items[0] as DataTransferItem);
    begin(async () => {
      const [entry] = entries;
      if (entries.length === 1 && entry?.isDirectory) {
        const directory = await handle;
        if (directory) return { store: handleStore(directory), title: directory.name };
        const found = await filesIn(entry as FileSystemDirectoryEntry, '');
        return { store: fileListStore(found), title: entry.name };
      }
      return chosenFiles(files);
    });
  });
}

async function handleOf(item: DataTransferItem): Promise<FileSystemDirectoryHandle | undefined> {
  const get = (item as { getAsFileSystemHandle?: () => Promise<FileSystemHandle | null> }).getAsFileSystemHandle;
  const handle = await get?.call(item).catch(() => undefined);
  return handle?.kind === 'directory' ? (handle as FileSystemDirectoryHandle) : undefined;
}

/** All files of a dropped folder, each with its path, as a chosen folder gives them. */
async function filesIn(folder: FileSystemDirectoryEntry, path: string): Promise<File[]> {
  const inside = `${path}${folder.name}/`;
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return files;
    for (const entry of entries) {
      if (entry.isDirectory) files.push(...(await filesIn(entry as FileSystemDirectoryEntry, inside)));
      else {
        const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
        Object.defineProperty(file, 'webkitRelativePath', { value: `${inside}${entry.name}` });
        files.push(file);
      }
    }
  }
}
