import { CryoetPicksError } from '../../errors.ts';

/** One contour of a model: points that belong together. */
export interface ImodContour {
  readonly surface: number;
  /** x, y, z of each point, in model coordinates. */
  readonly points: readonly (readonly [number, number, number])[];
  /** General values of points, by index. */
  readonly values: ReadonlyMap<number, number>;
}

/** One object of a model. */
export interface ImodObject {
  readonly name: string;
  readonly contours: readonly ImodContour[];
}

/** The points of an IMOD model; meshes, views and the rest are passed over. */
export interface ImodModel {
  readonly objects: readonly ImodObject[];
  /** Size of a pixel in Å, where the model has a unit. */
  readonly pixelSize?: number | undefined;
}

interface OpenContour extends ImodContour {
  readonly values: Map<number, number>;
}

interface OpenObject extends ImodObject {
  readonly contours: OpenContour[];
}

const code = 'invalid-picks';
/** Bytes of the file's header. */
export const headerBytes: number = 240;
/** Bytes of an object, after its id. */
export const objectBytes: number = 176;
/** Bytes of a contour, after its id and before its points. */
export const contourBytes: number = 16;
const meshBytes = 16;
/** Bytes of one item of general storage. */
export const valueBytes: number = 12;
/** General storage: type 10 is a value of a point, and flag 4 says that the value is a float. */
export const pointValue: { readonly type: number; readonly flags: number } = { type: 10, flags: 4 };
/** Å per unit: the unit is the power of ten of a metre, but for 0 (pixels), 1 (m) and 3 (km). */
function angstromPerUnit(unit: number): number | undefined {
  if (unit === 0) return undefined;
  return 10 ** ((unit === 1 ? 0 : unit) + 10);
}

/**
 * Reads a binary IMOD model (https://bio3d.colorado.edu/imod/doc/binspec.html).
 *
 * @throws {@link CryoetPicksError} `invalid-picks` for what is no model, or is cut off.
 */
export function readImodModel(bytes: Uint8Array, source: string): ImodModel {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || latin(bytes, 0, 8) !== 'IMODV1.2') {
    throw new CryoetPicksError(code, `${source}: expected a binary IMOD model, which begins with IMODV1.2`);
  }
  const objects: OpenObject[] = [];
  let at = headerBytes;
  const need = (count: number) => {
    if (count >= 0 && at + count <= bytes.length) return;
    throw new CryoetPicksError(
      code,
      `${source}: IMOD model is cut off: byte ${at} wants ${count} more of ${bytes.length}`,
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
      objects.at(-1)?.contours.push({ surface, points: pointsAt(view, at, count), values: new Map() });
      at += count * 12;
    } else if (id === 'MESH') {
      need(meshBytes);
      const [vertices, indices] = [view.getInt32(at), view.getInt32(at + 4)];
      at += meshBytes;
      // Each on its own, so that no negative count leads back.
      need(vertices * 12);
      at += vertices * 12;
      need(indices * 4);
      at += indices * 4;
    } else {
      need(4);
      const size = view.getInt32(at);
      at += 4;
      need(size);
      if (id === 'COST') readValues(view, { at, size, contour: objects.at(-1)?.contours.at(-1) });
      at += size;
    }
  }
  const scale = angstromPerUnit(view.getInt32(220));
  return { objects, ...(scale === undefined ? {} : { pixelSize: view.getFloat32(216) * scale }) };
}

function pointsAt(view: DataView, start: number, count: number): [number, number, number][] {
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * 12;
    return [view.getFloat32(at), view.getFloat32(at + 4), view.getFloat32(at + 8)];
  });
}

function readValues(
  view: DataView,
  { at, size, contour }: { readonly at: number; readonly size: number; readonly contour: OpenContour | undefined },
): void {
  for (let item = at; item + valueBytes <= at + size; item += valueBytes) {
    if (view.getInt16(item) !== pointValue.type || (view.getInt16(item + 2) & 12) !== pointValue.flags) continue;
    contour?.values.set(view.getInt32(item + 4), view.getFloat32(item + 8));
  }
}

function latin(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
