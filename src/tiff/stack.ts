/**
 * TIFF stacks as ImageJ and Bio-Formats (OME-TIFF) write them.
 *
 * @module
 */

import { decode, type TiffIfd } from 'tiff';
import {
  abortSignal,
  anything,
  bytesRule,
  finitePoint,
  optional,
  requireArgument,
  requireOptions,
  text,
} from '../core/arguments.ts';
import type { Warning } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { asVoxelSize, type Point, sizesAgree, type Zyx } from '../space/grid.ts';
import { contiguousVolume, sourceFromArray, type VolumeSource } from '../volume/volume.ts';

/** Options of {@link openTiffStack}. */
export interface OpenTiffStackOptions {
  /** In Å, instead of that of the file; one number for all axes, or along z, y, x. */
  readonly voxelSize?: number | Zyx | undefined;
  /** Position of the centre of the first voxel, in Å. @defaultValue (0, 0, 0) */
  readonly origin?: Point | undefined;
  /** Names the file in messages. @defaultValue 'the TIFF stack' */
  readonly source?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A volume of a TIFF stack. */
export interface TiffStack extends VolumeSource {
  /** Type of the voxels in the file. */
  readonly dtype: 'uint8' | 'uint16' | 'float32';
  /** Unusual properties of the file, and how they were interpreted; empty for a normal file. */
  warnings(): readonly Warning[];
}

/**
 * Opens a TIFF stack as a volume: pages along z, rows along y, columns along x; 8 or 16 bits unsigned, or float32;
 * uncompressed, LZW or deflate. The whole stack is decoded into memory, in its own type.
 *
 * The voxel size is that of ImageJ: resolution tags for x and y, `spacing` for z, in its `unit`; of an OME-TIFF, `PhysicalSizeX`,
 * `…Y` and `…Z` with their units. If one of them is missing, 1 Å is assumed, with a warning. ImageJ's linear calibration of grey values, which it uses for signed integers, is applied.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` if the file is not a TIFF file or is truncated; `unsupported` for colours, other
 * numbers of bits, several channels, times or images, slices in other files, and BigTIFF.
 * @example
 * ```ts
 * import { openTiffStack } from 'cryoet-picks/io';
 *
 * const crop = await openTiffStack(bytes);
 * ```
 */
export async function openTiffStack(bytes: Uint8Array, options: OpenTiffStackOptions = {}): Promise<TiffStack> {
  requireArgument('openTiffStack', 'bytes', bytes, bytesRule);
  const {
    source = 'the TIFF stack',
    origin,
    signal,
  } = requireOptions('openTiffStack', options, {
    voxelSize: anything,
    origin: optional(finitePoint),
    source: optional(text),
    signal: optional(abortSignal),
  });
  signal?.throwIfAborted();
  const count = countPages(bytes, source);
  const first = checkPages(decodePages(bytes, { source, ignoreImageData: true }), { source, bytes });
  const description = textOf(first.imageDescription);
  requireOneStack(description, count, source);
  const warnings: Warning[] = [];
  const voxelSize = chosenVoxelSize(first, { description, warnings, given: options.voxelSize });
  const pages = decodePages(bytes, { source });
  const shape: Zyx = [count, first.height, first.width];
  const calibration = imagejCalibration(description);
  const { data, dtype } = joined(pages, shape, calibration);
  const geometry = origin === undefined ? { voxelSize } : { voxelSize, origin };
  return { ...sourceFromArray(contiguousVolume(data, shape), geometry), dtype, warnings: () => warnings };
}

function decodePages(
  bytes: Uint8Array,
  { source, ignoreImageData = false }: { readonly source: string; readonly ignoreImageData?: boolean },
): TiffIfd[] {
  try {
    return decode(bytes, { ignoreImageData });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = /^unsupported/i.test(reason) ? 'unsupported' : 'corrupt-data';
    throw new CryoetPicksError(code, `${source} cannot be decoded: ${reason}`, { cause });
  }
}

/** Maximum compression ratio: 1032 of deflate, below 1400 of LZW. */
const MAX_RATIO = 1400;

/** Checks that all pages are grey values of the same size and type, and returns the first. */
function checkPages(
  pages: readonly TiffIfd[],
  { source, bytes }: { readonly source: string; readonly bytes: Uint8Array },
): TiffIfd {
  const first = pages[0]!;
  let claimed = 0;
  for (const [i, page] of pages.entries()) {
    const where = `${source}: page ${i + 1}`;
    const kind = kindOf(page);
    requireKind(page, where);
    if (kind !== kindOf(first)) {
      throw new CryoetPicksError(
        'unsupported',
        `${where} is ${kind}, the first page ${kindOf(first)}; expected all pages to be alike`,
      );
    }
    claimed += (page.width * page.height * page.bitsPerSample) / 8;
  }
  if (!(claimed > 0) || claimed > bytes.length * (first.compression === 1 ? 1 : MAX_RATIO)) {
    throw new CryoetPicksError(
      'corrupt-data',
      `${source} has ${bytes.length} bytes, too few for ${pages.length} pages, ${claimed} bytes of ${kindOf(first)}`,
    );
  }
  return first;
}

const kindOf = ({ width, height, bitsPerSample, sampleFormat, samplesPerPixel }: TiffIfd): string =>
  `${width}×${height} pixels of ${samplesPerPixel} × ${bitsPerSample} bits, sample format ${sampleFormat}`;

function requireKind(page: TiffIfd, where: string): void {
  const { bitsPerSample: bits, sampleFormat: format, samplesPerPixel: samples, type } = page;
  const isKnown = (bits === 8 && format === 1) || (bits === 16 && format === 1) || (bits === 32 && format === 3);
  const refuse = (found: string, wanted: string) => {
    throw new CryoetPicksError('unsupported', `${where} ${found}; expected ${wanted}`);
  };
  if (samples !== 1 || type === 2) refuse(`has ${samples} values per pixel`, 'one: grey values');
  if (!isKnown) refuse(`has ${bits} bits of sample format ${format}`, '8 or 16 bits unsigned, or float32');
  if (page.fillOrder === 2) refuse('stores the bits of a byte in reverse (fill order 2)', 'fill order 1');
  // The decoder would invert the values.
  if (type === 0)
    refuse('shows low values white (photometric 0)', 'low values black: apply "Grays" in ImageJ and save again');
}

function textOf(description: unknown): string {
  return Array.isArray(description) ? description.join('\n') : typeof description === 'string' ? description : '';
}

/** Throws unless the pages are the slices of one volume. */
function requireOneStack(description: string, pages: number, source: string): void {
  const ome = omePixels(description);
  if (ome !== undefined) requireOneVolume(ome, pages, source);
  else requireImagejStack(description, pages, source);
}

/** An OME-TIFF may have several slices only, and all of them in this file. */
function requireOneVolume({ images, attributes }: OmePixels, pages: number, source: string): void {
  const countOf = (axis: string) => Number(attributes.get(`Size${axis}`) ?? 1);
  const many = [
    images > 1 ? `${images} images` : '',
    countOf('C') > 1 ? `${countOf('C')} channels` : '',
    countOf('T') > 1 ? `${countOf('T')} times` : '',
  ].filter((found) => found !== '');
  if (many.length > 0) {
    throw new CryoetPicksError('unsupported', `${source} is an OME-TIFF of ${many.join(' and ')}; expected one volume`);
  }
  if (!attributes.has('SizeZ') || countOf('Z') === pages) return;
  throw new CryoetPicksError(
    'unsupported',
    `${source} is an OME-TIFF of ${attributes.get('SizeZ')} slices, but has ${pages} pages; expected all slices in one file`,
  );
}

/** ImageJ may list slices as channels or frames, but only one of the three may be more than 1. */
function requireImagejStack(description: string, pages: number, source: string): void {
  const fields = imagejFields(description);
  const many = ['channels', 'slices', 'frames'].filter((axis) => Number(fields.get(axis) ?? 1) > 1);
  if (many.length > 1) {
    const found = many.map((axis) => `${fields.get(axis)} ${axis}`).join(' and ');
    throw new CryoetPicksError('unsupported', `${source} has ${found}; expected one volume`);
  }
  const images = Number(fields.get('images') ?? pages);
  if (images === pages) return;
  throw new CryoetPicksError(
    'unsupported',
    `${source} says it has ${images} images, but lists ${pages} pages, as ImageJ writes stacks above 4 GiB; save it as MRC`,
  );
}

interface VoxelSizeOptions {
  readonly description: string;
  readonly warnings: Warning[];
  readonly given: number | Zyx | undefined;
}

function chosenVoxelSize(page: TiffIfd, { description, warnings, given }: VoxelSizeOptions): Zyx {
  const { xResolution = Number.NaN, yResolution = Number.NaN } = page;
  const found: Warning[] = [];
  const ome = omePixels(description);
  const voxelSize = ome ? omeVoxelSize(ome, found) : imagejVoxelSize({ description, xResolution, yResolution }, found);
  if (given !== undefined) {
    const size = asVoxelSize(given);
    if (voxelSize !== undefined && !sizesAgree(voxelSize, size) && found.length === 0) {
      const message = `the option voxelSize is ${size.join('×')} Å, the file says ${voxelSize.join('×')} Å (z×y×x); the option is used`;
      warnings.push({ code: 'voxel-size-differs', message });
    }
    return size;
  }
  warnings.push(...found);
  if (voxelSize !== undefined) return voxelSize;
  const message = 'the voxel size is unknown; 1 Å is assumed, give the option voxelSize';
  warnings.push({ code: 'voxel-size-assumed', message });
  return [1, 1, 1];
}

function unknownSize(message: string): Warning {
  return { code: 'voxel-size-unknown', message };
}

function joined(
  pages: readonly TiffIfd[],
  [, height, width]: Zyx,
  calibration: { readonly c0: number; readonly c1: number } | undefined,
): { data: Uint8Array | Uint16Array | Float32Array; dtype: TiffStack['dtype'] } {
  const size = height * width;
  const stored = pages[0]!.data;
  const dtype = stored instanceof Uint8Array ? 'uint8' : stored instanceof Uint16Array ? 'uint16' : 'float32';
  const Type = calibration || dtype === 'float32' ? Float32Array : dtype === 'uint8' ? Uint8Array : Uint16Array;
  const data = new Type(size * pages.length);
  for (const [i, page] of pages.entries()) data.set(page.data, i * size);
  if (calibration) for (let i = 0; i < data.length; i++) data[i] = calibration.c0 + calibration.c1 * data[i];
  return { data, dtype };
}

/** Bytes of one value of the types 1 to 12 of TIFF. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

/**
 * Checks the chain of pages before they are decoded: the decoder would follow a circular chain forever, and allocate whatever an
 * entry claims.
 *
 * @returns The number of pages.
 * @throws {@link CryoetPicksError} `corrupt-data` if the file is not a TIFF file, or a page or entry lies outside it;
 * `unsupported` for BigTIFF.
 */
function countPages(bytes: Uint8Array, source: string): number {
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
  if (magic !== 42) fail(`${source} is not a TIFF file: it does not start with "II*" or "MM*"`);
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

/** Checks that the entries of a page lie in the file; returns the position of the offset of the next page. */
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

/** What an OME-TIFF says of its first image, and how many it has. */
interface OmePixels {
  readonly images: number;
  /** Of the element `Pixels`, as written; empty if another file has the metadata. */
  readonly attributes: ReadonlyMap<string, string>;
}

function omePixels(description: string): OmePixels | undefined {
  if (!/<(?:\w+:)?OME\b/.test(description)) return undefined;
  // A byte is a character of the description, which is UTF-8; what is read of it are numbers, and units that must be known.
  const text = new TextDecoder().decode(Uint8Array.from(description, (byte) => byte.charCodeAt(0)));
  const xml = text.replace(/<!--.*?-->/gs, '');
  const [pixels = ''] = /<(?:\w+:)?Pixels\b(?:"[^"]*"|'[^']*'|[^>"'])*>/.exec(xml) ?? [];
  const attributes = [...pixels.matchAll(/([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)];
  return {
    images: [...xml.matchAll(/<(?:\w+:)?Pixels\b/g)].length,
    attributes: new Map(attributes.map(([, name, double, single]) => [name!, withoutEntities(double ?? single!)])),
  };
}

/** Text of an attribute in which characters, such as µ, are written by their numbers. */
function withoutEntities(text: string): string {
  return text.replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi, (entity, hex, decimal) => {
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : entity;
  });
}

/** Units of OME, in which case counts: Mm is a megametre. The keys are in the form NFKC, which has one µ and one Å. */
const OME_UNITS: Readonly<Record<string, number>> = {
  pm: 0.01,
  Å: 1,
  nm: 10,
  μm: 1e4,
  mm: 1e7,
  cm: 1e8,
  m: 1e10,
  in: 2.54e8,
};

/** The voxel size in Å along z, y, x that an OME-TIFF gives; otherwise adds a warning that says why it is unknown. */
function omeVoxelSize({ attributes }: OmePixels, warnings: Warning[]): Zyx | undefined {
  const found = ['Z', 'Y', 'X'].map((axis) => {
    const text = attributes.get(`PhysicalSize${axis}`);
    const unit = attributes.get(`PhysicalSize${axis}Unit`)?.normalize('NFKC') ?? 'μm';
    const length = Number(text) * (Object.hasOwn(OME_UNITS, unit) ? OME_UNITS[unit]! : Number.NaN);
    if (Number.isFinite(length) && length > 0) return nearRound(length);
    const shown =
      text === undefined ? 'is not given' : `is ${JSON.stringify(`${text} ${unit}`.slice(0, 60))}, not a length`;
    warnings.push(unknownSize(`PhysicalSize${axis} ${shown}`));
    return undefined;
  });
  const [z, y, x] = found;
  return z !== undefined && y !== undefined && x !== undefined ? [z, y, x] : undefined;
}

/** ImageJ's description of the first page, and its resolution tags. */
export interface ImagejTags {
  readonly description: string;
  /** Pixels per unit; `NaN` if not given. */
  readonly xResolution: number;
  readonly yResolution: number;
}

/** The lines `key=value` of the description; empty if ImageJ has not written it. */
function imagejFields(description: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  if (!description.startsWith('ImageJ=')) return fields;
  for (const line of description.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  return fields;
}

const IN_ANGSTROM: Readonly<Record<string, number>> = {
  a: 1,
  å: 1,
  angstrom: 1,
  ångström: 1,
  nm: 10,
  nanometer: 10,
  um: 1e4,
  µm: 1e4,
  μm: 1e4,
  micron: 1e4,
  mm: 1e7,
  cm: 1e8,
  m: 1e10,
  inch: 2.54e8,
};

/** The voxel size in Å along z, y, x as ImageJ reads it; otherwise adds a warning that says why it is unknown. */
function imagejVoxelSize({ description, xResolution, yResolution }: ImagejTags, warnings: Warning[]): Zyx | undefined {
  const fields = imagejFields(description);
  // Without a unit, the inches or centimetres of the tags are meant for printing.
  const unit = fields
    .get('unit')
    ?.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const name = unit?.toLowerCase().replace(/(?<=.{4})s$/, '');
  const angstrom = name !== undefined && Object.hasOwn(IN_ANGSTROM, name) ? IN_ANGSTROM[name] : undefined;
  if (unit === undefined || angstrom === undefined) {
    const message = unit === undefined ? 'no unit of length is given' : `the unit "${unit}" is not a length`;
    warnings.push(unknownSize(message));
    return undefined;
  }
  const spacing = Math.abs(Number(fields.get('spacing') ?? 1));
  const voxelSize: Zyx = [spacing * angstrom, angstrom / yResolution, angstrom / xResolution];
  if (!voxelSize.every((length) => Number.isFinite(length) && length > 0)) {
    warnings.push(unknownSize('the resolution tags or the spacing of slices give no length'));
    return undefined;
  }
  if (!fields.has('spacing')) {
    warnings.push(
      unknownSize(
        `no spacing of slices is given; 1 ${unit} is assumed, as ImageJ does: give the option voxelSize if that is wrong`,
      ),
    );
  }
  return [nearRound(voxelSize[0]), nearRound(voxelSize[1]), nearRound(voxelSize[2])];
}

/** Resolutions are fractions of 32-bit integers: 10.52 Å comes back as 10.5200000002. */
function nearRound(length: number): number {
  const rounded = Number(length.toPrecision(8));
  return Math.abs(rounded - length) <= 2e-9 * length ? rounded : length;
}

/** ImageJ's linear calibration of grey values, `value = c0 + c1 · stored`, which it uses for signed integers. */
function imagejCalibration(description: string): { readonly c0: number; readonly c1: number } | undefined {
  const fields = imagejFields(description);
  const [c0, c1] = [Number(fields.get('c0')), Number(fields.get('c1'))];
  const isLinear = fields.get('cf') === '0' && Number.isFinite(c0) && Number.isFinite(c1) && c1 !== 0;
  return isLinear && (c0 !== 0 || c1 !== 1) ? { c0, c1 } : undefined;
}
