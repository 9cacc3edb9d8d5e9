/**
 * The thread of `match-threads.ts`. It searches a part of a tomogram that lies in shared memory.
 *
 * @module
 */
export { answerMatchTask as answer } from '../match/threads.ts';
