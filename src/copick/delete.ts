import { CryoetPicksError } from '../errors.ts';
import { folderOf } from './layout.ts';
import { listNames } from './problems.ts';
import { type Deletable, deleteEntry, type Located, listBoth, type ProjectTree, type WaitOptions } from './tree.ts';

/**
 * Deletes things that were found in a project, of any kind, and returns their paths. All is checked before anything is
 * deleted: if one of them lies in the static tree, none is.
 *
 * List with `includeShadowed` to delete too what the overlay hides of its own.
 *
 * @throws {@link CryoetPicksError} `read-only` if one lies in the static tree, or the overlay cannot be written.
 * @example
 * ```ts
 * await deleteAll(await run.pickSets({ userId: 'cryoet-picks', sessionId: '0' }));
 * ```
 */
export async function deleteAll(
  entries: readonly (Located & Deletable)[],
  { signal }: WaitOptions = {},
): Promise<string[]> {
  const fixed = entries.filter(({ root }) => root === 'static').map(({ path }) => path);
  if (fixed.length > 0) {
    throw new CryoetPicksError(
      'read-only',
      `nothing is deleted: ${listNames(fixed)} lie in the static tree, which is only read`,
    );
  }
  for (const entry of entries) await entry.delete({ signal });
  return entries.map(({ path }) => path);
}

/** Deletes the folder of a run from the overlay; see `Run.delete`. */
export async function deleteRunOf(tree: ProjectTree, run: string, { signal }: WaitOptions): Promise<void> {
  const entries = await listBoth(tree, folderOf('run', {}), { signal });
  // The overlay's come first.
  const found = entries.find(({ name, kind }) => name === run && kind === 'folder');
  if (found !== undefined) await deleteEntry(tree, found, { signal });
}
