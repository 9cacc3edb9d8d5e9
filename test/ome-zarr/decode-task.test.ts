import { describe, expect, it } from 'vitest';
import { PendingReplies } from '../../src/ome-zarr/decode-task.ts';

describe('Refusable', () => {
  it('tells those who wait that their source goes, since it may be at work, and refuses those who ask later', async () => {
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

  it('takes a source that fails for one that has gone', async () => {
    const answers = new PendingReplies();
    const waited = answers.ask(() => new Promise(() => {}));
    expect(await answers.ask(() => Promise.reject(new Error('ended')))).toBe('gone');
    expect([await waited, await answers.ask(async () => 'written')]).toEqual(['gone', 'refused']);
  });
});
