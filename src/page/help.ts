import { button, element } from './element.ts';
import type { Page } from './page.ts';

/** What the rings mean, and the keys. */
export function help(page: Page, keys: readonly { readonly shown: string; readonly does: string }[]): HTMLElement {
  const { live } = page;
  const root = element(
    'section',
    { className: 'help', role: 'dialog', 'aria-label': 'Help' },
    element('h2', {}, 'Rings'),
    element(
      'p',
      {},
      'A ring is where the slice cuts a particle: full size through its middle, smaller and paler away from it. Dashed: ' +
        'rejected. With a truth: a dot in the ring is a hit, a gap in it a false pick, a cross a missed particle. Compared with ' +
        'another set, which counts before a truth: a dot is in both, a gap only here, white and dashed only there.',
    ),
    element('h2', {}, 'Picks'),
    element(
      'p',
      {},
      'The title at the top left opens something else. A deleted pick is neither kept nor among the rejected ones.',
    ),
    element('p', {}, 'The menu below the buttons Accept and Reject changes the object of the selected pick.'),
    element('h2', {}, 'Keys'),
    element(
      'dl',
      {},
      ...keys
        .filter(({ shown }) => shown !== '')
        .flatMap(({ shown, does }) => [element('dt', {}, shown), element('dd', {}, does)]),
    ),
    button('Close', 'Close (Esc)', () => live.change({ isHelp: false })),
  );
  live.watch(['isHelp'], ({ isHelp }) => {
    root.hidden = !isHelp;
  });
  return root;
}
