import { cp, readFile, writeFile } from 'node:fs/promises';
import { defineConfig } from 'tsup';
import { pageAlias, pageEntries, withoutForbiddenCodecs, withPreloads } from './scripts/page-build.ts';

const library = defineConfig({
  entry: {
    index: 'src/entry/index.ts',
    node: 'src/entry/node.ts',
    io: 'src/entry/io.ts',
    copick: 'src/entry/copick.ts',
    portal: 'src/entry/portal.ts',
    formats: 'src/entry/formats.ts',
    figure: 'src/entry/figure.ts',
    simulate: 'src/entry/simulate.ts',
    ndarray: 'src/entry/ndarray.ts',
    web: 'src/entry/web.ts',
    cli: 'src/cli/main.ts',
    // Opened by loadModel, imported by nobody.
    'onnx-worker': 'src/node/onnx-worker.ts',
    // What `#decode-pool` of package.json stands for in Node, and its thread.
    'node-decode-pool': 'src/node/decode-pool.ts',
    'node-decode-worker': 'src/node/decode-worker.ts',
    // Opened by matchThreads.
    'node-match-worker': 'src/node/match-worker.ts',
    'web-decode-pool': 'src/web/decode-pool.ts',
  },
  format: 'esm',
  target: 'node20',
  platform: 'neutral',
  splitting: true,
  // What is defined below is built at the same time.
  clean: ['!{decode,model}-worker.js', '!page/**'],
  // tsup strips "node:" by default, which breaks bundlers that know only the prefixed names.
  removeNodeProtocol: false,
  external: [/^node:/, '#decode-pool'],
  // tsup injects "baseUrl" into the declaration build, which TypeScript 6 reports as deprecated (egoist/tsup#1388).
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
});

const webWorkers = { 'decode-worker': 'src/web/decode-worker.ts', 'model-worker': 'src/web/model-worker.ts' };

/** A worker of browsers is one file: some bundlers copy it as it is, and pages may serve it themselves. */
const webWorker = defineConfig({
  entry: webWorkers,
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  splitting: false,
  // White space stays: with it esbuild would strip the comments by which webpack and Vite leave the import of a runtime alone.
  esbuildOptions(options) {
    options.minifySyntax = true;
    options.minifyIdentifiers = true;
  },
  noExternal: [/.*/],
});

/** The page of `cryoet-picks view`, for browsers: modules and workers side by side, so that any server can serve them. */
const page = defineConfig({
  entry: { ...pageEntries },
  outDir: 'dist/page',
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  splitting: true,
  minify: true,
  clean: true,
  noExternal: [/.*/],
  esbuildPlugins: [withoutForbiddenCodecs],
  esbuildOptions(options) {
    options.alias = { ...pageAlias };
  },
  async onSuccess() {
    const [html, main] = await Promise.all(
      ['src/page/index.html', 'dist/page/main.js'].map((path) => readFile(path, 'utf8')),
    );
    await writeFile('dist/page/index.html', withPreloads(html!, main!));
    await cp('src/page/style.css', 'dist/page/style.css');
  },
});

export default [library, webWorker, page];
