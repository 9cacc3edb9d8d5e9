import type { InferenceSession } from 'onnxruntime-common';
import { type ModelSpec, type OrtModule, onnxModel, type TileBatch } from '../../src/entry/index.ts';
import { createRandom } from '../../src/entry/simulate.ts';

/** What a network gave for the patch, or why it gave nothing. */
export type Scored = { readonly shape: readonly number[]; readonly logits: readonly number[] } | Failed;

interface Failed {
  readonly error: string;
}

type Provider = InferenceSession.ExecutionProviderConfig;

/** The builds of onnxruntime-web, and where each is told to compute. */
const backends: Readonly<Record<string, () => Promise<{ readonly ort: OrtModule; readonly provider: Provider }>>> = {
  wasm: async () => ({ ort: await import('onnxruntime-web/wasm'), provider: 'wasm' }),
  webgpu: async () => ({ ort: onlyThere(await import('onnxruntime-web/webgpu')), provider: 'webgpu' }),
  // Other kernels, which pool three axes in this layout alone.
  'webgpu of the default build': async () => ({
    ort: onlyThere(await import('onnxruntime-web')),
    provider: { name: 'webgpu', preferredLayout: 'NCHW' },
  }),
};

/** The runtime, but a network of which it would compute any part on the processor is an error. */
function onlyThere({ InferenceSession, Tensor }: OrtModule): OrtModule {
  const create = (file: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> => {
    const session = { ...(options.extra?.session as object), disable_cpu_ep_fallback: '1' };
    return InferenceSession.create(file, { ...options, extra: { session } });
  };
  return { InferenceSession: { create } as OrtModule['InferenceSession'], Tensor };
}

/** Noise of mean 0, deviation 1 and fixed seed, 16×32×24 voxels. */
export function patch(): TileBatch {
  const shape = [1, 16, 32, 24] as const;
  const random = createRandom(5);
  return { data: Float32Array.from({ length: 16 * 32 * 24 }, () => random.normal()), shape };
}

/** Scores the patch with the network and the card that lie at an address, as docs/guides/browser.md says. */
async function score(address: string, { ort, provider }: { ort: OrtModule; provider: Provider }): Promise<Scored> {
  const [bytes, spec] = await Promise.all([
    fetch(`${address}.onnx`).then((response) => response.arrayBuffer()),
    fetch(`${address}.json`).then((response): Promise<ModelSpec> => response.json()),
  ]);
  const model = await onnxModel(ort, bytes, { spec, executionProviders: [provider] });
  const { shape, data } = await model.score(patch());
  await model.dispose();
  return { shape, logits: [...data] };
}

async function scoreAll(query: URLSearchParams): Promise<Scored[]> {
  const backend = await backends[query.get('backend')!]!();
  const all: Scored[] = [];
  for (const address of query.getAll('model')) {
    all.push(await score(address, backend).catch((error: Error) => ({ error: `${error.message}: ${error.cause}` })));
  }
  return all;
}

// The test imports the patch from here, too.
if (typeof location !== 'undefined') {
  scoreAll(new URLSearchParams(location.search)).then(
    (result) => Object.assign(globalThis, { pageResult: result }),
    (error) => Object.assign(globalThis, { pageResult: [{ error: String(error?.stack ?? error) }] }),
  );
}
