/**
 * TIFF stacks as ImageJ writes them. Apart from the core, so that only those who open TIFF files carry the decoder.
 *
 * @module
 */
import { decode, type TiffIfd } from 'tiff';
import { CryoetPicksError } from '../errors.ts';
import type { Point } from '../space/point.ts';
import { asVoxelSize } from '../space/voxel-size.ts';
import type { Zyx } from '../space/zyx.ts';
import { contiguousVolume, sourceFromArray, type VolumeSource } from '../volume/volume.ts';
import { imagejCalibration, imagejFields, imagejVoxelSize } from './imagej.ts';
import { countPages } from './pages.ts';

export { CryoetPicksError, type ErrorCode, isCryoetPicksError } from '../errors.ts';

/** Options of {@link openTiffStack}. */
export interface OpenTiffStackOptions {
  /** In Å, instead of what the file says; one number for all axes, or along z, y, x. */
  readonly voxelSize?: number | Zyx | undefined;
  /** Position of the centre of the first voxel, in Å. @defaultValue (0, 0, 0) */
  readonly origin?: Point | undefined;
  /** Where the bytes are from, for messages. @defaultValue 'the TIFF stack' */
  readonly source?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A volume of a TIFF stack. */
export interface TiffStack extends VolumeSource {
  /** How numbers are stored. */
  readonly dtype: 'uint8' | 'uint16' | 'float32';
  /** What is odd about the file and how it was understood, for people. */
  readonly warnings: readonly string[];
}

/**
 * Opens a TIFF stack as a volume: pages along z, rows along y, columns along x; 8 or 16 bits unsigned, or float32;
 * uncompressed, LZW or deflate. All of it is decoded into memory, in its own type.
 *
 * The voxel size is ImageJ's: resolution tags for x and y, `spacing` for z, in its `unit`. Without one, 1 Å is assumed and
 * `warnings` says so. A linear calibration of grey values, by which ImageJ keeps signed integers, is applied.
 *
 * @throws {@link CryoetPicksError} `corrupt-data` for what is no TIFF file or is cut short; `unsupported` for colours,
 * other numbers of bits, several channels or times, and BigTIFF, saying which.
 * @example
 * ```ts
 * import { openTiffStack } from 'cryoet-picks/tiff';
 *
 * const crop = await openTiffStack(bytes);
 * ```
 */
export async function openTiffStack(bytes: Uint8Array, options: OpenTiffStackOptions = {}): Promise<TiffStack> {
  const { source = 'the TIFF stack', origin, signal } = options;
  signal?.throwIfAborted();
  const count = countPages(bytes, source);
  const first = checkPages(decodePages(bytes, { source, ignoreImageData: true }), { source, bytes });
  const description = textOf(first.imageDescription);
  requireOneStack(imagejFields(description), count, source);
  const warnings: string[] = [];
  const voxelSize = chosenVoxelSize(first, { description, warnings, said: options.voxelSize });
  const pages = decodePages(bytes, { source });
  const shape: Zyx = [count, first.height, first.width];
  const calibration = imagejCalibration(description);
  const { data, dtype } = joined(pages, shape, calibration);
  const geometry = origin === undefined ? { voxelSize } : { voxelSize, origin };
  return { ...sourceFromArray(contiguousVolume(data, shape), geometry), dtype, warnings };
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

/** Deflate packs at most 1032 bytes into one, LZW fewer than 1400. */
const MOST_RATIO = 1400;

/** Refuses pages that are not alike or are no grey values; returns the first. */
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
        `${where} is ${kind}, the first page ${kindOf(first)}; expected them alike`,
      );
    }
    claimed += (page.width * page.height * page.bitsPerSample) / 8;
  }
  if (!(claimed > 0) || claimed > bytes.length * (first.compression === 1 ? 1 : MOST_RATIO)) {
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
  // The decoder would turn the values round.
  if (type === 0)
    refuse('shows low values white (photometric 0)', 'low values black: apply "Grays" in ImageJ and save again');
}

function textOf(description: unknown): string {
  return Array.isArray(description) ? description.join('\n') : typeof description === 'string' ? description : '';
}

/** Slices may be called channels or times where people have not told ImageJ; but only one of the three may be many. */
function requireOneStack(fields: ReadonlyMap<string, string>, pages: number, source: string): void {
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
  readonly warnings: string[];
  readonly said: number | Zyx | undefined;
}

function chosenVoxelSize(page: TiffIfd, { description, warnings, said }: VoxelSizeOptions): Zyx {
  if (said !== undefined) return asVoxelSize(said);
  const { xResolution = Number.NaN, yResolution = Number.NaN } = page;
  const voxelSize = imagejVoxelSize({ description, xResolution, yResolution }, warnings);
  if (voxelSize !== undefined) return voxelSize;
  warnings.push('the voxel size is unknown; 1 Å is assumed, give "voxelSize"');
  return [1, 1, 1];
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
