import type { ChunkReply } from './chunk-task.ts';

/** Answers of something that may go away: then all that are waited for are refusals, and so are all later ones. */
export class Refusable {
  readonly #waiting = new Set<() => void>();
  #isGone = false;

  /** The answer; a refusal if it never comes because its source has gone, and the source has gone if an answer fails. */
  ask(answer: () => Promise<ChunkReply>): Promise<ChunkReply> {
    if (this.#isGone) return Promise.resolve('refused');
    return new Promise((resolve) => {
      const refuse = () => resolve('refused');
      this.#waiting.add(refuse);
      const settle = (reply: ChunkReply) => {
        this.#waiting.delete(refuse);
        resolve(reply);
      };
      answer().then(settle, () => this.goAway());
    });
  }

  /** Refuses everything from now on. */
  goAway(): void {
    this.#isGone = true;
    for (const refuse of this.#waiting) refuse();
    this.#waiting.clear();
  }
}
