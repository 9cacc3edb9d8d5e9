import { type PicksFormatName, picksFormatNames } from '../entry/formats.ts';
import { button, chooser, element, field, setOptions } from './element.ts';
import { allRuns, download, filesOf, thisRun } from './export.ts';
import type { Page } from './page.ts';
import type { Work, Workspace } from './workspace.ts';

const SCOPES = ['this run', 'all runs, with these thresholds'];

/** Asks for a format, and gives the kept picks as files. */
export function exporter(page: Page, workspace: Workspace): () => void {
  const { live } = page;
  const format = chooser('Format', () => undefined);
  const scope = chooser('Runs', () => undefined);
  const pixelSize = element('input', { type: 'number', step: 'any', min: '0', placeholder: 'Å, of the tilt series' });
  const pixelField = field('Pixel size', pixelSize);
  // RELION 4 counts in pixels that a tomogram does not tell.
  const askPixelSize = () => {
    pixelSize.required = format.value === 'relion4';
    pixelField.hidden = !pixelSize.required;
  };
  format.addEventListener('change', askPixelSize);
  setOptions(format, picksFormatNames, 'relion5');
  askPixelSize();
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'Export picks'),
    field('Format', format),
    field('Runs', scope),
    pixelField,
    element(
      'div',
      { className: 'commands' },
      element('button', { type: 'submit', className: 'primary' }, 'Download'),
      button('Cancel', 'No file', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': 'Export picks' }, form);
  document.body.append(dialog);

  const exportPicks = async (work: Work) => {
    const name = format.value as PicksFormatName;
    const objects = live.state.objects.map((object) => object.name);
    const { runs, without } =
      scope.value === SCOPES[0] ? { runs: [thisRun(page)], without: [] } : await allRuns(page, workspace, work);
    const files = await filesOf(runs, name, {
      objects,
      pixelSize: pixelSize.required ? pixelSize.valueAsNumber : undefined,
    });
    for (const file of files) download(file);
    const picks = runs.reduce((sum, run) => sum + run.picks.length, 0);
    const names = files.length === 1 ? files[0]?.name : `${files.length} files`;
    const rest = without.length === 0 ? '' : ` Without picks of ${live.state.set}: ${without.join(', ')}.`;
    workspace.tell(`Exported ${picks} picks as ${name}: ${names ?? 'no file, since there are no picks'}.${rest}`);
  };
  form.addEventListener('submit', () => void workspace.work('Exporting', exportPicks));
  return () => {
    // What was just found in one run is no set of the others until it is saved.
    const { runs, set } = live.state;
    setOptions(scope, runs.length > 1 && set !== undefined ? SCOPES : [SCOPES[0] as string], SCOPES[0]);
    dialog.showModal();
  };
}
