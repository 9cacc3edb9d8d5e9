import { CryoetPicksError } from '../errors.ts';
import { folderOf, parseName, pathOf } from './layout.ts';
import { runsOfSplit } from './splits.ts';
import { listBoth, type ProjectTree, type WaitOptions } from './tree.ts';

/** Options of `Project.runs`. */
export interface RunsOptions extends WaitOptions {
  /** Only the runs of a split, such as `train`. */
  readonly split?: string | undefined;
}

/** The names of the runs of both trees, sorted; see `Project.runs`. `source` says where the project comes from. */
export async function runNames(
  tree: ProjectTree,
  { split, source, signal }: RunsOptions & { readonly source: string },
): Promise<string[]> {
  const wanted = split === undefined ? undefined : await runsOfSplit(tree, { split, source, signal });
  const entries = await listBoth(tree, folderOf('run', {}), { signal });
  const names = entries
    .filter(({ name, kind }) => kind === 'folder' && parseName('run', name) !== undefined)
    .map(({ name }) => name);
  return [...new Set(names)].filter((name) => wanted?.has(name) ?? true).sort();
}

/** Lets the name of a run to make pass. @throws {@link CryoetPicksError} `invalid-option` */
export function checkRunName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (name !== '' && !name.startsWith('.') && !/[/\\\u0000-\u001f\u007f]/.test(name)) return name;
  throw new CryoetPicksError(
    'invalid-option',
    `${JSON.stringify(name)} cannot name a run: expected a folder name that is not hidden, without slashes`,
  );
}

/** Makes the folder of a run in the overlay, with the file that copick puts there. */
export async function makeRunFolder({ overlay }: ProjectTree, run: string, { signal }: WaitOptions): Promise<void> {
  await overlay.set(`${pathOf('run', { run })}/.meta`, new TextEncoder().encode('meta'), { signal });
}
