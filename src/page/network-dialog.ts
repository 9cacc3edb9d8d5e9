import { parseModelSpec } from '../entry/index.ts';
import type { DeviceChoice, RuntimeModules, ViewSession } from '../entry/web.ts';
import type { TomogramChoice } from './collection.ts';
import { defaultNetwork, type Network, planSearch, type SearchOptions, type SearchPlan } from './detect.ts';
import { button, element, field } from './element.ts';
import type { Work } from './work.ts';
import type { Workspace } from './workspace.ts';

/** What a search needs, once it is known. */
export interface Ready {
  readonly network: Network;
  /** Whether it is a person's own. */
  readonly isOwn: boolean;
  readonly plan: SearchPlan;
  readonly runtime: RuntimeModules;
  readonly tomogram: TomogramChoice;
}

/** What a dialog says, and what it starts. */
export interface NetworkDialogOptions {
  /** What it does, as its title and its button say it. */
  readonly title: string;
  /** Which networks can be chosen, in a sentence. */
  readonly explanation: string;
  /** What the work is, and what it takes. */
  readonly factsOf: (ready: Ready) => string;
  /** What is assumed of objects. */
  readonly note?: () => string | undefined;
  readonly start: (ready: Ready) => void;
}

/** Asks for a network, and says what the work with it takes in the tomogram that is open. Returns what opens it. */
export function networkDialog(
  workspace: Workspace,
  session: () => ViewSession | undefined,
  { title, explanation, factsOf, note = () => undefined, start }: NetworkDialogOptions,
): () => void {
  const facts = element('p', { className: 'quiet' });
  const assumptions = element('p', { role: 'status', hidden: true });
  const files = element('input', { type: 'file', multiple: true, accept: '.onnx,.json' });
  const submit = element('button', { type: 'submit', className: 'primary' }, title);
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, title),
    facts,
    assumptions,
    field('Network', files),
    element('p', { className: 'quiet' }, explanation),
    element(
      'div',
      { className: 'commands' },
      submit,
      button('Cancel', 'Do nothing', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': title, tabIndex: -1 }, form);
  document.body.append(dialog);
  let ready: Ready | undefined;
  let preparation = 0;

  const prepare = async () => {
    // Only the last choice counts, whichever is loaded first.
    const own = ++preparation;
    ready = undefined;
    submit.disabled = true;
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
      ready = { network, isOwn: chosen !== undefined, plan, runtime, tomogram: opened.choice };
      facts.textContent = factsOf(ready);
      assumptions.textContent = note() ?? '';
      assumptions.hidden = assumptions.textContent === '';
      submit.disabled = false;
      // Enter starts, unless a person has gone to another field.
      if (document.activeElement === dialog) submit.focus();
    } catch (error) {
      if (own !== preparation) return;
      facts.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  files.addEventListener('change', () => void prepare());
  form.addEventListener('submit', () => {
    if (ready) start(ready);
  });
  return () => {
    dialog.showModal();
    // Else the field of files has the focus, and Enter would open a chooser.
    dialog.focus();
    void prepare();
  };
}

/** What the network is, and where it computes. */
export function networkWords({ network, plan }: Pick<Ready, 'network' | 'plan'>): string {
  const tiles =
    plan.tiles === undefined ? '' : ', with smaller tiles than the program takes, so scores may differ a little';
  return `Network "${network.spec.name}" on voxels of ${plan.voxelSize.toFixed(3)} Å, in this browser${tiles}.`;
}

/** What a search tells while it goes on. */
export interface SearchReports extends Pick<SearchOptions, 'onDevice' | 'onProgress' | 'onWarning'> {
  /** What looked wrong, each once. */
  readonly warnings: ReadonlySet<string>;
}

/** Shows how far a search is, and collects what looks wrong. `what` is what the network does, tile by tile. */
export function searchReports(showWork: Work['show'], what: string): SearchReports {
  let where: string | undefined;
  let progress = { what: 'Preparing the network', done: 0, total: 1 };
  const warnings = new Set<string>();
  const show = () => showWork({ ...progress, where });
  show();
  return {
    warnings,
    onDevice(choice) {
      where = describeDevice(choice);
      show();
    },
    onProgress({ stage, done, total }) {
      progress = { what: stage === 'tiles' ? what : 'Measuring intensity', done, total };
      show();
    },
    onWarning: ({ message }) => warnings.add(message),
  };
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
