import { button, chooser, element, field, NONE, setOptions } from './element.ts';
import { stepDifference, zoomBy } from './navigate.ts';
import type { Page } from './page.ts';
import { lengthUnit } from './state.ts';

const MEANS = ['1 slice', '3 slices', '5 slices', '9 slices', '15 slices'];

/** What a display panel does beside the state. */
export interface DisplayCommands {
  readonly fit: () => void;
  readonly giveVoxelSize: (size: number) => void;
  readonly chooseSegmentation: (label: string | undefined) => void;
  readonly chooseTruth: (label: string | undefined) => void;
  readonly chooseOther: (label: string | undefined) => void;
}

/** How slices are shown: position, thickness, contrast, overlay; and whether a press looks or edits. */
export function displayPanel(page: Page, commands: DisplayCommands): HTMLElement {
  const { live } = page;
  const place = element('output', { className: 'place', title: 'Where the slices meet' });
  const size = voxelSizeField(page, commands);
  const mean = chooser('Mean of', (label) => live.change({ mean: Number.parseInt(label, 10) }));
  const given = (label: string) => (label === NONE ? undefined : label);
  const truth = chooser('Truth', (label) => commands.chooseTruth(given(label)));
  const other = chooser('Compare with', (label) => commands.chooseOther(given(label)));
  const both = element('span', {});
  const onlyHere = button('', 'Fly to the next pick that only the shown set has', () =>
    stepDifference(page, 'onlyHere'),
  );
  const onlyThere = button('', 'Fly to the next pick that only the other set has', () =>
    stepDifference(page, 'onlyThere'),
  );
  const title = 'The rings show how the sets compare; the score is that of the truth';
  const counts = element('p', { className: 'quiet counts', title }, both, ' · ', onlyHere, ' · ', onlyThere);
  const overlay = chooser('Segmentation', (label) => commands.chooseSegmentation(given(label)));
  const overlayField = field('Overlay', overlay);
  const contrast = button('Reset', 'Contrast by percentiles again; drag with the right button to set it', () => {
    if (page.volume) live.change({ window: page.volume.window });
  });
  const levels = contrastSliders(page);
  const toggles = {
    edit: button('Edit', 'A click adds a pick, a drag moves one (E)', () =>
      live.change({ mode: live.state.mode === 'edit' ? 'look' : 'edit' }),
    ),
    rings: button('Rings', 'Show or hide all rings (R)', () => live.change({ hasRings: !live.state.hasRings })),
    invert: button('Invert', 'Invert the display (I)', () => live.change({ isInverted: !live.state.isInverted })),
  };
  live.watch(
    ['position', 'grid', 'isUnscaled', 'mean', 'mode', 'hasRings', 'isInverted', 'segmentations', 'segmentation'],
    ({
      position: { x, y, z },
      grid,
      isUnscaled,
      mean: planes,
      mode,
      hasRings,
      isInverted,
      segmentations,
      segmentation,
    }) => {
      place.textContent = grid
        ? `x ${x.toFixed(0)}  y ${y.toFixed(0)}  z ${z.toFixed(0)} ${lengthUnit({ isUnscaled })}`
        : '';
      setOptions(
        mean,
        MEANS,
        MEANS.find((label) => Number.parseInt(label, 10) === planes),
      );
      setOptions(overlay, [NONE, ...segmentations], segmentation ?? NONE);
      overlayField.hidden = segmentations.length === 0;
      press(toggles.edit, mode === 'edit');
      press(toggles.rings, hasRings);
      press(toggles.invert, isInverted);
    },
  );
  live.watch(['sets', 'truthSet', 'otherSet'], ({ sets, truthSet, otherSet }) => {
    setOptions(truth, [NONE, ...sets], truthSet ?? NONE);
    setOptions(other, [NONE, ...sets], otherSet ?? NONE);
  });
  live.watch(['others', 'otherSet', 'loaded', 'edits', 'thresholds', 'objects'], () => {
    const difference = page.difference();
    counts.hidden = difference === undefined;
    if (difference === undefined) return;
    both.textContent = `both ${difference.both.size}`;
    onlyHere.textContent = `only here ${difference.onlyHere.length}`;
    onlyThere.textContent = `only there ${difference.onlyThere.length}`;
    onlyHere.disabled = difference.onlyHere.length === 0;
    onlyThere.disabled = difference.onlyThere.length === 0;
  });
  return element(
    'section',
    { className: 'display', 'aria-label': 'Display' },
    place,
    size,
    levels,
    field('Mean of', mean),
    field('Truth', truth),
    field('Compare', other),
    counts,
    overlayField,
    element(
      'div',
      { className: 'commands' },
      toggles.edit,
      toggles.rings,
      toggles.invert,
      contrast,
      button('−', 'Zoom out (−)', () => zoomBy(page, 0.8), { 'aria-label': 'Zoom out' }),
      button('+', 'Zoom in (+)', () => zoomBy(page, 1.25), { 'aria-label': 'Zoom in' }),
      button('Fit', 'Fit the slice (F)', commands.fit),
    ),
  );
}

/** In Å: no tomogram has smaller or larger voxels. */
const VOXEL_SIZES = { least: 0.01, most: 1000 };

/** The voxel size in Å that a person types, with a point or a comma; undefined for any other text. */
export function voxelSizeFrom(typed: string): number | undefined {
  const size = Number(typed.trim().replace(',', '.'));
  return size >= VOXEL_SIZES.least && size <= VOXEL_SIZES.most ? size : undefined;
}

/** Asks for the voxel size of a file that does not say it; one that was given can be changed. */
function voxelSizeField({ live, desk }: Page, { giveVoxelSize }: Pick<DisplayCommands, 'giveVoxelSize'>): HTMLElement {
  const input = element('input', {
    type: 'text',
    inputMode: 'decimal',
    placeholder: 'Å',
    'aria-label': 'Voxel size (Å)',
  });
  const whole = field('Voxel size', input);
  input.addEventListener('change', () => {
    const size = voxelSizeFrom(input.value);
    if (size !== undefined) return giveVoxelSize(size);
    const expected = `expected a length in Å, from ${VOXEL_SIZES.least} to ${VOXEL_SIZES.most}`;
    desk.tell(new Error(`The voxel size is ${JSON.stringify(input.value)}, ${expected}.`));
  });
  // What was typed does not count.
  input.addEventListener('cancel', () => {
    input.value = live.state.voxelSize?.toString() ?? '';
  });
  live.watch(['isUnscaled', 'voxelSize'], ({ isUnscaled, voxelSize }) => {
    whole.hidden = !isUnscaled && voxelSize === undefined;
    whole.classList.toggle('asked', isUnscaled);
    if (document.activeElement !== input) input.value = voxelSize?.toString() ?? '';
  });
  return whole;
}

/** The levels of grey that show black and white, each by a slider that fingers and keys reach. */
function contrastSliders(page: Page): HTMLElement {
  const { live } = page;
  const slider = (name: string, set: (value: number, gap: number) => void) => {
    const made = element('input', { type: 'range', min: '0', max: '1', step: 'any', 'aria-label': name, title: name });
    made.addEventListener('input', () => set(Number(made.value), (Number(made.max) - Number(made.min)) / 250));
    return made;
  };
  // Black stays below white.
  const black = slider('Black level', (value, gap) => {
    const { white } = live.state.window;
    live.change({ window: { white, black: Math.min(value, white - gap) } });
  });
  const white = slider('White level', (value, gap) => {
    const { black: lowest } = live.state.window;
    live.change({ window: { black: lowest, white: Math.max(value, lowest + gap) } });
  });
  live.watch(['window', 'grid'], ({ window }) => {
    const { low, high } = page.volume?.range ?? { low: 0, high: 1 };
    for (const one of [black, white]) [one.min, one.max] = [String(low), String(high)];
    [black.value, white.value] = [String(window.black), String(window.white)];
  });
  return element('div', { className: 'field' }, element('span', {}, 'Contrast'), black, white);
}

function press(toggle: HTMLButtonElement, isOn: boolean): void {
  toggle.classList.toggle('on', isOn);
  toggle.setAttribute('aria-pressed', String(isOn));
}
