import { counted } from './counted.ts';
import { button, element, field } from './element.ts';
import type { Page } from './page.ts';
import { freeSession, isConflict, savePicks, whyNone } from './save.ts';
import { NOT_READ, type State } from './state.ts';
import { goesOn, TEACHING } from './work.ts';
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

  let asked: State['loaded'] | undefined;

  const ask = (message: string) => {
    asked = live.state.loaded;
    // "Saving …" is over.
    live.change({ message: undefined });
    const { kept, rejected } = page.review();
    const added = kept.filter(({ source }) => source !== 'found').length;
    const changed = added === 0 ? '' : `, ${added} of them added or edited`;
    const rest =
      rejected.length === 0 ? '' : `, and ${counted(rejected.length, 'rejected pick')} as a set of their own`;
    what.textContent = `${counted(kept.length, 'pick')} of this run, of all objects${changed}${rest}.`;
    userId.value = live.state.userId;
    sessionId.value = live.state.sessionId;
    problem.textContent = message;
    if (!dialog.open) dialog.showModal();
    // What is typed replaces the name, as in other dialogs.
    userId.select();
  };
  const save = async () => {
    const { state } = live;
    const { run = '', userId: user, sessionId: session } = state;
    const name = { userId: user, sessionId: session };
    const open = workspace.run?.run;
    page.desk.tell('Saving …');
    try {
      const { label, network, kept, rejected, unknown } = await savePicks(workspace, name);
      isNamed = true;
      const place = live.state.run === run ? '' : ` of ${run}`;
      const found = network === undefined ? '' : `; what the network found as ${network}`;
      const rest = unknown === 0 ? '' : `; ${unknown} of objects that the project does not have were left out`;
      live.change({
        message: {
          text: `Saved ${counted(kept, 'pick')}${place} as ${label}, ${rejected} rejected${found}${rest}.`,
          isError: unknown > 0,
        },
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const free = open && isConflict(error) ? await freeSession(open, name) : undefined;
      if (open === undefined) page.desk.tell(error);
      // Other picks show by now, and the dialog would save those.
      else if (live.state.loaded !== state.loaded) page.desk.tell(new Error(`${run} was not saved: ${reason}`));
      // Whatever else went wrong may go right next time, as when the server is back.
      else if (free === undefined) ask(reason);
      else {
        live.change({ sessionId: free });
        ask(`${reason} This session is free:`);
      }
    }
  };
  form.addEventListener('submit', (event) => {
    if (live.state.loaded !== asked) {
      event.preventDefault();
      return ask('Other picks have come meanwhile. Save these?');
    }
    live.change({ userId: userId.value.trim(), sessionId: sessionId.value.trim() });
    save().catch(page.desk.tell);
  });
  return async () => {
    const known = new Set(workspace.collection?.project?.objects.map((object) => object.name));
    const reason = whyNone(page.review(), known);
    if (!live.state.canWrite) page.desk.tell(READ_ONLY);
    else if (!live.state.arePicksRead) page.desk.tell(NOT_READ);
    else if (page.desk.busy === TEACHING) page.desk.tell(goesOn(TEACHING));
    else if (workspace.isSaving)
      page.desk.tell('The picks are being saved. Press S again for what you decide meanwhile.');
    else if (reason !== undefined) page.desk.tell(new Error(reason));
    else if (isNamed || workspace.review?.isOwn) await save().catch(page.desk.tell);
    else ask('');
  };
}
