import { onAbort } from './abort.ts';
import type { HttpClock } from './http.ts';

/** The clock and the chance of the platform. */
export const platformClock: HttpClock = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        stopWaiting();
        resolve();
      }, milliseconds);
      const stopWaiting = onAbort(signal, () => {
        clearTimeout(timer);
        reject(signal?.reason);
      });
    }),
};
