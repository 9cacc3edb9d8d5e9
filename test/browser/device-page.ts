import { isCryoetPicksError } from '../../src/entry/index.ts';
import { type DeviceChoice, loadModel } from '../../src/entry/web.ts';
import { patch } from './patch.ts';

/** What a page found about the devices of its browser. */
export interface DeviceResult {
  readonly choices: readonly DeviceChoice[];
  /** Of the patch, by the chosen device. */
  readonly logits: readonly number[];
  /** Codes of options that contradict each other. */
  readonly codes: readonly string[];
  /** What a call that was under way says about a card that is lost; absent without one. */
  readonly loss?: string | undefined;
}

const runtime = { wasm: './ort/ort.wasm.bundle.min.mjs', webgpu: './ort/ort.webgpu.bundle.min.mjs' };
const network = './unet/unet.onnx';

const failure = async (act: () => Promise<unknown>): Promise<string> => {
  try {
    await act();
    return 'none';
  } catch (error) {
    return isCryoetPicksError(error) ? `${error.code}: ${error.message}` : String(error);
  }
};

async function run(): Promise<DeviceResult> {
  const choices: DeviceChoice[] = [];
  const model = await loadModel(runtime, network, { onDevice: (choice) => choices.push(choice) });
  const { data } = await model.score(patch());
  await model.dispose();
  const codes = [
    await failure(() => loadModel(runtime, network, { executionProviders: ['wasm'] })),
    await failure(() => loadModel({ wasm: runtime.wasm } as never, network)),
  ];
  return { choices, logits: [...data], codes, loss: location.search === '?lose' ? await loseCard() : undefined };
}

/** Scores on WebGPU until the card is lost. */
async function loseCard(): Promise<string> {
  const model = await loadModel(runtime, network, { device: 'webgpu' });
  await model.score(patch());
  Object.assign(globalThis, { isReady: true });
  return failure(async () => {
    for (;;) await model.score(patch());
  });
}

run().then(
  (result) => Object.assign(globalThis, { pageResult: result }),
  (error: Error) => Object.assign(globalThis, { pageResult: { error: `${error.message}\n${error.stack}` } }),
);
