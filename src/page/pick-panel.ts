import { counted } from './counted.ts';
import { crops } from './crop.ts';
import { button, chooser, element, setOptions } from './element.ts';
import {
  addPick,
  decide,
  deletePick,
  flyTo,
  listed,
  redo,
  renamePick,
  selectedPick,
  step,
  stepToOpen,
  undo,
} from './navigate.ts';
import type { Page } from './page.ts';
import { hasScore, markOf, type ReviewedPick, scoreText } from './review.ts';

/** Height of a row of the list, in screen pixels. */
const ROW = 22;

/** The selected pick, with three crops and what can be done to it, and the list of all picks of the object. */
export function pickPanel(page: Page): HTMLElement {
  const { live } = page;
  const title = element('h2', {}, 'Picks');
  const pictures = crops(page, 84, true);
  const facts = element('p', { className: 'facts' });
  const rename = chooser('Object of the pick', (object) => renamePick(page, object));
  const details = element('div', { className: 'details' }, pictures.root, facts);
  const commands = element(
    'div',
    { className: 'commands' },
    button('✓', 'Accept, and go on (A)', () => decide(page, 'accepted'), { 'aria-label': 'Accept' }),
    button('✗', 'Reject, and go on (X)', () => decide(page, 'rejected'), { 'aria-label': 'Reject' }),
    button('‹', 'Previous pick (K)', () => step(page, -1), { 'aria-label': 'Previous pick' }),
    button('›', 'Next pick (J)', () => step(page, 1), { 'aria-label': 'Next pick' }),
    button('»', 'Next undecided pick, of any object (U)', () => stepToOpen(page), {
      'aria-label': 'Next undecided pick',
    }),
    button('+', 'Add a pick where the slices meet', () => addPick(page, live.state.position), {
      'aria-label': 'Add a pick',
    }),
    button('⌫', 'Delete (Del)', () => deletePick(page), { 'aria-label': 'Delete' }),
    button('↶', 'Undo, back to the last save (Z)', () => undo(page), { 'aria-label': 'Undo' }),
    button('↷', 'Redo (shift Z)', () => redo(page), { 'aria-label': 'Redo' }),
    rename,
  );
  const list = pickList(page);
  const update = () => {
    const picks = listed(page);
    const selected = selectedPick(page);
    const index = picks.findIndex(({ id }) => id === selected?.id);
    title.textContent = index === -1 ? counted(picks.length, 'pick') : `Pick ${index + 1} of ${picks.length}`;
    details.hidden = selected === undefined;
    rename.hidden = selected === undefined;
    if (selected) {
      pictures.draw(selected);
      facts.textContent = factsOf(selected);
      setOptions(
        rename,
        live.state.objects.map(({ name }) => name),
        selected.object,
      );
    }
    list.update(picks);
  };
  live.watch(['loaded', 'edits', 'thresholds', 'object', 'selected', 'objects'], update);
  live.watch(['bricks', 'window', 'isInverted'], () => {
    const selected = selectedPick(page);
    if (selected) pictures.draw(selected);
  });
  return element('section', { className: 'panel picks', 'aria-label': 'Picks' }, title, details, commands, list.root);
}

function factsOf(pick: ReviewedPick): string {
  const { position, decision, source } = pick;
  const { x, y, z } = position;
  const words = [
    hasScore(pick) ? `score ${scoreText(pick)}` : scoreText(pick),
    `x ${x.toFixed(1)}  y ${y.toFixed(1)}  z ${z.toFixed(1)} Å`,
  ];
  if (source !== 'found') words.push(source);
  if (decision) words.push(decision);
  else if (source === 'found') words.push('not decided');
  return words.join(' · ');
}

/** A list of any length: only the rows that show are in the page. */
function pickList(page: Page): { readonly root: HTMLElement; update(picks: readonly ReviewedPick[]): void } {
  const rows = element('div', { className: 'rows' });
  const root = element(
    'div',
    { className: 'list', role: 'listbox', tabIndex: 0, 'aria-label': 'Picks by score' },
    rows,
  );
  let picks: readonly ReviewedPick[] = [];
  let shown: string | undefined;
  const draw = () => {
    const first = Math.max(0, Math.floor(root.scrollTop / ROW) - 2);
    const last = Math.min(picks.length, first + Math.ceil(root.clientHeight / ROW) + 4);
    rows.style.height = `${picks.length * ROW}px`;
    rows.replaceChildren(...picks.slice(first, last).map((pick, i) => row(page, pick, first + i, picks.length)));
  };
  root.addEventListener('scroll', draw);
  new ResizeObserver(draw).observe(root);
  return {
    root,
    update(now) {
      picks = now;
      const { selected } = page.live.state;
      const index = picks.findIndex(({ id }) => id === selected);
      if (selected !== shown && index !== -1) {
        const [top, bottom] = [index * ROW, (index + 1) * ROW];
        if (top < root.scrollTop) root.scrollTop = top;
        else if (bottom > root.scrollTop + root.clientHeight) root.scrollTop = bottom - root.clientHeight;
      }
      shown = selected;
      draw();
    },
  };
}

function row(page: Page, pick: ReviewedPick, index: number, total: number): HTMLElement {
  const { x, y, z } = pick.position;
  const isSelected = pick.id === page.live.state.selected;
  const made = element(
    'div',
    {
      className: `row ${pick.decision ?? ''} ${isSelected ? 'chosen' : ''}`,
      role: 'option',
      'aria-selected': isSelected,
      'aria-posinset': index + 1,
      'aria-setsize': total,
      on: { click: () => flyTo(page, pick) },
    },
    element('span', { className: 'mark' }, markOf(pick)),
    element('span', { className: 'number' }, pick.source === 'added' ? 'added' : pick.score.toFixed(3)),
    element('span', { className: 'place' }, [x, y, z].map((value) => value.toFixed(0)).join('  ')),
  );
  made.style.top = `${index * ROW}px`;
  return made;
}
