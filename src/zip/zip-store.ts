import { CryoetPicksError } from '../errors.ts';
import { blobReader, type RandomAccessReader, storeReader } from '../mrc/random-access.ts';
import { untilAborted } from '../storage/abort.ts';
import { httpStore } from '../storage/http.ts';
import { type ListableStore, type StoreKey, sliceRange } from '../storage/store.ts';
import type { ZipArchive } from './archive.ts';

/** Options of {@link zipStore}. */
export interface ZipStoreOptions {
  /**
   * The folder inside the file that is the root of the store.
   * @defaultValue the root of the file where Zarr metadata lie there, else its only folder if it has just one
   */
  readonly folder?: string | undefined;
}

/**
 * A zip file as a read-only store: an OME-Zarr image in one file, `.zip` or `.ozx`.
 *
 * The list of what is in the file is read with the first call, and then what is asked for, by range: of entries that are only
 * stored, as Zarr writers leave them, nothing but the wanted bytes; deflated ones as a whole. ZIP64 is read. Checksums are
 * verified of all that is read whole. Where a name occurs twice, the last entry counts, as in zarr-python.
 *
 * @param source - A reader (`fileReader` of `cryoet-picks/node`, `storeReader`), a dropped file, or a URL.
 * @throws {@link CryoetPicksError} from its methods: `corrupt-data` for what is no zip file, is damaged, or has a name that
 * would lead out of it; `unsupported` for encrypted entries, links, and compressions other than deflate.
 * @example
 * ```ts
 * const tomogram = await openTomogram(zipStore(new URL('https://example.org/denoised.ozx')));
 * ```
 */
export function zipStore(source: RandomAccessReader | Blob | URL, { folder }: ZipStoreOptions = {}): ListableStore {
  const reader = readerOf(source);
  let opened: Promise<ZipArchive> | undefined;
  // Loaded with the first call, as is the library that reads the list; a failure is not kept.
  const load = () => {
    opened ??= import('./archive.ts').then(({ openArchive }) => openArchive(reader, { folder }));
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  return {
    location: reader.location,
    async get(key, { signal } = {}) {
      signal?.throwIfAborted();
      return (await untilAborted(load(), signal)).read(key, { signal });
    },
    async getRange(key, range, { signal } = {}) {
      signal?.throwIfAborted();
      const archive = await untilAborted(load(), signal);
      const span = await archive.locate(key, { signal });
      if (!span) return sliceOf(await archive.readKept(key, { signal }), range);
      const offset =
        'offset' in range ? Math.min(range.offset, span.length) : Math.max(0, span.length - range.suffixLength);
      const length = 'offset' in range ? Math.min(range.length, span.length - offset) : span.length - offset;
      return length === 0
        ? new Uint8Array(0)
        : archive.readSpan(key, { offset: span.offset + offset, length }, { signal });
    },
    async list(at, { signal } = {}) {
      signal?.throwIfAborted();
      return (await untilAborted(load(), signal)).list(at);
    },
  };
}

function sliceOf(bytes: Uint8Array | undefined, range: Parameters<typeof sliceRange>[1]): Uint8Array | undefined {
  return bytes && sliceRange(bytes, range);
}

function readerOf(source: RandomAccessReader | Blob | URL): RandomAccessReader {
  if (source instanceof Blob) return blobReader(source);
  if (typeof source === 'string') {
    throw new CryoetPicksError(
      'invalid-option',
      'zipStore takes no text: give new URL(…), a Blob, or fileReader(path)',
    );
  }
  if (!(source instanceof URL)) return source;
  const folder = new URL(source);
  folder.pathname = source.pathname.replace(/[^/]*$/, '');
  const name = decodeURIComponent(source.pathname.slice(folder.pathname.length));
  return storeReader(httpStore(folder), `/${name}` as StoreKey);
}
