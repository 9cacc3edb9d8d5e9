import { parseConfig, projectFromStores } from '../entry/copick.ts';
import { storeReader, zipStore } from '../entry/io.ts';
import { servedStore, type ViewSession } from '../entry/web.ts';
import { type Collection, projectCollection, volumeCollection } from './collection.ts';
import { openStore } from './open-store.ts';

/** Asks the server that the page came from what to show. */
export async function readSession(): Promise<ViewSession> {
  const answer = await fetch('./session.json', { cache: 'no-store' });
  if (!answer.ok) {
    throw new Error(`session.json: the server answers ${answer.status}. Is "cryoet-picks view" still running?`);
  }
  return (await answer.json()) as ViewSession;
}

/** What a session shows; undefined for one that names nothing. @throws What `openStore` throws for a zip file. */
export async function collectionOf({ open, title, id, writable }: ViewSession): Promise<Collection | undefined> {
  if (open.kind === 'nothing') return undefined;
  const at = (path: string) => servedStore(new URL(path, document.baseURI));
  if (open.kind === 'archive') {
    return openStore({ store: zipStore(storeReader(at(open.store), open.key as `/${string}`)), title, id });
  }
  if (open.kind === 'volumes') {
    return volumeCollection(
      open.volumes.map(({ name, format, store, key, voxelSize }) => ({
        name,
        place: { kind: 'file' as const, store: at(store), format, key: key as `/${string}`, voxelSize },
      })),
      title,
    );
  }
  const overlay = open.overlay === undefined ? undefined : at(open.overlay);
  const project = projectFromStores({
    config: parseConfig(JSON.stringify(open.config), { source: title }),
    overlay,
    static: open.static === undefined ? undefined : at(open.static),
  });
  return projectCollection(project, { title, id, drafts: writable ? overlay : undefined });
}
