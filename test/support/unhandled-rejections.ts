import { afterEach, beforeEach, expect } from 'vitest';

export const pause = (milliseconds: number): Promise<void> =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Fails each test of a file after which some promise was rejected and nobody looked. */
export function forbidUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(async () => {
    await pause(1);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
}
