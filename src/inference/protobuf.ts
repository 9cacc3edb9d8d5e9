/**
 * Messages of protobuf, in which ONNX files are written, field by field.
 *
 * @module
 */

/** Bytes that are no message of protobuf. */
export class NoMessage extends Error {}

/** A field of a message of protobuf: https://protobuf.dev/programming-guides/encoding */
export interface Field {
  readonly number: number;
  /** Where the field begins, with its tag, and ends. */
  readonly start: number;
  readonly end: number;
  /** The content of a field of bytes, text or a message. */
  readonly bytes: Uint8Array | undefined;
  /** The content of a field of a whole number. */
  readonly value: number | undefined;
}

/** The fields of a message, in order. @throws {@link NoMessage} */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  const cursor = { at: 0 };
  /** The groups that are open, an old way to write a message. */
  const groups: number[] = [];
  while (cursor.at < message.length) {
    const start = cursor.at;
    const tag = readVarint(message, cursor);
    const number = Math.floor(tag / 8);
    if (number === 0) throw new NoMessage();
    let bytes: Uint8Array | undefined;
    let value: number | undefined;
    const wire = tag % 8;
    if (wire === 0) value = readVarint(message, cursor);
    else if (wire === 1) cursor.at += 8;
    else if (wire === 5) cursor.at += 4;
    else if (wire === 3) groups.push(number);
    else if (wire === 4) {
      if (groups.pop() !== number) throw new NoMessage();
    } else if (wire === 2) {
      const length = readVarint(message, cursor);
      bytes = message.subarray(cursor.at, cursor.at + length);
      cursor.at += length;
    } else throw new NoMessage();
    if (cursor.at > message.length) throw new NoMessage();
    if (groups.length === 0) yield { number, start, end: cursor.at, bytes, value };
  }
  if (groups.length > 0) throw new NoMessage();
}

/** Exact up to 2^53. */
function readVarint(message: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
    const byte = message[cursor.at++];
    if (byte === undefined) throw new NoMessage();
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
  throw new NoMessage();
}

/** Tag and length of a field of bytes. */
export function fieldHead(number: number, length: number): Uint8Array {
  return varints(number * 8 + 2, length);
}

/** A field of bytes, a text, or a message of some fields. */
export function bytesField(number: number, ...content: readonly (Uint8Array | string)[]): Uint8Array {
  const parts = content.map((one) => (typeof one === 'string' ? new TextEncoder().encode(one) : one));
  return joinedBytes([
    fieldHead(
      number,
      parts.reduce((sum, { length }) => sum + length, 0),
    ),
    ...parts,
  ]);
}

/** A field of a whole number. */
export function numberField(number: number, value: number): Uint8Array {
  return varints(number * 8, value);
}

/** Bytes one after the other. */
export function joinedBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function varints(...values: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (let rest of values) {
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}
