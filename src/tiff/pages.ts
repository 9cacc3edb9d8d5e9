import { CryoetPicksError } from '../errors.ts';

/** Bytes of one value of the types 1 to 12 of TIFF. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

/**
 * Walks the chain of pages before anything decodes them: the decoder would follow a chain that bites its own tail for
 * ever, and make room for whatever an entry claims.
 *
 * @returns How many pages there are.
 * @throws {@link CryoetPicksError} `corrupt-data` for what is no TIFF file, a chain or an entry that leaves it;
 * `unsupported` for BigTIFF.
 */
export function countPages(bytes: Uint8Array, source: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const order = bytes.length >= 8 ? view.getUint16(0) : 0;
  const littleEndian = order === 0x4949;
  const magic = order === 0x4949 || order === 0x4d4d ? view.getUint16(2, littleEndian) : 0;
  if (magic === 43) {
    throw new CryoetPicksError(
      'unsupported',
      `${source} is a BigTIFF file; expected a classic one, of less than 4 GiB`,
    );
  }
  if (magic !== 42) fail(`${source} is no TIFF file: it does not start with "II*" or "MM*"`);
  const seen = new Set<number>();
  for (let at = view.getUint32(4, littleEndian); at !== 0; ) {
    if (seen.has(at)) fail(`${source}: page ${seen.size} is followed by a page before it`);
    seen.add(at);
    const next = checkPage(view, at, { littleEndian, where: `${source}: page ${seen.size}` });
    at = view.getUint32(next, littleEndian);
  }
  if (seen.size === 0) fail(`${source} has no page`);
  return seen.size;
}

interface PageOptions {
  readonly littleEndian: boolean;
  readonly where: string;
}

/** Checks that the entries of a page lie in the file; returns where the offset of the next page stands. */
function checkPage(view: DataView, at: number, { littleEndian, where }: PageOptions): number {
  const size = view.byteLength;
  const entries = at + 2 <= size ? view.getUint16(at, littleEndian) : 0;
  const end = at + 2 + 12 * entries;
  if (entries === 0 || end + 4 > size) fail(`${where} lies beyond the end of the ${size} bytes`);
  for (let entry = at + 2; entry < end; entry += 12) {
    const type = view.getUint16(entry + 2, littleEndian);
    const length = (TYPE_BYTES[type] ?? 0) * view.getUint32(entry + 4, littleEndian);
    const start = length <= 4 ? entry + 8 : view.getUint32(entry + 8, littleEndian);
    if (start + length <= size) continue;
    fail(
      `${where}: entry ${view.getUint16(entry, littleEndian)} of ${length} bytes lies beyond the end of the ${size} bytes`,
    );
  }
  return end;
}

function fail(message: string): never {
  throw new CryoetPicksError('corrupt-data', message);
}
