/** What a part of the page may hold: parts, text, or nothing. Text is always shown as text, whatever it says. */
export type Child = Node | string | undefined;

/** Properties of an element; a name with a dash, and `role`, is an attribute. */
export interface Properties {
  readonly on?: { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
  readonly [name: string]: unknown;
}

/** In a list to choose from: nothing is chosen. */
export const NONE = '— none —';

/** Makes an element. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { on = {}, ...properties }: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name === 'role' || name.includes('-')) made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener as EventListener);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A button with a label; `title` says more, with its key. */
export function button(
  label: string,
  title: string,
  press: () => void,
  properties: Properties = {},
): HTMLButtonElement {
  return element('button', { type: 'button', title, on: { click: press }, ...properties }, label);
}

/** Replaces the options of a list to choose from, and chooses one. */
export function setOptions(select: HTMLSelectElement, values: readonly string[], chosen: string | undefined): void {
  const present = [...select.options].map(({ value }) => value);
  if (present.length !== values.length || present.some((value, i) => value !== values[i])) {
    select.replaceChildren(...values.map((value) => element('option', { value }, value)));
  }
  select.value = chosen ?? '';
  select.disabled = values.length < 2;
}

/** A list to choose from, with a name for screen readers. */
export function chooser(label: string, choose: (value: string) => void): HTMLSelectElement {
  const select = element('select', { 'aria-label': label, title: label });
  select.addEventListener('change', () => choose(select.value));
  return select;
}

/** A control with its name before it. */
export function field(name: string, control: HTMLElement): HTMLElement {
  return element('label', { className: 'field' }, element('span', {}, name), control);
}
