import { button, chooser, element, NONE, setOptions } from './element.ts';
import type { Page } from './page.ts';
import { READ_ONLY } from './save-dialog.ts';
import { isUnsaved, UNSAVED } from './state.ts';
import type { Workspace } from './workspace.ts';

/** What the buttons of the header do. */
export interface HeaderCommands {
  readonly open: () => void;
  readonly detect: () => void;
  readonly save: () => void;
  readonly exportPicks: () => void;
}

/** The line at the top: project, run, tomogram, picks, and what can be done with them. */
export function header(page: Page, workspace: Workspace, commands: HeaderCommands): HTMLElement {
  const { live } = page;
  const title = button('', 'Open something else', commands.open, { className: 'title' });
  const runs = chooser('Run', (name) => void workspace.openRun(name));
  const tomograms = chooser('Tomogram', (label) => void workspace.openTomogram(label));
  const sets = chooser('Picks', (label) => void workspace.openSet(label === NONE ? undefined : label));
  const count = element('span', { className: 'count', title: 'Run' });
  const stepRun = (by: number) => {
    const { runs, run } = live.state;
    const next = runs[runs.indexOf(run ?? '') + by];
    if (next !== undefined) void workspace.openRun(next);
  };
  const previous = button('◀', 'Previous run', () => stepRun(-1), { 'aria-label': 'Previous run' });
  const next = button('▶', 'Next run', () => stepRun(1), { 'aria-label': 'Next run' });
  const save = button('Save', 'Save the picks (S)', commands.save);
  live.watch(['title', 'runs', 'run'], ({ title: text, runs: all, run }) => {
    document.title = [run, text, 'cryoet-picks'].filter(Boolean).join(' · ');
    title.textContent = text || 'Open…';
    setOptions(runs, all, run);
    const index = all.indexOf(run ?? '');
    count.textContent = all.length === 0 ? '' : `${index + 1} / ${all.length}`;
    previous.disabled = index <= 0;
    next.disabled = index < 0 || index === all.length - 1;
  });
  live.watch(['tomograms', 'tomogram'], ({ tomograms: all, tomogram }) => setOptions(tomograms, all, tomogram));
  live.watch(['sets', 'set', 'unsaved', 'run'], ({ sets: labels, set, unsaved, run }) => {
    const found = run !== undefined && unsaved.has(run) ? [UNSAVED] : [];
    setOptions(sets, [NONE, ...found, ...labels], set ?? NONE);
  });
  live.watch(['canWrite'], ({ canWrite }) => {
    save.disabled = !canWrite;
    save.title = canWrite ? 'Save the picks (S)' : READ_ONLY;
  });
  live.watch(['edits', 'savedEdits', 'thresholds', 'openedThresholds', 'set', 'canWrite'], (state) => {
    const isDirty = state.canWrite && (state.set === UNSAVED || isUnsaved(state));
    save.textContent = isDirty ? 'Save •' : 'Save';
    save.classList.toggle('primary', isDirty);
  });
  return element(
    'header',
    {},
    title,
    element('span', { className: 'arrow' }, '▸'),
    runs,
    tomograms,
    sets,
    element('span', { className: 'gap' }),
    previous,
    count,
    next,
    element('span', { className: 'gap' }),
    button('Gallery', 'All picks of the object, side by side (G)', () =>
      live.change({ isGallery: !live.state.isGallery }),
    ),
    button('Detect', 'Find particles with the network (D)', commands.detect),
    save,
    button('Export', 'Picks as a file for other programs', commands.exportPicks),
    button('?', 'Keys (?)', () => live.change({ isHelp: !live.state.isHelp }), { 'aria-label': 'Help' }),
  );
}
