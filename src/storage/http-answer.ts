import type { ByteRange } from './store.ts';

/** What is known of an answer with status 200, 206 or 416. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly range: ByteRange | undefined;
  /** Where reading stopped on purpose. */
  readonly enough: number;
  /** Whether the page that asks may not see all headers. */
  readonly isForeign: boolean;
}

/** What is wrong with an answer; `undefined` for one that is whole and is what was asked for. */
export function checkAnswer({ status, headers }: Response, received: Received): string | undefined {
  const { bytes, range } = received;
  const part = headers.get('Content-Range');
  if (status === 416) return range && checkUnsatisfied(part, range);
  if (status === 200) return checkLength(headers, received);
  if (!range) return `the server answered a part, ${part ?? '206'}, where the whole was asked for`;
  const short = checkLength(headers, received);
  return short ?? (part === null ? checkUnlabelled(bytes, range) : checkPart(part, { bytes, range }));
}

/** An encoded body is of another length than the header says, and a foreign page does not see that it was encoded. */
function checkLength(headers: Headers, { bytes, enough, isForeign }: Received): string | undefined {
  const promised = Number(headers.get('Content-Length') ?? Number.NaN);
  const isEncoded = (headers.get('Content-Encoding') ?? 'identity') !== 'identity';
  if (isForeign || isEncoded || bytes.length >= enough || Number.isNaN(promised)) return undefined;
  if (bytes.length === promised) return undefined;
  return `${bytes.length} bytes came of the ${promised} that the server promised`;
}

/** A page sees no `Content-Range` of a foreign server that does not expose it. */
function checkUnlabelled(bytes: Uint8Array, range: ByteRange): string | undefined {
  const asked = 'suffixLength' in range ? range.suffixLength : range.length;
  return bytes.length > asked ? `${bytes.length} bytes came where ${asked} were asked for` : undefined;
}

function checkPart(
  part: string,
  { bytes, range }: { readonly bytes: Uint8Array; readonly range: ByteRange },
): string | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(part);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  const total = match?.[3] === undefined || match[3] === '*' ? undefined : Number(match[3]);
  const { from, to } = expectedPart(range, total);
  const isEnd = total !== undefined && last === total - 1;
  const startsRight = from === undefined || first === from;
  const endsRight = to === undefined || last === to || (isEnd && last < to);
  const isTooLong = 'suffixLength' in range && last - first + 1 > range.suffixLength;
  if (!match || !startsRight || !endsRight || isTooLong) {
    return `the server answered another part, ${JSON.stringify(part)}, than the ${describe(range)} asked for`;
  }
  return bytes.length === last - first + 1
    ? undefined
    : `${bytes.length} bytes came of the part ${JSON.stringify(part)}`;
}

/** The first and last byte of a part, as far as they can be known. */
function expectedPart(range: ByteRange, total: number | undefined) {
  if ('offset' in range) return { from: range.offset, to: range.offset + range.length - 1 };
  if (total === undefined) return { from: undefined, to: undefined };
  return { from: Math.max(0, total - range.suffixLength), to: total - 1 };
}

function describe(range: ByteRange): string {
  if ('suffixLength' in range) return `last ${range.suffixLength} bytes`;
  return `bytes ${range.offset}-${range.offset + range.length - 1}`;
}

/** 416 says that the part lies beyond the end, which the total that comes with it must bear out. */
function checkUnsatisfied(part: string | null, range: ByteRange): string | undefined {
  const total = Number(/^bytes \*\/(\d+)$/.exec(part ?? '')?.[1] ?? Number.NaN);
  const isThere = 'suffixLength' in range ? total > 0 : range.offset < total;
  return isThere ? `the server answered that it has no ${describe(range)} of ${total}` : undefined;
}
