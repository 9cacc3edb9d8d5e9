import { colorsOf } from './colors.ts';
import { button, element, field } from './element.ts';
import type { Page } from './page.ts';
import { DEFAULT_RADIUS, unknownObject } from './state.ts';

/** Asks for the name and the radius of a new object, whose picks can then be added. */
export function objectMaker(page: Page): () => void {
  const { live } = page;
  const name = element('input', { type: 'text', name: 'name', required: true, pattern: '[A-Za-z0-9][A-Za-z0-9.\\-]*' });
  name.title = 'Letters, digits, dots and dashes';
  const radius = element('input', { type: 'number', name: 'radius', required: true, min: '1', step: 'any' });
  name.addEventListener('input', () => {
    const isTaken = live.state.objects.some((object) => object.name === name.value);
    name.setCustomValidity(isTaken ? `There is an object "${name.value}" already.` : '');
  });
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'New object'),
    field('Name', name),
    field('Radius in Å', radius),
    element(
      'p',
      { className: 'quiet' },
      'Half of its longest diameter: two picks are no closer to each other. Click on ten of it or so, and press T to find the rest.',
    ),
    element(
      'div',
      { className: 'commands' },
      element('button', { type: 'submit', className: 'primary' }, 'Make it'),
      button('Cancel', 'No object', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': 'New object' }, form);
  document.body.append(dialog);
  form.addEventListener('submit', () => {
    const { objects, canWrite } = live.state;
    const made = { ...unknownObject(name.value), color: freeColor(page), radius: radius.valueAsNumber };
    live.change({ objects: [...objects, made], object: made.name, mode: 'edit' });
    const rest = canWrite
      ? ` The project does not have it: to save picks of it, add it to the pickable_objects of its config; Export gives them all the same.`
      : '';
    page.desk.tell(`A click adds a pick of ${made.name}; Esc ends that.${rest}`);
  });
  return () => {
    name.value = '';
    name.setCustomValidity('');
    radius.valueAsNumber = DEFAULT_RADIUS;
    dialog.showModal();
    name.focus();
  };
}

/** A colour that no object has yet. */
function freeColor({ live }: Page): string {
  const taken = live.state.objects.map(({ name, color }) => {
    const [red = 0, green = 0, blue = 0] = color.match(/\d+/g)?.map(Number) ?? [];
    return { name, color: [red, green, blue, 255] as const };
  });
  const grey = { name: '\0', color: [0, 0, 0, 255] as const };
  return colorsOf([...taken, grey]).get('\0') as string;
}
