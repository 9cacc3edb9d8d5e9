import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Options of {@link startScript}. */
export interface ScriptOptions {
  /** Options of Node. */
  readonly node?: readonly string[];
  /** Standard output, standard error, and what else is opened, as `spawn` takes it. */
  readonly stdio?: readonly ('ignore' | 'pipe' | 'inherit' | 'ipc')[];
}

/**
 * Starts a TypeScript module of this repository in a process of its own, which can send messages unless `stdio` says otherwise.
 *
 * The module is bundled, once for all its processes, because it takes Node longer to load its sources one by one than most of
 * these processes work. The process reads the bundle from its standard input, so that no file is left behind.
 */
export async function startScript(
  module: URL,
  args: readonly string[],
  { node = [], stdio = ['ignore', 'inherit', 'ipc'] }: ScriptOptions = {},
): Promise<ChildProcess> {
  const code = await bundleForNode(module);
  const child = spawn(process.execPath, [...node, '--input-type=module', '-', ...args], {
    cwd: fileURLToPath(new URL('../../', import.meta.url)),
    stdio: ['pipe', ...stdio],
  });
  // A process that dies before it has read the bundle tells so by its exit.
  child.stdin!.on('error', () => {});
  child.stdin!.end(code);
  return child;
}

const bundles = new Map<string, Promise<string>>();

/** A module of this repository as one script; packages are not part of it, so it must lie, or run, where Node finds them. */
export function bundleForNode(module: URL): Promise<string> {
  const made = bundles.get(module.href) ?? bundle(fileURLToPath(module));
  bundles.set(module.href, made);
  return made;
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    alias: { '#decode-pool': fileURLToPath(new URL('../../src/node/decode-pool.ts', import.meta.url)) },
    plugins: [{ name: 'own addresses', setup: ({ onLoad }) => onLoad({ filter: /\.ts$/ }, withOwnAddress) }],
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

/** Each source keeps its address in the bundle, so that it finds the files beside it. */
async function withOwnAddress({ path }: { readonly path: string }): Promise<{ contents: string; loader: 'ts' }> {
  const text = await readFile(path, 'utf8');
  return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' };
}
