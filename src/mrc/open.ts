import {
  abortSignal,
  anything,
  optional,
  type Rule,
  type RulesFor,
  reader as readerRule,
  requireArgument,
  requireOptions,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { type Box, requireInside, voxelCount, type Zyx } from '../space/grid.ts';
import { bytesReader, type RandomAccessReader } from '../storage/random-access.ts';
import { type ReadOptions, requireReadOptions, type Volume, type VolumeSource } from '../volume/volume.ts';
import {
  axisIndex,
  dataBytes,
  dataStart,
  gridOf,
  HEADER_BYTES,
  type MrcGeometryOptions,
  type MrcHeader,
  originRule,
  parseMrcHeader,
  signedness,
} from './header.ts';
import { decodeVoxels, type FileBox, fileSpans, MODE_BYTES } from './voxels.ts';

/** Options of {@link openMrc}. */
export interface OpenMrcOptions extends MrcGeometryOptions {
  /** Whether the bytes of mode 0 are signed, whatever the header says. */
  readonly bytes?: 'signed' | 'unsigned' | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A volume of an MRC file. */
export interface MrcVolume extends VolumeSource {
  readonly header: MrcHeader;
  /** Unusual properties of the file, and how they were interpreted; empty for a normal file. */
  warnings(): readonly Warning[];
}

/**
 * Opens an MRC, CCP4, `.rec` or `.map` file as a volume. Only the header is read; a later read of a box reads the rows that the box
 * overlaps.
 *
 * Modes 0, 1, 2, 6 and 12 of either byte order are read as float32. Axes are z, y, x whatever their order in the file. The
 * centre of the first voxel is (0, 0, 0), as for copick's picks, unless `origin` is given. A gzip file is decompressed into
 * memory as a whole, with a warning.
 *
 * @param input - The bytes of the file, or a reader of them: {@link blobReader}, {@link storeReader}. In Node, `openMrcFile` of
 * `cryoet-picks/node` takes a path.
 * @throws {@link CryoetPicksError} `corrupt-data` if the file is not an MRC file or is shorter than its header says;
 * `unsupported` for other modes; `not-found`; the abort reason of `signal`. Reads throw the same errors.
 * @example
 * ```ts
 * const tomogram = await openMrc(bytes, { voxelSize: 10.012 });
 * console.log(tomogram.grid.shape, tomogram.header.labels, tomogram.warnings());
 * ```
 */
export async function openMrc(
  input: RandomAccessReader | Uint8Array,
  options: OpenMrcOptions = {},
): Promise<MrcVolume> {
  requireArgument('openMrc', 'input', input, mrcInput);
  const { bytes, signal } = requireOptions('openMrc', options, mrcRules);
  let reader = input instanceof Uint8Array ? bytesReader(input) : input;
  const warnings: Warning[] = [];
  signal?.throwIfAborted();
  let start = await reader.read(0, HEADER_BYTES, { signal });
  if (isGzip(start)) {
    reader = await decompressed(reader, signal);
    start = await reader.read(0, HEADER_BYTES, { signal });
    const message = `${reader.location} is compressed by gzip: all of it was read into memory, ${reader.size} bytes`;
    warnings.push({ code: 'read-into-memory', message });
  } else if (start[0] === 0x42 && start[1] === 0x5a && start[2] === 0x68) {
    throw new CryoetPicksError(
      'unsupported',
      `${reader.location} is compressed by bzip2; decompress it, or compress it by gzip`,
    );
  }
  const header = parseMrcHeader(start, { source: reader.location, bytes });
  await requireWhole(reader, header, { warnings, signal });
  const geometry = gridOf(header, options);
  const { grid } = geometry;
  warnings.push(...geometry.warnings);
  return {
    grid,
    header,
    warnings: () => warnings,
    read: async (box, options = {}) => {
      const { signal, out } = requireReadOptions('volume.read', options);
      return readBox(box, { reader, header, shape: grid.shape, signal, out });
    },
  };
}

const mrcInput: Rule = {
  expected:
    'the bytes of an MRC file, or a reader such as blobReader(file); openMrcFile of cryoet-picks/node takes a path',
  isValid: (value) => value instanceof Uint8Array || readerRule.isValid(value),
};

/** What the options of opening an MRC file must be; the voxel size is checked where it is used. */
export const mrcRules: RulesFor<OpenMrcOptions> = {
  voxelSize: anything,
  origin: originRule,
  bytes: signedness,
  signal: /* @__PURE__ */ optional(abortSignal),
};

async function decompressed(reader: RandomAccessReader, signal: AbortSignal | undefined): Promise<RandomAccessReader> {
  const { location: source, size = Number.MAX_SAFE_INTEGER } = reader;
  const wanted = (start: Uint8Array): number => {
    const header = parseMrcHeader(start, { source });
    return dataStart(header) + dataBytes(header);
  };
  const options = { startBytes: HEADER_BYTES, source, signal };
  const packedStart = await reader.read(0, Math.min(size, PACKED_HEADER_BYTES), { signal });
  const header = await gunzipStart(packedStart, { ...options, wanted: () => HEADER_BYTES, isCut: true });
  // What deflate cannot compress gets longer by less than a thousandth; more than that is not read.
  const mostBytes = Math.ceil(1.01 * wanted(header)) + PACKED_HEADER_BYTES;
  const packed = await reader.read(0, Math.min(size, mostBytes), { signal });
  return bytesReader(await gunzipStart(packed, { ...options, wanted }), { location: source });
}

/** Bytes of gzip that hold the header, behind the names and comments that gzip may add. */
const PACKED_HEADER_BYTES = 2 ** 18;

interface WholeOptions {
  readonly warnings: Warning[];
  readonly signal: AbortSignal | undefined;
}

/** Throws if the file ends before its last voxel. If the size is unknown, it reads the last byte. */
async function requireWhole(
  reader: RandomAccessReader,
  header: MrcHeader,
  { warnings, signal }: WholeOptions,
): Promise<void> {
  const { location, size } = reader;
  const expected = dataStart(header) + dataBytes(header);
  if (size !== undefined && size > expected) {
    const message = `${location} has ${size} bytes, ${size - expected} more than its header accounts for; they are ignored`;
    warnings.push({ code: 'bytes-ignored', message });
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

/** Decodes a box in the order of the file; the strides of the result are those of z, y, x. */
async function readBox(box: Box, { reader, header, shape, signal, out }: BoxOptions): Promise<Volume> {
  signal?.throwIfAborted();
  requireInside(box, { shape, where: reader.location });
  const [column, row, section] = [axisIndex(header.axes[0]), axisIndex(header.axes[1]), axisIndex(header.axes[2])];
  const fileBox: FileBox = {
    start: [box.start[section], box.start[row], box.start[column]],
    end: [box.end[section], box.end[row], box.end[column]],
  };
  const extents = [0, 1, 2].map((axis) => box.end[axis]! - box.start[axis]!);
  const count = voxelCount([extents[0]!, extents[1]!, extents[2]!]);
  const isInOrder = column === 2 && row === 1;
  const data = isInOrder && out?.length === count ? out : new Float32Array(count);
  if (data.length > 0) await readSpans(fileBox, data, { reader, header, signal });
  const stride: [number, number, number] = [0, 0, 0];
  stride[column] = 1;
  stride[row] = extents[column]!;
  stride[section] = extents[column]! * extents[row]!;
  return { data, shape: [extents[0]!, extents[1]!, extents[2]!], stride, offset: 0 };
}

/** Maximum number of concurrent reads of a box: enough to hide the latency of a server. */
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
      if (failed) return;
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
  /** Returns the total number of bytes to decompress, from the first `startBytes` bytes. */
  readonly wanted: (start: Uint8Array) => number;
  readonly startBytes: number;
  /** Whether the compressed bytes go on, so that there is no checksum to verify. @defaultValue false */
  readonly isCut?: boolean | undefined;
  /** Names the file in messages. */
  readonly source: string;
  readonly signal?: AbortSignal | undefined;
}

/** Maximum compression ratio of deflate. */
const MAX_RATIO = 1032;

/** True if the bytes start like a gzip file. */
function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses gzip up to the length that its own first bytes give; returns fewer bytes if it ends earlier. Later bytes are
 * ignored, and the length is checked against the compressed size before memory is allocated.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the bytes do not decompress, or are too few for the length.
 */
async function gunzipStart(bytes: Uint8Array, options: GunzipOptions): Promise<Uint8Array> {
  const { wanted, startBytes, isCut = false, source, signal } = options;
  let out = new Uint8Array(startBytes);
  let done = 0;
  let isSized = false;
  const isStart = isCut && bytes.length === PACKED_HEADER_BYTES;
  const take = (part: Uint8Array): void => {
    out.set(part.subarray(0, out.length - done), done);
    const left = part.subarray(out.length - done);
    done = Math.min(out.length, done + part.length);
    if (isSized || done < startBytes) return;
    isSized = true;
    const total = wanted(out);
    if (total > MAX_RATIO * bytes.length) {
      fail(`${source} cannot hold the ${total} bytes that its header gives: it has ${bytes.length} bytes of gzip`);
    }
    const start = out;
    out = allocated(total, source);
    out.set(start.subarray(0, total));
    take(left);
  };
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream('gzip'));
  const reader = stream.getReader();
  try {
    while (done < out.length) {
      signal?.throwIfAborted();
      const next = await nextPart(reader, { source, isStart });
      if (next === undefined) return out.subarray(0, done);
      take(next);
    }
    // The stream verifies the checksum only when its end is read.
    if (!isCut) await nextPart(reader, { source, isStart });
    return out;
  } finally {
    // A stream that has failed before reports the failure again.
    await reader.cancel().catch(() => {});
  }
}

function allocated(bytes: number, source: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    const message = `${source} decompresses to ${bytes} bytes, more than fit into memory; decompress it on disk`;
    throw new CryoetPicksError('unsupported', message, { cause, path: source });
  }
}

async function nextPart(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { source, isStart }: { readonly source: string; readonly isStart: boolean },
): Promise<Uint8Array | undefined> {
  try {
    const { value, done } = await reader.read();
    return done ? undefined : value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    // Where the bytes go on, their end is no fault: what came of them is too little.
    const where = isStart ? ` to a header within their first ${PACKED_HEADER_BYTES} bytes` : '';
    throw new CryoetPicksError('corrupt-data', `${source}: its gzip data do not decompress${where}: ${reason}`, {
      cause,
    });
  }
}

function fail(message: string): never {
  throw new CryoetPicksError('corrupt-data', message);
}
