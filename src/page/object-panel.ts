import type { FalsePicks } from '../entry/index.ts';
import { button, element } from './element.ts';
import { histogramView } from './histogram.ts';
import type { Page } from './page.ts';
import { hasScore, lowestThresholds } from './review.ts';
import { ownOf, type ShownObject } from './state.ts';

/** The objects with their counts, each with a slider for the lowest score that is kept, and a button for another. */
export function objectPanel(page: Page, makeObject: () => void): HTMLElement {
  const { live } = page;
  const list = element('div', { className: 'objects' });
  let rows: readonly ObjectRow[] = [];
  live.watch(['objects'], ({ objects }) => {
    rows = objects.map((object) => objectRow(page, object));
    list.replaceChildren(...rows.map(({ root }) => root));
  });
  live.watch(['objects', 'loaded', 'edits', 'thresholds', 'hidden', 'object', 'minDistances'], () => {
    const counts = new Map<string, number>();
    for (const pick of page.review().kept) counts.set(pick.object, (counts.get(pick.object) ?? 0) + 1);
    for (const row of rows) row.update(counts.get(row.name) ?? 0);
  });
  const add = button('+', 'New object, to be taught', makeObject, { 'aria-label': 'New object', className: 'add' });
  const heading = element('div', { className: 'heading' }, element('h2', {}, 'Objects'), add);
  return element('section', { className: 'panel', 'aria-label': 'Objects' }, heading, list);
}

interface ObjectRow {
  readonly name: string;
  readonly root: HTMLElement;
  update(count: number): void;
}

/** A line about an object, and its threshold under a histogram. */
function objectRow(page: Page, { name, color }: ShownObject): ObjectRow {
  const { live } = page;
  const swatch = element('button', {
    type: 'button',
    className: 'swatch',
    title: 'Show or hide its rings',
    'aria-label': `Show ${name}`,
    on: { click: () => toggle() },
  });
  swatch.style.borderColor = color;
  const label = element(
    'button',
    { type: 'button', className: 'name', title: `Show the slider and the picks of ${name}` },
    name,
  );
  label.addEventListener('click', () => live.change({ object: name }));
  const count = element('output', { className: 'number' }, '0');
  const { root: bars, draw } = histogramView();
  const slider = element('input', {
    type: 'range',
    min: '0',
    max: '1',
    step: 'any',
    'aria-label': `Threshold of ${name}`,
  });
  const value = element('input', {
    type: 'text',
    inputMode: 'decimal',
    className: 'threshold',
    'aria-label': `Threshold of ${name} as a number`,
  });
  const cut = (threshold: number) => {
    if (Number.isFinite(threshold))
      live.change({ thresholds: { ...live.state.thresholds, [name]: threshold }, object: name });
  };
  slider.addEventListener('input', () => cut(Number(slider.value)));
  value.addEventListener('change', () => {
    const range = { low: Number(slider.min), high: Number(slider.max) };
    const threshold = thresholdFrom(value.value, range);
    if (threshold !== undefined) return cut(threshold);
    const text = `The threshold of ${name} is a score from ${shownScore(range.low)} to ${shownScore(range.high)}, not "${value.value}".`;
    value.value = shownScore(ownOf(live.state.thresholds, name) ?? range.low);
    live.change({ message: { text, isError: true } });
  });
  // What was typed does not count.
  value.addEventListener('cancel', () => {
    value.value = shownScore(ownOf(live.state.thresholds, name) ?? Number(slider.min));
  });
  const estimate = element('p', { className: 'quiet estimate' });
  const controls = element(
    'div',
    { className: 'cut' },
    bars,
    element('div', { className: 'slide' }, slider, value),
    estimate,
  );
  const root = element(
    'div',
    { className: 'object' },
    element('div', { className: 'line' }, swatch, label, count),
    controls,
  );
  const toggle = () => {
    const hidden = new Set(live.state.hidden);
    if (!hidden.delete(name)) hidden.add(name);
    live.change({ hidden });
  };
  let scores: readonly number[] = [];
  let seen: unknown;
  return {
    name,
    root,
    update(kept) {
      const { loaded, candidates, thresholds, hidden, object } = live.state;
      if (loaded !== seen) {
        seen = loaded;
        scores = loaded.filter((pick) => pick.object === name && hasScore(pick)).map(({ score }) => score);
        const low = ownOf(lowestThresholds({ loaded, candidates }), name) ?? Number.POSITIVE_INFINITY;
        const high = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
        controls.hidden = !(high > low);
        if (high > low) [slider.min, slider.max] = [String(low), String(high)];
      }
      const threshold = ownOf(thresholds, name) ?? Number(slider.min);
      count.textContent = String(kept);
      swatch.style.backgroundColor = hidden.has(name) ? 'transparent' : color;
      swatch.setAttribute('aria-pressed', String(!hidden.has(name)));
      root.classList.toggle('chosen', object === name);
      if (Number(slider.value) !== threshold) slider.value = String(threshold);
      if (document.activeElement !== value) value.value = shownScore(threshold);
      if (controls.hidden) return;
      draw(scores, threshold, color);
      estimate.textContent = falseWords(ownOf(page.falsePicks(), name));
    },
  };
}

function shownScore(score: number): string {
  return score.toFixed(3);
}

/**
 * The threshold that a person typed, with a point or a comma; undefined if it is no number, or none of the scores in the range. An end
 * of the range may be typed as it is shown.
 */
export function thresholdFrom(
  typed: string,
  { low, high }: { readonly low: number; readonly high: number },
): number | undefined {
  const text = typed.trim().replace(',', '.');
  const threshold = text === '' ? Number.NaN : Number(text);
  if (Number.isNaN(threshold)) return undefined;
  const within = Math.min(high, Math.max(low, threshold));
  return within === threshold || shownScore(within) === shownScore(threshold) ? within : undefined;
}

/** How many of the picks that nobody has decided about are false, in words, or why it cannot be told; `found` is undefined without candidates. */
export function falseWords(found: FalsePicks | undefined): string {
  if (found === undefined)
    return 'How many may be false is told where the candidates of a network are kept with its picks, and no mask has chosen among them.';
  const { picks, falsePicks, interval, reason = '' } = found;
  if (picks === 0) return 'No pick here is undecided.';
  if (falsePicks === undefined || interval === undefined) return `How many may be false cannot be told: ${reason}.`;
  const [low, high] = interval;
  const span = low === high ? '' : ` (${low} to ${high} in nine of ten tomograms)`;
  return `~${Math.round(falsePicks)} of ${picks} undecided may be false${span}`;
}
