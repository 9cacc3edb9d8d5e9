import {
  contourBytes,
  headerBytes,
  type ImodContour,
  type ImodModel,
  objectBytes,
  pointValue,
  valueBytes,
} from './imod-model.ts';

/** What {@link writeImodModel} needs beside the points. */
export interface ImodModelOptions {
  /** Extent of the image along x, y, z. */
  readonly extent: readonly [number, number, number];
}

/** Writes a binary IMOD model of scattered points. */
export function writeImodModel({ objects, pixelSize }: ImodModel, { extent }: ImodModelOptions): Uint8Array {
  const parts = [header({ count: objects.length, pixelSize: pixelSize ?? 1, extent })];
  for (const { name, contours } of objects) {
    parts.push(objectHeader(name, contours.length));
    for (const contour of contours) parts.push(contourChunk(contour));
  }
  parts.push(ascii('IEOF'));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
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

function contourChunk({ surface, points, values }: ImodContour): Uint8Array {
  const head = 4 + contourBytes + points.length * 12;
  const bytes = new Uint8Array(head + (values.size > 0 ? 8 + values.size * valueBytes : 0));
  const view = new DataView(bytes.buffer);
  bytes.set(ascii('CONT'));
  view.setInt32(4, points.length);
  view.setInt32(16, surface);
  for (const [index, value] of points.flat().entries()) view.setFloat32(20 + index * 4, value);
  if (values.size === 0) return bytes;
  bytes.set(ascii('COST'), head);
  view.setInt32(head + 4, values.size * valueBytes);
  let at = head + 8;
  for (const [index, value] of values) {
    view.setInt16(at, pointValue.type);
    view.setInt16(at + 2, pointValue.flags);
    view.setInt32(at + 4, index);
    view.setFloat32(at + 8, value);
    at += valueBytes;
  }
  return bytes;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
