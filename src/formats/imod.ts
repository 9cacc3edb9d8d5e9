import { anything, oneOf, optional, requireOptions, text } from '../core/arguments.ts';
import type { Steps } from '../core/concurrency.ts';
import { CryoetPicksError } from '../core/errors.ts';
import type { ParticlePick } from '../picks/pick.ts';
import { toPhysical, toVoxel, type VoxelPlacement, type Zyx } from '../space/grid.ts';
import {
  checkShape,
  checkVoxelSize,
  needVoxelSize,
  requireOption,
  type ShapeOption,
  type StatedSize,
  type VoxelSizeOption,
} from './file-context.ts';
import { checkedFormat, fileWarner, type PicksFormat } from './format.ts';
import { eachInPieces, numberedInstance, onlyRun, type PicksToWrite, pickFrom, picksToWrite } from './pick-fields.ts';

/** Options of {@link imodFormat}. */
export interface ImodFormatOptions extends VoxelSizeOption, ShapeOption {
  /** Run of the model, which holds the points of one tomogram. */
  readonly run?: string | undefined;
  /** Object of points whose model object has no name. */
  readonly object?: string | undefined;
  /**
   * The coordinate of the centre of voxel i along x and y: `half` is i + 0.5, as in IMOD itself; `whole` is i, as in programs
   * that treat points as indices (imodmodel, the data portal). Along z it is i in both cases.
   * @defaultValue `'half'`
   */
  readonly voxelCentre?: 'half' | 'whole' | undefined;
}

const name = 'IMOD model';

/**
 * Points of a binary IMOD model (`.mod`), in voxels of single precision.
 *
 * Objects of the model are objects; the instance id is the surface of a contour (0 means none), the score a general value of a
 * point. The voxel size is that of the options, otherwise that of the model. Picks are read object by object. Meshes are
 * ignored. Points of a model that was saved on a volume with Y and Z flipped, or on a loaded subset, are read in the voxels of the
 * whole volume as it is in its file.
 *
 * @example
 * ```ts
 * const runs = parsePicks(bytes, { format: imodFormat({ run: 'TS_5_4', voxelSize: 10 }) });
 * ```
 */
export function imodFormat(options: ImodFormatOptions = {}): PicksFormat<Uint8Array> {
  requireOptions('imodFormat', options, {
    run: optional(text),
    object: optional(text),
    voxelSize: anything,
    shape: anything,
    voxelCentre: oneOf('half', 'whole', undefined),
  });
  const voxelSize = checkVoxelSize(options.voxelSize);
  const shape = checkShape(options.shape);
  return checkedFormat({
    name,
    content: 'bytes',
    losses: [
      { part: 'orientation', what: 'points of IMOD have no orientation' },
      { part: 'run', what: 'a model of IMOD does not name its tomogram' },
      { part: 'precision', what: 'numbers keep about 7 digits' },
    ],
    *parse(bytes, source, reports) {
      const run = requireOption(options.run, { name: 'run', place: source });
      const warn = fileWarner(source, reports);
      const model = yield* readImodModel(bytes, source, warn);
      const picks = yield* picksOf(model, source, { ...options, voxelSize, warn });
      return picks.length === 0 ? [] : [{ run, picks }];
    },
    *format(runs) {
      const picks = yield* picksToWrite(runs);
      onlyRun(picks, name);
      const size = needVoxelSize(voxelSize, { place: name });
      const model = yield* modelOf(picks, { grid: gridOf(size, options), size });
      const extent = shape ? ([shape[2], shape[1], shape[0]] as const) : yield* extentOf(model);
      yield* imodPieces(model, { extent });
    },
  });
}

function gridOf(voxelSize: Zyx, { voxelCentre = 'half' }: ImodFormatOptions): VoxelPlacement {
  const [z, y, x] = voxelSize;
  const centre = voxelCentre === 'half' ? 0.5 : 0;
  return { voxelSize: [z, y, x], origin: { x: 0 - centre * x, y: 0 - centre * y, z: 0 } };
}

type Warn = ReturnType<typeof fileWarner>;
type Reading = Omit<ImodFormatOptions, 'voxelSize'> & { readonly voxelSize: Zyx | undefined; readonly warn: Warn };

function* picksOf(
  { objects, stated, zScale, toFile }: ReadModel,
  source: string,
  options: Reading,
): Steps<ParticlePick[]> {
  const picks: ParticlePick[] = [];
  for (const [objectIndex, object] of objects.entries()) {
    for (const [contourIndex, contour] of object.contours.entries()) {
      const place = `${source}, object ${objectIndex + 1}, contour ${contourIndex + 1}`;
      const [z, y, x] = needVoxelSize(options.voxelSize, { stated, place, warn: options.warn });
      const grid = gridOf(options.voxelSize ?? [z * zScale, y, x], options);
      const named = object.name.trim() === '' ? options.object : object.name;
      for (const [index, point] of contour.points.entries()) {
        const [x, y, z] = toFile(point);
        const score = contour.scores?.[index] ?? 1;
        if (![x, y, z, score].every(Number.isFinite)) {
          throw new CryoetPicksError('invalid-picks', `${place}, point ${index + 1}: expected finite numbers`);
        }
        const found = {
          object: requireOption(named, { name: 'object', place }),
          position: toPhysical(grid, [z, y, x]),
          score,
        };
        picks.push(pickFrom({ ...found, instance: contour.surface }, place));
        if (picks.length % POINTS === 0) yield;
      }
    }
  }
  return picks;
}

/** Points that are converted between two pauses. */
const POINTS: number = 2 ** 12;

/** One model object per object, and one contour per run of consecutive picks with the same instance id. */
function* modelOf(
  picks: PicksToWrite,
  { grid, size }: { readonly grid: VoxelPlacement; readonly size: Zyx },
): Generator<undefined, ImodModel, undefined> {
  const objects = new Map<string, GatheredContour[]>();
  yield* eachInPieces(picks.each(), (checked) => {
    const { pick, place } = checked;
    const contours = objects.get(pick.object) ?? [];
    objects.set(checkedName(pick.object, place), contours);
    const surface = numberedInstance(checked, name);
    if (surface !== (surface | 0)) {
      throw new CryoetPicksError('invalid-picks', `${place} has instance id ${surface}; IMOD stores ids of 32 bits`);
    }
    if (contours.at(-1)?.surface !== surface) contours.push({ surface, points: [], scores: [] });
    const { points, scores } = contours.at(-1)!;
    scores.push(pick.score);
    const [z, y, x] = toVoxel(grid, pick.position);
    points.push([x, y, z]);
  });
  return { objects: [...objects].map(([object, contours]) => ({ name: object, contours })), pixelSize: size[2] };
}

interface GatheredContour extends ImodContour {
  readonly points: [number, number, number][];
  readonly scores: number[];
}

function checkedName(object: string, place: string): string {
  if (new TextEncoder().encode(object).length < 64 && !object.includes('\0')) return object;
  throw new CryoetPicksError(
    'invalid-picks',
    `${place} belongs to ${JSON.stringify(object)}; IMOD stores names of up to 63 bytes`,
  );
}

function* extentOf({ objects }: ImodModel): Generator<undefined, [number, number, number], undefined> {
  const extent: [number, number, number] = [1, 1, 1];
  for (const { contours } of objects) {
    for (const { points } of contours) {
      for (const [index, point] of points.entries()) {
        for (const axis of [0, 1, 2] as const) extent[axis] = Math.max(extent[axis], Math.ceil(point[axis]) + 1);
        if (index % POINTS === POINTS - 1) yield;
      }
    }
  }
  return extent;
}

/** One contour of a model: points that belong together. */
interface ImodContour {
  readonly surface: number;
  /** x, y, z of each point, in model coordinates. */
  readonly points: readonly (readonly [number, number, number])[];
  /** General values of the points, 1 for one without; absent if none has one. */
  readonly scores?: ArrayLike<number> | undefined;
}

/** One object of a model. */
export interface ImodObject {
  readonly name: string;
  readonly contours: readonly ImodContour[];
}

/** The points of an IMOD model; meshes, views and everything else are ignored. */
interface ImodModel {
  readonly objects: readonly ImodObject[];
  /** Size of a pixel in Å, if the model has a unit. */
  readonly pixelSize?: number | undefined;
}

type ModelPoint = readonly [x: number, y: number, z: number];

/** A model that was read. */
interface ReadModel extends Pick<ImodModel, 'objects'> {
  /** The sizes of a pixel that it states. */
  readonly stated: readonly StatedSize[];
  /** Length of a pixel along z over that along x. */
  readonly zScale: number;
  /** Converts a point to the pixels of the whole volume, as it is in its file. */
  toFile(point: ModelPoint): ModelPoint;
}

interface OpenContour extends ImodContour {
  scores?: Float64Array;
}

interface OpenObject extends ImodObject {
  readonly contours: OpenContour[];
}

const code = 'invalid-picks';
/** Length of the file's header, in bytes. */
const headerBytes: number = 240;
/** Length of an object after its id, in bytes. */
const objectBytes: number = 176;
/** Length of a contour between its id and its points, in bytes. */
const contourBytes: number = 16;
const meshBytes = 16;
/** Length of one item of general storage, in bytes. */
const valueBytes: number = 12;
/** General storage: type 10 is a value of a point, and flag 4 says that the value is a float. */
const pointValue: { readonly type: number; readonly flags: number } = { type: 10, flags: 4 };
/** Å per unit: the unit is a power of ten of a metre, except for 0 (pixels), 1 (m) and 3 (km). */
function angstromPerUnit(unit: number): number | undefined {
  if (unit === 0) return undefined;
  return 10 ** ((unit === 1 ? 0 : unit) + 10);
}

/** Bits of the flags of a model. */
const flag = { originIsKnown: 1 << 14, flipped: 1 << 16, rotated: 1 << 17 } as const;

/** Where the volume that a model was saved on began, from its chunk MINX: along x, y, z of the file. */
interface ImageReference {
  /** Origin of the whole volume, if bit 14 of the flags is set. */
  readonly whole: ModelPoint;
  /** Å per pixel; 1 if unknown. */
  readonly scale: ModelPoint;
  /** Origin of what was loaded. */
  readonly loaded: ModelPoint;
}

/**
 * How points come back to the volume in its file: IMOD exchanges y and z on a flipped volume, and counts from the first voxel that
 * was loaded (`ivwGetImageRef`, `ivwSetModelTrans`, `imodFlipYZ`).
 */
function placement(
  flags: number,
  reference: ImageReference | undefined,
  { source, warn }: { readonly source: string; readonly warn: Warn },
): ReadModel['toFile'] {
  if ((flags & flag.rotated) !== 0) {
    throw new CryoetPicksError(
      'unsupported',
      `${source} was saved on a volume rotated about x (bit 17 of its flags); save it on the volume as it is in its file`,
    );
  }
  const isFlipped = (flags & flag.flipped) !== 0;
  const { whole, scale, loaded } = reference ?? { whole: [0, 0, 0], scale: [1, 1, 1], loaded: [0, 0, 0] };
  const isKnown = (flags & flag.originIsKnown) !== 0;
  if (!isKnown && loaded.some((origin) => origin !== 0)) {
    const message = `${source} says that its volume begins at ${loaded.join(', ')}, but not whether that is a loaded subset; it is read as the whole`;
    warn('subset-unknown', message);
  }
  const [dx, dy, dz] = [0, 1, 2].map((axis) => {
    const offset = isKnown && scale[axis] !== 0 ? (whole[axis]! - loaded[axis]!) / scale[axis]! : 0;
    if (!Number.isFinite(offset)) {
      throw new CryoetPicksError(
        code,
        `${source}: the origins in its chunk MINX are ${whole.join(', ')} and ${loaded.join(', ')}`,
      );
    }
    // Origins are of single precision; subsets begin at whole voxels.
    return Math.abs(offset - Math.round(offset)) < 0.01 ? Math.round(offset) : offset;
  }) as [number, number, number];
  return ([x, y, z]) => (isFlipped ? [x + dx, z + dy, y + dz] : [x + dx, y + dy, z + dz]);
}

/**
 * Reads a binary IMOD model (https://bio3d.colorado.edu/imod/doc/binspec.html).
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for bytes that are not a model, or are truncated.
 */
function* readImodModel(bytes: Uint8Array, source: string, warn: Warn): Steps<ReadModel> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || latin(bytes, 0, 8) !== 'IMODV1.2') {
    throw new CryoetPicksError(code, `${source}: expected a binary IMOD model, which begins with IMODV1.2`);
  }
  const objects: OpenObject[] = [];
  let reference: ImageReference | undefined;
  let at = headerBytes;
  const need = (count: number) => {
    if (count >= 0 && at + count <= bytes.length) return;
    throw new CryoetPicksError(
      code,
      `${source}: IMOD model is truncated: expected ${count} bytes at byte ${at}, but the file has ${bytes.length}`,
    );
  };
  for (;;) {
    need(4);
    const id = latin(bytes, at, at + 4);
    at += 4;
    if (id === 'IEOF') break;
    if (id === 'OBJT') {
      need(objectBytes);
      objects.push({ name: cString(bytes.subarray(at, at + 64)), contours: [] });
      at += objectBytes;
    } else if (id === 'CONT') {
      need(contourBytes);
      const count = view.getInt32(at);
      const surface = view.getInt32(at + 12);
      at += contourBytes;
      need(count * 12);
      const points: [number, number, number][] = [];
      for (let from = 0; from < count; from += POINTS) {
        for (const point of pointsAt(view, at + from * 12, Math.min(POINTS, count - from))) points.push(point);
        yield;
      }
      objects.at(-1)?.contours.push({ surface, points });
      at += count * 12;
    } else if (id === 'MESH') {
      need(meshBytes);
      const [vertices, indices] = [view.getInt32(at), view.getInt32(at + 4)];
      at += meshBytes;
      // Each count is checked separately, so that a negative one cannot move the position backwards.
      need(vertices * 12);
      at += vertices * 12;
      need(indices * 4);
      at += indices * 4;
    } else {
      need(4);
      const size = view.getInt32(at);
      at += 4;
      need(size);
      if (id === 'MINX' && size >= 72) {
        const [, whole, , scale, loaded] = pointsAt(view, at, 6);
        reference = { whole: whole!, scale: scale!, loaded: loaded! };
      }
      if (id === 'COST') yield* readValues(view, { at, size, contour: objects.at(-1)?.contours.at(-1) });
      at += size;
    }
  }
  const scale = angstromPerUnit(view.getInt32(220));
  const stated: StatedSize[] = [
    { size: scale === undefined ? undefined : view.getFloat32(216) * scale, where: 'the pixel size of the model' },
  ];
  // IMOD writes 1 where the volume has no voxel size. Without a unit, the pixel size of the model is unknown too.
  if (scale !== undefined && reference?.scale[0] !== 1) {
    stated.push({ size: reference?.scale[0], where: 'that of the volume it was saved on (MINX)' });
  }
  const zScale = view.getFloat32(192);
  if (scale !== undefined && zScale !== 1 && zScale > 0) {
    warn(
      'z-scale',
      `${source} has a z scale of ${zScale}: without the option voxelSize, its voxels are that much longer along z`,
    );
  }
  const isLength = zScale > 0 && Number.isFinite(zScale);
  return {
    objects,
    stated,
    zScale: isLength ? zScale : 1,
    toFile: placement(view.getInt32(152), reference, { source, warn }),
  };
}

function pointsAt(view: DataView, start: number, count: number): [number, number, number][] {
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * 12;
    return [view.getFloat32(at), view.getFloat32(at + 4), view.getFloat32(at + 8)];
  });
}

function* readValues(
  view: DataView,
  { at, size, contour }: { readonly at: number; readonly size: number; readonly contour: OpenContour | undefined },
): Steps<void> {
  if (contour === undefined) return;
  contour.scores ??= new Float64Array(contour.points.length).fill(1);
  let count = 0;
  for (let item = at; item + valueBytes <= at + size; item += valueBytes) {
    if (++count % POINTS === 0) yield;
    if (view.getInt16(item) !== pointValue.type || (view.getInt16(item + 2) & 12) !== pointValue.flags) continue;
    // A value of no point goes nowhere.
    contour.scores[view.getInt32(item + 4)] = view.getFloat32(item + 8);
  }
}

function latin(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

/** A text that ends at a zero. The format names no encoding: UTF-8 where the bytes can be that, else Latin-1. */
function cString(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0);
  const end = zero < 0 ? bytes.length : zero;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end));
  } catch {
    return latin(bytes, 0, end);
  }
}

/** Options of {@link imodPieces}. */
export interface ImodModelOptions {
  /** Extent of the image along x, y, z. */
  readonly extent: readonly [number, number, number];
}

/** A binary IMOD model of scattered points, piece by piece. */
function* imodPieces(
  { objects, pixelSize }: ImodModel,
  { extent }: ImodModelOptions,
): Generator<Uint8Array, void, undefined> {
  yield header({ count: objects.length, pixelSize: pixelSize ?? 1, extent });
  for (const { name, contours } of objects) {
    yield objectHeader(name, contours.length);
    for (const contour of contours) yield* contourPieces(contour);
  }
  yield ascii('IEOF');
}

function header({ count, pixelSize, extent }: ImodModelOptions & { count: number; pixelSize: number }): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii('IMODV1.2picks'));
  // Flags: z from −0.5 (bit 10), several clipping planes (12), materials as bytes (13).
  const numbers = [...extent, count, 0x3400, 1, 1, 0, 255];
  for (const [index, value] of numbers.entries()) view.setInt32(136 + index * 4, value);
  for (const at of [184, 188, 192]) view.setFloat32(at, 1);
  for (const [at, value] of [
    [208, 3],
    [212, 128],
    [220, -10],
  ] as const)
    view.setInt32(at, value);
  view.setFloat32(216, pixelSize);
  return bytes;
}

function objectHeader(name: string, contours: number): Uint8Array {
  const bytes = new Uint8Array(4 + objectBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii('OBJT'));
  bytes.set(new TextEncoder().encode(name), 4);
  // From byte 132: contours, flags (bit 9: scattered points), axis, drawing mode, green, and a radius of 3 pixels.
  for (const [at, value] of [
    [132, contours],
    [136, 1 << 9],
    [144, 1],
    [160, 3],
  ] as const)
    view.setInt32(at, value);
  view.setFloat32(152, 1);
  bytes.set([1, 3, 1, 1], 164);
  return bytes;
}

function* contourPieces({ surface, points, scores = [] }: ImodContour): Generator<Uint8Array, void, undefined> {
  const head = new Uint8Array(4 + contourBytes);
  const view = new DataView(head.buffer);
  head.set(ascii('CONT'));
  view.setInt32(4, points.length);
  view.setInt32(16, surface);
  yield head;
  for (let from = 0; from < points.length; from += POINTS) {
    yield bytesOf(points.slice(from, from + POINTS), 12, (part, at, point) => {
      for (const axis of [0, 1, 2] as const) part.setFloat32(at + 4 * axis, point[axis]);
    });
  }
  // Only scores other than 1 are stored.
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i] !== 1) count++;
  if (count === 0) return;
  const store = new Uint8Array(8);
  store.set(ascii('COST'));
  new DataView(store.buffer).setInt32(4, count * valueBytes);
  yield store;
  for (let from = 0; from < scores.length; from += POINTS) {
    const stored: number[] = [];
    for (let i = from; i < Math.min(from + POINTS, scores.length); i++) if (scores[i] !== 1) stored.push(i);
    yield bytesOf(stored, valueBytes, (part, at, index) => {
      part.setInt16(at, pointValue.type);
      part.setInt16(at + 2, pointValue.flags);
      part.setInt32(at + 4, index);
      part.setFloat32(at + 8, scores[index]!);
    });
  }
}

/** The bytes of items of one size. */
function bytesOf<T>(
  items: readonly T[],
  size: number,
  write: (view: DataView, at: number, item: T) => void,
): Uint8Array {
  const bytes = new Uint8Array(items.length * size);
  const view = new DataView(bytes.buffer);
  for (const [index, item] of items.entries()) write(view, index * size, item);
  return bytes;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
