import { button, element, field } from './element.ts';
import type { Page } from './page.ts';
import { freeSession, isConflict, savePicks } from './save.ts';
import type { Workspace } from './workspace.ts';

/** Why nothing can be saved. */
export const READ_ONLY = 'This project cannot be written from here; Export gives the picks as a file.';

/** Asks once whose picks they are, and saves; later saves go to the same place at once. */
export function saver(page: Page, workspace: Workspace): () => Promise<void> {
  const { live } = page;
  const userId = element('input', { type: 'text', name: 'user', required: true });
  const sessionId = element('input', { type: 'text', name: 'session', required: true });
  const what = element('p', { className: 'quiet' });
  const problem = element('p', { className: 'problem', role: 'alert' });
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'Save picks'),
    what,
    field('User', userId),
    field('Session', sessionId),
    problem,
    element(
      'div',
      { className: 'commands' },
      element('button', { type: 'submit', className: 'primary' }, 'Save'),
      button('Cancel', 'Do not save', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': 'Save picks' }, form);
  document.body.append(dialog);
  let isNamed = false;

  const ask = (message: string) => {
    const { kept, rejected } = page.review();
    const added = kept.filter(({ source }) => source !== 'found').length;
    const changed = added === 0 ? '' : `, ${added} of them added or edited`;
    const rest = rejected.length === 0 ? '' : `, and ${rejected.length} rejected ones as a set of their own`;
    what.textContent = `${kept.length} picks of this run, of all objects${changed}${rest}.`;
    userId.value = live.state.userId;
    sessionId.value = live.state.sessionId;
    problem.textContent = message;
    if (!dialog.open) dialog.showModal();
  };
  const save = async () => {
    const { userId: user, sessionId: session } = live.state;
    const name = { userId: user, sessionId: session };
    try {
      const { label, network, kept, rejected, unknown } = await savePicks(page, workspace, name);
      isNamed = true;
      const found = network === undefined ? '' : `; what the network found as ${network}`;
      const rest = unknown === 0 ? '' : `; ${unknown} of objects that the project does not have were left out`;
      live.change({
        message: {
          text: `Saved ${kept} picks as ${label}, ${rejected} rejected${found}${rest}.`,
          isError: unknown > 0,
        },
      });
    } catch (error) {
      const run = workspace.run?.run;
      if (run === undefined) return page.desk.tell(error);
      const reason = error instanceof Error ? error.message : String(error);
      // Whatever else went wrong may go right next time, as when the server is back.
      if (!isConflict(error)) return ask(reason);
      live.change({ sessionId: await freeSession(run, name) });
      ask(`${reason} This session is free:`);
    }
  };
  form.addEventListener('submit', () => {
    live.change({ userId: userId.value.trim(), sessionId: sessionId.value.trim() });
    save().catch(page.desk.tell);
  });
  return async () => {
    if (!live.state.canWrite) page.desk.tell(READ_ONLY);
    else if (isNamed || workspace.review?.isOwn) await save().catch(page.desk.tell);
    else ask('');
  };
}
