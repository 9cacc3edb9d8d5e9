import type { InferenceSession } from 'onnxruntime-common';
import { type ModelSpec, type OrtModule, onnxModel } from '../../src/entry/index.ts';
import { patch } from './patch.ts';

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

scoreAll(new URLSearchParams(location.search)).then(
  (result) => Object.assign(globalThis, { pageResult: result }),
  (error) => Object.assign(globalThis, { pageResult: [{ error: String(error?.stack ?? error) }] }),
);
