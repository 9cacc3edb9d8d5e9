import { CryoetPicksError } from '../errors.ts';
import type { Pick } from '../picks/pick.ts';
import { formatPicksFile } from './format-picks.ts';
import { pathOf } from './layout.ts';
import { sanitizeName } from './names.ts';
import { listNames } from './problems.ts';
import { locate, type ProjectTree } from './tree.ts';

/** Options of `Run.writePicks`. */
export interface WritePicksOptions {
  /** Who found them; made fit for file names. */
  readonly userId: string;
  /** In which session; `0` is copick's word for a tool. Made fit for file names. */
  readonly sessionId: string;
  /** Objects to write a file for even if they have no pick, so that older picks do not stay. */
  readonly objects?: readonly string[] | undefined;
  /** Whether the picks' rotations mean something. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes picks into the overlay, a file per object; all is checked before anything is written. */
export async function writePicksOf(
  tree: ProjectTree,
  run: string,
  { picks, objects = [], signal, ...options }: WritePicksOptions & { readonly picks: readonly Pick[] },
): Promise<string[]> {
  signal?.throwIfAborted();
  const userId = sanitizeName(options.userId);
  const sessionId = sanitizeName(options.sessionId);
  const files = [...byObject(tree, picks, objects)].map(([object, its]) => ({
    key: pathOf('picks', { run, userId, sessionId, object }),
    text: formatPicksFile({
      object,
      userId,
      sessionId,
      picks: its,
      runName: run,
      trustOrientation: options.trustOrientation,
    }),
  }));
  const encoder = new TextEncoder();
  for (const { key, text } of files) {
    signal?.throwIfAborted();
    await tree.overlay.set(key, encoder.encode(text), { signal });
  }
  return files.map(({ key }) => locate(tree.overlay, key));
}

/** The picks of each object, in the order of the project's objects. */
function byObject(
  tree: ProjectTree,
  picks: readonly Pick[],
  objects: readonly string[],
): ReadonlyMap<string, readonly Pick[]> {
  const groups = new Map<string, Pick[]>();
  for (const object of objects) groups.set(object, []);
  for (const pick of picks) {
    const group = groups.get(pick.object);
    if (group === undefined) groups.set(pick.object, [pick]);
    else group.push(pick);
  }
  const known = tree.objects.map(({ name }) => name);
  const unknown = [...groups.keys()].filter((object) => !known.includes(object));
  if (unknown.length > 0) {
    throw new CryoetPicksError(
      'invalid-picks',
      `picks of ${listNames(unknown)} cannot be written: the project's objects are ${listNames(known)}`,
    );
  }
  const ordered = known.filter((name, i) => groups.has(name) && known.indexOf(name) === i);
  return new Map(ordered.map((name) => [name, groups.get(name)!]));
}
