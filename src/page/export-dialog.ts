import { formatRequirements, type PicksFormatName, picksFormatNames } from '../entry/formats.ts';
import { counted } from './counted.ts';
import { button, chooser, element, field, NONE, setOptions } from './element.ts';
import { allRuns, download, exportNotes, filesOf, namedAsTomograms, ofObject, thisRun } from './export.ts';
import type { Page } from './page.ts';
import { NO_VOXEL_SIZE, NOT_READ } from './state.ts';
import { goesOn, type Work } from './work.ts';
import type { Workspace } from './workspace.ts';

const SCOPES = ['this run', 'all runs, with these thresholds'];
const ALL_OBJECTS = 'all objects';

/** Each format with the program that reads it. */
const labels: Readonly<Record<PicksFormatName, string>> = {
  csv: 'csv – table of this package, in Å',
  submission: 'submission – CZII challenge on Kaggle',
  copick: 'copick – picks of a copick project',
  relion3: 'relion3 – RELION 3, Warp, M',
  relion4: 'relion4 – RELION 4',
  relion5: 'relion5 – RELION 5',
  dynamo: 'dynamo – Dynamo',
  stopgap: 'stopgap – STOPGAP',
  tom: 'tom – TOM, PyTom, AV3 motive list',
  imod: 'imod – IMOD, PEET',
  eman2: 'eman2 – EMAN2',
  ndjson: 'ndjson – CryoET Data Portal',
  napari: 'napari – napari',
  cmm: 'cmm – ChimeraX',
  points: 'points – plain table of coordinates',
};

/** Asks for a format, and gives the kept picks as files. */
export function exporter(page: Page, workspace: Workspace): () => void {
  const { live } = page;
  const format = chooser('Format', () => undefined);
  const scope = chooser('Runs', () => undefined);
  const object = chooser('Objects', () => undefined);
  const files = element('p', { className: 'quiet' });
  const pixelSize = element('input', { type: 'number', step: 'any', min: '0', placeholder: 'Å, of the tilt series' });
  const pixelField = field('Pixel size', pixelSize);
  // RELION 4 counts in pixels that a tomogram does not tell.
  const askPixelSize = () => {
    pixelSize.required = format.value === 'relion4';
    pixelField.hidden = !pixelSize.required;
  };
  const tellFiles = () => {
    const { oneRun, oneObject } = formatRequirements[format.value as PicksFormatName];
    const each = [
      oneRun && scope.value !== SCOPES[0] ? 'run' : undefined,
      oneObject && object.value === ALL_OBJECTS ? 'object' : undefined,
    ].filter((part) => part !== undefined);
    files.textContent = each.length === 0 ? 'One file.' : `A file for each ${each.join(' and ')}.`;
  };
  format.append(...picksFormatNames.map((name) => element('option', { value: name }, labels[name])));
  format.value = 'relion5';
  askPixelSize();
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'Export picks'),
    field('Format', format),
    field('Runs', scope),
    field('Objects', object),
    pixelField,
    files,
    element(
      'div',
      { className: 'commands' },
      element('button', { type: 'submit', className: 'primary' }, 'Download'),
      button('Cancel', 'No file', () => dialog.close()),
    ),
  );
  form.addEventListener('change', () => {
    askPixelSize();
    tellFiles();
  });
  const dialog = element('dialog', { 'aria-label': 'Export picks' }, form);
  document.body.append(dialog);

  const exportPicks = async (work: Work) => {
    const name = format.value as PicksFormatName;
    const objects = live.state.objects.map((object) => object.name);
    const only = object.value === ALL_OBJECTS ? undefined : object.value;
    const isProject = workspace.run?.run !== undefined;
    const isAll = scope.value !== SCOPES[0];
    const {
      runs: found,
      set,
      without,
    } = isAll
      ? await allRuns(page, workspace, work, name)
      : { runs: [thisRun(page, name)], set: undefined, without: [] };
    const whole = isProject ? found : namedAsTomograms(found);
    const chosen = only === undefined ? whole : whole.map((run) => ofObject(run, only));
    const runs = chosen.filter((run) => run.picks.length > 0);
    const needs = { objects, pixelSize: pixelSize.required ? pixelSize.valueAsNumber : undefined };
    const files = await filesOf(runs, name, needs);
    work.signal.throwIfAborted();
    for (const file of files) download(file);
    const picks = runs.reduce((sum, run) => sum + run.picks.length, 0);
    const names = files.length === 1 ? files[0]?.name : `${files.length} files`;
    const rest = without.length === 0 ? '' : ` Without picks of ${set ?? NONE}: ${without.join(', ')}.`;
    const notes = exportNotes(runs, name, needs).map((note) => ` ${note}.`);
    const told = `Exported ${counted(picks, 'pick')} as ${name}: ${names ?? 'no file, since there are no picks'}.`;
    page.desk.tell([told, ...notes, rest].join(''));
  };
  form.addEventListener('submit', () => void page.desk.work('Exporting', exportPicks));
  return () => {
    const { isUnscaled, arePicksRead } = live.state;
    const { busy } = page.desk;
    const reason = isUnscaled ? NO_VOXEL_SIZE : !arePicksRead ? NOT_READ : busy && goesOn(busy);
    if (reason !== undefined) return page.desk.tell(reason);
    setOptions(scope, live.state.runs.length > 1 ? SCOPES : [SCOPES[0] as string], SCOPES[0]);
    const [whole, ...names] = [ALL_OBJECTS, ...live.state.objects.map(({ name }) => name)] as [string, ...string[]];
    setOptions(object, [whole, ...names], names.includes(object.value) ? object.value : whole);
    tellFiles();
    dialog.showModal();
  };
}
