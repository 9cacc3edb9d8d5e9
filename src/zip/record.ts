import { crc32 } from '../codecs/crc32.ts';
import { inflate } from '../codecs/inflate.ts';
import { CryoetPicksError, isCryoetPicksError } from '../errors.ts';
import type { RandomAccessReader } from '../mrc/random-access.ts';
import type { StoreOptions } from '../storage/store.ts';
import type { ZipRecord } from './directory.ts';

/** Options of {@link readRecord}. */
export interface ReadRecordOptions extends StoreOptions {
  /** Names the entry in messages. */
  readonly where: string;
}

const LOCAL_HEADER_BYTES = 30;
/** The fields of a local header may be longer than in the directory: by time stamps, or padding that aligns the data. */
const MORE_HEADER_BYTES = 128;
/** A whole entry is not read beyond this. */
const MAX_BYTES = 2 ** 31;

/**
 * Reads an entry whole: its header and data, in one go where the header is no longer than it should be.
 *
 * Source: PKWARE APPNOTE 6.3.10, §4.3.7.
 *
 * @throws {@link CryoetPicksError} `corrupt-data`, `unsupported`.
 */
export async function readRecord(
  reader: RandomAccessReader,
  record: ZipRecord,
  { where, signal }: ReadRecordOptions,
): Promise<Uint8Array> {
  checkRecord(record, where);
  if (record.bytes > MAX_BYTES) {
    const found = `it has ${record.bytes} bytes, expected at most ${MAX_BYTES}`;
    throw new CryoetPicksError('unsupported', `cannot read the whole of ${where}: ${found}`);
  }
  const guess = LOCAL_HEADER_BYTES + record.headerBytes + MORE_HEADER_BYTES;
  const head = await reader.read(record.offset, guess + record.compressedBytes, { signal });
  const start = startIn(head, where);
  const end = start + record.compressedBytes;
  const data =
    end <= head.length
      ? head.subarray(start, end)
      : await reader.read(record.offset + start, record.compressedBytes, { signal });
  if (data.length !== record.compressedBytes) {
    const found = `${data.length} of its ${record.compressedBytes} bytes are there`;
    throw new CryoetPicksError('corrupt-data', `${where} is cut short: ${found}`);
  }
  return record.method === 0 ? checkedStored(data, record, where) : inflated(data, record, where);
}

/** Where the data of an entry start in the file. */
export async function dataStart(
  reader: RandomAccessReader,
  record: ZipRecord,
  { where, signal }: ReadRecordOptions,
): Promise<number> {
  checkRecord(record, where);
  return record.offset + startIn(await reader.read(record.offset, LOCAL_HEADER_BYTES, { signal }), where);
}

/** Refuses what cannot be read, before anything of its size is read. */
function checkRecord({ method, compressedBytes, bytes, refusal }: ZipRecord, where: string): void {
  if (refusal !== undefined) throw new CryoetPicksError('unsupported', `cannot read ${where}: ${refusal}`);
  // A deflated byte stands for at most 1032 bytes.
  const isPlausible = method === 0 ? bytes === compressedBytes : bytes <= 1032 * compressedBytes;
  if (isPlausible) return;
  throw new CryoetPicksError('corrupt-data', `${where} is damaged: ${compressedBytes} bytes are said to hold ${bytes}`);
}

/** Where the data start after the start of a local header. */
function startIn(head: Uint8Array, where: string): number {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (head.length < LOCAL_HEADER_BYTES || view.getUint32(0, true) !== 0x04034b50) {
    throw new CryoetPicksError('corrupt-data', `${where} is damaged: there is no entry where the directory puts it`);
  }
  return LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}

function checkedStored(data: Uint8Array, { crc }: ZipRecord, where: string): Uint8Array {
  const found = crc32(data);
  if (found === crc) return data;
  const what = `its CRC-32 is ${hex(found)}, and the directory says ${hex(crc)}`;
  throw new CryoetPicksError('corrupt-data', `${where} is damaged: ${what}`);
}

/** Inflates data as the gzip file that they are with a header and their checksum, which the platform then verifies. */
async function inflated(data: Uint8Array, { crc, bytes }: ZipRecord, where: string): Promise<Uint8Array> {
  const file = new Uint8Array(data.length + 18);
  file.set([0x1f, 0x8b, 8]);
  file.set(data, 10);
  const view = new DataView(file.buffer);
  view.setUint32(data.length + 10, crc, true);
  view.setUint32(data.length + 14, bytes, true);
  try {
    return await inflate(file, { format: 'gzip', expectedBytes: bytes });
  } catch (cause) {
    if (!isCryoetPicksError(cause)) throw cause;
    throw new CryoetPicksError('corrupt-data', `${where} is damaged: ${cause.message}`, { cause });
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
