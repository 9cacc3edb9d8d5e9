import { fileURLToPath } from 'node:url';
import { type BuildResult, build } from 'esbuild';

/** Bundles a module for browsers as one ESM file in memory; fails on anything that a browser lacks. */
export async function bundleForBrowser(entry: string, external: readonly string[] = []): Promise<BuildResult> {
  return build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    metafile: true,
    outdir: '/bundle',
    splitting: true,
    external: [...external],
    logLevel: 'silent',
    alias: { '#decode-pool': fileURLToPath(new URL('../../src/web/decode-pool.ts', import.meta.url)) },
  });
}
