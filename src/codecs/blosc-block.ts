import { type BloscHeader, failBlosc } from './blosc-header.ts';
import type { BloscKernel, Span } from './blosc-kernel.ts';
import { decodeLz4Into } from './lz4.ts';
import { unshuffleBitsInto, unshuffleInto } from './shuffle.ts';

/** Decodes one compressed stream that is known to decode to `decodedBytes`. */
export type StreamDecoder = (stream: Uint8Array, decodedBytes: number) => Promise<Uint8Array>;

/** Decodes block `index` of a blosc buffer into `target`, which is as long as the block. */
export type BlockDecoder = (streams: readonly Span[], target: Uint8Array, index: number) => Promise<void> | void;

/** Decodes lz4 blocks: by the kernel where there is one and the block is of a kind that it knows, else in plain loops. */
export function blockOfLz4(bytes: Uint8Array, header: BloscHeader, kernel: BloscKernel | undefined): BlockDecoder {
  const typeSize = header.shuffle === 'none' ? 1 : header.typeSize;
  const isKnown = header.shuffle !== 'bits' && (typeSize === 1 || typeSize === 2 || typeSize === 4);
  if (kernel && isKnown) {
    return (streams, target, index) => {
      if (!kernel.decodeInto({ bytes, streams, typeSize }, target)) failLz4(index);
    };
  }
  const scratch = scratchFor(header);
  return (streams, target, index) => {
    const plain = scratch?.subarray(0, target.length) ?? target;
    const part = target.length / streams.length;
    for (const [n, { start, end }] of streams.entries()) {
      if (end - start === part) plain.set(bytes.subarray(start, end), n * part);
      else if (!decodeLz4Into(bytes, start, end, plain, n * part, part)) failLz4(index);
    }
    unshuffleBlock(plain, target, header);
  };
}

/** Decodes blocks of other formats stream by stream. */
export function blockByStreams(bytes: Uint8Array, header: BloscHeader, decode: StreamDecoder): BlockDecoder {
  const scratch = scratchFor(header);
  return async (streams, target, index) => {
    const plain = scratch?.subarray(0, target.length) ?? target;
    const part = target.length / streams.length;
    for (const [n, { start, end }] of streams.entries()) {
      const stream = bytes.subarray(start, end);
      const decoded = stream.length === part ? stream : await decode(stream, part);
      if (decoded.length !== part) {
        failBlosc(`a stream of blosc block ${index} decodes to ${decoded.length} bytes, expected ${part}`);
      }
      plain.set(decoded, n * part);
    }
    unshuffleBlock(plain, target, header);
  };
}

function scratchFor({ shuffle, blockBytes }: BloscHeader): Uint8Array | undefined {
  return shuffle === 'none' ? undefined : new Uint8Array(blockBytes);
}

function unshuffleBlock(plain: Uint8Array, target: Uint8Array, { shuffle, typeSize }: BloscHeader): void {
  if (shuffle === 'bytes') unshuffleInto(plain, target, typeSize);
  if (shuffle === 'bits') unshuffleBitsInto(plain, target, typeSize);
}

function failLz4(index: number): never {
  failBlosc(`an lz4 stream of blosc block ${index} does not decode to its size`);
}
