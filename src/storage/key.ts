import { CryoetPicksError } from '../errors.ts';

/** A key of a store: a path that starts with `/`, without `.` or `..` segments. */
export type StoreKey = `/${string}`;

/**
 * Puts path segments together to a store key: `joinKey('/runs', name, 'Picks')`. Slashes at the ends of a segment do not matter.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a key that holds a `.`, `..` or empty segment, or a NUL.
 */
export function joinKey(...segments: readonly string[]): StoreKey {
  const parts = segments.map((segment) => segment.replace(/^\/+|\/+$/g, '')).filter((segment) => segment !== '');
  return checkKey(`/${parts.join('/')}`);
}

/**
 * Lets a well-formed key pass: it starts with `/`, has no empty segment, no `.` or `..` and no NUL. `/` itself is the root folder.
 *
 * @throws {@link CryoetPicksError} `invalid-option`, so that no key ever leaves its store.
 */
export function checkKey(key: string): StoreKey {
  const segments = key.slice(1).split('/');
  const bad = key !== '/' && segments.some((segment) => segment === '' || segment === '.' || segment === '..');
  if (!key.startsWith('/') || bad || key.includes('\0')) {
    throw new CryoetPicksError(
      'invalid-option',
      `${JSON.stringify(key)} is not a store key: expected "/" and names between single slashes, none of them "." or ".."`,
    );
  }
  return key as StoreKey;
}
