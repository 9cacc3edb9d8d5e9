import { button, element } from './element.ts';
import type { Page } from './page.ts';
import type { State } from './state.ts';

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

/** How long a message stays that needs no answer. */
const SHOWN_MS = 10_000;

/** Characters that are read at a glance. */
const GLANCE = 120;

/** True for a message that stays until it is closed or another comes: an error, and what takes longer to read. */
export function stays({ text, isError }: NonNullable<State['message']>): boolean {
  return isError || text.length > GLANCE;
}

/** The lines at the bottom: what went wrong, or what was done. Three show; a button gives the others. */
export function messageLine(page: Page): HTMLElement {
  const { live } = page;
  const text = element('span', { className: 'text' });
  const more = button('More', 'Show all of the message', () => open(!root.classList.contains('open')));
  const close = button('×', 'Close', () => live.change({ message: undefined }), { 'aria-label': 'Close the message' });
  const root = element('div', { className: 'message', role: 'alert' }, text, more, close);
  const open = (isOpen: boolean) => {
    root.classList.toggle('open', isOpen);
    more.textContent = isOpen ? 'Less' : 'More';
    more.setAttribute('aria-expanded', String(isOpen));
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    clearTimeout(timer);
    const { message } = live.state;
    if (message && !stays(message)) timer = setTimeout(() => live.change({ message: undefined }), SHOWN_MS);
  };
  // It is being read.
  root.addEventListener('pointerenter', () => clearTimeout(timer));
  root.addEventListener('pointerleave', wait);
  new ResizeObserver(() => {
    // While it is open, nothing is hidden that could be measured.
    if (!root.classList.contains('open')) more.hidden = text.scrollHeight <= text.clientHeight;
  }).observe(text);
  live.watch(['message'], ({ message }) => {
    wait();
    root.hidden = message === undefined;
    root.classList.toggle('error', message?.isError ?? false);
    text.textContent = message?.text ?? '';
    open(false);
    more.hidden = text.scrollHeight <= text.clientHeight;
  });
  return root;
}
