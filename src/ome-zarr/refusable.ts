import type { ChunkReply } from './chunk-task.ts';

/** Answers of something that may go away: then all that are waited for tell so, and all later ones are refusals. */
export class Refusable {
  readonly #waiting = new Set<() => void>();
  #isGone = false;

  /**
   * The answer, or `'gone'` if it never comes because its source goes meanwhile, as it does if an answer fails; a refusal if the source had
   * gone before.
   */
  ask(answer: () => Promise<ChunkReply>): Promise<ChunkReply | 'gone'> {
    if (this.#isGone) return Promise.resolve('refused');
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
