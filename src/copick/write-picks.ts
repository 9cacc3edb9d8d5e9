import { CryoetPicksError } from '../errors.ts';
import type { Pick } from '../picks/pick.ts';
import { showJson } from '../show-json.ts';
import { setFiles } from '../storage/versioned.ts';
import { formatPicksFile } from './format-picks.ts';
import { pathOf } from './layout.ts';
import { sanitizeName } from './names.ts';
import type { PicksFile } from './picks.ts';
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
  /**
   * The object that `voxelSpacing`, `trustOrientation` and `unknown` are of, whose file is written even if it has no pick; all
   * objects if absent. With these four, the options take what `read()` of a set gave: `{ ...file }`.
   */
  readonly object?: string | undefined;
  /** Voxel spacing that the picks were made at, in Å. */
  readonly voxelSpacing?: number | undefined;
  /** Whether the picks' rotations mean something. @defaultValue true */
  readonly trustOrientation?: boolean | undefined;
  /** Keys of the file that this library does not know, as a file that was read has them. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Files that were read, of several objects: each is written, even if it has no pick, and keeps its voxel spacing, whether its
   * rotations are trusted, and its unknown keys. What the options say of an object wins.
   */
  readonly files?: readonly PicksFile[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes picks into the overlay, a file per object; all is checked before anything is written. */
export async function writePicksOf(
  tree: ProjectTree,
  run: string,
  { picks, expect = {}, signal, ...options }: WritePicksOptions & { readonly picks: readonly Pick[] },
): Promise<string[]> {
  signal?.throwIfAborted();
  checkCall(picks, options);
  const userId = sanitizeName(options.userId);
  const sessionId = sanitizeName(options.sessionId);
  const { object: only, objects = [], files: read = [] } = options;
  const kept = keptOf(read);
  const groups = byObject(tree, picks, [...objects, ...(only === undefined ? [] : [only]), ...kept.keys()]);
  checkExpectations(expect, groups);
  const encoder = new TextEncoder();
  const files = [...groups].map(([object, its]) => {
    const header = headerOf(object, options, kept.get(object));
    const text = formatPicksFile({ ...header, object, userId, sessionId, picks: its, runName: run });
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

/** Refuses what plain JavaScript lets pass: a promise of picks, no options. */
function checkCall(picks: readonly Pick[], { userId, sessionId }: WritePicksOptions): void {
  const missing = Object.entries({ userId, sessionId }).find(([, id]) => typeof id !== 'string');
  if (Array.isArray(picks) && missing === undefined) return;
  const found = missing === undefined ? 'no list of picks' : `${missing[0]} ${showJson(missing[1])}`;
  throw new CryoetPicksError(
    'invalid-option',
    `hand in a list of picks and who found them: writePicks(picks, { userId: 'me', sessionId: '0' }); found ${found}`,
  );
}

/** What a file holds beside its picks and their identity. */
type Header = Readonly<{ [Key in 'voxelSpacing' | 'trustOrientation' | 'unknown']: PicksFile[Key] }>;

/** What the options say of the object, else what its file said. */
function headerOf(object: string, options: WritePicksOptions, file: Partial<PicksFile> = {}): Header {
  const told: Partial<Header> = options.object === undefined || options.object === object ? options : {};
  return {
    voxelSpacing: told.voxelSpacing ?? file.voxelSpacing,
    trustOrientation: told.trustOrientation ?? file.trustOrientation,
    unknown: told.unknown ?? file.unknown,
  };
}

/** Files that were read, by their object. */
function keptOf(files: readonly PicksFile[]): ReadonlyMap<string, PicksFile> {
  const kept = new Map(files.map((file) => [file.object, file]));
  if (kept.size === files.length) return kept;
  const twice = files.filter((file) => kept.get(file.object) !== file).map(({ object }) => object);
  throw new CryoetPicksError('invalid-option', `files has more than one of ${listNames([...new Set(twice)])}`);
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
