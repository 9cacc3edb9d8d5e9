// Copies what the page fetches as it is: the network with its card, and the runtime with its WebAssembly.
import { cpSync } from 'node:fs';

const files = {
  'models/default.onnx': 'cryoet-picks/models/default.onnx',
  'models/default.json': 'cryoet-picks/models/default.json',
  'ort/ort.wasm.bundle.min.mjs': 'onnxruntime-web/dist/ort.wasm.bundle.min.mjs',
  'ort/ort-wasm-simd-threaded.wasm': 'onnxruntime-web/dist/ort-wasm-simd-threaded.wasm',
};
for (const [to, from] of Object.entries(files)) cpSync(`node_modules/${from}`, `public/${to}`);
