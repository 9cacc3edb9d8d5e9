import { type PicksFormatName, picksFormatNames } from '../entry/formats.ts';
import type { ParticlePick } from '../entry/index.ts';
import { button, chooser, element, field, setOptions } from './element.ts';
import { download, filesOf, type RunToExport } from './export.ts';
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
    const runs = scope.value === SCOPES[0] ? [thisRun(page)] : await allRuns(page, workspace, work);
    const files = await filesOf(runs, name, {
      objects,
      pixelSize: pixelSize.required ? pixelSize.valueAsNumber : undefined,
    });
    for (const file of files) download(file);
    const picks = runs.reduce((sum, run) => sum + run.picks.length, 0);
    const names = files.length === 1 ? files[0]?.name : `${files.length} files`;
    workspace.tell(`Exported ${picks} picks as ${name}: ${names ?? 'no file, since there are no picks'}.`);
  };
  form.addEventListener('submit', () => void workspace.work('Exporting', exportPicks));
  return () => {
    setOptions(scope, live.state.runs.length > 1 ? SCOPES : [SCOPES[0] as string], SCOPES[0]);
    dialog.showModal();
  };
}

function thisRun({ live, review }: Page): RunToExport {
  const { run = 'run', grid } = live.state;
  return { run, picks: review().kept.map(plain), grid };
}

/** A pick without what the page alone knows. */
function plain({ object, position, score, instanceId, transform, unknown }: ParticlePick): ParticlePick {
  return { object, position, score, instanceId, transform, unknown };
}

/** The same set of every run, cut at the same thresholds, with what was decided in its review. */
async function allRuns(page: Page, workspace: Workspace, { signal, show }: Work): Promise<RunToExport[]> {
  const { live } = page;
  const { runs, set, tomogram } = live.state;
  const found: RunToExport[] = [];
  for (const name of runs) {
    signal.throwIfAborted();
    show({ what: 'Exporting', done: found.length, total: runs.length });
    if (name === live.state.run) {
      found.push(thisRun(page));
      continue;
    }
    const run = await workspace.collection?.open(name, signal);
    const has = run !== undefined && set !== undefined && run.sets.some(({ label }) => label === set);
    const kept = has ? (await workspace.reviewIn(name, run, set, signal)).kept : [];
    const choice = run?.tomograms.find(({ label }) => label === tomogram) ?? run?.tomograms[0];
    const [finest] = (await choice?.open(signal)) ?? [];
    found.push({ run: name, picks: kept.map(plain), grid: finest?.grid });
  }
  return found;
}
