import { crops } from './crop.ts';
import { element } from './element.ts';
import { flyTo, listed } from './navigate.ts';
import type { Page } from './page.ts';
import { markOf, type ReviewedPick } from './review.ts';

/** Edge of a crop in the gallery, in screen pixels. */
const EDGE = 64;
/** Width and height of a tile: three crops, a line of text, and the space between tiles. */
const TILE = { width: 3 * EDGE + 20, height: EDGE + 34 };

/** All picks of the object at hand as crops, best first. Only the tiles that show are in the page. */
export function gallery(page: Page): HTMLElement {
  const { live } = page;
  const tiles = element('div', { className: 'tiles' });
  const root = element(
    'section',
    { className: 'gallery', tabIndex: 0, role: 'listbox', 'aria-label': 'Gallery' },
    tiles,
  );
  const made = new Map<string, Tile>();
  let drawn: unknown;
  const draw = () => {
    if (!live.state.isGallery) return;
    const picks = listed(page);
    const perRow = tilesPerRow(root);
    tiles.style.height = `${Math.ceil(picks.length / perRow) * TILE.height}px`;
    const first = Math.max(0, Math.floor(root.scrollTop / TILE.height) - 1) * perRow;
    const last = Math.min(picks.length, first + (Math.ceil(root.clientHeight / TILE.height) + 2) * perRow);
    const shown = picks.slice(first, last);
    if (drawn !== page.colors()) made.clear();
    drawn = page.colors();
    const kept = new Set(shown.map(({ id }) => id));
    for (const id of made.keys()) if (!kept.has(id)) made.delete(id);
    tiles.replaceChildren(
      ...shown.map((pick, i) => {
        const one = made.get(pick.id) ?? tile(page);
        made.set(pick.id, one);
        one.show(pick);
        one.root.style.left = `${((first + i) % perRow) * TILE.width}px`;
        one.root.style.top = `${Math.floor((first + i) / perRow) * TILE.height}px`;
        return one.root;
      }),
    );
  };
  const reveal = () => {
    const index = listed(page).findIndex(({ id }) => id === live.state.selected);
    if (index === -1 || !live.state.isGallery) return;
    const top = Math.floor(index / tilesPerRow(root)) * TILE.height;
    if (top < root.scrollTop) root.scrollTop = top;
    else if (top + TILE.height > root.scrollTop + root.clientHeight) {
      root.scrollTop = top + TILE.height - root.clientHeight;
    }
  };
  root.addEventListener('scroll', draw);
  new ResizeObserver(draw).observe(root);
  live.watch(['isGallery', 'selected', 'object'], ({ isGallery }) => {
    root.hidden = !isGallery;
    reveal();
    draw();
  });
  live.watch(['loaded', 'edits', 'thresholds', 'bricks', 'window', 'isInverted'], draw);
  return root;
}

/** How many tiles of the gallery lie in a row; for the keys that move up and down. */
export function tilesPerRow(root: HTMLElement): number {
  return Math.max(1, Math.floor((root.clientWidth - 8) / TILE.width));
}

interface Tile {
  readonly root: HTMLElement;
  show(pick: ReviewedPick): void;
}

function tile(page: Page): Tile {
  const pictures = crops(page, EDGE, false);
  const caption = element('span', { className: 'caption' });
  let shown: ReviewedPick | undefined;
  let isComplete = false;
  const root = element(
    'div',
    { className: 'tile', role: 'option', on: { click: () => shown && flyTo(page, shown) } },
    pictures.root,
    caption,
  );
  return {
    root,
    show(pick) {
      const { selected } = page.live.state;
      const hasMoved = shown === undefined || shown.position !== pick.position || shown.object !== pick.object;
      if (hasMoved || !isComplete) isComplete = pictures.draw(pick);
      shown = pick;
      caption.textContent = `${markOf(pick)} ${pick.source === 'added' ? 'added' : pick.score.toFixed(3)}`.trim();
      root.className = `tile ${pick.decision ?? ''} ${pick.id === selected ? 'chosen' : ''}`;
      root.setAttribute('aria-selected', String(pick.id === selected));
    },
  };
}
