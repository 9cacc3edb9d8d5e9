import {
  decide,
  deletePick,
  flyTo,
  listed,
  moveSlice,
  redo,
  step,
  stepToDoubtful,
  stepToOpen,
  undo,
  zoomBy,
} from './navigate.ts';
import type { Page } from './page.ts';

/** What keys do that is not done by the state alone. */
export interface KeyCommands {
  readonly fit: () => void;
  readonly save: () => void;
  readonly detect: () => void;
  readonly teach: () => void;
  /** Tiles in a row of the gallery. */
  readonly tilesPerRow: () => number;
}

interface Key {
  /** As in `KeyboardEvent.key`, lower case. */
  readonly keys: readonly string[];
  /** As it is shown in the help. */
  readonly shown: string;
  readonly does: string;
  readonly press: (event: KeyboardEvent) => void;
  /** True if it goes on while it is held; any other key acts once. */
  readonly isHeld?: boolean | undefined;
}

/** All keys, in the order of the help. */
export function keysOf(page: Page, commands: KeyCommands): readonly Key[] {
  const { live } = page;
  const slice = (by: number) => moveSlice(page, 0, by);
  const inGallery = (by: () => number, otherwise: () => void) => () => {
    if (!live.state.isGallery) return otherwise();
    const picks = listed(page);
    const at = picks.findIndex(({ id }) => id === live.state.selected);
    const next = picks[Math.min(picks.length - 1, Math.max(0, at === -1 ? 0 : at + by()))];
    if (next) flyTo(page, next);
  };
  return [
    { keys: ['?'], shown: '?', does: 'these keys', press: () => live.change({ isHelp: !live.state.isHelp }) },
    { keys: [','], shown: 'wheel , .', does: 'previous and next slice', press: () => slice(-1), isHeld: true },
    { keys: ['.'], shown: '', does: '', press: () => slice(1), isHeld: true },
    { keys: ['pageup'], shown: 'PgUp PgDn', does: 'ten slices', press: () => slice(-10), isHeld: true },
    { keys: ['pagedown'], shown: '', does: '', press: () => slice(10), isHeld: true },
    { keys: [], shown: 'drag, ctrl wheel', does: 'pan, zoom', press: () => undefined },
    { keys: [], shown: 'space drag', does: 'pan, while editing too', press: () => undefined },
    { keys: ['+', '='], shown: '+ −', does: 'zoom', press: () => zoomBy(page, 1.25), isHeld: true },
    { keys: ['-'], shown: '', does: '', press: () => zoomBy(page, 0.8), isHeld: true },
    { keys: ['f'], shown: 'F', does: 'fit the slice', press: commands.fit },
    { keys: [], shown: 'right drag', does: 'contrast', press: () => undefined },
    {
      keys: ['i'],
      shown: 'I',
      does: 'invert the display',
      press: () => live.change({ isInverted: !live.state.isInverted }),
    },
    { keys: ['r'], shown: 'R', does: 'rings on or off', press: () => live.change({ hasRings: !live.state.hasRings }) },
    {
      keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
      shown: '1 … 9',
      does: 'choose an object',
      press: ({ key }) => {
        const object = live.state.objects[Number(key) - 1];
        if (object) live.change({ object: object.name });
      },
    },
    { keys: ['j'], shown: 'J K', does: 'next and previous pick', press: () => step(page, 1), isHeld: true },
    { keys: ['k'], shown: '', does: '', press: () => step(page, -1), isHeld: true },
    { keys: ['u'], shown: 'U', does: 'next undecided pick', press: () => stepToOpen(page) },
    { keys: ['g'], shown: 'G', does: 'gallery', press: () => live.change({ isGallery: !live.state.isGallery }) },
    {
      keys: ['arrowright'],
      shown: 'arrows',
      does: 'move in the gallery, else slices',
      press: inGallery(
        () => 1,
        () => slice(1),
      ),
      isHeld: true,
    },
    {
      keys: ['arrowleft'],
      shown: '',
      does: '',
      press: inGallery(
        () => -1,
        () => slice(-1),
      ),
      isHeld: true,
    },
    { keys: ['arrowdown'], shown: '', does: '', press: inGallery(commands.tilesPerRow, () => slice(1)), isHeld: true },
    {
      keys: ['arrowup'],
      shown: '',
      does: '',
      press: inGallery(
        () => -commands.tilesPerRow(),
        () => slice(-1),
      ),
      isHeld: true,
    },
    { keys: ['a'], shown: 'A', does: 'accept, and go on', press: () => decide(page, 'accepted') },
    { keys: ['x'], shown: 'X', does: 'reject, and go on', press: () => decide(page, 'rejected') },
    {
      keys: ['z'],
      shown: 'Z, shift Z',
      does: 'undo, redo, back to the last save',
      press: ({ shiftKey }) => (shiftKey ? redo(page) : undo(page)),
    },
    {
      keys: ['e'],
      shown: 'E',
      does: 'edit: a click adds a pick at the darkest place nearby (alt: exactly here), a drag moves one',
      press: () => live.change({ mode: live.state.mode === 'edit' ? 'look' : 'edit' }),
    },
    { keys: ['delete', 'backspace'], shown: 'Del', does: 'delete the pick', press: () => deletePick(page) },
    { keys: ['d'], shown: 'D', does: 'detect', press: commands.detect },
    { keys: ['t'], shown: 'T', does: 'teach the network new objects by your picks', press: commands.teach },
    { keys: ['l'], shown: 'L', does: 'next pick that it is least sure of', press: () => stepToDoubtful(page) },
    { keys: ['s'], shown: 'S', does: 'save', press: commands.save },
    {
      keys: ['escape'],
      shown: 'Esc',
      does: 'close',
      press: () => live.change({ isHelp: false, isGallery: false, mode: 'look', message: undefined }),
    },
  ];
}

/** Listens for keys, except where text is typed or a dialog is open. */
export function attachKeys(keys: readonly Key[]): void {
  const byKey = new Map(keys.flatMap((key) => key.keys.map((name) => [name, key] as const)));
  addEventListener('keydown', (event) => {
    const isFreeZ = event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey);
    if ((event.ctrlKey || event.metaKey) && !isFreeZ) return;
    if (event.altKey || document.querySelector('dialog[open]') || leavesField(event) || isTyping(event)) return;
    const key = byKey.get(event.key.toLowerCase());
    if (key === undefined) return;
    event.preventDefault();
    if (!event.repeat || key.isHeld) key.press(event);
  });
}

/** Enter and Escape leave a field, so that the next key is one of the page. What Enter leaves counts as typed. */
function leavesField({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLInputElement) || !/^(enter|escape)$/i.test(key)) return false;
  if (key.toLowerCase() === 'escape') target.dispatchEvent(new Event('cancel'));
  target.blur();
  return true;
}

/** True where the key belongs to a field. A slider and a list to choose from keep only those that move in them. */
function isTyping({ target, key }: KeyboardEvent): boolean {
  const isText = target instanceof HTMLInputElement && target.type !== 'range';
  const isField = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
  return isText || (isField && /^(arrow|page|home|end)/i.test(key));
}
