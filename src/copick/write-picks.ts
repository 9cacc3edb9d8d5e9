import { CryoetPicksError } from '../errors.ts';
import type { Pick } from '../picks/pick.ts';
import { setFiles } from '../storage/versioned.ts';
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
  /**
   * For objects whose file must not have changed, the `version` that their picks were read with; `null` for no file. If one
   * of them is another, nothing is written.
   */
  readonly expect?: Readonly<Record<string, string | null | undefined>> | undefined;
  /** Whether the picks' rotations mean something. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes picks into the overlay, a file per object; all is checked before anything is written. */
export async function writePicksOf(
  tree: ProjectTree,
  run: string,
  { picks, objects = [], expect = {}, signal, ...options }: WritePicksOptions & { readonly picks: readonly Pick[] },
): Promise<string[]> {
  signal?.throwIfAborted();
  const userId = sanitizeName(options.userId);
  const sessionId = sanitizeName(options.sessionId);
  const groups = byObject(tree, picks, objects);
  checkExpectations(expect, groups);
  const { trustOrientation } = options;
  const encoder = new TextEncoder();
  const files = [...groups].map(([object, its]) => {
    const text = formatPicksFile({ object, userId, sessionId, picks: its, runName: run, trustOrientation });
    const expected = Object.hasOwn(expect, object) ? expect[object] : undefined;
    return {
      key: pathOf('picks', { run, userId, sessionId, object }),
      bytes: encoder.encode(text),
      expect: expected,
    };
  });
  await setFiles(tree.overlay, files, { signal });
  return files.map(({ key }) => locate(tree.overlay, key));
}

/** An object that is expected but not written is a mistake: its older picks would stay. */
function checkExpectations(expect: object, groups: ReadonlyMap<string, readonly Pick[]>): void {
  const idle = Object.keys(expect).filter((object) => !groups.has(object));
  if (idle.length === 0) return;
  throw new CryoetPicksError(
    'invalid-option',
    `expect names ${listNames(idle)}, of which no picks are written; to write a file without picks, name it in objects`,
  );
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
