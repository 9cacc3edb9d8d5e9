import { eventLoopTurn } from '../async.ts';

/** Numbers that are worked on in one piece: a few milliseconds. */
export const PIECE: number = 2 ** 19;

/** Does work on ranges of indices, one after the other, and gives the event loop its turn between them. */
export async function inPieces(
  length: number,
  work: (from: number, to: number) => void,
  piece: number = PIECE,
): Promise<void> {
  for (let from = 0; from < length; from += piece) {
    work(from, Math.min(length, from + piece));
    await eventLoopTurn();
  }
}
