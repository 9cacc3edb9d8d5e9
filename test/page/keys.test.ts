import { expect, it } from 'vitest';
import { detectProject } from '../../src/entry/index.ts';
import { attachKeys, keysOf } from '../../src/page/keys.ts';
import { listed } from '../../src/page/navigate.ts';
import { drain, model, noisyProject, type OpenedPage, openPage, stubBrowser } from '../support/page-workspace.ts';

stubBrowser();

/** A field in which text is typed. */
class Field {
  readonly type = 'text';
  readonly events: string[] = [];
  blur = () => this.events.push('blur');
  dispatchEvent = ({ type }: Event) => this.events.push(type);
}

/** A list to choose from. */
class List {}

/** Gives a page the keyboard; `press` holds a key for a number of events, as a browser repeats them. */
async function withKeys() {
  const given = await noisyProject({ runs: ['TS_1'] });
  await drain(detectProject(given.project, { model }));
  const opened = await openPage(given);
  let listen: (event: unknown) => void = () => undefined;
  Object.assign(globalThis, {
    addEventListener: (_: string, react: typeof listen) => {
      listen = react;
    },
    document: { querySelector: () => null },
    HTMLSelectElement: List,
    HTMLInputElement: Field,
  });
  const count = { saves: 0, searches: 0 };
  attachKeys(
    keysOf(opened.page, {
      fit: () => undefined,
      save: () => count.saves++,
      detect: () => count.searches++,
      teach: () => undefined,
      tilesPerRow: () => 1,
    }),
  );
  const press = (key: string, times = 1, target: unknown = undefined) => {
    for (let i = 0; i < times; i++) listen({ key, target, repeat: i > 0, preventDefault: () => undefined });
  };
  return { ...opened, count, press };
}

const selected = ({ page }: OpenedPage) => listed(page).findIndex(({ id }) => id === page.live.state.selected);

it('a key that is held saves, searches, decides and switches once, and moves on and on', async () => {
  const { count, press, ...opened } = await withKeys();
  const { page } = opened;
  press('s', 5);
  press('d', 5);
  expect(count).toEqual({ saves: 1, searches: 1 });
  press('i', 4);
  expect(page.live.state.isInverted).toBe(true);
  press('j', 3);
  expect(selected(opened)).toBe(2);
  press('x', 4);
  expect(opened.counts().rejected).toBe(1);
  press('z', 3);
  expect(opened.counts().rejected).toBe(0);
});

it('undo goes back to the last save, and says so there', async () => {
  const { press, ...opened } = await withKeys();
  const { page } = opened;
  press('j');
  press('x');
  press('x');
  press('z');
  expect(opened.counts().rejected).toBe(1);
  await opened.save();
  page.live.change({ message: undefined });
  press('z');
  expect(page.live.state.message?.text).toMatch(/nothing to undo since the picks were opened or saved/);
  expect(opened.counts().rejected).toBe(1);
  press('x');
  expect(opened.counts().rejected).toBe(2);
  press('z');
  expect(opened.counts().rejected).toBe(1);
});

it('keys work while a list has the focus, but for those that move in it', async () => {
  const { press, page } = await withKeys();
  press('j', 1, new List());
  press('a', 1, new List());
  expect(page.review().all.filter(({ decision }) => decision === 'accepted')).toHaveLength(1);
  const { position } = page.live.state;
  press('ArrowDown', 1, new List());
  press('PageDown', 1, new List());
  expect(page.live.state.position).toEqual(position);
});

it('Enter and Escape leave a field, in which other keys are typed; Escape takes back what was typed', async () => {
  const { press, page } = await withKeys();
  const field = new Field();
  const { selected: before } = page.live.state;
  press('j', 1, field);
  expect([page.live.state.selected, field.events]).toEqual([before, []]);
  press('Enter', 1, field);
  expect(field.events).toEqual(['blur']);
  press('Escape', 1, field);
  expect(field.events).toEqual(['blur', 'cancel', 'blur']);
});
