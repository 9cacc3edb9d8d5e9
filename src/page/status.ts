import { button, element } from './element.ts';
import type { Page } from './page.ts';

/** The bar under the header while something takes long: what is done, what is left, and how to stop it. */
export function workBar(page: Page): HTMLElement {
  const bar = element('progress', { max: 1, value: 0, 'aria-label': 'Progress' });
  const text = element('span', {});
  const stop = button('Cancel', 'Stop this', page.desk.cancel);
  const place = element('span', { className: 'where' });
  const root = element('div', { className: 'work', role: 'status' }, bar, text, stop, place);
  page.live.watch(['work'], ({ work }) => {
    root.hidden = work === undefined;
    if (work === undefined) return;
    const { what, done, total, since, where } = work;
    bar.value = total === 0 ? 0 : done / total;
    text.textContent = `${what} ${total === 0 ? '' : `${Math.floor((100 * done) / total)} %`}${leftOf(done, total, since)}`;
    place.hidden = where === undefined;
    place.textContent = where ?? '';
    stop.hidden = what === 'Reading voxels';
  });
  return root;
}

/** Time left, once it can be told. */
export function leftOf(done: number, total: number, since: number, now: number = performance.now()): string {
  const elapsed = (now - since) / 1000;
  if (done === 0 || elapsed < 5) return '';
  const seconds = (elapsed / done) * (total - done);
  return seconds < 60 ? ', less than a minute left' : `, ${Math.round(seconds / 60)} min left`;
}

/** How long a message stays that is no error. */
const SHOWN_MS = 10_000;

/** The line at the bottom: what went wrong, or what was done. */
export function messageLine(page: Page): HTMLElement {
  const { live } = page;
  const text = element('span', { className: 'text' });
  const close = button('×', 'Close', () => live.change({ message: undefined }), { 'aria-label': 'Close the message' });
  const root = element('div', { className: 'message', role: 'alert' }, text, close);
  text.addEventListener('click', () => root.classList.toggle('open'));
  let timer: ReturnType<typeof setTimeout> | undefined;
  live.watch(['message'], ({ message }) => {
    clearTimeout(timer);
    // What went well needs no answer; an error stays until it is closed.
    if (message?.isError === false) timer = setTimeout(() => live.change({ message: undefined }), SHOWN_MS);
    root.hidden = message === undefined;
    root.classList.remove('open');
    root.classList.toggle('error', message?.isError ?? false);
    text.textContent = message?.text ?? '';
    text.title = message?.text ?? '';
  });
  return root;
}
