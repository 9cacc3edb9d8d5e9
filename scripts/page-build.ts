import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

/** The modules of the page of `cryoet-picks view`: itself, and its workers beside it. */
export const pageEntries: Readonly<Record<string, string>> = {
  main: source('page/main.ts'),
  'detect-worker': source('page/detect-worker.ts'),
  'teach-worker': source('page/teach-worker.ts'),
  'decode-worker': source('web/decode-worker.ts'),
  'model-worker': source('web/model-worker.ts'),
};

/** In the library package.json chooses by runtime; here there is one. */
export const pageAlias: Readonly<Record<string, string>> = { '#decode-pool': source('web/decode-pool.ts') };

/**
 * Leaves out the codecs of numcodecs.js: 450 kB, gzipped, that compile code, which the policy of the page forbids. They throw here
 * what they would throw there.
 */
export const withoutForbiddenCodecs: Plugin = {
  name: 'without-forbidden-codecs',
  setup(build) {
    const namespace = 'forbidden';
    build.onResolve({ filter: /^numcodecs\/(blosc|zstd)$/ }, ({ path }) => ({ path, namespace }));
    build.onLoad({ filter: /./, namespace }, () => ({
      contents: `
        const refuse = async () => { throw new EvalError('the policy of the page forbids to compile code'); };
        export default { fromConfig: () => ({ encode: refuse, decode: refuse }) };`,
    }));
  },
};

/**
 * The HTML of the page with a preload of each module that `main.js` imports: the browser asks for all of them at once, and not for
 * those after it has read `main.js`.
 *
 * @param main - The built `main.js`.
 */
export function withPreloads(html: string, main: string): string {
  const names = [...main.matchAll(/\b(?:from|import)"(\.\/[\w-]+\.js)"/g)].map(([, name]) => name);
  const links = [...new Set(names)].map((name) => `    <link rel="modulepreload" href="${name}">\n`);
  return html.replace(/^ *<script/m, (script) => links.join('') + script);
}
