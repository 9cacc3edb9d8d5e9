import * as v from 'valibot';
import { CryoetPicksError, isCryoetPicksError } from '../core/errors.ts';
import { decodeText, parseJson, showJson } from '../core/json.ts';
import type { StoreOptions } from '../storage/store.ts';

/** One axis of an OME-Zarr image. */
export interface ImageAxis {
  /** Lower case. */
  readonly name: string;
  readonly unit?: string | undefined;
}

/** One resolution level of an OME-Zarr image, per dimension of its array: `position = index · scale + translation`. */
export interface ImageLevel {
  readonly path: string;
  /** In Å along z, y, x, otherwise as given; absent if the metadata give none. */
  readonly scale: readonly number[] | undefined;
  readonly translation: readonly number[];
}

/** The multiscales metadata of an image. */
export interface ImageMetadata {
  readonly version: string;
  readonly axes: readonly ImageAxis[];
  readonly levels: readonly ImageLevel[];
  /**
   * The first of z, y, x whose unit is no known unit of length, such as `pixel`. Then all lengths are as written: they compare levels,
   * and say nothing in Å.
   */
  readonly unknownUnit?: Required<ImageAxis> | undefined;
  /** Whether the metadata give any translation, even 0, for a level or for all. */
  readonly hasTranslation: boolean;
}

const finite = v.pipe(v.number(), v.finite());
const axis = v.union([
  v.pipe(
    v.string(),
    v.transform((name) => ({ name, unit: undefined, units: undefined })),
  ),
  v.looseObject({ name: v.string(), unit: v.nullish(v.string()), units: v.nullish(v.string()) }),
]);
const transform = v.looseObject({
  type: v.string(),
  scale: v.optional(v.array(v.pipe(finite, v.gtValue(0)))),
  translation: v.optional(v.array(finite)),
});
const path = v.pipe(
  v.string(),
  v.check(
    (text) => !/(^|\/)\.\.?(\/|$)|\/\/|\0/.test(text),
    'expected a path inside the image, of names between single slashes',
  ),
);
const transforms = v.nullish(v.array(transform));
const multiscales = v.pipe(
  v.array(
    v.looseObject({
      version: v.optional(v.unknown()),
      axes: v.nullish(v.pipe(v.array(axis), v.minLength(1))),
      datasets: v.pipe(v.array(v.looseObject({ path, coordinateTransformations: transforms })), v.minLength(1)),
      coordinateTransformations: transforms,
    }),
  ),
  v.minLength(1),
);

type Transform = v.InferOutput<typeof transform>;

/** Å per unit: the UDUNITS-2 names that OME-NGFF prescribes, and short forms that occur in practice. */
const ANGSTROM_PER_UNIT: ReadonlyMap<string, number> = new Map(
  Object.entries({
    angstrom: 1,
    ångström: 1,
    ångstrom: 1,
    å: 1,
    a: 1,
    picometer: 0.01,
    pm: 0.01,
    nanometer: 10,
    nm: 10,
    micrometer: 1e4,
    micron: 1e4,
    um: 1e4,
    µm: 1e4,
    μm: 1e4,
    millimeter: 1e7,
    mm: 1e7,
    centimeter: 1e8,
    cm: 1e8,
    meter: 1e10,
    m: 1e10,
  }),
);

/** The 5-D axes of OME-NGFF 0.1 and 0.2, whose metadata do not name them. */
const FIRST_AXES = ['t', 'c', 'z', 'y', 'x'];

/** Levels of an image, each of which is opened: 30 halvings leave one voxel of the largest. */
const MAX_LEVELS = 100;

/**
 * Reads the `multiscales` of OME-Zarr 0.4 (`.zattrs`) or 0.5 (`attributes.ome` of `zarr.json`): the names of the axes, and the scale
 * and translation of each level, composed of the transforms of dataset and multiscales, in Å along z, y and x.
 *
 * An axis without a unit is in Å; some writers call it `units`. Of several multiscales, the first is read.
 *
 * @param attributes - The object with the key `multiscales`.
 * @param where - Names the file in messages.
 * @returns `undefined` if there is no `multiscales` key.
 * @throws {@link CryoetPicksError} `invalid-metadata`, also for an axis with two units; `unsupported` for other transforms, and for
 * coordinate systems in place of axes.
 */
export function readMultiscales(attributes: unknown, where: string): ImageMetadata | undefined {
  const json = (attributes as { multiscales?: unknown } | null | undefined)?.multiscales;
  if (json === undefined || json === null) return undefined;
  const image = parseMetadata(multiscales, json, `"multiscales" in ${where}`)[0]!;
  const count = image.datasets.length;
  if (count > MAX_LEVELS) throw invalid(where, `it lists ${count} levels, expected at most ${MAX_LEVELS}`);
  const version = (attributes as { version?: unknown }).version ?? image.version ?? 'unknown';
  if (!image.axes && image.coordinateSystems !== undefined)
    throw unsupported(where, `coordinate systems (version ${showJson(version)}); expected axes, as in 0.4 and 0.5`);
  const axes = (image.axes ?? FIRST_AXES.map((name) => ({ name, unit: undefined, units: undefined }))).map(
    ({ name, unit, units }) => {
      if (unit && units && unit !== units)
        throw invalid(where, `axis "${name}" has the unit ${showJson(unit)} and the units ${showJson(units)}`);
      return { name: name.toLowerCase(), unit: (unit?.trim() ? unit : (units ?? unit)) ?? undefined };
    },
  );
  const names = axes.map(({ name }) => name);
  if (new Set(names).size < names.length) throw invalid(where, `axes ${names.join(', ')} are not distinct`);
  const known = axes.map(angstromPer);
  const unknownUnit = axes.find((_, i) => known[i] === undefined) as ImageMetadata['unknownUnit'];
  const units = unknownUnit ? axes.map(() => 1) : (known as number[]);
  const levels = image.datasets.map(({ path, coordinateTransformations }) => {
    const context = { rank: axes.length, where: `level "${path}" of ${where}` };
    const own = compose(coordinateTransformations ?? [], context);
    const all = compose(image.coordinateTransformations ?? [], context);
    const scale =
      (own.scale ?? all.scale)
        ? units.map((unit, i) => (own.scale?.[i] ?? 1) * (all.scale?.[i] ?? 1) * unit)
        : undefined;
    const translation = units.map(
      (unit, i) => (own.translation[i]! * (all.scale?.[i] ?? 1) + all.translation[i]!) * unit,
    );
    return { path, scale, translation };
  });
  const written = [image, ...image.datasets].flatMap((one) => one.coordinateTransformations ?? []);
  const hasTranslation = written.some(({ type }) => type === 'translation');
  return { version: String(version), axes, levels, ...(unknownUnit && { unknownUnit }), hasTranslation };
}

/** What is known of the arrays of an image beside its metadata, for {@link impliedTranslation}. */
export interface LevelArrays {
  /** Whether a coarse voxel is the mean of its cell, as of floats; labels take one voxel of it. */
  readonly isMean: boolean;
  /** The shapes of the first level and of this one; absent if the first cannot be opened. */
  readonly shapes?: readonly [first: readonly number[], own: readonly number[]] | undefined;
}

/**
 * The translation of a level if its metadata omit it: (k − 1) / 2 voxels of the first level along each axis, where a voxel of the
 * level covers k of them.
 *
 * - copick 1 writes pyramids of means over whole k without translations, although the first mean lies between voxels.
 * - Older ome-zarr-py resizes to ⌊n / 2⌋ voxels, from edge to edge, and writes the ratio of the sizes as the scale: k is not whole.
 *
 * @returns The translation as written if the metadata give any, if a scale is missing, or if it is neither.
 */
export function impliedTranslation(
  { levels, hasTranslation }: ImageMetadata,
  index: number,
  { isMean, shapes }: LevelArrays,
): readonly number[] {
  const { scale, translation } = levels[index]!;
  const first = levels[0]!.scale;
  if (hasTranslation || !scale || !first) return translation;
  const factors = scale.map((length, i) => length / first[i]!);
  // The tolerance accepts scales that were rounded to a few decimals.
  const isClose = (k: number, to: number) => Math.abs(k - to) <= 1e-3 * k;
  const isWhole = (k: number) => Math.round(k) >= 1 && isClose(k, Math.round(k));
  const ratio = (i: number) => (shapes ? shapes[0][i]! / shapes[1][i]! : Number.NaN);
  const shifts = (ks: readonly number[]) => ks.map((k, i) => ((k - 1) / 2) * first[i]!);
  if (factors.every(isWhole)) return isMean ? shifts(factors.map(Math.round)) : translation;
  const isResized = factors.every((k, i) => k >= 1 && isClose(k, ratio(i)));
  return isResized ? shifts(factors.map((_, i) => ratio(i))) : translation;
}

interface TransformContext {
  readonly rank: number;
  readonly where: string;
}

/** Composes scales and translations in their order. */
function compose(list: readonly Transform[], { rank, where }: TransformContext) {
  let scale: number[] | undefined;
  let translation = new Array<number>(rank).fill(0);
  for (const { type, ...values } of list) {
    if (type === 'identity') continue;
    const numbers = type === 'scale' ? values.scale : type === 'translation' ? values.translation : undefined;
    if (!numbers) {
      const isKnown = type === 'scale' || type === 'translation';
      throw new CryoetPicksError(
        'unsupported',
        `cannot place ${where}: not supported: transform "${type}"${isKnown ? ' without numbers' : ''}; expected scale and translation, with numbers`,
      );
    }
    if (numbers.length !== rank) throw invalid(where, `${type} has ${numbers.length} numbers for ${rank} axes`);
    if (type === 'scale') {
      scale = numbers.map((factor, i) => factor * (scale?.[i] ?? 1));
      translation = translation.map((shift, i) => shift * numbers[i]!);
    } else translation = translation.map((shift, i) => shift + numbers[i]!);
  }
  return { scale, translation };
}

/** Å per unit of an axis, 1 of an axis without a unit or not in space; `undefined` for a unit that is no known unit of length. */
function angstromPer({ name, unit }: ImageAxis): number | undefined {
  if (!['z', 'y', 'x'].includes(name) || unit === undefined) return 1;
  return ANGSTROM_PER_UNIT.get(
    unit
      .toLowerCase()
      .replace(/metre$/, 'meter')
      .replace(/s$/, ''),
  );
}

/**
 * Parses a metadata file, including the bare `NaN` and `Infinity` that Python writes.
 *
 * @throws {@link CryoetPicksError} `invalid-metadata` naming the file.
 */
export function parseMetadataFile(bytes: Uint8Array, where: string): unknown {
  const text = decodeText(bytes, { what: where, code: 'invalid-metadata' });
  if (/^\uFEFF?\s*</.test(text)) {
    const other = where.includes('zarr.json') ? 2 : 3;
    const found = 'it is a web page or XML; hosts of single-page apps send their page where there is no file';
    throw invalid(where, `${found}. If the image is Zarr v${other}, open it with { zarrFormat: ${other} }`);
  }
  return parseJson(text, { what: where, code: 'invalid-metadata', maxDepth: 200 });
}

/** Parses by a schema. @throws {@link CryoetPicksError} `invalid-metadata` with the path of the first issue. */
export function parseMetadata<S extends v.GenericSchema>(schema: S, json: unknown, where: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const path = v.getDotPath(issue);
  throw invalid(where, `${path === null ? '' : `"${path}": `}${issue.message}`);
}

/** Creates an error about invalid metadata. */
export function invalid(where: string, what: string): CryoetPicksError {
  return new CryoetPicksError('invalid-metadata', `cannot understand the metadata of ${where}: ${what}`);
}

/** Creates an error about valid metadata that this library does not support; `what` names the feature, and may say what is supported. */
export function unsupported(where: string, what: string): CryoetPicksError {
  return new CryoetPicksError('unsupported', `cannot read ${where}: not supported: ${what}`);
}

/** Names of channels by index, for those that have one. */
export type ChannelNames = readonly (string | undefined)[];

/**
 * Reads the names of an image's channels: those that copick gives the channels of a panoptic segmentation
 * (`multiscales[0].metadata.copick.channels`), otherwise the labels for viewers (`omero.channels[].label`).
 *
 * Invalid names are ignored, since nothing depends on them.
 */
export function readChannelNames(attributes: unknown): ChannelNames {
  const multiscales = at(attributes, 'multiscales', 0);
  const copick = namesIn(at(multiscales, 'metadata', 'copick', 'channels'));
  if (copick.some((name) => name !== undefined)) return copick;
  const omero = at(attributes, 'omero', 'channels');
  return Array.isArray(omero) ? namesIn(omero.map((channel) => at(channel, 'label'))) : [];
}

function namesIn(list: unknown): ChannelNames {
  return Array.isArray(list) ? list.map((name) => (typeof name === 'string' && name !== '' ? name : undefined)) : [];
}

function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}

/** The version of Zarr's metadata files. */
export type ZarrFormat = 2 | 3;

/**
 * Returns the first result of several candidates, such as metadata files.
 *
 * A candidate that cannot be reached does not stop the search: for a page, an absent file on another server without CORS is a failed
 * connection. But if nothing is found, that may be the reason, so its error is thrown.
 */
export async function firstFound<P, T>(
  candidates: readonly P[],
  look: (candidate: P) => Promise<T | undefined>,
  { signal }: StoreOptions,
): Promise<T | undefined> {
  let failure: unknown;
  for (const candidate of candidates) {
    try {
      const found = await look(candidate);
      if (found !== undefined) return found;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isCryoetPicksError(error, 'not-found')) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}
