import { type DetectableObject, parseModelSpec, picksFromCandidates } from '../entry/index.ts';
import type { DeviceChoice, RuntimeModules, ViewSession } from '../entry/web.ts';
import type { TomogramChoice } from './collection.ts';
import { counted } from './counted.ts';
import { defaultNetwork, type Network, planSearch, type SearchPlan, searchIn } from './detect.ts';
import { button, element, field, NONE } from './element.ts';
import { assumedRadii, type Page } from './page.ts';
import { editsSince, type State, UNSAVED } from './state.ts';
import { goesOn, type Work } from './work.ts';
import type { Workspace } from './workspace.ts';

/** Asks for a network, tells the memory that it takes, and searches the tomogram that is open. */
export function detector(page: Page, workspace: Workspace, session: () => ViewSession | undefined): () => void {
  const { live } = page;
  const facts = element('p', { className: 'quiet' });
  const assumptions = element('p', { role: 'status', hidden: true });
  const files = element('input', { type: 'file', multiple: true, accept: '.onnx,.json' });
  const start = element('button', { type: 'submit', className: 'primary' }, 'Detect');
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'Detect'),
    facts,
    assumptions,
    field('Network', files),
    element(
      'p',
      { className: 'quiet' },
      'To search with a network of your own, choose its .onnx file and its card, a .json file. Without a choice, the network of this package searches.',
    ),
    element(
      'div',
      { className: 'commands' },
      start,
      button('Cancel', 'Do not search', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': 'Detect', tabIndex: -1 }, form);
  document.body.append(dialog);
  let ready: Ready | undefined;
  let preparation = 0;

  const prepare = async () => {
    // Only the last choice counts, whichever is loaded first.
    const own = ++preparation;
    ready = undefined;
    start.disabled = true;
    facts.textContent = 'Loading the network…';
    assumptions.hidden = true;
    try {
      const { runtime, install, model } = session() ?? {};
      if (runtime === undefined || model === undefined) {
        throw new Error(
          `Detection needs the package onnxruntime-web: ${install ?? 'npm install onnxruntime-web'}, then start view again.`,
        );
      }
      const chosen = await chosenNetwork([...(files.files ?? [])]);
      const network = chosen ?? (await defaultNetwork({ model }));
      if (own !== preparation) return;
      const { opened } = workspace;
      if (opened === undefined) throw new Error('Open a tomogram first.');
      const plan = planSearch(opened.sources, network.spec);
      const objects = searchedObjects(live.state);
      ready = { network, isOwn: chosen !== undefined, plan, runtime, tomogram: opened.choice, objects };
      facts.textContent = factsOf(ready);
      assumptions.textContent = assumedRadii(ofProject(live.state)) ?? '';
      assumptions.hidden = assumptions.textContent === '';
      start.disabled = false;
      // Enter starts, unless a person has gone to another field.
      if (document.activeElement === dialog) start.focus();
    } catch (error) {
      if (own !== preparation) return;
      facts.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const search = async ({ network, plan, runtime, tomogram, objects }: Ready, { signal, show: showWork }: Work) => {
    const { run } = live.state;
    if (run === undefined) return;
    const { level, tiles } = plan;
    let where: string | undefined;
    let progress = { what: 'Preparing the network', done: 0, total: 1 };
    const warnings = new Set<string>();
    const show = () => showWork({ ...progress, where });
    show();
    const { candidates, sha256 } = await searchIn(tomogram.place, {
      ...{ network, level, tiles, runtime, objects, signal },
      onDevice(choice) {
        where = describeDevice(choice);
        show();
      },
      onProgress({ stage, done, total }) {
        progress = { what: stage === 'tiles' ? 'Detecting' : 'Measuring intensity', done, total };
        show();
      },
      onWarning: ({ message }) => warnings.add(message),
    });
    signal.throwIfAborted();
    const before = live.state.run === run ? reviewBefore(live.state) : '';
    await workspace.showDetection({ run, tomogram, level, tiles, model: { spec: network.spec, sha256 }, candidates });
    const count = picksFromCandidates(candidates).length;
    const isHere = live.state.run === run;
    const place = isHere ? '' : ` in ${run}`;
    const keep = live.state.canWrite
      ? `${isHere ? '' : `Go to ${run}: there `}Save keeps them.`
      : 'They stay, with their sliders, until this page is closed; Export gives the picks as a file.';
    page.desk.tell(
      `Found ${counted(count, 'pick')} among ${counted(candidates.scores.length, 'candidate')}${place}. ${keep}${before}`,
      ...[...warnings].map((message) => `While searching: ${message}.`),
    );
  };
  files.addEventListener('change', () => void prepare());
  form.addEventListener('submit', () => {
    const given = ready;
    const question = questionBeforeSearch(live.state);
    if (question !== undefined && !confirm(question)) return;
    if (given) void page.desk.work('Detecting', (work) => search(given, work));
  });
  return () => {
    if (page.desk.busy !== undefined) return page.desk.tell(goesOn(page.desk.busy));
    dialog.showModal();
    // Else the field of files has the focus, and Enter would open a chooser.
    dialog.focus();
    void prepare();
  };
}

/** What to ask before the run that shows is searched; undefined if nothing would be lost. */
export function questionBeforeSearch({ unsaved, run }: Pick<State, 'unsaved' | 'run'>): string | undefined {
  if (run === undefined || !unsaved.has(run)) return undefined;
  return `What was found in ${run} before is not saved, and what is found now will replace it, with your decisions about it. Detect again?`;
}

/** Where a review that is not saved stays while what was found shows; nothing to tell without one. */
export function reviewBefore({ edits, savedEdits, set = NONE }: Pick<State, 'edits' | 'savedEdits' | 'set'>): string {
  const count = editsSince(savedEdits, edits).size;
  if (set === UNSAVED || count === 0) return '';
  const what = count === 1 ? 'The change that you made before stays' : `The ${count} changes that you made before stay`;
  return ` ${what} under "${set}" in the list of pick sets.`;
}

/** What a search needs, once it is known. */
interface Ready {
  readonly network: Network;
  /** Whether it is a person's own. */
  readonly isOwn: boolean;
  readonly plan: SearchPlan;
  readonly runtime: RuntimeModules;
  readonly tomogram: TomogramChoice;
  /** Those to look for, with the radii that the project gives. */
  readonly objects: readonly DetectableObject[];
}

/** What the search is, and how much memory it takes. */
export function factsOf({ network, plan, isOwn }: Pick<Ready, 'network' | 'plan' | 'isOwn'>): string {
  const tiles =
    plan.tiles === undefined ? '' : ', with smaller tiles than the program takes, so scores may differ a little';
  return (
    `Network "${network.spec.name}" on voxels of ${plan.voxelSize.toFixed(3)} Å, in this browser${tiles}. ` +
    `It takes about ${Math.ceil(plan.memory / 1e6)} MB of memory${isOwn ? ', more if it is larger than that of this package' : ''}.`
  );
}

/** The objects to search for: picks of one that the project does not have could not be saved. */
export function searchedObjects(state: Pick<State, 'objects'>): DetectableObject[] {
  return ofProject(state).map(({ name, radius, isRadiusAssumed }) => ({
    name,
    radius: isRadiusAssumed ? undefined : radius,
  }));
}

function ofProject({ objects }: Pick<State, 'objects'>): State['objects'] {
  return objects.filter(({ isUnknown }) => !isUnknown);
}

/** Where the network computes, and why there, in one line. */
function describeDevice({ device, reason }: DeviceChoice): string {
  return `${device === 'webgpu' ? 'on WebGPU' : 'in WebAssembly'}: ${reason}`;
}

async function chosenNetwork(files: readonly File[]): Promise<Network | undefined> {
  const onnx = files.find(({ name }) => /\.onnx$/i.test(name));
  const card = files.find(({ name }) => /\.json$/i.test(name));
  if (onnx === undefined && card === undefined) return undefined;
  if (onnx === undefined || card === undefined)
    throw new Error('Choose both the .onnx file and its card, a .json file.');
  return { bytes: await onnx.arrayBuffer(), spec: parseModelSpec(await card.text(), { source: card.name }) };
}
