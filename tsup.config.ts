import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    node: 'src/node.ts',
    ndarray: 'src/volume/ndarray.ts',
    copick: 'src/copick/index.ts',
    figure: 'src/figure/index.ts',
    volumes: 'src/volumes.ts',
    peaks: 'src/peaks.ts',
    tiff: 'src/tiff/stack.ts',
    simulate: 'src/simulate/index.ts',
    formats: 'src/picks/formats/index.ts',
    cli: 'src/cli/main.ts',
    // Opened by loadModel, imported by nobody.
    'onnx-worker': 'src/onnx-worker.ts',
  },
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  splitting: true,
  clean: true,
  // tsup strips "node:" by default, which breaks bundlers that know only the prefixed names.
  removeNodeProtocol: false,
  external: [/^node:/],
  // tsup injects "baseUrl" into the declaration build, which TypeScript 6 reports as deprecated (egoist/tsup#1388).
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
});
