import { describe, expect, it } from 'vitest';
import { PendingReplies } from '../../src/ome-zarr/decode-task.ts';

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
