import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const repository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const manifest = JSON.parse(readFileSync(repository('package.json'), 'utf8'));

/**
 * Bytes that loading costs, as committed: raise a number only in a commit that says why.
 *
 * They count the library's own code, minified, that is fetched before anything is called. Code behind `await import` and
 * dependencies are not counted.
 */
const committed: Readonly<Record<string, number>> = JSON.parse(
  readFileSync(new URL('bundle-sizes.json', import.meta.url), 'utf8'),
);

const entries = Object.keys(manifest.exports)
  .filter((name) => !/\*|package\.json/.test(name))
  .map((name) => `cryoet-picks${name.slice(1)}`);

const typicalImports: Readonly<Record<string, string>> = {
  'planTiles, localMaxima': 'cryoet-picks',
  'detectParticles, openTomogram': 'cryoet-picks',
  'scorePicks, parseSubmission': 'cryoet-picks',
};

const cases: readonly (readonly [name: string, code: string])[] = [
  ...entries.map((entry) => [entry, `export * from '${entry}';`] as const),
  ...Object.entries(typicalImports).map(
    ([names, entry]) => [`{ ${names} } from ${entry}`, `export { ${names} } from '${entry}';`] as const,
  ),
];

describe('the size of what is loaded', () => {
  it('every entry and every typical import has a committed size', () => {
    expect(cases.map(([name]) => name)).toEqual(Object.keys(committed));
  });

  it.each(cases)('%s has grown by at most 10 %% over its committed size', async (name, code) => {
    const bytes = await loadedBytes(code);
    const change = (100 * (bytes / (committed[name] ?? Number.NaN) - 1)).toFixed(1);
    process.stdout.write(`  ${name}: ${bytes} bytes loaded, ${committed[name]} committed (${change} %)\n`);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual((committed[name] ?? 0) * 1.1);
  });
});

/** The bytes of all chunks that are fetched when a module of this code is loaded, before anything is called. */
async function loadedBytes(code: string): Promise<number> {
  const { metafile } = await build({
    stdin: { contents: code, resolveDir: repository('.'), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    minify: true,
    metafile: true,
    outdir: '/bundle',
    splitting: true,
    external: [
      'node:*',
      '#decode-pool',
      ...['dependencies', 'peerDependencies'].flatMap((kind) => Object.keys(manifest[kind])),
    ],
    alias: Object.fromEntries(
      // The longer name first: an alias holds for what begins with it, too.
      [...entries]
        .reverse()
        .map((entry) => [entry, repository(`src/entry/${entry === 'cryoet-picks' ? 'index' : entry.slice(13)}.ts`)]),
    ),
    logLevel: 'silent',
  });
  const outputs = metafile.outputs;
  const loaded = new Set<string>();
  const load = (path: string): void => {
    if (loaded.has(path) || !(path in outputs)) return;
    loaded.add(path);
    for (const { path: next, kind } of outputs[path]!.imports) if (kind === 'import-statement') load(next);
  };
  load(Object.keys(outputs).find((path) => outputs[path]!.entryPoint === '<stdin>')!);
  return [...loaded].reduce((sum, path) => sum + outputs[path]!.bytes, 0);
}
