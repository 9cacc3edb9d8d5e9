import { parseModelSpec, picksFromCandidates } from '../entry/index.ts';
import type { ViewSession } from '../entry/web.ts';
import { defaultNetwork, type Network, planSearch, searchIn } from './detect.ts';
import { button, element, field } from './element.ts';
import type { Page } from './page.ts';
import type { Workspace } from './workspace.ts';

/** Asks for a network, tells the memory that it takes, and searches the tomogram that is open. */
export function detector(page: Page, workspace: Workspace, session: () => ViewSession | undefined): () => void {
  const { live } = page;
  const facts = element('p', { className: 'quiet' });
  const files = element('input', { type: 'file', multiple: true, accept: '.onnx,.json' });
  const start = element('button', { type: 'submit', className: 'primary' }, 'Detect');
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', {}, 'Detect'),
    facts,
    field('Network', files),
    element(
      'p',
      { className: 'quiet' },
      'Choose an .onnx and its card, .json, to search with them; else the network of the package does.',
    ),
    element(
      'div',
      { className: 'commands' },
      start,
      button('Cancel', 'Do not search', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-label': 'Detect' }, form);
  document.body.append(dialog);
  let network: Network | undefined;

  const prepare = async () => {
    start.disabled = true;
    facts.textContent = 'Loading the network…';
    try {
      const { runtime, install, model } = session() ?? {};
      if (runtime === undefined || model === undefined) {
        throw new Error(
          `Detection needs the package onnxruntime-web: ${install ?? 'npm install onnxruntime-web'}, then start view again.`,
        );
      }
      network = (await chosenNetwork([...(files.files ?? [])])) ?? (await defaultNetwork({ model }));
      const { memory, source } = planSearch(workspace.sources, network.spec);
      const [voxelSize] = source.grid.voxelSize;
      facts.textContent =
        `Network "${network.spec.name}" on voxels of ${voxelSize.toFixed(3)} Å, in this browser. ` +
        `It takes about ${Math.ceil(memory.total / 1e6)} MB of memory, and more inside the runtime.`;
      start.disabled = false;
    } catch (error) {
      facts.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const search = async () => {
    const { runtime } = session() ?? {};
    if (network === undefined || runtime === undefined) return;
    const { source } = planSearch(workspace.sources, network.spec);
    const signal = workspace.beginWork();
    const since = performance.now();
    live.change({ work: { what: 'Detecting', done: 0, total: 1, since } });
    const candidates = await searchIn(source, {
      network,
      runtime: new URL(runtime.wasm, document.baseURI).href,
      objects: live.state.objects,
      signal,
      onProgress: ({ stage, done, total }) => {
        const what = stage === 'tiles' ? 'Detecting' : 'Measuring intensity';
        live.change({ work: { what, done, total, since } });
      },
    });
    workspace.showCandidates(candidates);
    const count = picksFromCandidates(candidates).length;
    workspace.tell(`Found ${count} picks among ${candidates.scores.length} candidates. Save keeps them.`);
  };
  files.addEventListener('change', () => void prepare());
  form.addEventListener('submit', () => {
    search()
      .catch(workspace.tell)
      .finally(() => live.change({ work: undefined }));
  });
  return () => {
    dialog.showModal();
    void prepare();
  };
}

async function chosenNetwork(files: readonly File[]): Promise<Network | undefined> {
  const onnx = files.find(({ name }) => /\.onnx$/i.test(name));
  const card = files.find(({ name }) => /\.json$/i.test(name));
  if (onnx === undefined && card === undefined) return undefined;
  if (onnx === undefined || card === undefined)
    throw new Error('Choose both the .onnx file and its card, a .json file.');
  return { bytes: await onnx.arrayBuffer(), spec: parseModelSpec(await card.text(), { source: card.name }) };
}
