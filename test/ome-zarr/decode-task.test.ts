import { describe, expect, it } from 'vitest';
import { MAX_KEPT_BYTES, PendingReplies, Scratch, TASKS_PER_THREAD } from '../../src/ome-zarr/decode-task.ts';

describe('PendingReplies', () => {
  it('PendingReplies resolves pending requests to gone, and later ones to refused', async () => {
    const answers = new PendingReplies();
    expect(await answers.ask(async () => 'written')).toBe('written');
    const waited = answers.ask(() => new Promise(() => {}));
    answers.rejectAll();
    expect(await waited).toBe('gone');
    let isAsked = false;
    const later = await answers.ask(async () => {
      isAsked = true;
      return 'written';
    });
    expect([later, isAsked]).toEqual(['refused', false]);
  });

  it('PendingReplies resolves to gone when a request fails', async () => {
    const answers = new PendingReplies();
    const waited = answers.ask(() => new Promise(() => {}));
    expect(await answers.ask(() => Promise.reject(new Error('ended')))).toBe('gone');
    expect([await waited, await answers.ask(async () => 'written')]).toEqual(['gone', 'refused']);
  });
});

describe('Scratch', () => {
  it('Scratch gives the buffers that it keeps, one for each chunk that a thread has at a time, and none that is too large', () => {
    const scratch = new Scratch();
    const buffers = [10, 20, 30].map((length) => new Uint8Array(length));
    for (const buffer of [...buffers, new Uint8Array(0), new Uint8Array(MAX_KEPT_BYTES + 1)]) scratch.keep(buffer);
    const taken = Array.from({ length: TASKS_PER_THREAD + 1 }, () => scratch.take());
    expect(taken.slice(0, -1)).toEqual([buffers[1], buffers[0]]);
    expect(taken.at(-1)).toHaveLength(0);
  });
});
