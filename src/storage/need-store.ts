import { CryoetPicksError } from '../errors.ts';
import { showJson } from '../show-json.ts';
import type { ReadableStore } from './store.ts';

/** Lets a store pass. @throws {@link CryoetPicksError} `invalid-option`, for a path or URL with the function that makes it one. */
export function requireStore(store: ReadableStore, method: 'get' | 'set'): void {
  const given: { readonly [K in typeof method]?: unknown } | null | undefined = store;
  if (typeof given?.[method] === 'function') return;
  const found =
    given instanceof URL ? `the URL ${given.origin}${given.pathname}` : showJson(given).replace(/\?.*/s, '…');
  throw new CryoetPicksError(
    'invalid-option',
    `expected a store, found ${found}; wrap a path in directoryStore(path) of cryoet-picks/node` +
      (method === 'get' ? ', a URL in httpStore(url)' : ''),
  );
}
