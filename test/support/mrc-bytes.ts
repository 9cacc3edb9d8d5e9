/** What a header written for a test says; all else is as in a file of mrcfile. */
export interface HeaderFields {
  readonly counts?: readonly [number, number, number];
  readonly mode?: number;
  readonly cell?: readonly [number, number, number];
  readonly intervals?: readonly [number, number, number];
  readonly axes?: readonly [number, number, number];
  readonly extendedBytes?: number;
  readonly start?: readonly [number, number, number];
  readonly origin?: readonly [number, number, number];
  readonly angles?: readonly [number, number, number];
  readonly spaceGroup?: number;
  readonly statistics?: readonly [minimum: number, maximum: number];
  readonly imod?: readonly [stamp: number, flags: number];
  readonly machineStamp?: readonly [number, number];
  readonly map?: string;
  readonly littleEndian?: boolean;
}

/** The 1024 bytes of a header, written field by field. */
export function mrcHeader(fields: HeaderFields = {}): Uint8Array {
  const { counts = [5, 4, 3], mode = 2, littleEndian = true, map = 'MAP ' } = fields;
  const { intervals = counts, cell = intervals.map((n) => 10 * n) as [number, number, number] } = fields;
  const { machineStamp = littleEndian ? [0x44, 0x44] : [0x11, 0x11], imod = [0, 0] } = fields;
  const bytes = new Uint8Array(1024);
  const view = new DataView(bytes.buffer);
  const ints = (at: number, values: readonly number[]) =>
    values.forEach((value, i) => {
      view.setInt32(at + 4 * i, value, littleEndian);
    });
  const floats = (at: number, values: readonly number[]) =>
    values.forEach((value, i) => {
      view.setFloat32(at + 4 * i, value, littleEndian);
    });
  ints(0, [...counts, mode, ...(fields.start ?? [0, 0, 0]), ...intervals]);
  floats(40, [...cell, ...(fields.angles ?? [90, 90, 90])]);
  ints(64, fields.axes ?? [1, 2, 3]);
  floats(76, fields.statistics ?? [0, -1]);
  ints(88, [fields.spaceGroup ?? 1, fields.extendedBytes ?? 0]);
  ints(152, imod);
  floats(196, fields.origin ?? [0, 0, 0]);
  bytes.set(new TextEncoder().encode(map), 208);
  bytes.set(machineStamp, 212);
  return bytes;
}

/** A header and the bytes that follow it. */
export function mrcFile(
  fields: HeaderFields,
  data: ArrayBufferView,
  extended: Uint8Array = new Uint8Array(),
): Uint8Array {
  const header = mrcHeader({ ...fields, extendedBytes: extended.length });
  const body = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const file = new Uint8Array(header.length + extended.length + body.length);
  file.set(header);
  file.set(extended, header.length);
  file.set(body, header.length + extended.length);
  return file;
}

/** An MRC file whose header has a cell of 0×0×0 Å, as mrcfile writes it where no voxel size is given. */
export function withoutVoxelSize(file: Uint8Array): Uint8Array {
  return Uint8Array.from(file).fill(0, 40, 52);
}
