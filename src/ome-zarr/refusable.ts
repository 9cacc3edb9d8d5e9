import type { ChunkReply } from './chunk-task.ts';

/** Answers of something that may go away: then all that are waited for tell so, and so do all later ones. */
export class Refusable {
  readonly #waiting = new Set<() => void>();
  #isGone = false;

  /** The answer, unless it never comes because its source has gone; the source has gone if an answer fails. */
  ask(answer: () => Promise<ChunkReply>): Promise<ChunkReply | 'gone'> {
    if (this.#isGone) return Promise.resolve('gone');
    return new Promise((resolve) => {
      const giveUp = () => resolve('gone');
      this.#waiting.add(giveUp);
      const settle = (reply: ChunkReply) => {
        this.#waiting.delete(giveUp);
        resolve(reply);
      };
      answer().then(settle, () => this.goAway());
    });
  }

  /** Answers nothing any more, from now on. */
  goAway(): void {
    this.#isGone = true;
    for (const giveUp of this.#waiting) giveUp();
    this.#waiting.clear();
  }
}
