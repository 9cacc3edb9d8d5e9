import { CryoetPicksError } from '../core/errors.ts';
import { type Box, requireInside, voxelCount, type Zyx } from '../space/zyx.ts';
import { bytesReader, type RandomAccessReader } from '../storage/random-access.ts';
import type { ReadOptions, Volume, VolumeSource } from '../volume/volume.ts';
import {
  axisIndex,
  dataBytes,
  dataStart,
  gridOf,
  HEADER_BYTES,
  type MrcGeometryOptions,
  type MrcHeader,
  parseMrcHeader,
} from './header.ts';
import { decodeVoxels, type FileBox, fileSpans, MODE_BYTES } from './voxels.ts';

/** Options of {@link openMrc}. */
export interface OpenMrcOptions extends MrcGeometryOptions {
  /** Reads mode 0 as said here, whatever the header says. */
  readonly bytes?: 'signed' | 'unsigned' | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A volume of an MRC file. */
export interface MrcVolume extends VolumeSource {
  readonly header: MrcHeader;
  /** What is odd about the file and how it was understood, for people; empty for a file that is in order. */
  readonly warnings: readonly string[];
}

/**
 * Opens an MRC, CCP4, `.rec` or `.map` file as a volume. Reads its header; voxels are read when they are asked for, and only
 * the rows that a box touches.
 *
 * Modes 0, 1, 2, 6 and 12 of either byte order are read as float32. Axes are z, y, x whatever their order in the file. The
 * first voxel is centred at (0, 0, 0), as copick's picks are measured, unless `origin` says otherwise. A file packed by
 * gzip is decompressed into memory as a whole; `warnings` says so.
 *
 * @param input - The file's bytes, or a reader of them: {@link blobReader}, {@link storeReader}, or `openMrcFile` of
 * `cryoet-picks/node`, which brings its own.
 * @throws {@link CryoetPicksError} `corrupt-data` for what is no MRC file or is shorter than its header says, with both
 * sizes; `unsupported` for other modes, naming them; `not-found`; the abort reason of `signal`. Reads throw the same.
 * @example
 * ```ts
 * const tomogram = await openMrc(bytes, { voxelSize: 10.012 });
 * console.log(tomogram.grid.shape, tomogram.header.labels, tomogram.warnings);
 * ```
 */
export async function openMrc(
  input: RandomAccessReader | Uint8Array,
  options: OpenMrcOptions = {},
): Promise<MrcVolume> {
  const { bytes, signal } = options;
  let reader = input instanceof Uint8Array ? bytesReader(input) : input;
  const warnings: string[] = [];
  signal?.throwIfAborted();
  let start = await reader.read(0, HEADER_BYTES, { signal });
  if (isGzip(start)) {
    reader = await decompressed(reader, signal);
    start = await reader.read(0, HEADER_BYTES, { signal });
    warnings.push(`${reader.location} is packed by gzip: all of it was read into memory, ${reader.size} bytes`);
  } else if (start[0] === 0x42 && start[1] === 0x5a && start[2] === 0x68) {
    throw new CryoetPicksError('unsupported', `${reader.location} is packed by bzip2; unpack it, or pack it by gzip`);
  }
  const header = parseMrcHeader(start, { source: reader.location, bytes });
  await requireWhole(reader, header, { warnings, signal });
  const geometry = gridOf(header, options);
  const { grid } = geometry;
  return {
    grid,
    header,
    warnings: [...warnings, ...geometry.warnings],
    read: (box, { signal } = {}) => readBox(box, { reader, header, shape: grid.shape, signal }),
  };
}

async function decompressed(reader: RandomAccessReader, signal: AbortSignal | undefined): Promise<RandomAccessReader> {
  const { location: source, size = Number.MAX_SAFE_INTEGER } = reader;
  const wanted = (start: Uint8Array): number => {
    const header = parseMrcHeader(start, { source });
    return dataStart(header) + dataBytes(header);
  };
  const packed = await reader.read(0, size, { signal });
  return bytesReader(await gunzipStart(packed, { wanted, least: HEADER_BYTES, source, signal }), { location: source });
}

interface WholeOptions {
  readonly warnings: string[];
  readonly signal: AbortSignal | undefined;
}

/** Refuses a file that ends before its last voxel; where the size is unknown, by asking for the last byte. */
async function requireWhole(
  reader: RandomAccessReader,
  header: MrcHeader,
  { warnings, signal }: WholeOptions,
): Promise<void> {
  const { location, size } = reader;
  const expected = dataStart(header) + dataBytes(header);
  if (size !== undefined && size > expected) {
    warnings.push(
      `${location} has ${size} bytes, ${size - expected} more than its header accounts for; they are ignored`,
    );
  }
  if (size !== undefined && size >= expected) return;
  if (size === undefined && Number.isSafeInteger(expected)) {
    const last = await reader.read(expected - 1, 1, { signal });
    if (last.length === 1) return;
  }
  const [x, y, z] = header.counts;
  throw new CryoetPicksError(
    'corrupt-data',
    `${location} ${size === undefined ? 'ends too early' : `has ${size} bytes`}: ${x}×${y}×${z} voxels (columns, rows, ` +
      `sections) of mode ${header.mode} after ${dataStart(header)} bytes of header take ${expected} bytes`,
  );
}

interface BoxOptions extends ReadOptions {
  readonly reader: RandomAccessReader;
  readonly header: MrcHeader;
  readonly shape: Zyx;
}

/** Decodes a box in the order of the file; the strides of the result turn it to z, y, x. */
async function readBox(box: Box, { reader, header, shape, signal }: BoxOptions): Promise<Volume> {
  signal?.throwIfAborted();
  requireInside(box, { shape, where: reader.location });
  const [column, row, section] = [axisIndex(header.axes[0]), axisIndex(header.axes[1]), axisIndex(header.axes[2])];
  const fileBox: FileBox = {
    start: [box.start[section], box.start[row], box.start[column]],
    end: [box.end[section], box.end[row], box.end[column]],
  };
  const extents = [0, 1, 2].map((axis) => box.end[axis]! - box.start[axis]!);
  const data = new Float32Array(voxelCount([extents[0]!, extents[1]!, extents[2]!]));
  if (data.length > 0) await readSpans(fileBox, data, { reader, header, signal });
  const stride: [number, number, number] = [0, 0, 0];
  stride[column] = 1;
  stride[row] = extents[column]!;
  stride[section] = extents[column]! * extents[row]!;
  return { data, shape: [extents[0]!, extents[1]!, extents[2]!], stride, offset: 0 };
}

/** Reads of a box that run at a time: enough to hide the way to a server. */
const CONCURRENCY = 4;

async function readSpans(
  box: FileBox,
  out: Float32Array,
  { reader, header, signal }: Omit<BoxOptions, 'shape'>,
): Promise<void> {
  const width = MODE_BYTES[header.mode];
  const spans = fileSpans(box, { counts: header.counts, bytesPerVoxel: width }).values();
  const columns = box.end[2] - box.start[2];
  // The first failure stops the reads of the other spans.
  let failed = false;
  const readSome = async () => {
    for (const { first, voxels, rows, rowStep, to } of spans) {
      if (failed) return;
      signal?.throwIfAborted();
      const offset = dataStart(header) + first * width;
      const bytes = await reader.read(offset, voxels * width, { signal });
      if (bytes.length < voxels * width) {
        throw new CryoetPicksError(
          'corrupt-data',
          `${reader.location} ended after ${bytes.length} of ${voxels * width} bytes at ${offset}: it was cut since it was opened`,
        );
      }
      if (columns === rowStep) decodeVoxels(bytes, header, out.subarray(to, to + voxels));
      else {
        for (let row = 0; row < rows; row++) {
          const at = to + row * columns;
          decodeVoxels(bytes.subarray(row * rowStep * width), header, out.subarray(at, at + columns));
        }
      }
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, () => readSome().catch(stop)));
}

/** Options of {@link gunzipStart}. */
export interface GunzipOptions {
  /** Says, from the first `least` bytes, how many bytes are wanted in all. */
  readonly wanted: (start: Uint8Array) => number;
  readonly least: number;
  /** Where the bytes are from, for messages. */
  readonly source: string;
  readonly signal?: AbortSignal | undefined;
}

/** Deflate never packs more than 1032 bytes into one. */
const MOST_RATIO = 1032;

/** True for bytes that start as gzip does. */
function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses gzip up to the length that its own start asks for; fewer bytes where it ends earlier. What comes after is
 * not looked at, and memory is taken only for what the compressed bytes could hold.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` for bytes that do not decompress, or cannot hold as much as wanted.
 */
async function gunzipStart(bytes: Uint8Array, options: GunzipOptions): Promise<Uint8Array> {
  const { wanted, least, source, signal } = options;
  let out = new Uint8Array(least);
  let done = 0;
  let isSized = false;
  const take = (part: Uint8Array): void => {
    out.set(part.subarray(0, out.length - done), done);
    const left = part.subarray(out.length - done);
    done = Math.min(out.length, done + part.length);
    if (isSized || done < least) return;
    isSized = true;
    const total = wanted(out);
    if (total > MOST_RATIO * bytes.length) {
      fail(`${source} cannot hold the ${total} bytes its header asks for: it has ${bytes.length} bytes of gzip`);
    }
    const start = out;
    out = new Uint8Array(total);
    out.set(start.subarray(0, total));
    take(left);
  };
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream('gzip'));
  const reader = stream.getReader();
  try {
    while (done < out.length) {
      signal?.throwIfAborted();
      const next = await nextPart(reader, source);
      if (next === undefined) return out.subarray(0, done);
      take(next);
    }
    // The checksum is looked at only where the end is asked for.
    await nextPart(reader, source);
    return out;
  } finally {
    // A stream that has failed already reports the failure again.
    await reader.cancel().catch(() => {});
  }
}

async function nextPart(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  source: string,
): Promise<Uint8Array | undefined> {
  try {
    const { value, done } = await reader.read();
    return done ? undefined : value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CryoetPicksError('corrupt-data', `${source}: its gzip data do not decompress: ${reason}`, { cause });
  }
}

function fail(message: string): never {
  throw new CryoetPicksError('corrupt-data', message);
}
