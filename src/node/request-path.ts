import { timingSafeEqual } from 'node:crypto';
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { checkKey, type StoreKey } from '../storage/store.ts';
import { isHidden } from './file-lock.ts';

/** Bytes of a request's path, and of a name in it: what file systems take. */
const [MAX_PATH, MAX_NAME] = [4096, 255];

/**
 * The names in the path of a request, below the token; undefined without the token, and for a path that no page asks for: one with a
 * `..`, a slash in a name, an empty name but the last, or a mistake in the encoding. Each name is decoded once.
 */
export function namesBelow(token: string, target: string | undefined): string[] | undefined {
  const [path = ''] = (target ?? '').split('?');
  if (path.length > MAX_PATH) return undefined;
  const [root, given = '', ...encoded] = path.split('/');
  // The token first: without it no two paths differ in their answer.
  if (root !== '' || !isEqual(given, token) || encoded.length === 0) return undefined;
  try {
    const names = encoded.map(decodeURIComponent);
    return names.every((name, i) => isPlainName(name) || (name === '' && i === names.length - 1)) ? names : undefined;
  } catch {
    return undefined;
  }
}

/** Compares two secrets in a time that does not depend on where they differ. */
export function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A name that is the same on every file system: no separator of any, no NUL or other control character. */
function isPlainName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  const odd = /^\.{0,2}$|[/\\\u0000-\u001f\u007f]/;
  return !odd.test(name) && Buffer.byteLength(name) <= MAX_NAME;
}

/** Metadata of Zarr. */
const ZARR = /^\.z(?:attrs|group|array|metadata)$/;

/** Hidden files of this library beside picks: how they were made, what they were chosen from, a review that is not finished. */
export const RECORD: RegExp = /^\.[^.].*\.(?:provenance|candidates|review)(?:\.\w+)?$/;

/**
 * The key of names; undefined if one is hidden and none of Zarr's or of this library's, such as `.git` or the lock of a file.
 */
export function keyOf(names: readonly string[]): StoreKey | undefined {
  if (names.includes('')) return undefined;
  const isServed = (name: string) =>
    !name.startsWith('.') || ((ZARR.test(name) || RECORD.test(name)) && !isHidden(name));
  return names.every(isServed) ? checkKey(`/${names.join('/')}`) : undefined;
}

/**
 * Whether a path lies in a folder once links are resolved. What is not there yet lies where its folder does; a link to nothing lies
 * nowhere.
 */
export async function isInside(folder: string, path: string): Promise<boolean> {
  const top = resolve(folder);
  const root = await realpath(top).catch(() => top);
  for (let at = resolve(path); ; at = dirname(at)) {
    const real = await realpath(at).catch(() => undefined);
    if (real !== undefined) return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
    if (await lstat(at).catch(() => undefined)) return false;
    // A folder that is made by the first write.
    if (at === top || at === dirname(at)) return at === top;
  }
}

/** A folder as it was found. */
export interface RootFolder {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
}

/** A folder as it is now; undefined if there is no such folder. */
export async function findRoot(path: string): Promise<RootFolder | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ? { path, device: found.dev, inode: found.ino } : undefined;
}

/** Whether a folder is still there, and not another one in its place. */
export async function isStillThere({ path, device, inode }: RootFolder): Promise<boolean> {
  const now = await findRoot(path);
  return now !== undefined && now.device === device && now.inode === inode;
}
